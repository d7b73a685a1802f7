"""Ids made by the server."""

import os
import time


def new_memory_id() -> str:
    """32 hexadecimal digits: milliseconds since 1970 (12 digits), then 80 random bits. Later ids sort later."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
