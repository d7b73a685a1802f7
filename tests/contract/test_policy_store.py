"""What every PolicyStore does."""

from dataclasses import replace

import pytest

from quipu_server.domain import Kind, Space
from quipu_server.errors import AlreadyExists, EtagMismatch, FailedPrecondition, NotFound, RequestIdReused
from quipu_server.ports.retention import MOST_POLICIES, Action, Home, PolicySettings
from tests.contract.stores import Stores, a_request, a_space

ARCHIVE = PolicySettings(Action.ARCHIVE, older_than_s=60.0)
EVERYTHING = PolicySettings(
    action=Action.DELETE,
    priority=-3,
    disabled=True,
    older_than_s=1.5,
    by_event_time=True,
    importance_at_most=0.25,
    session_idle_for_s=90.0,
    kinds=(Kind.WORKING, Kind.PROFILE),
    tags=("a", "b"),
    filter='speaker = "Ann"',
    archived_for_s=7.0,
    keep_at_most=12,
)
EVERYWHERE = Home("default", None)


@pytest.fixture
async def space(stores: Stores) -> Space:
    return await stores.new_space()


@pytest.fixture
def home(space: Space) -> Home:
    return Home("default", space)


@pytest.mark.parametrize("settings", [ARCHIVE, EVERYTHING])
async def test_a_policy_is_kept_as_it_was_given(stores: Stores, home: Home, settings: PolicySettings) -> None:
    made = await stores.policies.create_policy(home, "p", settings, None)
    assert made.settings == settings
    assert made.resource_name == f"{home.resource_name}/retentionPolicies/p"
    assert made.create_time == made.update_time
    assert await stores.policies.find_policy(home, "p") == made
    assert await stores.policies.find_policy(home, "q") is None
    assert await stores.policies.find_policy(EVERYWHERE, "p") is None
    with pytest.raises(AlreadyExists):
        await stores.policies.create_policy(home, "p", ARCHIVE, None)


async def test_policies_come_in_the_order_in_which_they_are_tried(stores: Stores, home: Home) -> None:
    other = Home("default", await stores.new_space())
    wanted = [(home, "z", -1), (home, "a", 0), (home, "b", 0), (EVERYWHERE, "a", 0), (home, "c", 5)]
    for owner, name, priority in reversed(wanted):
        await stores.policies.create_policy(owner, name, replace(ARCHIVE, priority=priority), None)
    await stores.policies.create_policy(other, "d", ARCHIVE, None)
    found = await stores.policies.list_policies(home)
    assert [(policy.home, policy.id) for policy in found] == [(owner.resource_name, name) for owner, name, _ in wanted]
    assert [policy.id for policy in await stores.policies.list_policies(EVERYWHERE)] == ["a"]
    assert await stores.policies.list_policies(Home("other", None)) == []


async def test_a_change_makes_a_new_version(stores: Stores, home: Home) -> None:
    before = await stores.policies.create_policy(home, "p", ARCHIVE, None)
    changed = await stores.policies.change_policy(home, "p", lambda s: replace(s, priority=4), before.etag, None)
    assert changed.settings == replace(ARCHIVE, priority=4)
    assert changed.etag != before.etag
    assert changed.create_time == before.create_time < changed.update_time
    with pytest.raises(EtagMismatch):
        await stores.policies.change_policy(home, "p", lambda s: s, before.etag, None)
    with pytest.raises(EtagMismatch):
        await stores.policies.delete_policy(home, "p", before.etag, None)
    assert await stores.policies.find_policy(home, "p") == changed
    await stores.policies.delete_policy(home, "p", changed.etag, None)
    with pytest.raises(NotFound):
        await stores.policies.delete_policy(home, "p", "", None)
    with pytest.raises(NotFound):
        await stores.policies.change_policy(home, "p", lambda s: s, "", None)


async def test_a_change_that_raises_changes_nothing(stores: Stores, home: Home) -> None:
    made = await stores.policies.create_policy(home, "p", ARCHIVE, None)

    def refuse(_: PolicySettings) -> PolicySettings:
        raise NotFound("memory", "m")

    request = a_request()
    with pytest.raises(NotFound):
        await stores.policies.change_policy(home, "p", refuse, "", request)
    assert await stores.policies.find_policy(home, "p") == made
    await stores.policies.change_policy(home, "p", lambda s: s, "", request)


async def test_requests_have_one_effect(stores: Stores, home: Home) -> None:
    creation, change, deletion = (a_request() for _ in range(3))
    made = await stores.policies.create_policy(home, "p", EVERYTHING, creation)
    changed = await stores.policies.change_policy(home, "p", lambda s: replace(s, priority=4), made.etag, change)
    assert await stores.policies.create_policy(home, "p", EVERYTHING, creation) == made
    assert await stores.policies.change_policy(home, "p", lambda s: s, made.etag, change) == changed
    await stores.policies.delete_policy(home, "p", changed.etag, deletion)
    await stores.policies.create_policy(home, "p", ARCHIVE, None)
    await stores.policies.delete_policy(home, "p", changed.etag, deletion)
    assert await stores.policies.find_policy(home, "p") is not None
    with pytest.raises(RequestIdReused):
        await stores.policies.create_policy(home, "p", ARCHIVE, replace(creation, digest=b"other"))


async def test_there_is_an_end_to_policies(stores: Stores, home: Home) -> None:
    for number in range(MOST_POLICIES):
        await stores.policies.create_policy(home, f"p{number}", ARCHIVE, None)
    with pytest.raises(FailedPrecondition) as refused:
        await stores.policies.create_policy(home, "one-more", ARCHIVE, None)
    assert refused.value.reason == "RETENTION_POLICY_LIMIT"
    await stores.policies.create_policy(EVERYWHERE, "p", ARCHIVE, None)


async def test_a_space_that_is_gone_gets_no_policy(stores: Stores) -> None:
    with pytest.raises(NotFound):
        await stores.policies.create_policy(Home("default", a_space()), "p", ARCHIVE, None)


async def test_tenants_are_found_that_have_policies_at_work(stores: Stores) -> None:
    await stores.policies.create_policy(Home("one", None), "p", ARCHIVE, None)
    await stores.policies.create_policy(Home("two", None), "p", replace(ARCHIVE, disabled=True), None)
    await stores.policies.create_policy(Home("other", None), "p", ARCHIVE, None)
    assert await stores.policies.tenants_with_policies("", 10) == ["one", "other"]
    assert await stores.policies.tenants_with_policies("", 1) == ["one"]
    assert await stores.policies.tenants_with_policies("one", 10) == ["other"]
