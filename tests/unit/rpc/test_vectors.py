"""Vectors are read as they were sent, however they were put into bytes."""

import struct

import numpy as np
import pytest

from quipu.v1.value_pb2 import Vector
from quipu_server.rpc.convert.values import read_vector


@pytest.mark.parametrize("count", [1, 31, 32, 384, 4_096])
def test_all_numbers_arrive(count: int) -> None:
    values = np.random.default_rng(count).standard_normal(count).astype(np.float32)
    read = read_vector(Vector(values=values.tolist()), "vector")
    assert read.dtype == np.float32
    assert read.tolist() == values.tolist()


def test_fields_of_newer_clients_are_no_numbers() -> None:
    unknown = b"\x12\x04abcd"
    packed = b"\x0a\x08" + struct.pack("<ff", 1.0, -2.0)
    for content in (packed + unknown, unknown + packed):
        assert read_vector(Vector.FromString(content), "vector").tolist() == [1.0, -2.0]


def test_numbers_that_were_not_packed_are_read() -> None:
    content = b"".join(b"\x0d" + struct.pack("<f", value) for value in (1.0, 2.0, 3.0))
    assert read_vector(Vector.FromString(content), "vector").tolist() == [1.0, 2.0, 3.0]
