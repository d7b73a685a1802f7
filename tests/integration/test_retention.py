"""Policies of retention on real servers: what they say, what a dry run tells, and what a run does."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from quipu.v1.api_key_pb2 import API_KEY_ROLE_WRITE
from quipu.v1.job_pb2 import JobState
from quipu.v1.job_service_pb2 import CancelJobRequest, ListJobsRequest
from quipu.v1.memory_pb2 import Memory, MemoryChange, MemoryKind
from quipu.v1.memory_service_pb2 import (
    GetMemoryRequest,
    ListMemoriesRequest,
    ListMemoryRevisionsRequest,
    WatchMemoriesRequest,
)
from quipu.v1.retention_policy_pb2 import RETENTION_ACTION_ARCHIVE, RETENTION_ACTION_DELETE, RetentionPolicy
from quipu.v1.retention_service_pb2 import (
    CreateRetentionPolicyRequest,
    DeleteRetentionPolicyRequest,
    GetRetentionPolicyRequest,
    ListRetentionPoliciesRequest,
    RunRetentionRequest,
    RunRetentionResponse,
    UnarchiveMemoryRequest,
    UpdateRetentionPolicyRequest,
)
from quipu.v1.session_service_pb2 import EndSessionRequest
from quipu.v1.space_service_pb2 import CreateSpaceRequest, DeleteSpaceRequest
from quipu_server.store import Database
from tests.integration.api import Api, read_refusal, refusal
from tests.integration.secured import Door, door
from tests.postgres import connected

pytestmark = pytest.mark.asyncio(loop_scope="session")

DAY = timedelta(days=1)
ARCHIVE, DELETE = RETENTION_ACTION_ARCHIVE, RETENTION_ACTION_DELETE


@dataclass
class Clock:
    """Makes memories older than they are."""

    database: Database

    async def age(self, space: str, days: float, *memory_ids: str) -> None:
        """Let the versions of memories, or of all, have been made so many days before."""
        statement = """
            UPDATE memory_revisions r SET create_time = r.create_time - make_interval(secs => %s),
                update_time = r.update_time - make_interval(secs => %s)
            FROM spaces s WHERE s.space_id = r.space_id AND s.name = %s
            AND (%s::text[] = '{}' OR r.memory_id = ANY (%s::text[]))
        """
        ids = list(memory_ids)
        seconds = days * 86_400
        async with self.database.unlocked() as connection:
            await connection.execute(statement, (seconds, seconds, space.removeprefix("spaces/"), ids, ids))


@pytest_asyncio.fixture(loop_scope="session")
async def clock(database_url: str, api: Api) -> AsyncIterator[Clock]:
    async with connected(database_url) as database:
        yield Clock(database)


@pytest_asyncio.fixture(loop_scope="session")
async def home(api: Api, space: str) -> str:
    await api.spaces.CreateSpace(CreateSpaceRequest(space_id=space.removeprefix("spaces/")))
    return space


async def create(api: Api, parent: str, policy_id: str, request_id: str = "", **settings: Any) -> RetentionPolicy:
    request = CreateRetentionPolicyRequest(
        parent=parent,
        retention_policy_id=policy_id,
        retention_policy=RetentionPolicy(**settings),
        request_id=request_id,
    )
    return (await api.retention.CreateRetentionPolicy(request)).retention_policy


async def update(api: Api, name: str, *paths: str, **fields: Any) -> RetentionPolicy:
    policy = RetentionPolicy(name=name, **fields)
    request = UpdateRetentionPolicyRequest(retention_policy=policy, update_mask=FieldMask(paths=paths))
    return (await api.retention.UpdateRetentionPolicy(request)).retention_policy


async def policies(api: Api, parent: str) -> list[str]:
    request = ListRetentionPoliciesRequest(parent=parent)
    return [each.name for each in (await api.retention.ListRetentionPolicies(request)).retention_policies]


async def run(api: Api, parent: str, *, dry_run: bool = False) -> RunRetentionResponse:
    """The last message of a run."""
    request = RunRetentionRequest(parent=parent, dry_run=dry_run)
    messages = [message async for message in api.retention.RunRetention(request, timeout=60)]
    assert not any(message.HasField("summary") for message in messages[:-1])
    assert messages[-1].progress.state == JobState.JOB_STATE_SUCCEEDED
    return messages[-1]


def counts(response: RunRetentionResponse) -> dict[str, tuple[int, int]]:
    return {
        each.retention_policy.rpartition("/")[2]: (each.archived, each.deleted) for each in response.progress.counts
    }


def planned(response: RunRetentionResponse) -> dict[str, str]:
    """Policies by memory."""
    decisions = response.summary.decisions
    return {each.memory.rpartition("/")[2]: each.retention_policy.rpartition("/")[2] for each in decisions}


async def states(api: Api, space: str) -> dict[str, str]:
    """What became of each memory."""
    request = ListMemoriesRequest(parent=space, show_deleted=True, show_archived=True, page_size=1_000)
    found = (await api.memories.ListMemories(request)).memories
    return {memory.name.rpartition("/")[2]: state(memory) for memory in found}


def state(memory: Memory) -> str:
    if memory.HasField("delete_time"):
        return "deleted"
    return "archived" if memory.HasField("archive_time") else "used"


# Keeping policies


async def test_a_policy_is_kept(either: Api, home: str) -> None:
    settings: dict[str, Any] = {
        "action": DELETE,
        "priority": 7,
        "disabled": True,
        "older_than": timedelta(days=1.5),
        "by_event_time": True,
        "importance_at_most": 0.0,
        "session_idle_for": DAY,
        "kinds": [MemoryKind.MEMORY_KIND_WORKING],
        "tags": ["a", "b"],
        "filter": 'speaker = "Ann"',
        "archived_for": 2 * DAY,
        "keep_at_most": 5,
    }
    made = await create(either, home, "rule", **settings)
    assert made.name == f"{home}/retentionPolicies/rule"
    expected = RetentionPolicy(
        name=made.name, create_time=made.create_time, update_time=made.update_time, etag=made.etag, **settings
    )
    assert made == expected
    found = await either.retention.GetRetentionPolicy(GetRetentionPolicyRequest(name=made.name))
    assert found.retention_policy == made
    assert (await refusal(create(either, home, "rule", **settings))).reason == "RETENTION_POLICY_EXISTS"
    await either.retention.DeleteRetentionPolicy(DeleteRetentionPolicyRequest(name=made.name))
    gone = await refusal(either.retention.GetRetentionPolicy(GetRetentionPolicyRequest(name=made.name)))
    assert (gone.code, gone.reason) == (StatusCode.NOT_FOUND, "RETENTION_POLICY_NOT_FOUND")


async def test_a_request_id_makes_one_policy(api: Api, home: str) -> None:
    request_id = str(uuid4())
    made = [await create(api, home, "rule", request_id, action=DELETE, tags=["a"]) for _ in range(2)]
    assert made[0] == made[1]
    assert (await refusal(create(api, home, "rule", request_id, action=DELETE, tags=["b"]))).reason == (
        "REQUEST_ID_REUSED"
    )


async def test_updates_follow_mask_and_etag(api: Api, home: str) -> None:
    made = await create(api, home, "rule", action=DELETE, tags=["a"], keep_at_most=3)
    changed = await update(api, made.name, "tags", "priority", "keep_at_most", tags=["b"], priority=2)
    assert (list(changed.tags), changed.priority, changed.HasField("keep_at_most")) == (["b"], 2, False)
    assert changed.action == DELETE
    stale = await refusal(update(api, made.name, "priority", etag=made.etag))
    assert (stale.code, stale.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
    assert (await update(api, made.name, importance_at_most=0.5)).importance_at_most == 0.5
    everything = await update(api, made.name, "*", action=ARCHIVE, older_than=DAY)
    assert (everything.action, everything.priority, list(everything.tags)) == (ARCHIVE, 0, [])
    refused = await refusal(update(api, made.name, "older_than"))
    assert (refused.reason, refused.fields) == ("INVALID_FIELD", ("retention_policy",))
    refused = await refusal(update(api, made.name, "action"))
    assert refused.fields == ("retention_policy.action",)


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("retention_policy.action", {"tags": ["a"]}),
        ("retention_policy.action", {"action": 9, "tags": ["a"]}),
        ("retention_policy", {"action": DELETE}),
        ("retention_policy.priority", {"action": DELETE, "tags": ["a"], "priority": 1_000_001}),
        ("retention_policy.older_than", {"action": DELETE, "older_than": timedelta(milliseconds=999)}),
        ("retention_policy.older_than", {"action": DELETE, "older_than": 36_501 * DAY}),
        ("retention_policy.by_event_time", {"action": DELETE, "tags": ["a"], "by_event_time": True}),
        ("retention_policy.importance_at_most", {"action": DELETE, "importance_at_most": 1.1}),
        ("retention_policy.importance_at_most", {"action": DELETE, "importance_at_most": float("nan")}),
        ("retention_policy.session_idle_for", {"action": DELETE, "session_idle_for": -DAY}),
        ("retention_policy.kinds[1]", {"action": DELETE, "kinds": [1, 0]}),
        ("retention_policy.tags[0]", {"action": DELETE, "tags": [""]}),
        ("retention_policy.tags", {"action": DELETE, "tags": ["a"] * 65}),
        ("retention_policy.filter", {"action": DELETE, "filter": "speaker ="}),
        ("retention_policy.archived_for", {"action": ARCHIVE, "archived_for": DAY}),
        ("retention_policy.archived_for", {"action": DELETE, "archived_for": timedelta()}),
        ("retention_policy.keep_at_most", {"action": DELETE, "keep_at_most": 0}),
    ],
)
async def test_what_is_wrong_is_named(api: Api, home: str, field: str, settings: dict[str, Any]) -> None:
    refused = await refusal(create(api, home, "rule", **settings))
    assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, (field,))


async def test_wrong_names_are_named(api: Api, home: str) -> None:
    assert (await refusal(create(api, "spaces/*", "rule", action=DELETE, tags=["a"]))).fields == ("parent",)
    assert (await refusal(create(api, home, "-", action=DELETE, tags=["a"]))).fields == ("retention_policy_id",)
    assert (await refusal(update(api, f"{home}/retentionPolicies/"))).fields == ("retention_policy.name",)
    assert (await refusal(create(api, "spaces/none", "rule", action=DELETE, tags=["a"]))).reason == "SPACE_NOT_FOUND"


async def test_policies_go_with_their_space(api: Api, home: str) -> None:
    await create(api, home, "rule", action=DELETE, tags=["a"])
    await api.spaces.DeleteSpace(DeleteSpaceRequest(name=home))
    await api.spaces.CreateSpace(CreateSpaceRequest(space_id=home.removeprefix("spaces/")))
    assert await policies(api, home) == []


# Runs


async def fill(api: Api, home: str) -> None:
    await api.fill(
        home,
        {
            "dull": Memory(content="The meeting was moved", importance=0.1),
            "vital": Memory(content="She is allergic to nuts", importance=0.9),
            "draft": Memory(content="Try another title", kind=MemoryKind.MEMORY_KIND_WORKING),
            "spoken": Memory(content="See you tomorrow", speaker="Ann", tags=["chat"]),
        },
    )


async def test_a_dry_run_tells_what_a_run_does(either: Api, home: str, clock: Clock) -> None:
    await fill(either, home)
    await clock.age(home, 40)
    await either.create(home, "Fresh and dull", "fresh", importance=0.1)
    await create(either, home, "dull", action=ARCHIVE, older_than=30 * DAY, importance_at_most=0.35)
    await create(either, home, "drafts", action=DELETE, kinds=[MemoryKind.MEMORY_KIND_WORKING])
    await create(either, home, "chat", action=ARCHIVE, filter='speaker = "Ann"', tags=["chat", "talk"])
    await create(either, home, "off", action=DELETE, importance_at_most=1.0, priority=-9, disabled=True)
    before = await states(either, home)
    dry = await run(either, home, dry_run=True)
    assert await states(either, home) == before
    assert planned(dry) == {"dull": "dull", "draft": "drafts", "spoken": "chat"}
    actions = {each.memory.rpartition("/")[2]: each.action for each in dry.summary.decisions}
    assert actions == {"dull": ARCHIVE, "draft": DELETE, "spoken": ARCHIVE}

    wet = await run(either, home)
    assert counts(wet) == counts(dry) == {"dull": (1, 0), "drafts": (0, 1), "chat": (1, 0)}
    assert (wet.summary.archived, wet.summary.deleted) == (dry.summary.archived, dry.summary.deleted) == (2, 1)
    assert wet.progress.memories_examined == dry.progress.memories_examined == 5
    assert (wet.progress.spaces_done, wet.progress.spaces_total) == (1, 1)
    assert await states(either, home) == {
        "dull": "archived", "vital": "used", "draft": "deleted", "spoken": "archived", "fresh": "used",
    }  # fmt: skip
    again = await run(either, home)
    assert counts(again) == {}


async def test_what_a_run_archives_can_be_brought_back(either: Api, home: str) -> None:
    await fill(either, home)
    await create(either, home, "chat", action=ARCHIVE, tags=["chat"])
    assert "spoken" in (await either.search(home, text="See you tomorrow", min_relevance=0)).ids
    await run(either, home)
    assert "spoken" not in (await either.search(home, text="See you tomorrow", min_relevance=0)).ids
    name = f"{home}/memories/spoken"
    kept = (await either.memories.GetMemory(GetMemoryRequest(name=name))).memory
    assert kept.content == "See you tomorrow"
    await either.retention.UnarchiveMemory(UnarchiveMemoryRequest(name=name))
    assert "spoken" in (await either.search(home, text="See you tomorrow", min_relevance=0)).ids
    history = await either.memories.ListMemoryRevisions(ListMemoryRevisionsRequest(name=name))
    changes = [MemoryChange.Name(each.change).removeprefix("MEMORY_CHANGE_") for each in history.revisions]
    assert changes == ["UNARCHIVED", "ARCHIVED", "CREATED"]


async def test_who_watches_sees_it_on_another_server(api: Api, replica: Api, home: str) -> None:
    await fill(api, home)
    await create(api, home, "drafts", action=DELETE, kinds=[MemoryKind.MEMORY_KIND_WORKING])
    watch = replica.memories.WatchMemories(WatchMemoriesRequest(spaces=[home], after_revisions={home: 4}), timeout=60)
    await run(api, home)
    seen = [each.revision.change async for part in first_part(watch) for each in part.changes]
    assert seen == [MemoryChange.MEMORY_CHANGE_DELETED]
    assert "draft" not in (await replica.search(home, text="Try another title", min_relevance=0)).ids


async def first_part(watch: Any) -> AsyncIterator[Any]:
    """The first answer that brings changes."""
    async for part in watch:
        if part.changes:
            yield part
            watch.cancel()
            return


async def test_the_first_policy_that_is_met_decides(api: Api, home: str) -> None:
    await fill(api, home)
    await create(api, home, "later", action=DELETE, importance_at_most=1.0, priority=2)
    await create(api, home, "first", action=ARCHIVE, tags=["chat"], priority=1)
    await create(api, home, "between", action=ARCHIVE, importance_at_most=0.2, priority=1)
    dry = await run(api, home, dry_run=True)
    assert planned(dry) == {"spoken": "first", "dull": "between", "vital": "later", "draft": "later"}
    assert counts(await run(api, home)) == counts(dry)
    assert await states(api, home) == {
        "spoken": "archived", "dull": "archived", "vital": "deleted", "draft": "deleted",
    }  # fmt: skip


async def test_only_so_many_are_kept(api: Api, home: str, clock: Clock) -> None:
    names = [f"m{number}" for number in range(8)]
    await api.fill(home, {name: Memory(content=f"Note {name}", importance=0.2) for name in names})
    await api.create(home, "Weighty", "weighty", importance=0.8)
    await api.create(home, "A draft", "draft", kind=MemoryKind.MEMORY_KIND_WORKING)
    await clock.age(home, 3, "weighty")
    await clock.age(home, 2, "m6")
    await clock.age(home, 1, "m7")
    await create(api, home, "few", action=ARCHIVE, keep_at_most=7, kinds=[MemoryKind.MEMORY_KIND_EPISODIC])
    dry = await run(api, home, dry_run=True)
    assert planned(dry) == {"m6": "few", "m7": "few"}
    await run(api, home)
    assert [name for name, each in (await states(api, home)).items() if each == "archived"] == ["m6", "m7"]
    assert counts(await run(api, home)) == {}
    # One that deletes counts archived ones too, and gives them up first.
    await create(api, home, "fewer", action=DELETE, keep_at_most=5, priority=-1)
    await run(api, home)
    found = await states(api, home)
    assert [name for name, each in found.items() if each == "archived"] == []
    assert {found[name] for name in ("m6", "m7")} == {"deleted"}
    assert sum(each == "used" for each in found.values()) == 5
    assert found["weighty"] == "used"


async def test_sessions_that_are_over(api: Api, home: str) -> None:
    old = datetime.now(UTC) - 10 * DAY
    await api.create(home, "First words", "a1", session="a", event_time=old)
    await api.create(home, "Old words", "b1", session="b", event_time=old)
    await api.create(home, "New words", "b2", session="b")
    await api.create(home, "No message", "c", event_time=old)
    await create(api, home, "over", action=ARCHIVE, session_idle_for=2 * DAY)
    assert planned(await run(api, home, dry_run=True)) == {"a1": "over"}
    await api.sessions.EndSession(EndSessionRequest(name=f"{home}/sessions/a"))
    assert planned(await run(api, home, dry_run=True)) == {}


async def test_archived_ones_are_deleted_in_the_end(api: Api, home: str, clock: Clock) -> None:
    await fill(api, home)
    await create(api, home, "chat", action=ARCHIVE, tags=["chat"])
    await create(api, home, "gone", action=DELETE, archived_for=90 * DAY)
    await run(api, home)
    assert (await states(api, home))["spoken"] == "archived"
    await clock.age(home, 89)
    assert counts(await run(api, home)) == {}
    await clock.age(home, 1)
    assert counts(await run(api, home)) == {"gone": (0, 1)}
    assert sorted((await states(api, home)).values()) == ["deleted", "used", "used", "used"]


async def test_expiry_needs_no_run(either: Api, home: str) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    await either.create(home, "Only for a moment", "brief", expire_time=soon)
    await either.create(home, "For good", "lasting")
    await create(either, home, "all", action=ARCHIVE, importance_at_most=1.0, disabled=True)
    assert (await either.search(home, text="Only for a moment", min_relevance=0)).ids[0] == "brief"
    await asyncio.sleep(1.8)
    assert (await either.search(home, text="Only for a moment", min_relevance=0)).ids == ["lasting"]
    # A policy that archives leaves it alone, one that deletes takes it.
    await update(either, f"{home}/retentionPolicies/all", "disabled")
    assert counts(await run(either, home)) == {"all": (1, 0)}
    await create(either, home, "few", action=DELETE, keep_at_most=1, priority=-1)
    assert planned(await run(either, home, dry_run=True)) == {"brief": "few"}


async def test_a_run_of_many_goes_in_parts(api: Api, home: str) -> None:
    for start in (0, 500, 1_000):
        notes = {f"m{n}": Memory(content="note", tags=["x"]) for n in range(start, start + 500)}
        vector = [1.0, *[0.0] * 383]
        for memory in notes.values():
            memory.vector.values.extend(vector)
        await api.fill(home, notes)
    await create(api, home, "all", action=DELETE, tags=["x"])
    dry = await run(api, home, dry_run=True)
    assert (dry.summary.deleted, len(dry.summary.decisions)) == (1_500, 500)
    request = RunRetentionRequest(parent=home)
    seen = [m.progress async for m in api.retention.RunRetention(request, timeout=60)]
    done = [sum(each.deleted for each in progress.counts) for progress in seen]
    assert done == sorted(done)
    assert done[-1] == 1_500
    assert set((await states(api, home)).values()) == {"deleted"}


async def test_a_space_must_be_there(api: Api) -> None:
    run_nowhere = api.retention.RunRetention(RunRetentionRequest(parent="spaces/nowhere"), timeout=30)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await anext(aiter(run_nowhere))
    assert read_refusal(refused.value).reason == "SPACE_NOT_FOUND"


# All spaces of a tenant


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(database_url: str) -> AsyncIterator[Door]:
    async with door(database_url) as made:
        yield made


async def test_policies_for_all_spaces(guarded: Door) -> None:
    tenant = await guarded.tenant()
    ours, others = await guarded.as_key(tenant), await guarded.as_key(await guarded.tenant())
    for owner in (ours, others):
        for name in ("spaces/a", "spaces/b"):
            await fill(owner, name)
    await create(ours, "spaces/-", "chat", action=ARCHIVE, tags=["chat"])
    await create(ours, "spaces/b", "chat", action=DELETE, tags=["chat"])
    assert await policies(ours, "spaces/a") == ["spaces/-/retentionPolicies/chat"]
    assert await policies(ours, "spaces/-") == ["spaces/-/retentionPolicies/chat"]
    of_b = ["spaces/b/retentionPolicies/chat", "spaces/-/retentionPolicies/chat"]
    assert await policies(ours, "spaces/b") == of_b
    last = await run(ours, "spaces/-")
    assert (last.progress.spaces_done, last.progress.spaces_total, last.progress.memories_examined) == (2, 2, 8)
    assert [(each.retention_policy, each.archived, each.deleted) for each in last.progress.counts] == [
        ("spaces/-/retentionPolicies/chat", 1, 0), ("spaces/b/retentionPolicies/chat", 0, 1),
    ]  # fmt: skip
    assert (await states(ours, "spaces/a"))["spoken"] == "archived"
    assert (await states(ours, "spaces/b"))["spoken"] == "deleted"
    assert (await states(others, "spaces/a"))["spoken"] == "used"


async def test_a_key_for_some_spaces_has_no_say_in_all(guarded: Door) -> None:
    tenant = await guarded.tenant()
    limited = await guarded.as_key(tenant, API_KEY_ROLE_WRITE, space_prefixes=["a"])
    await fill(limited, "spaces/a")
    await create(limited, "spaces/a", "chat", action=ARCHIVE, tags=["chat"])
    refused = await refusal(create(limited, "spaces/-", "chat", action=ARCHIVE, tags=["chat"]))
    assert (refused.code, refused.reason) == (StatusCode.PERMISSION_DENIED, "SPACE_NOT_ALLOWED")
    with pytest.raises(grpc.aio.AioRpcError) as denied:
        await run(limited, "spaces/-")
    assert read_refusal(denied.value).reason == "SPACE_NOT_ALLOWED"
    assert counts(await run(limited, "spaces/a")) == {"chat": (1, 0)}


async def test_pages_of_policies(guarded: Door) -> None:
    ours = await guarded.as_key(await guarded.tenant())
    for number in (3, 1, 2):
        await create(ours, "spaces/-", f"p{number}", action=DELETE, tags=["x"], priority=-number)
    found: list[str] = []
    request = ListRetentionPoliciesRequest(parent="spaces/-", page_size=2)
    while True:
        page = await ours.retention.ListRetentionPolicies(request)
        found += [policy.name.rpartition("/")[2] for policy in page.retention_policies]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert found == ["p3", "p2", "p1"]


# One at a time


async def test_runs_of_a_tenant_come_one_after_the_other(guarded: Door, clock: Clock) -> None:
    ours = await guarded.as_key(await guarded.tenant())
    await fill(ours, "spaces/a")
    await create(ours, "spaces/a", "chat", action=ARCHIVE, tags=["chat"])
    runs = [asyncio.create_task(run(ours, parent)) for parent in ("spaces/a", "spaces/-", "spaces/a")]
    last = await asyncio.gather(*runs)
    done: Sequence[tuple[int, int]] = [each for one in last for each in counts(one).values()]
    assert (1, 0) in done  # equal runs that wait are one, whose end both see
    assert (await states(ours, "spaces/a"))["spoken"] == "archived"
    jobs = (await ours.jobs.ListJobs(ListJobsRequest(kind="retention"))).jobs
    times = sorted((job.start_time.ToDatetime(), job.end_time.ToDatetime()) for job in jobs)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(times))
    history = await ours.memories.ListMemoryRevisions(ListMemoryRevisionsRequest(name="spaces/a/memories/spoken"))
    assert len(history.revisions) == 2


async def test_a_run_that_is_cancelled_says_so(guarded: Door, clock: Clock) -> None:
    ours = await guarded.as_key(await guarded.tenant())
    await fill(ours, "spaces/a")
    await create(ours, "spaces/a", "chat", action=ARCHIVE, tags=["chat"])
    async with clock.database.unlocked() as connection:
        # It must wait for us in the middle.
        await connection.execute(
            "SELECT FROM heads WHERE space_id IN (SELECT space_id FROM memory_revisions WHERE memory_id = 'spoken')"
            " FOR UPDATE"
        )
        messages = aiter(ours.retention.RunRetention(RunRetentionRequest(parent="spaces/a"), timeout=60))
        while (first := await anext(messages)).progress.state != JobState.JOB_STATE_RUNNING:
            pass
        await ours.jobs.CancelJob(CancelJobRequest(name=first.progress.job))
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async for _ in messages:
                pass
    refused = read_refusal(ended.value)
    assert (refused.code, refused.reason) == (StatusCode.ABORTED, "RETENTION_ENDED")
    assert refused.metadata == {"name": first.progress.job}
    assert (await states(ours, "spaces/a"))["spoken"] == "used"
