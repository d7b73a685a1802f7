"""Those who watch notice when the log that they follow is another one."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import pytest

from quipu_server.domain import Space
from quipu_server.errors import LogReplaced, OutOfRange
from quipu_server.watching import Changes, Watching, WatchQuery
from tests.contract.memory_store import Data, Log, Memories, Spaces
from tests.contract.stores import a_creation

SPACE = Space(uuid4(), "t", "a", "m", "f")


@dataclass
class Place:
    """A space whose log can be cut, and written anew."""

    data: Data

    async def write(self, count: int, what: str) -> None:
        for i in range(count):
            await Memories(self.data).append(SPACE, [a_creation(f"{what}{i}")], None)

    def restore(self, revision: int) -> None:
        lost = self.data.log[SPACE.id][revision:]
        del self.data.log[SPACE.id][revision:]
        for memory in lost:
            del self.data.nonces[SPACE.id, memory.revision]

    async def find(self, tenant: str, name: str) -> Space:
        return SPACE

    async def told(self, after: int | None, nonce: int = 0, count: int = 1) -> Sequence[Changes]:
        """What a watch tells first."""
        query = WatchQuery("t", ["a"], {} if after is None else {"a": after}, {"a": nonce} if nonce else {})
        watch = Watching(self, Memories(self.data), Log(self.data)).watch(query, lambda: True)  # type: ignore[arg-type]
        return [await anext(watch) for _ in range(count)]


@pytest.fixture
async def place() -> Place:
    data = Data()
    await Spaces(data).ensure_space(SPACE)
    made = Place(data)
    await made.write(6, "kept")
    await made.write(3, "lost")
    return made


async def test_what_is_told_has_the_nonces_of_the_log(place: Place) -> None:
    (changes,) = await place.told(2)
    nonces = [place.data.nonces[SPACE.id, revision] for revision in range(3, 10)]
    assert (changes.revision, changes.nonce) == (9, nonces[-1])
    assert [change.nonce for change in changes.changes] == nonces
    (mark,) = await place.told(None)
    assert (mark.revision, mark.nonce) == (9, nonces[-1])
    (again,) = await place.told(9, nonces[-1])
    assert (again.changes, again.revision, again.nonce) == ([], 9, nonces[-1])


@pytest.mark.parametrize("later", [0, 2, 3, 5], ids=["untouched", "shorter", "equal", "longer"])
async def test_a_watch_does_not_begin_in_another_log(place: Place, later: int) -> None:
    nonce = place.data.nonces[SPACE.id, 9]
    place.restore(6)
    await place.write(later, "new")
    with pytest.raises(LogReplaced) as raised:
        await place.told(9, nonce)
    assert raised.value.metadata == {"name": "spaces/a", "revision": "9", "head": f"{6 + later}"}


async def test_a_watch_that_was_in_the_part_that_is_left_goes_on(place: Place) -> None:
    nonce = place.data.nonces[SPACE.id, 6]
    place.restore(6)
    await place.write(2, "new")
    (changes,) = await place.told(6, nonce)
    assert [change.memory.memory_id for change in changes.changes] == ["new0", "new1"]


@pytest.mark.parametrize("later", [0, 2, 3, 5], ids=["untouched", "shorter", "equal", "longer"])
async def test_a_running_watch_notices(place: Place, later: int) -> None:
    query = WatchQuery("t", ["a"], {"a": 0})
    watch = Watching(place, Memories(place.data), Log(place.data)).watch(query, lambda: True)  # type: ignore[arg-type]
    assert (await anext(watch)).revision == 9
    place.restore(6)
    await place.write(later, "new")
    with pytest.raises(LogReplaced):
        await anext(watch)


async def test_without_a_nonce_only_what_is_beyond_the_head_is_noticed(place: Place) -> None:
    with pytest.raises(OutOfRange) as raised:
        await place.told(10)
    assert raised.value.reason == "REVISION_OUT_OF_RANGE"
    place.restore(6)
    await place.write(3, "new")
    assert (await place.told(9))[0].revision == 9


async def test_a_log_that_is_cut_between_two_looks_is_noticed(place: Place) -> None:
    class Cut(Memories):
        async def changes(self, *given: object) -> object:  # type: ignore[override]
            place.restore(6)
            return await super().changes(*given)  # type: ignore[arg-type]

    query = WatchQuery("t", ["a"], {"a": 0})
    with pytest.raises(LogReplaced):
        await anext(Watching(place, Cut(place.data), Log(place.data)).watch(query, lambda: True))  # type: ignore[arg-type]
