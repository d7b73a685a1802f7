"""Streams of memories: what is offered, and what became of it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from google.rpc.error_details_pb2 import ErrorInfo

from quipu.v1.memory_service_pb2 import (
    IngestAcknowledgement,
    IngestedMemory,
    IngestItem,
    IngestMemoriesRequest,
    IngestMemoriesResponse,
    IngestRefusal,
    IngestState,
)
from quipu_server.domain import Memory, RequestKey
from quipu_server.errors import InvalidArgument, QuipuError
from quipu_server.ingesting import Item, Outcome
from quipu_server.rpc import names
from quipu_server.rpc.convert.memories import read_draft, write_redactions
from quipu_server.rpc.digest import digest
from quipu_server.rpc.status import make_status
from quipu_server.rpc.validate import check_uuid


@dataclass(frozen=True, slots=True)
class Offered:
    """An item as it came: good, or what is wrong with it. size: bytes of the message."""

    offset: int
    size: int
    item: Item | None = None
    error: QuipuError | None = None


class Offering:
    """Reads the messages of a call."""

    def __init__(self, tenant: str, most_content_bytes: int) -> None:
        self.tenant = tenant
        self.space = ""
        self.later = False
        self._most_content_bytes = most_content_bytes
        self._stream = UUID(int=0)
        self._last_offset = -1

    async def begin(self, requests: AsyncIterator[IngestMemoriesRequest]) -> None:
        """Read the first message. Raises InvalidArgument."""
        async for request in requests:
            if request.WhichOneof("message") != "start":
                raise InvalidArgument("start", "must come first")
            self.space = names.read_space(request.start.parent, "start.parent")
            self._stream = check_uuid(request.start.stream_id, "start.stream_id")
            self.later = request.start.defer_embedding
            return
        raise InvalidArgument("start", "must come first")

    def read(self, request: IngestMemoriesRequest) -> Offered:
        """An item, which may be wrong in itself. Raises InvalidArgument when it is none, or not in its place."""
        if request.WhichOneof("message") != "item":
            raise InvalidArgument("item", "must be in every message but the first")
        item, size = request.item, request.ByteSize()
        if item.offset <= self._last_offset:
            rule = "must be 0 or more" if item.offset < 0 else f"must be greater than {self._last_offset}"
            raise InvalidArgument("item.offset", rule)
        self._last_offset = item.offset
        try:
            draft = read_draft(item, "", self._most_content_bytes)
        except QuipuError as error:
            return Offered(item.offset, size, error=error)
        return Offered(item.offset, size, Item(item.offset, draft, self._key(item)))

    def _key(self, item: IngestItem) -> RequestKey:
        return RequestKey(uuid5(self._stream, str(item.offset)), digest(item, "offset"))


def write_outcomes(space: str, outcomes: Sequence[tuple[int, Outcome]]) -> IngestMemoriesResponse:
    """The acknowledgement of some items."""
    return IngestMemoriesResponse(acknowledgements=[_write(space, *outcome) for outcome in outcomes])


def _write(space: str, offset: int, outcome: Outcome) -> IngestAcknowledgement:
    if isinstance(outcome, Memory):
        name = names.write_memory(space, outcome.memory_id)
        state = IngestState.INGEST_STATE_STORED if outcome.is_waiting else IngestState.INGEST_STATE_SEARCHABLE
        redactions = write_redactions(outcome)
        stored = IngestedMemory(name=name, revision=outcome.revision, redactions=redactions, state=state)
        return IngestAcknowledgement(offset=offset, stored=stored)
    status, info = make_status(outcome, ""), ErrorInfo()
    status.details[0].Unpack(info)
    field = outcome.field if isinstance(outcome, InvalidArgument) else ""
    refusal = IngestRefusal(
        code=status.code, reason=info.reason, message=status.message, field=field, metadata=info.metadata
    )
    return IngestAcknowledgement(offset=offset, refused=refusal)
