"""Spaces over the API."""

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from quipu.v1.ranking_pb2 import RankingWeights
from quipu.v1.space_pb2 import Space
from quipu.v1.space_service_pb2 import (
    CreateSpaceRequest,
    DeleteSpaceRequest,
    GetSpaceRequest,
    ListSpacesRequest,
    UpdateSpaceRequest,
)
from tests.integration.api import Api, refusal, same

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def create(api: Api, space: str, settings: Space | None = None) -> Space:
    request = CreateSpaceRequest(space_id=space.removeprefix("spaces/"), space=settings)
    return (await api.spaces.CreateSpace(request)).space


async def get(api: Api, space: str) -> Space:
    return (await api.spaces.GetSpace(GetSpaceRequest(name=space))).space


async def update(api: Api, space: Space, *paths: str) -> Space:
    request = UpdateSpaceRequest(space=space, update_mask=FieldMask(paths=paths) if paths else None)
    return (await api.spaces.UpdateSpace(request)).space


async def test_a_space_keeps_its_settings(api: Api, space: str) -> None:
    ranking = RankingWeights(lexical=0.0, recency_half_life=Duration(seconds=3600))
    made = await create(api, space, Space(display_name="Ana’s notes", language="de", ranking=ranking))
    assert (made.name, made.display_name, made.language) == (space, "Ana’s notes", "de")
    assert made.ranking == ranking
    assert made.model.startswith("models/")
    assert (made.revision, made.memory_count) == (0, 0)
    assert same(await get(api, space), made)


async def test_an_id_is_taken_once(api: Api, space: str) -> None:
    await create(api, space)
    refused = await refusal(create(api, space))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "SPACE_EXISTS")


async def test_settings_change_by_mask_and_etag(api: Api, space: str) -> None:
    old = await create(api, space, Space(display_name="old", ranking=RankingWeights(dense=1.0)))
    new = await update(api, Space(name=space, display_name="new", etag=old.etag), "display_name")
    assert (new.display_name, new.ranking) == ("new", old.ranking)
    refused = await refusal(update(api, Space(name=space, display_name="newer", etag=old.etag)))
    assert (refused.code, refused.reason, refused.metadata["etag"]) == (
        grpc.StatusCode.ABORTED,
        "ETAG_MISMATCH",
        new.etag,
    )
    cleared = await update(api, Space(name=space), "*")
    assert (cleared.display_name, cleared.HasField("ranking")) == ("", False)


@pytest.mark.parametrize("path", ["model", "language", "name", "revision"])
async def test_what_is_immutable_is_refused(api: Api, space: str, path: str) -> None:
    await create(api, space)
    refused = await refusal(update(api, Space(name=space, model="models/x", language="de"), path))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("update_mask.paths[0]",))


async def test_memories_do_not_change_the_etag(api: Api, space: str) -> None:
    old = await create(api, space)
    await api.create(space, "x")
    now = await get(api, space)
    assert (now.etag, now.revision, now.memory_count) == (old.etag, 1, 1)


async def test_a_space_with_memories_is_deleted_by_force_only(api: Api, space: str) -> None:
    await api.create(space, "x")
    refused = await refusal(api.spaces.DeleteSpace(DeleteSpaceRequest(name=space)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SPACE_NOT_EMPTY")
    assert refused.metadata["memory_count"] == "1"
    gone = await api.spaces.DeleteSpace(DeleteSpaceRequest(name=space, force=True))
    assert gone.deleted_memory_count == 1
    assert (await refusal(get(api, space))).reason == "SPACE_NOT_FOUND"


async def test_nothing_survives_a_space_that_is_made_again(api: Api, replica: Api, space: str) -> None:
    await api.create(space, "the secret of the old space", "m")
    assert (await replica.search(space, text="secret")).ids == ["m"]
    await api.spaces.DeleteSpace(DeleteSpaceRequest(name=space, force=True))
    assert (await refusal(replica.search(space, text="secret"))).reason == "SPACE_NOT_FOUND"
    await api.create(space, "a new beginning", "n")
    for door in (api, replica):
        assert (await door.search(space, text="secret", k=5)).ids == ["n"]
    assert (await get(api, space)).revision == 1


async def test_spaces_are_listed_by_id(api: Api, space: str) -> None:
    names = [f"{space}-{letter}" for letter in "cab"]
    for name in names:
        await create(api, name)
    found, token = [], ""
    while True:
        page = await api.spaces.ListSpaces(ListSpacesRequest(page_size=2, page_token=token))
        found += [s.name for s in page.spaces]
        if not (token := page.next_page_token):
            break
    assert [name for name in found if name in names] == sorted(names)
    assert found == sorted(found)


async def test_an_unknown_language_or_model_is_refused(api: Api, space: str) -> None:
    assert (await refusal(create(api, space, Space(language="xx")))).fields == ("space.language",)
    assert (await refusal(create(api, space, Space(model="models/none")))).reason == "MODEL_NOT_FOUND"
    assert (await refusal(get(api, space))).code is grpc.StatusCode.NOT_FOUND
