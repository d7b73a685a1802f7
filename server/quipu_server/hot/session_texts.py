"""The words of whole sessions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import SessionTexts
from quipu_server.hot.arrays import ranges
from quipu_server.hot.contents import Contents, Slots
from quipu_server.hot.postings import Occurrences
from quipu_server.hot.sessions import NO_SESSION, Codes
from quipu_server.hot.words import Matches

Floats = NDArray[np.float64]


def session_texts(contents: Contents, slots: Slots, found: Matches) -> SessionTexts:
    """The sessions of the messages among these slots. found: the words of the query."""
    sessions = contents.sessions
    codes, places = np.unique(sessions.session_of[slots], return_inverse=True)
    if len(codes) and codes[0] == NO_SESSION:
        codes, places = codes[1:], places - 1
    is_soon = found.are_sooner_looked_up(int(sessions.counts[codes].sum()))
    count = _look_up if is_soon else _go_through
    return SessionTexts(places, sessions.lengths[codes], count(contents, codes, found))


def _look_up(contents: Contents, codes: Codes, found: Matches) -> Floats:
    """How often each term occurs in the live messages of each session: shape (terms, sessions)."""
    slots, places = contents.sessions.messages(codes, contents.live)
    # Messages of a session often have slots that follow each other: these are looked up together.
    begins = (np.diff(slots, prepend=-1) != 1) | (np.diff(places, prepend=-1) != 0)
    firsts, places = slots[begins].astype(np.int32), places[begins]
    ends = slots[np.roll(begins, -1)].astype(np.int32) + np.int32(1)
    rows = [_count(parts, firsts, ends, places, len(codes)) for parts in found.parts]
    return np.array(rows, np.float64).reshape(len(found.parts), len(codes))


def _count(parts: Sequence[Occurrences], firsts: Codes, ends: Codes, places: Slots, size: int) -> Floats:
    """How often a term occurs from some slots on to some others, by the places of these ranges."""
    total = np.zeros(size)
    for part in parts:
        found = part.slots.searchsorted(firsts)
        counts = part.slots.searchsorted(ends) - found
        total += np.bincount(places.repeat(counts), part.frequencies[ranges(found, counts)], size)
    return total


def _go_through(contents: Contents, codes: Codes, found: Matches) -> Floats:
    """The same, by all occurrences."""
    sessions, shape = contents.sessions, (len(found.parts), len(codes))
    parts = [part for parts in found.parts for part in parts]
    if not parts or not len(codes):
        return np.zeros(shape)
    place_of = np.full(len(sessions.counts) + 1, NO_SESSION)  # the last is for what is no message
    place_of[codes] = np.arange(len(codes))
    slots = np.concatenate([part.slots for part in parts])
    frequencies = np.concatenate([part.frequencies for part in parts], dtype=np.float64)
    terms = np.arange(shape[0]).repeat([sum(len(part.slots) for part in parts) for parts in found.parts])
    places = place_of[sessions.session_of[slots]]
    counted = (places != NO_SESSION) & contents.live[slots]
    cells = terms[counted] * shape[1] + places[counted]
    return np.bincount(cells, frequencies[counted], shape[0] * shape[1]).astype(np.float64).reshape(shape)
