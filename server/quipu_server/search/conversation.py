"""What stands around the memories that were found: the messages before and after, in their sessions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Revisions
from quipu_server.ports import SearchView, Selection

LEADERS = 10
"""The neighbours of so many of the best of each list become candidates: on LoCoMo 5 did as well as all."""

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What ranking must know of: candidates, and witnesses, which count as neighbours but may not be returned.

    revisions: ascending. around: shape (n, 2), places of the message before and after; NOBODY where there is none, or
    none that scores. is_candidate: bool.
    """

    revisions: Revisions
    around: NDArray[np.intp]
    is_candidate: NDArray[np.bool_]


def alone(listed: Revisions) -> Neighbourhood:
    """Candidates that have no neighbours."""
    return Neighbourhood(listed, np.full((len(listed), 2), NOBODY, np.intp), np.ones(len(listed), np.bool_))


async def surround(view: SearchView, selection: Selection, listed: Revisions, leaders: Revisions) -> Neighbourhood:
    """The listed memories, with the neighbours of the leaders among them, and with all neighbours that count.

    A neighbour that could be returned and is not listed scores 0 by both lists, so nothing is asked of it. One that the
    filter leaves out was never scored: it is a witness.
    """
    beside = await view.surroundings(listed, selection)
    if not beside.revisions.any():
        return alone(listed)
    leading = listed.searchsorted(leaders)
    joining = _others(distinct(beside.revisions[leading][beside.selected[leading]]), listed)
    candidates, neighbours, selected = listed, beside.revisions, beside.selected
    if len(joining):
        more = await view.surroundings(joining, selection)
        candidates = np.concatenate([listed, joining])
        neighbours = np.concatenate([neighbours, more.revisions])
        selected = np.concatenate([selected, more.selected])
    apart = neighbours[~selected & (neighbours > 0)]
    revisions = np.concatenate([candidates, distinct(apart)]) if len(apart) else candidates
    return _arrange(revisions, len(candidates), neighbours)


def distinct(revisions: Revisions) -> Revisions:
    """Ascending, each once: as `np.unique`, which takes five times as long for so few."""
    found: Revisions = np.sort(revisions)
    return found[np.flatnonzero(np.diff(found, prepend=-1))]


def _others(revisions: Revisions, listed: Revisions) -> Revisions:
    """Those that are not listed, ascending."""
    places = np.minimum(listed.searchsorted(revisions), len(listed) - 1)
    missing: Revisions = revisions[listed[places] != revisions]
    return missing


def _arrange(revisions: Revisions, candidate_count: int, neighbours: Revisions) -> Neighbourhood:
    """In ascending order. neighbours: of the candidates, which come first."""
    order = np.argsort(revisions)
    ordered = revisions[order]
    places = np.minimum(ordered.searchsorted(neighbours), len(ordered) - 1)
    around = np.full((len(revisions), 2), NOBODY, np.intp)
    around[:candidate_count] = np.where(ordered[places] == neighbours, places, NOBODY)
    return Neighbourhood(ordered, around[order], order < candidate_count)
