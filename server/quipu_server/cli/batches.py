"""Lines of a file, grouped so that a group has the same name whenever the file is read again."""

import hashlib
import re
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from quipu_server.cli.lines import from_line

if TYPE_CHECKING:
    from quipu import Draft, QuipuError

MOST_LINES = 100
MOST_BYTES = 4 << 20
"""Both keep a batch within one call of the client. Changing them changes what a second run takes for the same batch."""
NAMESPACE = UUID("5b1d0d0e-8a7e-4c37-9b5e-6f1a4a1f6c3d")
"""Of request ids of batches; any fixed number would do."""

_INDEX = re.compile(r"^requests\[(\d+)\]\.(?:memory\.)?")


class LineError(ValueError):
    """A line cannot be stored."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")


@dataclass(slots=True)
class Batch:
    """Drafts with the numbers of their lines, and a digest of what the lines say and where they begin."""

    drafts: "list[Draft]" = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    byte_count: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    unit: str = "line"

    def add(self, number: int, line: bytes) -> None:
        """Raises LineError."""
        try:
            self.drafts.append(from_line(line))
        except ValueError as error:
            raise LineError(f"{self.unit} {number}", str(error)) from error
        self.lines.append(number)
        self.byte_count += len(line)
        self.digest.update(line)

    def takes(self, line: bytes) -> bool:
        """Tell whether a line still fits."""
        return not self.lines or (len(self.lines) < MOST_LINES and self.byte_count + len(line) <= MOST_BYTES)

    def request_id(self, space: str) -> str:
        """The same for the same lines at the same place of a file, for one space."""
        return str(uuid5(NAMESPACE, f"{space}\n{self.lines[0]}\n{self.digest.hexdigest()}"))

    def error(self, error: "QuipuError") -> LineError:
        """What the server says of the batch as what it means for a line."""
        for violation in error.field_violations:
            if match := _INDEX.match(violation.field):
                field = violation.field.removeprefix(match[0])
                return LineError(f"{self.unit} {self.lines[int(match[1])]}", f"{field}: {violation.description}")
        name = error.metadata.get("name", "").rpartition("/")[2]
        ids = [draft.get("id") for draft in self.drafts]
        if name in ids:
            return LineError(f"{self.unit} {self.lines[ids.index(name)]}", error.message)
        return LineError(f"{self.unit}s {self.lines[0]} to {self.lines[-1]}", error.message)


def read_batches(lines: Iterable[bytes], unit: str = "line") -> Generator[Batch, None, None]:
    """Group lines; empty ones are skipped. unit: what a line is called in errors. Raises LineError."""
    batch = Batch(unit=unit)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if not batch.takes(line):
            yield batch
            batch = Batch(unit=unit)
        batch.add(number, line)
    if batch.lines:
        yield batch
