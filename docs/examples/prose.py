"""Real text that everybody has: sentences of Python's own documentation."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pydoc_data.topics import topics

MODULES = (
    "argparse",
    "asyncio",
    "datetime",
    "decimal",
    "email",
    "logging",
    "pathlib",
    "random",
    "statistics",
    "zipfile",
)


def sentences() -> Iterator[str]:
    """Those of Python's documentation that read as prose, each once."""
    seen = set()
    for text in documents():
        for paragraph in re.split(r"\n\s*\n", text):
            for sentence in re.split(r"(?<=[.?!:])\s+", " ".join(paragraph.split())):
                if is_prose(sentence) and sentence not in seen:
                    seen.add(sentence)
                    yield sentence


def documents() -> Iterator[str]:
    """The topics of `help()`, then what modules, classes and methods say of themselves."""
    yield from (topics[name] for name in sorted(topics))
    for module in map(importlib.import_module, MODULES):
        for _, thing in inspect.getmembers(module, inspect.isclass):
            yield from (inspect.getdoc(part) or "" for _, part in inspect.getmembers(thing, inspect.isroutine))


def is_prose(text: str) -> bool:
    plain = sum(character.isalpha() or character in " ,." for character in text)
    return 40 <= len(text) <= 320 and text[0].isupper() and text[-1] in ".?!" and plain > 0.9 * len(text)
