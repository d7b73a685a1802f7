"""Erasures."""

from dataclasses import asdict

from quipu.v1.retention_service_pb2 import EraseMemoriesRequest, ErasureReceipt
from quipu.v1.retention_service_pb2 import ErasureCounts as CountsMessage
from quipu_server.erasing import Receipt
from quipu_server.errors import InvalidArgument
from quipu_server.ports.erasing import Erasure, ErasureCounts
from quipu_server.rpc import names
from quipu_server.rpc.convert.filters import read_filtering


def read_erasure(request: EraseMemoriesRequest, space: str) -> Erasure:
    """What to erase. Raises InvalidArgument, InvalidFilter."""
    condition = read_filtering(request)
    if condition is None and not request.names:
        raise InvalidArgument("filter", "must be given, or names; to empty a whole space, delete it")
    memory_ids = names.read_memories(request.names, space) if request.names else None
    return Erasure(condition, memory_ids, request.erase_sessions)


def write_receipt(receipt: Receipt) -> ErasureReceipt:
    """The message of a receipt."""
    left = None if receipt.left is None else _write_counts(receipt.left)
    return ErasureReceipt(erased=_write_counts(receipt.erased), left=left, revision=receipt.revision)


def _write_counts(counts: ErasureCounts) -> CountsMessage:
    return CountsMessage(**asdict(counts))
