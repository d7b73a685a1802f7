"""Endpoints of the OpenAI form that serve one embedding model: used in turn, left alone while they fail."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import numpy as np
import structlog

from quipu_server.domain import Vectors
from quipu_server.errors import Overloaded, Unavailable

FIRST_REST_S = 1.0
LONGEST_REST_S = 60.0
"""How long an endpoint that failed is left alone: twice as long each time."""

LONGEST_WISH_S = 600.0
"""An endpoint that asks to be left alone for longer is asked again after this."""

TOO_MANY = 429
BUSY = frozenset({TOO_MANY, 503})
FAULTS_OF_TEXTS = frozenset({400, 413, 422})
"""Other endpoints would refuse them as well."""

_KEY, _LATER = "check its key", "try again later, or name more endpoints"
MENDS = {
    401: _KEY,
    403: _KEY,
    404: "check its url, which ends before /embeddings, and its model",
    429: _LATER,
    503: _LATER,
}
"""What to do about an answer of HTTP."""

log = structlog.get_logger(__name__)


class Refused(Exception):
    """An endpoint does not take a text."""


class WrongDimension(Exception):
    """An endpoint gives vectors of another length."""


class Failed(Exception):
    """An endpoint cannot answer now. rest_s: how long it asked to be left alone; status: of HTTP, 0 without any."""

    def __init__(self, why: str, *, rest_s: float | None = None, status: int = 0) -> None:
        super().__init__(why)
        self.rest_s = rest_s
        self.status = status

    @property
    def is_busy(self) -> bool:
        return self.status in BUSY


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of a request for one vector. problem: what is wrong, and mend: what to do; empty when it is well."""

    url: str
    took_s: float
    problem: str = ""
    mend: str = ""


@dataclass(slots=True)
class Endpoint:
    """One of them. headers: with its key, if it has one."""

    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    rests_until_s: float = 0.0
    rest_s: float = FIRST_REST_S
    is_busy: bool = False

    def succeed(self) -> None:
        """Forget earlier failures."""
        self.rest_s = FIRST_REST_S

    def fail(self, failure: Failed) -> None:
        """Leave it alone for a while."""
        rest_s = self.rest_s * random.uniform(0.8, 1.2) if failure.rest_s is None else failure.rest_s
        self.rests_until_s = time.monotonic() + min(rest_s, LONGEST_WISH_S)
        self.rest_s = min(2 * self.rest_s, LONGEST_REST_S)
        self.is_busy = failure.is_busy
        log.warning("embedding_endpoint_failed", url=self.url, reason=str(failure), rest_s=round(rest_s, 1))


class Endpoints:
    """Asks them in turn. model, dimension: what they serve. body: what every request says besides."""

    def __init__(
        self, client: httpx.AsyncClient, endpoints: Sequence[Endpoint], dimension: int, body: dict[str, Any]
    ) -> None:
        self._client = client
        self._endpoints = endpoints
        self._dimension = dimension
        self._body = body
        self._turn = 0

    async def embed(self, texts: Sequence[str]) -> tuple[Vectors, int]:
        """Vectors at the length they came, float32 (texts, dimension), and the tokens counted; 0 if none were.

        Every endpoint that is not left alone is tried once. Raises Refused, Overloaded when all have too much to do,
        Unavailable when none answers.
        """
        refused: Refused | None = None
        for endpoint in self._in_turn():
            try:
                answer = await self._ask(endpoint, texts)
            except Failed as failure:
                endpoint.fail(failure)
            except WrongDimension as error:
                endpoint.fail(Failed(str(error), rest_s=LONGEST_REST_S))
            except Refused as error:  # another one may be set up better
                refused = error
            else:
                endpoint.succeed()
                return answer
        raise refused or self._none()

    async def check(self) -> None:
        """Ask each for a vector; those that do not answer are checked whenever they do. Raises WrongDimension."""
        for endpoint in self._endpoints:
            try:
                await self._ask(endpoint, ["a"])
            except Failed as failure:
                endpoint.fail(failure)
            except Refused as error:
                endpoint.fail(Failed(str(error)))

    async def examine(self) -> Sequence[Examined]:
        """Ask each for a vector, all at once."""
        return await asyncio.gather(*map(self._examine, self._endpoints))

    def resting(self) -> int:
        """How many are left alone."""
        now = time.monotonic()
        return sum(endpoint.rests_until_s > now for endpoint in self._endpoints)

    async def _examine(self, endpoint: Endpoint) -> Examined:
        problem = mend = ""
        started = time.perf_counter()
        try:
            await self._ask(endpoint, ["a"])
        except WrongDimension as error:
            problem, mend = str(error), "correct its dimension, or see send_dimension"
        except Refused as error:
            problem, mend = f"it refuses a text: {error}", "check its model and send_dimension"
        except Failed as failure:
            problem, mend = str(failure), MENDS.get(failure.status, "check its url, and what runs there")
        return Examined(endpoint.url, time.perf_counter() - started, problem, mend)

    def _in_turn(self) -> Sequence[Endpoint]:
        self._turn = (self._turn + 1) % len(self._endpoints)
        now = time.monotonic()
        turned = (*self._endpoints[self._turn :], *self._endpoints[: self._turn])
        return [endpoint for endpoint in turned if endpoint.rests_until_s <= now]

    def _none(self) -> Unavailable:
        """The error when no endpoint answers, with the time until one is asked again."""
        error: Unavailable
        if all(endpoint.is_busy for endpoint in self._endpoints):
            error = Overloaded("the embedding endpoints have too much to do; try again")
        else:
            error = Unavailable("no embedding endpoint answers; try again")
        error.retry_after_s = max(0.1, min(e.rests_until_s for e in self._endpoints) - time.monotonic())
        return error

    async def _ask(self, endpoint: Endpoint, texts: Sequence[str]) -> tuple[Vectors, int]:
        try:
            answer = await self._client.post(endpoint.url, headers=endpoint.headers, json=self._body | {"input": texts})
        except httpx.TimeoutException as error:
            raise Failed("it did not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Failed(f"it cannot be reached: {type(error).__name__}") from error
        if answer.status_code in FAULTS_OF_TEXTS:
            raise Refused(f"HTTP {answer.status_code}")
        if answer.status_code != httpx.codes.OK:
            wish_s = read_wish(answer.headers.get("Retry-After", ""))
            raise Failed(f"HTTP {answer.status_code}", rest_s=wish_s, status=answer.status_code)
        # Off the event loop: 64 vectors of 3,072 numbers are 4 MB of JSON.
        return await asyncio.to_thread(read_answer, answer, len(texts), self._dimension)


def read_answer(answer: httpx.Response, count: int, dimension: int) -> tuple[Vectors, int]:
    """The vectors in an answer, in the order of the texts. Raises Failed, WrongDimension."""
    try:
        content = answer.json()
        rows = {int(item["index"]): item["embedding"] for item in content["data"]}
        if sorted(rows) != list(range(count)) or len(content["data"]) != count:
            raise Failed(f"it gave {len(content['data'])} vectors for {count} texts")
        if lengths := {len(row) for row in rows.values()} - {dimension}:
            raise WrongDimension(f"it gives vectors of {lengths.pop()} numbers, not {dimension}")
        vectors = np.array([rows[place] for place in range(count)], dtype=np.float32)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Failed(f"its answer cannot be read: {type(error).__name__}") from error
    if vectors.shape != (count, dimension) or not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
        raise Failed("it gave vectors that are none")
    usage = content.get("usage") or {}
    return vectors, int(usage.get("prompt_tokens") or 0)


def read_wish(text: str) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or a date; None if it does not."""
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
