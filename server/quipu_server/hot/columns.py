"""What an index knows of each slot, to filter and rank by."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import IndexRow
from quipu_server.hot.arrays import Growing, is_one_of
from quipu_server.hot.segment import Mask
from quipu_server.hot.vocabulary import Vocabulary

NEVER = np.iinfo(np.int64).min
"""A time that is not set."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TEXTS: Mapping[str, Callable[[IndexRow], str]] = {
    "id": lambda row: row.memory_id,
    "kind": lambda row: row.kind.name.lower(),
    "role": lambda row: row.role.name.lower() if row.role else "",
    "speaker": lambda row: row.speaker,
    "session": lambda row: row.session,
}
TIMES: Mapping[str, Callable[[IndexRow], datetime | None]] = {
    "event_time": lambda row: row.event_time,
    "create_time": lambda row: row.create_time,
    "update_time": lambda row: row.update_time,
    "expire_time": lambda row: row.expire_time,
}

NUMBERS = (
    "revisions",
    "created",
    "importances",
    "given",
    "balances",
    "lengths",
    "row_starts",
    "row_slots",
    "spans",
)
"""The columns that are plain arrays."""


def microseconds(time: datetime | None) -> int:
    """Microseconds since 1970; NEVER if there is no time."""
    return NEVER if time is None else (time - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Strings as codes, "" where there is none. With `owners`, each entry belongs to a slot; without, to its own."""

    codes: NDArray[np.int32]
    vocabulary: Vocabulary
    slot_count: int
    owners: NDArray[np.int32] | None = None

    def among(self, values: Iterable[str]) -> Mask:
        """Which slots have one of the values."""
        codes = [code for value in values if value and (code := self.vocabulary.find(value)) is not None]
        return self._slots(is_one_of(self.codes, codes))

    def where(self, accepts: Callable[[str], bool]) -> Mask:
        """Which slots have a value that is accepted."""
        accepted = np.array([value != "" and accepts(value) for value in self.vocabulary.values], np.bool_)
        return self._slots(accepted[self.codes])

    def is_set(self) -> Mask:
        """Which slots have a value."""
        nothing = self.vocabulary.find("")
        return self._slots(np.ones(len(self.codes), np.bool_) if nothing is None else self.codes != nothing)

    def decode(self, slots: NDArray[np.int64]) -> Sequence[str]:
        """The values of some slots."""
        values = self.vocabulary.values
        return [values[code] for code in self.codes[slots].tolist()]

    def _slots(self, entries: Mask) -> Mask:
        if self.owners is None:
            return entries
        slots = np.zeros(self.slot_count, np.bool_)
        # Far sooner than by the mask, and by indexes that need not be converted.
        slots[self.owners.take(np.flatnonzero(entries)).astype(np.intp)] = True
        return slots


@dataclass(frozen=True, slots=True, eq=False)
class Values(Sequence[str]):
    """The values of some slots, each looked up when it is asked for."""

    column: TextColumn
    slots: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.slots)

    @overload
    def __getitem__(self, places: int) -> str: ...
    @overload
    def __getitem__(self, places: slice) -> Sequence[str]: ...
    def __getitem__(self, places: int | slice) -> str | Sequence[str]:
        if isinstance(places, slice):
            return self.column.decode(self.slots[places])
        return self.column.vocabulary.values[int(self.column.codes[self.slots[places]])]

    def __iter__(self) -> Iterator[str]:
        return iter(self.column.decode(self.slots))


@dataclass(frozen=True, slots=True)
class Columns:
    """Facts of slots 0, 1, 2 …

    texts: `id`, `kind`, `role`, `speaker`, `session`, `tags`. times: int64 microseconds, by field.
    revisions: ascending. created: the revision that created the memory. given, balances: see IndexRow. lengths: words,
    float64. row_starts: int64, one more than slots: a slot has the rows from its own to the next. row_slots, spans: of
    each row, the slot and the part of the content.
    """

    texts: Mapping[str, TextColumn]
    times: Mapping[str, NDArray[np.int64]]
    revisions: NDArray[np.int64]
    created: NDArray[np.int64]
    importances: NDArray[np.float64]
    given: NDArray[np.bool_]
    balances: NDArray[np.int32]
    lengths: NDArray[np.float64]
    row_starts: NDArray[np.int64]
    row_slots: NDArray[np.int32]
    spans: NDArray[np.int32]

    @property
    def one_row_a_slot(self) -> bool:
        """Whether rows and slots are the same."""
        return len(self.row_slots) == len(self.revisions)


class GrowingColumns:
    """Columns to add to."""

    def __init__(self) -> None:
        self._codes = {name: Growing(np.int32) for name in (*TEXTS, "tags")}
        self._vocabularies = {name: Vocabulary() for name in self._codes}
        self._tag_owners = Growing(np.int32)
        self._times = {name: Growing(np.int64) for name in TIMES}
        self._revisions = Growing(np.int64)
        self._created = Growing(np.int64)
        self._importances = Growing(np.float64)
        self._given = Growing(np.bool_)
        self._balances = Growing(np.int32)
        self._lengths = Growing(np.float64)
        self._row_starts = Growing(np.int64)
        self._row_starts.extend([0])
        self._row_slots = Growing(np.int32)
        self._spans = Growing(np.int32, 2)

    @classmethod
    def restore(cls, columns: Columns) -> Self:
        """Columns that go on from these, which nobody else adds to."""
        grown = cls()
        grown._codes = {name: Growing.over(column.codes) for name, column in columns.texts.items()}
        grown._vocabularies = {name: column.vocabulary for name, column in columns.texts.items()}
        if (owners := columns.texts["tags"].owners) is not None:
            grown._tag_owners = Growing.over(owners)
        grown._times = {name: Growing.over(times) for name, times in columns.times.items()}
        for name in NUMBERS:
            setattr(grown, f"_{name}", Growing.over(getattr(columns, name)))
        return grown

    def __len__(self) -> int:
        return len(self._revisions)

    @property
    def row_count(self) -> int:
        return len(self._row_slots)

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Words of each slot."""
        return self._lengths.view()

    @property
    def vocabularies(self) -> Sequence[Vocabulary]:
        """Of the texts."""
        return list(self._vocabularies.values())

    def code_of(self, memory_id: str) -> int:
        """The code of the id of a memory, which may be new."""
        return self._vocabularies["id"].encode(memory_id)

    @property
    def nbytes(self) -> int:
        numbers: list[Growing[Any]] = [getattr(self, f"_{name}") for name in NUMBERS]
        numbers += [self._tag_owners, *self._codes.values(), *self._times.values()]
        return sum(a.nbytes for a in numbers) + sum(v.nbytes for v in self._vocabularies.values())

    def extend(self, rows: Sequence[IndexRow]) -> None:
        """Give the next slots to these memories."""
        slots = np.arange(len(self), len(self) + len(rows))
        for name, text in TEXTS.items():
            encode = self._vocabularies[name].encode
            self._codes[name].extend([encode(text(row)) for row in rows])
        self._codes["tags"].extend([self._vocabularies["tags"].encode(tag) for row in rows for tag in row.tags])
        self._tag_owners.extend(np.repeat(slots, [len(row.tags) for row in rows]))
        for name, time in TIMES.items():
            self._times[name].extend([microseconds(time(row)) for row in rows])
        self._created.extend([row.created for row in rows])
        self._importances.extend([row.importance for row in rows])
        self._given.extend([row.importance_given for row in rows])
        self._balances.extend([row.balance for row in rows])
        self._lengths.extend([row.length for row in rows])
        self._extend_rows(rows, slots)
        self._revisions.extend([row.revision for row in rows])

    def _extend_rows(self, rows: Sequence[IndexRow], slots: NDArray[np.int64]) -> None:
        counts = [len(row.codes) for row in rows]
        self._row_starts.extend(self.row_count + np.cumsum(counts))
        self._row_slots.extend(np.repeat(slots, counts))
        self._spans.extend(np.concatenate([row.spans for row in rows]))

    def view(self) -> Columns:
        """What is there now."""
        count = len(self)
        texts = {name: TextColumn(codes.view(), self._vocabularies[name], count) for name, codes in self._codes.items()}
        tags = texts["tags"]
        texts["tags"] = TextColumn(tags.codes, tags.vocabulary, count, self._tag_owners.view())
        return Columns(
            texts,
            {name: times.view() for name, times in self._times.items()},
            self._revisions.view(),
            self._created.view(),
            self._importances.view(),
            self._given.view(),
            self._balances.view(),
            self._lengths.view(),
            self._row_starts.view(),
            self._row_slots.view(),
            self._spans.view(),
        )
