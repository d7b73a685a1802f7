"""Settings of the server: flags over the environment (`QUIPU_…`) over a TOML file over defaults."""

from quipu_server.config.loading import BadSettings, load
from quipu_server.config.resources import DatabaseResource, EmbedderResource, Endpoint
from quipu_server.config.settings import CONFIG_VARIABLE, DEFAULT_PORT, Settings

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_PORT",
    "BadSettings",
    "DatabaseResource",
    "EmbedderResource",
    "Endpoint",
    "Settings",
    "load",
]
