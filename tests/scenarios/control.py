"""The URL that restarts a server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread


@contextmanager
def restarting(restart: Callable[[], None]) -> Iterator[str]:
    """A URL on this machine; a POST calls `restart` and is answered when that returns."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                restart()
            except Exception as error:
                self.send_error(500, explain=str(error))
                return
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: the table is the output."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/restart"
        finally:
            server.shutdown()
