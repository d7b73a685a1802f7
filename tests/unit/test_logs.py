"""Logs do not stand in the way of the service."""

import io
import subprocess
import sys
import time

from quipu_server.logs import Gathering, Unbreakable


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


def test_lines_are_written_together_in_their_order() -> None:
    kept = io.StringIO()
    gathering = Gathering(Unbreakable(kept))
    for number in range(3):
        gathering.write(f"{number}\n")
    while len(kept.getvalue().splitlines()) < 3:
        time.sleep(0.01)
    assert kept.getvalue() == "0\n1\n2\n"


def test_what_a_process_logs_last_is_written() -> None:
    program = "from quipu_server.logs import configure_logs as c; c('info', 'json'); import structlog as s"
    ended = subprocess.run(
        [sys.executable, "-c", f"{program}; s.get_logger().info('last')"], capture_output=True, text=True, check=True
    )
    assert '"event": "last"' in ended.stderr
