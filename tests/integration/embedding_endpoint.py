"""An embedding endpoint of the OpenAI form on this machine, which fails in every way it is told to."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

DIMENSION = 8
POISON = "poison"
KEY = "sesame-key"


def vector_of(text: str, dimension: int = DIMENSION) -> list[float]:
    """A vector that depends on the text alone, not of unit length."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    return [float(x) for x in np.random.default_rng(seed).normal(size=dimension) * 3]


class FakeEndpoint:
    """Answers as `mode` says; keeps the inputs of each request."""

    def __init__(self) -> None:
        self.mode = "good"
        self.retry_after = ""
        self.requests: list[list[str]] = []
        self.keys: list[str | None] = []
        self.running = self.most_running = 0
        self.delay_s = 0.0
        self.released = threading.Event()
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/v1/embeddings"
                with endpoint.lock:
                    endpoint.requests.append(body["input"])
                    endpoint.keys.append(self.headers["Authorization"])
                    endpoint.running += 1
                    endpoint.most_running = max(endpoint.most_running, endpoint.running)
                try:
                    endpoint.released.wait(endpoint.delay_s)
                    self.answer(body["input"])
                finally:
                    with endpoint.lock:
                        endpoint.running -= 1

            def answer(self, texts: list[str]) -> None:
                mode = endpoint.mode
                if mode == "hang":
                    endpoint.released.wait(30)
                if mode in {"hang", "close"}:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                elif mode.isdigit():
                    self.send(int(mode), b'{"error": {"message": "no"}}')
                elif any(POISON in text for text in texts):
                    self.send(400, b'{"error": {"message": "cannot read this"}}')
                elif mode == "not JSON":
                    self.send(200, b"<html>")
                elif mode == "cut":
                    self.send(200, b'{"data": [')
                else:
                    self.send(200, json.dumps(answer_of(mode, texts)).encode())

            def send(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                if endpoint.retry_after:
                    self.send_header("Retry-After", endpoint.retry_after)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


def answer_of(mode: str, texts: list[str]) -> Any:
    """The JSON of an answer, wrong as the mode says."""
    data = [{"index": i, "object": "embedding", "embedding": vector_of(text)} for i, text in enumerate(texts)]
    if mode == "wrong dimension":
        data[-1]["embedding"] = vector_of(texts[-1], DIMENSION + 1)
    elif mode == "NaN":
        data[-1]["embedding"] = [float("nan")] * DIMENSION
    elif mode == "zeros":
        data[-1]["embedding"] = [0.0] * DIMENSION
    elif mode == "words":
        data[-1]["embedding"] = ["a"] * DIMENSION
    elif mode == "short list":
        data.pop()
    elif mode == "twice":
        data.append(data[0])
    elif mode == "null":
        return None
    elif mode == "shuffled":
        data.reverse()
    return {"object": "list", "data": data, "usage": {"prompt_tokens": 3 * len(texts)}}


@contextmanager
def embedding_endpoint() -> Iterator[FakeEndpoint]:
    """One that listens."""
    endpoint = FakeEndpoint()
    thread = threading.Thread(target=endpoint.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.released.set()
        endpoint.server.shutdown()
        thread.join()
        endpoint.server.server_close()
