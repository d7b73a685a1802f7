"""The messages of an index by session: their order, and how many words each session has.

A message is a memory of kind episodic that has a session. A session is a code of the column `session`; codes are given
to other memories too, and have no messages then.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Kind
from quipu_server.hot.arrays import Growing, ranges
from quipu_server.hot.columns import Columns, TextColumn
from quipu_server.hot.segment import Mask

CREATED_BITS = 39
"""Of a key; what is left of 63 bits is for the session: more of both than a space can have."""

RECENT = 4_096
"""Messages that are kept apart from the many, so that adding to few of them is enough."""

NO_SLOT = -1
NO_SESSION = -1

STEPS = np.array([[-1], [1]])
"""Towards what comes before, and towards what comes after."""

Slots = NDArray[np.int64]
Codes = NDArray[np.int32]
"""Of sessions."""
NumberT = TypeVar("NumberT", np.int64, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Some messages by session and creation. `keys` ascend; a key that no message has stands at either end."""

    keys: NDArray[np.int64]
    slots: Slots

    @classmethod
    def of(cls, keys: NDArray[np.int64], slots: Slots) -> Self:
        order = np.argsort(keys, kind="stable")
        edges = np.array([NO_SESSION << CREATED_BITS, np.iinfo(np.int64).max])
        return cls(np.insert(edges, 1, keys[order]), np.insert(np.full(2, NO_SLOT), 1, slots[order]))

    def __len__(self) -> int:
        return len(self.keys) - 2

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.slots.nbytes

    def joined(self, keys: NDArray[np.int64], slots: Slots) -> "Run":
        """A run of these as well."""
        return Run.of(np.concatenate([self.keys[1:-1], keys]), np.concatenate([self.slots[1:-1], slots]))

    def of_sessions(self, sessions: Codes) -> tuple[Slots, NDArray[np.intp]]:
        """The slots of some sessions, and the place of the session of each among these."""
        firsts, ends = (self.keys.searchsorted(keys_of(codes, 0)) for codes in (sessions, sessions + 1))
        counts = ends - firsts
        return self.slots[ranges(firsts, counts)], np.arange(len(sessions)).repeat(counts)

    def beside(self, keys: NDArray[np.int64], live: Mask) -> tuple[NDArray[np.int64], Slots]:
        """The nearest live messages of the same session before each of n keys, and after it.

        Returns their keys, and their slots, each of shape (2, n); a slot is NO_SLOT where there is none.
        """
        # Versions of a memory have one key.
        places = np.stack([self.keys.searchsorted(keys) - 1, self.keys.searchsorted(keys, "right")])
        sessions = keys >> CREATED_BITS
        while True:
            found, there = self.slots[places], self.keys[places]
            same = there >> CREATED_BITS == sessions
            dead = same & ~live[found]
            if not dead.any():
                return there, np.where(same, found, NO_SLOT)
            places = places + STEPS * dead


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """An immutable view. session_of: of each slot, NO_SESSION for what is no message. runs: cover all messages.

    counts, lengths: live messages and their words, by session.
    """

    session_of: NDArray[np.int32]
    created: NDArray[np.int64]
    runs: tuple[Run, ...]
    counts: NDArray[np.int64]
    lengths: NDArray[np.float64]

    def neighbours(self, slots: Slots, live: Mask) -> Slots:
        """The live messages before and after each slot, shape (n, 2); NO_SLOT where there is none."""
        sessions = self.session_of[slots]
        is_message = sessions != NO_SESSION
        if is_message.all():
            return self._nearest(keys_of(sessions, self.created[slots]), live).T
        beside = np.full((len(slots), 2), NO_SLOT)
        if is_message.any():
            beside[is_message] = self._nearest(keys_of(sessions[is_message], self.created[slots[is_message]]), live).T
        return beside

    def _nearest(self, keys: NDArray[np.int64], live: Mask) -> Slots:
        """Before and after each key, shape (2, n)."""
        (nearest, slots), *others = [run.beside(keys, live) for run in self.runs]
        for candidates, found in others:
            better = (found != NO_SLOT) & ((slots == NO_SLOT) | (STEPS * candidates < STEPS * nearest))
            nearest, slots = np.where(better, candidates, nearest), np.where(better, found, slots)
        return slots

    def messages(self, sessions: Codes, live: Mask) -> tuple[Slots, NDArray[np.intp]]:
        """The live messages of some sessions, and the place of the session of each among these."""
        found = [run.of_sessions(sessions) for run in self.runs]
        slots, places = (np.concatenate(some) for some in zip(*found, strict=True))
        return slots[live[slots]], places[live[slots]]


