"""Short reads, over and over again the same: prepared, sent together, and many under way on one connection.

A search makes two of them, and they cost the event loop a fourth of what they do through a pool and a cursor: no
connection changes hands, nothing is asked of the system but to send and to receive, and what is asked for in one turn
of the event loop is sent in one piece.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult

from quipu_server import tracing
from quipu_server.store.scoping import ENTER

Row: TypeAlias = tuple[Any, ...]
Answer: TypeAlias = "asyncio.Future[list[Row]]"


class Read(NamedTuple):
    """A read that waits to be sent; parameters are in the binary format."""

    statement: str
    parameters: Sequence[bytes | None]
    entered: Sequence[bytes | None] | None
    prepared: bool
    answer: Answer


class Reader:
    """Reads on a connection in autocommit mode that nobody else uses, in the order it is asked.

    lost: called once when the connection breaks. Who made the connection closes it, after `stop`.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], lost: Callable[[], None]) -> None:
        self._pgconn = connection.pgconn
        self._pgconn.enter_pipeline_mode()
        self._socket = self._pgconn.socket  # a broken connection does not tell it any more
        self._decoder = Transformer(connection)
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._receive)
        self._names: dict[str, bytes] = {}
        self._name_count = 0
        self._waiting: list[Read] = []
        self._sent: deque[Answer | None] = deque()
        self._result: PGresult | None = None
        self._failure: Exception | None = None

    async def fetch(
        self,
        statement: str,
        *parameters: bytes | None,
        entered: Sequence[bytes | None] | None = None,
        prepared: bool = True,
    ) -> list[Row]:
        """The rows of a statement with parameters $1, $2 … Raises what psycopg raises.

        When a statement fails, those sent together with it fail as well.
        entered: tenant and space that it sees the rows of. prepared: off for a statement that is planned each time.
        """
        if self._failure is not None:
            raise psycopg.OperationalError("the connection is closed") from self._failure
        answer: Answer = self._loop.create_future()
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(Read(statement, parameters, entered, prepared, answer))
        with tracing.span("postgresql"):
            return await answer

    def stop(self) -> None:
        """Fail whatever is under way."""
        self._fail(psycopg.OperationalError("the connection was closed"))

    def _send(self) -> None:
        """What is sent together is one transaction, and what was entered ends with it."""
        waiting, self._waiting = self._waiting, []
        within = None
        try:
            for read in waiting:
                if read.entered is not None and read.entered != within:
                    self._execute(ENTER, read.entered)
                    self._sent.append(None)
                    within = read.entered
                self._execute(read.statement, read.parameters, read.prepared)
                self._sent.append(read.answer)
            self._pgconn.pipeline_sync()
            self._flush()
        except psycopg.Error as error:
            self._sent.extend(read.answer for read in waiting)
            self._fail(error)

    def _execute(self, statement: str, parameters: Sequence[bytes | None], prepared: bool = True) -> None:
        formats = [Format.BINARY] * len(parameters)
        if not prepared:
            self._pgconn.send_query_params(statement.encode(), parameters, None, formats, Format.BINARY)
            return
        if (name := self._names.get(statement)) is None:
            name = self._prepare(statement)
        self._pgconn.send_query_prepared(name, parameters, formats, result_format=Format.BINARY)

    def _prepare(self, statement: str) -> bytes:
        self._name_count += 1
        name = self._names[statement] = b"read_%d" % self._name_count
        self._pgconn.send_prepare(name, statement.encode())
        self._sent.append(None)
        return name

    def _flush(self) -> None:
        """Send; go on when there is room if there is none now."""
        self._loop.remove_writer(self._socket)
        if self._pgconn.flush():
            self._loop.add_writer(self._socket, self._flush)

    def _receive(self) -> None:
        try:
            self._pgconn.consume_input()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is not None:
                    self._result = None if result.status == ExecStatus.PIPELINE_SYNC else result
                elif self._result is None:
                    return
                else:
                    self._settle(self._result)
                    self._result = None
        except psycopg.Error as error:
            self._fail(error)

    def _settle(self, result: PGresult) -> None:
        """Give a result to who asked for it; nobody asked for a preparation or an entry."""
        answer = self._sent.popleft()
        if result.status == ExecStatus.FATAL_ERROR:
            self._names.clear()  # what was prepared may be out of date
        if answer is None or answer.done():
            return
        try:
            answer.set_result(self._decode(result))
        except Exception as error:
            answer.set_exception(error)

    def _decode(self, result: PGresult) -> list[Row]:
        if result.status == ExecStatus.PIPELINE_ABORTED:
            raise psycopg.OperationalError("a statement sent together with this one failed")
        if result.status != ExecStatus.TUPLES_OK:
            raise error_from_result(result)
        self._decoder.set_pgresult(result)
        return self._decoder.load_rows(0, result.ntuples, tuple)

    def _fail(self, error: Exception) -> None:
        if self._failure is not None:
            return
        self._failure = error
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        for answer in (*self._sent, *(read.answer for read in self._waiting)):
            if answer is not None and not answer.done():
                answer.set_exception(psycopg.OperationalError(str(error)))
        self._lost()
