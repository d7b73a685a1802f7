"""Logs do not stand in the way of the service."""

import io

from quipu_server.logs import Unbreakable


class Broken(io.StringIO):
    """A pipe whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(text)

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_reader_that_left_stops_nobody() -> None:
    stream = Unbreakable(Broken())
    stream.write("line")
    stream.flush()


def test_lines_are_written() -> None:
    kept = io.StringIO()
    Unbreakable(kept).write("line")
    assert kept.getvalue() == "line"
