"""Write the reference of settings, docs/configuration.md (make docs)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from quipu_server.config.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
COMPUTED = {
    "data_dir": "`$XDG_DATA_HOME/quipu`, or `~/.local/share/quipu`",
    "hot_bytes": "40 % of the memory that the process may use",
}
"""Defaults that depend on the machine."""
FORMS: dict[str, str] = {
    "str": "text",
    "int": "number",
    "float": "number",
    "bool": "`true`, `false`",
    "Path": "path",
    "SecretStr": "secret",
    "Endpoint": "tables",
}
SYMBOLS = {"ge": "≥ {:,}", "gt": "> {:,}", "le": "≤ {:,}", "lt": "< {:,}"}

INTRODUCTION = """\
# Configuration

Written by `make docs` from the settings of the server.

Each setting is a flag of `quipu serve`, a variable in the environment, or a key of a TOML file that `--config` or
`QUIPU_CONFIG` names. Flags go before the environment, the environment before the file, the file before the defaults.
`--pool-size`, `QUIPU_POOL_SIZE` and `pool_size` are the same setting.

    quipu config check --config quipu.toml
    quipu config show --config quipu.toml

`check` says whether the server could use the settings. An unknown key or a bad value is an error with the line of the
file:

    quipu.toml:4: log_level: Input should be 'debug', 'info', 'warning' or 'error'
    quipu.toml:7: databases.main.url: the environment has no MAIN_DATABASE
    quipu.toml:9: prot: there is no such setting; did you mean port?

`show` prints all settings with where each was given, and `********` for secrets. `quipu serve` makes the same checks.

## Secrets

A secret is given by reference, so that it is in no file of settings: `env:NAME` is the variable of that name,
`file:/path` the content of a file, without the end of its last line. `database_url` and `databases.NAME.url` may be
references too.

## Settings
"""

TABLES = """
## Named resources

A file describes databases and embedders by name, and settings choose them: `database` one of `databases`, `model` the
embedder for new spaces, which may be one of `embedders` or of `model_dirs`. They are tables, so they have no flags.

    database = "main"

    [databases.main]
    url = "env:MAIN_DATABASE"
    pool_size = 16

    [embedders.large]
    model = "text-embedding-3-large"
    dimension = 1024
    send_dimension = true
    endpoints = [
      {url = "https://embeddings.example.com/v1", key = "env:EMBEDDINGS_KEY"},
      {url = "https://other.example.com/v1", key = "file:/run/secrets/other"},
    ]
"""


def rows(model: type[BaseModel]) -> Iterator[str]:
    """A table of the fields of a model."""
    yield "| setting | form | default | |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is not dict:
            yield f"| `{name}` | {form(field)} | {default(name, field)} | {field.description} |"


def form(field: FieldInfo) -> str:
    """The type of a field, with its bounds."""
    bounds = [s.format(getattr(m, key)) for m in field.metadata for key, s in SYMBOLS.items() if hasattr(m, key)]
    return " ".join([named(field.annotation), ", ".join(bounds)]).strip()


def named(kind: Any) -> str:
    """A type in words."""
    arguments = [argument for argument in get_args(kind) if argument is not type(None)]
    if get_origin(kind) is list:
        return f"list of {named(arguments[0])}"
    if arguments and all(isinstance(argument, str) for argument in arguments):
        return ", ".join(f"`{argument}`" for argument in arguments)
    if arguments:
        return named(arguments[0])
    name: str = kind.__name__
    return FORMS.get(name, name)


def default(name: str, field: FieldInfo) -> str:
    """What a setting is when nobody gives it."""
    if name in COMPUTED:
        return COMPUTED[name]
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value in ("", None):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def resources(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The tables of a model, those within them included."""
    for name, field in model.model_fields.items():
        for kind in get_args(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                path = f"{name}.NAME" if get_origin(field.annotation) is dict else f"{name}[]"
                yield path, kind
                yield from ((f"{path}.{within}", deeper) for within, deeper in resources(kind))


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *rows(Settings), TABLES]
    for path, kind in resources(Settings):
        parts += [f"### `{path}`", "", re.sub(r"\s+", " ", kind.__doc__ or ""), "", *rows(kind), ""]
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
