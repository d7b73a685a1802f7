"""Everything an operator can choose."""

import os
from errno import ENOENT
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from quipu_server.access.domain import GuardPolicy
from quipu_server.config.resources import DatabaseResource, EmbedderResource, Name
from quipu_server.config.secrets import Resolved
from quipu_server.guard.personal import is_region
from quipu_server.machine import usable_bytes

DEFAULT_PORT = 50051
HOT_SHARE = 0.4
"""Of the memory of the process; models, requests, the embedded database and its cache need the rest."""
LEAST_HISTORY_DAYS = 7
CONFIG_VARIABLE = "QUIPU_CONFIG"
PREFIX = "QUIPU_"


def default_data_dir() -> Path:
    """Where the embedded database lives when nothing is said: below XDG_DATA_HOME or ~/.local/share."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "quipu"


def default_hot_bytes() -> int:
    """A share of the memory that the process may use."""
    return int(HOT_SHARE * usable_bytes())


def check_region(region: str) -> str:
    """Raise ValueError unless phone numbers of the country are known."""
    if not is_region(region):
        raise ValueError("must be a country of two capital letters, such as US, or empty")
    return region


class Settings(BaseSettings):
    """Each field is also `QUIPU_<NAME>` in the environment, and a flag unless it is a table."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", hide_input_in_errors=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(DEFAULT_PORT, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    insecure_no_auth: bool = Field(False, description="Let everybody in, also off loopback; not with credentials.")
    key_secret: SecretStr = Field(SecretStr(""), description="Secret that keys are stored under; turns credentials on.")
    key_secret_file: Path | None = Field(None, description="File with the secret that keys are stored under.")
    master_key: SecretStr = Field(SecretStr(""), description="Credential of the administrator, 16 characters or more.")
    master_key_file: Path | None = Field(None, description="File with the credential of the administrator.")
    tls_cert_file: Path | None = Field(None, description="Certificate chain of the server, PEM; turns TLS on.")
    tls_key_file: Path | None = Field(None, description="Private key of the certificate, PEM.")
    tls_client_ca_file: Path | None = Field(None, description="Authorities of clients, PEM; refuses all other clients.")
    open_reflection: bool = Field(False, description="Answer reflection without a credential.")
    data_dir: Path = Field(default_factory=default_data_dir, description="Directory of the embedded database.")
    database_url: Resolved = Field(
        "", description="PostgreSQL to use instead of the embedded one; may be `env:NAME` or `file:/path`.", repr=False
    )
    database: str = Field("", description="Name of the one in `databases` to use instead of the embedded one.")
    pool_size: int = Field(8, ge=1, le=128, description="Connections to the database.")
    model: str = Field("", description="Model for new spaces; the shipped one when empty.")
    model_dirs: list[Path] = Field(default_factory=list, description="Further model directories.")
    embedding_workers: int = Field(0, ge=0, le=256, description="Embedding threads; 0 means one a processor.")
    embedding_queue_tokens: int = Field(2_000_000, ge=1_024, description="Tokens that may wait to be embedded.")
    hot_bytes: int = Field(
        default_factory=default_hot_bytes, ge=0, description="Memory for hot indexes, bytes; 0 keeps none."
    )
    snapshot_dir: Path | None = Field(
        None, description="Directory of index snapshots; `index` in the data directory when empty."
    )
    snapshot_bytes: int = Field(8 << 30, ge=0, description="Disk for index snapshots, bytes; 0 keeps none.")
    job_workers: int = Field(2, ge=0, le=64, description="Jobs to do at once; 0 leaves them to other processes.")
    job_lease_s: float = Field(
        30.0, ge=1, description="Silence after which the jobs of a worker are taken over; the same on all servers."
    )
    cold_index_memories: int = Field(
        50_000, ge=0, description="Memories from which a space gets an index in the database; 0 builds none."
    )
    history_days: int = Field(
        0, ge=0, description="Days that versions are kept after they ended, 7 or more; 0 for ever."
    )
    retention_every_s: float = Field(
        3_600.0, ge=0, description="How often policies of retention are applied by themselves, seconds; 0: never."
    )
    content_bytes: int = Field(32_768, ge=1, le=1 << 20, description="Longest content of a memory, bytes.")
    guard: Literal["off", "block_secrets", "redact_personal", "both"] = Field(
        "off", description="What is done to secrets and personal data when memories are written, for all tenants."
    )
    guard_region: Annotated[str, AfterValidator(check_region)] = Field(
        "US", description="Country of phone numbers that bring no country code; none when empty."
    )
    message_bytes: int = Field(16 << 20, ge=1 << 16, le=1 << 30, description="Longest message in or out, bytes.")
    most_calls: int = Field(1_024, ge=1, description="Calls that may run at once; more are told to come back.")
    most_streams: int = Field(256, ge=1, description="Calls that may run at once on one connection; more wait.")
    connection_age_s: float = Field(
        0, ge=0, description="Age at which connections end, so that clients spread; 0: never."
    )
    keepalive_s: float = Field(60, ge=1, description="How long a connection may be silent before it is pinged.")
    keepalive_timeout_s: float = Field(20, ge=1, description="How long a ping may be without an answer.")
    default_deadline_s: float = Field(30.0, gt=0, description="Deadline of requests that bring none.")
    longest_deadline_s: float = Field(300.0, gt=0, description="Longest deadline a request may bring.")
    drain_s: float = Field(10.0, ge=0, description="Time for running requests when the server stops.")
    metrics_host: str = Field("127.0.0.1", description="Address to show metrics on.")
    metrics_port: int = Field(0, ge=0, le=65_535, description="Port to show metrics on, for Prometheus; 0 for none.")
    trace_endpoint: str = Field(
        "", description="OpenTelemetry collector (OTLP over gRPC), as `http://localhost:4317`; needs the extra `otel`."
    )
    trace_share: float = Field(1.0, ge=0, le=1, description="Share of the calls to trace when callers do not say.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level to log.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="JSON unless standard error is a terminal."
    )

    databases: dict[Name, DatabaseResource] = Field(default_factory=dict, description="PostgreSQL servers by name.")
    embedders: dict[Name, EmbedderResource] = Field(default_factory=dict, description="Remote models by name.")

    @field_validator("history_days")
    @classmethod
    def _outlives_requests(cls, days: int) -> int:
        """Answers to requests, which are repeated for 7 days, are made of versions."""
        if 0 < days < LEAST_HISTORY_DAYS:
            raise ValueError(f"must be 0 or at least {LEAST_HISTORY_DAYS}")
        return days

    @model_validator(mode="after")
    def _choose_database(self) -> Self:
        """Put the chosen database in its place."""
        if not self.database:
            return self
        if self.database_url:
            raise ValueError("database and database_url are both given; give one of them")
        if (chosen := self.databases.get(self.database)) is None:
            raise ValueError(f"database: there is no {self.database!r} in databases")
        self.database_url = chosen.url
        self.pool_size = chosen.pool_size or self.pool_size
        return self

    @property
    def guard_policy(self) -> GuardPolicy:
        """What the guard does for all tenants; each may have more."""
        return GuardPolicy(
            block_secrets=self.guard in ("block_secrets", "both"),
            redact_personal=self.guard in ("redact_personal", "both"),
            region=self.guard_region,
        )

    @property
    def index_dir(self) -> Path | None:
        """Where snapshots of indexes are kept; None when they are not: with a database elsewhere, unless told."""
        if self.snapshot_bytes == 0:
            return None
        has_data_dir = not self.database_url or "data_dir" in self.model_fields_set
        directory = self.snapshot_dir or (self.data_dir / "index" if has_data_dir else None)
        return directory and directory.expanduser()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get(CONFIG_VARIABLE)
        if file and not Path(file).is_file():  # pydantic would take it for an empty one
            raise FileNotFoundError(ENOENT, "there is no such file", file)
        toml = (TomlConfigSettingsSource(settings_cls, Path(file)),) if file else ()
        return (init_settings, env_settings, *toml)