class GrowingSessions:
    """Sessions to add to. One thread writes; what `view` returned never changes."""

    def __init__(self) -> None:
        nothing = Run.of(np.empty(0, np.int64), np.empty(0, np.int64))
        self._many, self._recent = nothing, nothing
        self._nothing = nothing
        self._session_of = Growing(np.int32)
        self._counts = np.empty(0, np.int64)
        self._lengths = np.empty(0)

    @classmethod
    def of(cls, columns: Columns, live: Mask) -> Self:
        """Those of what an index holds."""
        grown = cls()
        grown.append(columns, np.flatnonzero(~live))
        return grown

    @property
    def nbytes(self) -> int:
        arrays = (self._session_of, self._many, self._recent, self._counts, self._lengths)
        return sum(a.nbytes for a in arrays)

    def append(self, columns: Columns, ended: Slots) -> None:
        """Take in the slots that are new in the columns; of all, those that ended are not live any more."""
        first = len(self._session_of)
        sessions = _sessions(columns.texts, first)
        self._session_of.extend(sessions)
        made = np.flatnonzero(sessions != NO_SESSION)
        if len(made):
            self._add(keys_of(sessions[made], columns.created[first + made]), first + made)
        self._count(columns, first + made, 1)
        self._count(columns, ended[self._session_of.view()[ended] != NO_SESSION], -1)

    def view(self, columns: Columns) -> Sessions:
        """What is there now."""
        runs = tuple(run for run in (self._many, self._recent) if len(run)) or (self._nothing,)
        return Sessions(self._session_of.view(), columns.created, runs, self._counts, self._lengths)

    def _add(self, keys: NDArray[np.int64], slots: Slots) -> None:
        self._recent = self._recent.joined(keys, slots)
        if len(self._recent) > max(RECENT, len(self._many) // 8):
            self._many = self._many.joined(self._recent.keys[1:-1], self._recent.slots[1:-1])
            self._recent = self._nothing

    def _count(self, columns: Columns, slots: Slots, sign: int) -> None:
        """Count messages and words of some slots in, or out. Views hold the arrays from before."""
        if not len(slots):
            return
        sessions = self._session_of.view()[slots]
        size = max(len(self._counts), int(sessions.max()) + 1)
        self._counts = _grown(self._counts, size) + sign * np.bincount(sessions, minlength=size)
        words = np.bincount(sessions, weights=columns.lengths[slots], minlength=size)
        self._lengths = _grown(self._lengths, size) + sign * words


def keys_of(sessions: Codes, created: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Numbers that order messages by session, then by creation."""
    return (sessions.astype(np.int64) << CREATED_BITS) | created


def _sessions(texts: Mapping[str, TextColumn], first: int) -> NDArray[np.int32]:
    """The session of each slot from the first one on."""
    codes, kinds = texts["session"].codes[first:], texts["kind"].codes[first:]
    # A code that there is not is that of no slot.
    nothing, episodic = texts["session"].vocabulary.find(""), texts["kind"].vocabulary.find(Kind.EPISODIC.name.lower())
    is_message = (codes != _code(nothing)) & (kinds == _code(episodic))
    return np.where(is_message, codes, np.int32(NO_SESSION))


def _code(found: int | None) -> int:
    return NO_SESSION if found is None else found


def _grown(numbers: NDArray[NumberT], size: int) -> NDArray[NumberT]:
    return np.concatenate([numbers, np.zeros(size - len(numbers), numbers.dtype)])
