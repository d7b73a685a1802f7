"""The store of LangGraph: what it does as LangGraph's own in memory, and what it does beyond."""

import time
from collections.abc import Iterator
from typing import Any, TypedDict
from uuid import uuid4

import pytest
from langgraph.graph import START, StateGraph
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

import quipu
from quipu.adapters.langgraph import QuipuStore

USERS = ("users", "ann")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server in a process of its own, since the blocking client would stop one in this thread."""
    with quipu.Server.ensure_running(tmp_path_factory.mktemp("langgraph")) as server:
        yield server.address


@pytest.fixture
def client(address: str) -> Iterator[quipu.SyncClient]:
    with quipu.connect_sync(address, space=f"langgraph-{uuid4().hex}") as connected:
        yield connected


@pytest.fixture
def store(client: quipu.SyncClient) -> QuipuStore:
    return QuipuStore(client)


@pytest.fixture(params=["memory", "quipu"])
def either(request: pytest.FixtureRequest, store: QuipuStore) -> BaseStore:
    """The store, and the one of LangGraph that says what is right."""
    return store if request.param == "quipu" else InMemoryStore()


def keys(items: Any) -> set[str]:
    return {item.key for item in items}


def test_an_item_comes_back_as_it_was_put(either: BaseStore) -> None:
    value = {
        "text": "naïve 🧶\n",
        "n": 1,
        "x": 0.5,
        "yes": True,
        "none": None,
        "list": [1, "a"],
        "in": {"a": {"b": []}},
    }
    either.put(USERS, "any key: ünïcode / 🧶", value)
    item = either.get(USERS, "any key: ünïcode / 🧶")
    assert item is not None
    assert (item.namespace, item.key, item.value) == (USERS, "any key: ünïcode / 🧶", value)
    assert item.created_at.tzinfo is not None
    assert either.get((*USERS, "deeper"), "any key: ünïcode / 🧶") is None
    assert either.get(USERS, "other") is None


def test_a_second_put_replaces_the_value(either: BaseStore) -> None:
    either.put(USERS, "k", {"a": 1, "b": 2})
    first = either.get(USERS, "k")
    either.put(USERS, "k", {"a": 3})
    second = either.get(USERS, "k")
    assert first is not None
    assert second is not None
    assert second.value == {"a": 3}
    assert second.updated_at > first.updated_at


def test_a_deleted_item_is_gone_and_may_be_put_again(either: BaseStore) -> None:
    either.delete(USERS, "k")
    either.put(USERS, "k", {"a": 1})
    either.delete(USERS, "k")
    assert either.get(USERS, "k") is None
    assert either.search(USERS) == []
    either.put(USERS, "k", {"a": 2})
    assert keys(either.search(USERS)) == {"k"}


def test_a_store_may_be_empty(store: QuipuStore) -> None:
    assert store.get(USERS, "k") is None
    assert store.search(()) == []
    assert store.search(USERS, query="anything") == []
    assert store.list_namespaces() == []
    store.delete(USERS, "k")


@pytest.fixture
def people(either: BaseStore) -> BaseStore:
    either.put(USERS, "1", {"name": "Ann", "age": 30, "tags": ["a", "b"], "home": {"city": "Lisbon", "zip": 1}})
    either.put(USERS, "2", {"name": "Bo", "age": 40, "member": True, "home": {"city": "Porto"}})
    either.put(("users", "anna"), "3", {"name": "Cy", "age": 50})
    either.put(("teams",), "4", {"name": "Ann", "age": 60})
    return either


@pytest.mark.parametrize(
    ("prefix", "filter", "expected"),
    [
        ((), None, "1234"),
        (("users",), None, "123"),
        (USERS, None, "12"),
        (("user",), None, ""),
        ((), {"name": "Ann"}, "14"),
        (USERS, {"name": "Ann", "age": 30}, "1"),
        ((), {"name": "Ann", "age": 31}, ""),
        ((), {"age": {"$gt": 30, "$lte": 50}}, "23"),
        ((), {"age": {"$gte": 50}}, "34"),
        ((), {"age": {"$lt": 40}}, "1"),
        ((), {"name": {"$ne": "Ann"}}, "23"),
        ((), {"name": {"$eq": "Bo"}}, "2"),
        ((), {"member": {"$ne": True}}, "134"),
        ((), {"member": True}, "2"),
        ((), {"tags": ["a", "b"]}, "1"),
        ((), {"tags": ["a"]}, ""),
        ((), {"home": {"city": "Lisbon"}}, "1"),
        ((), {"missing": None}, "1234"),
    ],
)
def test_a_search_filters(people: BaseStore, prefix: tuple[str, ...], filter: Any, expected: str) -> None:
    assert keys(people.search(prefix, filter=filter)) == set(expected)


def test_a_search_has_pages(people: BaseStore) -> None:
    pages = [people.search((), limit=3), people.search((), limit=3, offset=3), people.search((), offset=4)]
    assert [len(page) for page in pages] == [3, 1, 0]
    assert keys(pages[0] + pages[1]) == set("1234")


def test_an_unknown_operator_is_refused(people: BaseStore) -> None:
    with pytest.raises(ValueError, match=r"\$like"):
        people.search((), filter={"name": {"$like": "A"}})


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"prefix": ("a",)},
        {"prefix": ("a", "*", "c")},
        {"suffix": ("c",)},
        {"suffix": ("*", "c")},
        {"prefix": ("a",), "suffix": ("d",)},
        {"max_depth": 1},
        {"prefix": ("a",), "max_depth": 2},
        {"limit": 2, "offset": 1},
        {"prefix": ("x",)},
    ],
)
def test_namespaces_are_listed_as_in_memory(store: QuipuStore, arguments: dict[str, Any]) -> None:
    model = InMemoryStore()
    for namespace in [("a",), ("a", "b"), ("a", "b", "c"), ("a", "x", "c"), ("a", "b", "c", "d"), ("z", "c")]:
        for each in (store, model):
            each.put(namespace, "k", {})
    assert store.list_namespaces(**arguments) == model.list_namespaces(**arguments)


def test_a_batch_reads_before_it_writes(either: BaseStore) -> None:
    either.put(USERS, "old", {"n": 1})
    results = either.batch(
        [
            PutOp(USERS, "new", {"n": 2}),
            GetOp(USERS, "old"),
            GetOp(USERS, "new"),
            SearchOp(("users",), filter={"n": 1}),
            ListNamespacesOp(match_conditions=(MatchCondition("prefix", ("users",)),)),
            PutOp(USERS, "new", {"n": 3}),
            PutOp(USERS, "old", None),
            PutOp(USERS, "never", None),
        ]
    )
    assert isinstance(results[1], Item)
    assert results[1].value == {"n": 1}
    assert (results[0], results[2], results[5:]) == (None, None, [None, None, None])
    assert [keys(results[3]), results[4]] == [{"old"}, [USERS]]
    assert [(item.key, item.value) for item in either.search(USERS)] == [("new", {"n": 3})]


def test_many_items_are_put_at_once(store: QuipuStore) -> None:
    store.put(USERS, "7", {"n": "old"})
    store.batch([PutOp(USERS, f"{n}", {"n": n}) for n in range(250)])
    assert {item.value["n"] for item in store.search(USERS, limit=300)} == set(range(250))
    page = store.search(USERS, filter={"n": {"$gte": 100}}, limit=20, offset=140)
    assert len(page) == 10


async def test_async_calls_do_the_same(store: QuipuStore) -> None:
    await store.aput(USERS, "k", {"text": "tea"})
    item = await store.aget(USERS, "k")
    assert item is not None
    assert item.value == {"text": "tea"}
    assert keys(await store.asearch(USERS, query="hot drinks")) == {"k"}
    assert await store.alist_namespaces() == [USERS]
    await store.adelete(USERS, "k")
    assert await store.aget(USERS, "k") is None


def test_a_query_finds_by_meaning(store: QuipuStore) -> None:
    store.put(USERS, "cat", {"text": "She adopted a cat called Miso.", "year": 2023})
    store.put(USERS, "train", {"text": "The train to Lisbon leaves at nine.", "year": 2024})
    store.put(("teams",), "dog", {"text": "The team has a dog.", "year": 2023})
    found = store.search(("users",), query="Which pets are there?", limit=1)
    assert [item.key for item in found] == ["cat"]
    assert found[0].score is not None
    assert [item.key for item in store.search((), query="pets", filter={"year": 2023}, limit=1, offset=1)] != []
    assert keys(store.search((), query="pets", filter={"year": 2024})) == {"train"}


def test_a_filter_the_server_cannot_tell_still_fills_the_page(store: QuipuStore) -> None:
    puts = [PutOp(USERS, f"{n}", {"text": f"note {n}", "in": {"even": n % 2 == 0}}) for n in range(40)]
    store.batch(puts)
    found = store.search(USERS, query="note", filter={"in": {"even": True}}, limit=15)
    assert len(found) == 15
    assert all(item.value["in"]["even"] for item in found)


def test_only_some_fields_are_indexed(client: quipu.SyncClient) -> None:
    store = QuipuStore(client, fields=["text"], mode="lexical")
    value = {"text": "a cat", "secret": "radiator", "more": ["balcony", "x" * 9_000]}
    store.put(USERS, "a", value)
    store.put(USERS, "b", {"text": "a cat", "note": "radiator"}, index=["note"])
    store.put(USERS, "c", {"text": "a cat"}, index=False)
    assert keys(store.search(USERS, query="radiator")) == {"b"}
    assert keys(store.search(USERS, query="cat")) == {"a"}
    assert keys(store.search(USERS)) == {"a", "b", "c"}
    item = store.get(USERS, "a")
    assert item is not None
    assert item.value == value


def test_values_of_many_fields_can_be_filtered(store: QuipuStore) -> None:
    store.put(USERS, "many", {f"field {n}": n for n in range(100)})
    store.put(USERS, "long", {"text": "x" * 5_000, "n": 1})
    store.put(USERS, "large", {"n": 2**60})
    assert keys(store.search(USERS, filter={"field 99": 99})) == {"many"}
    assert keys(store.search(USERS, filter={"text": "x" * 5_000})) == {"long"}
    assert keys(store.search(USERS, filter={"n": 2**60})) == {"large"}


def test_an_item_lives_as_long_as_was_said(client: quipu.SyncClient) -> None:
    store = QuipuStore(client, ttl={"default_ttl": 1.2 / 60})
    store.put(USERS, "default", {})
    store.put(USERS, "long", {}, ttl=10)
    store.put(USERS, "ever", {}, ttl=None)
    assert keys(store.search(USERS, refresh_ttl=False)) == {"default", "long", "ever"}
    time.sleep(1.4)
    assert store.get(USERS, "default") is None
    assert keys(store.search(USERS, query="x")) | keys(store.search(USERS)) == {"long", "ever"}
    store.put(USERS, "default", {"n": 2}, ttl=None)
    item = store.get(USERS, "default")
    assert item is not None
    assert item.value == {"n": 2}


def test_reading_an_item_lets_it_live_on(client: quipu.SyncClient) -> None:
    store = QuipuStore(client)
    for key in ("read", "found", "not", "left"):
        store.put((key,), key, {}, ttl=1.5 / 60)
    time.sleep(0.8)
    store.get(("not",), "not", refresh_ttl=False)
    before = store.get(("read",), "read")
    assert keys(store.search(("found",))) == {"found"}
    time.sleep(1)
    assert keys(store.search((), refresh_ttl=False)) == {"read", "found"}
    assert store.get(("read",), "read") == before


def test_names_are_checked_as_always(either: BaseStore) -> None:
    for namespace in [(), ("a.b",), ("",), ("langgraph",)]:
        with pytest.raises(InvalidNamespaceError):
            either.put(namespace, "k", {})


def test_others_in_the_space_are_passed_over(store: QuipuStore, client: quipu.SyncClient) -> None:
    client.add("A memory of somebody else.")
    store.put(USERS, "k", {})
    assert keys(store.search(())) == {"k"}
    assert store.list_namespaces() == [USERS]


class State(TypedDict):
    said: str


def test_a_graph_remembers(store: QuipuStore) -> None:
    def remember(state: State, *, store: BaseStore) -> State:
        store.put(USERS, uuid4().hex, {"text": state["said"]})
        (found,) = store.search(USERS, query="drink", limit=1)
        return {"said": found.value["text"]}

    graph = StateGraph(State).add_node("remember", remember).add_edge(START, "remember").compile(store=store)
    assert graph.invoke({"said": "I like tea."}) == {"said": "I like tea."}
    assert graph.invoke({"said": "I live in Lisbon."}) == {"said": "I like tea."}
