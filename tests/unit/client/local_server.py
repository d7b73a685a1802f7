"""A program that behaves as `quipu serve` does, as far as `quipu.Server` can see."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import grpc
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from quipu_server.announcement import announced


def main(data_dir: Path, *options: str) -> None:
    if "--fail" in options:
        sys.exit("the data directory is in use: stop the other server")
    stopped = Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    server, health = grpc.server(ThreadPoolExecutor(1)), HealthServicer()
    add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with announced(data_dir, f"127.0.0.1:{port}"):
        stopped.wait(0.1)
        health.set("", HealthCheckResponse.SERVING)
        stopped.wait()
    server.stop(None).wait()


if __name__ == "__main__":
    _, serve, *flags = sys.argv
    main(Path(flags[flags.index("--data-dir") + 1]), *flags)
