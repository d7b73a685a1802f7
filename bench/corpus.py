"""Memories and questions to measure speed with: the same every time.

They are made of the sample that ships with the server, or of LoCoMo: a memory is a line of the source or two of
them joined, a question asks for some words of a memory. LoCoMo brings questions of its own.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import chain, cycle, islice
from pathlib import Path
from random import Random

from bench.locomo import load_locomo
from quipu_server.domain import MemoryFields

WORDS = 32
"""Of a memory at most. With its header it has about as many tokens as a turn of LoCoMo, 49."""
SPEAKERS = ("Ann", "Bo", "Carla", "Deniz")
TEMPLATES = (
    "What did {speaker} say about {words}?",
    "When was there talk of {words}?",
    "Who told {speaker} about {words}?",
    "How did it go with {words}?",
)
FIRST_TIME = datetime(2024, 1, 1, 9, tzinfo=UTC)
SESSION_TURNS = 20

_WORD = re.compile(r"[^\W\d_]{4,}")
_SENTENCE_END = re.compile(r"(?<=[.!?]) ")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Memories, and questions that are all different, so that no cache answers them."""

    memories: Sequence[MemoryFields]
    questions: Sequence[str]


def make_corpus(folder: Path | None, memory_count: int, question_count: int) -> Corpus:
    """From LoCoMo in this folder, or from the sample. Raises MissingData."""
    random = Random(20240101)
    if folder is None:
        memories = _memories(sample_lines(), memory_count, random)
        asked = _made_questions(memories, random)
    else:
        conversations = load_locomo(folder)
        memories = _memories([turn["content"] for c in conversations for turn in c.memories], memory_count, random)
        asked = (question.text for c in conversations for question in c.questions)
    return Corpus(memories, _different(asked, memories, question_count, random))


def make_texts(folder: Path | None, count: int) -> Sequence[str]:
    """So many different texts, each of up to three sentences of the sample or turns of LoCoMo. Raises MissingData."""
    random, parts, texts = Random(20240102), _parts(folder), dict[str, None]()
    while len(texts) < count:
        picked = " ".join(random.sample(parts, 3)).split()
        texts[" ".join(picked[: random.randint(WORDS // 2, WORDS)])] = None
    return list(texts)


def make_questions(folder: Path | None, count: int) -> Sequence[str]:
    """So many different questions about such texts. Raises MissingData."""
    return make_corpus(folder, 10 * count, count).questions


def _parts(folder: Path | None) -> Sequence[str]:
    if folder is not None:
        return [turn["content"] for conversation in load_locomo(folder) for turn in conversation.memories]
    return [sentence for line in sample_lines() for sentence in _SENTENCE_END.split(line)]


def sample_lines() -> Sequence[str]:
    """The contents of the samples, in the order of their names."""
    samples = [file for file in files("quipu_server.samples").iterdir() if file.name.endswith(".jsonl")]
    texts = [file.read_text("utf-8") for file in sorted(samples, key=lambda file: file.name)]
    return [json.loads(line)["content"] for text in texts for line in text.splitlines()]


def _memories(lines: Sequence[str], count: int, random: Random) -> Sequence[MemoryFields]:
    """The lines as they are; from the second round on each with another one behind it."""
    memories = []
    for number, line in enumerate(islice(cycle(lines), count)):
        text = line if number < len(lines) else f"{line} {random.choice(lines)}"
        memories.append(_memory(number, " ".join(text.split()[:WORDS]), random))
    return memories


def _memory(number: int, content: str, random: Random) -> MemoryFields:
    session = number // SESSION_TURNS
    time = FIRST_TIME + timedelta(hours=session)
    return MemoryFields(content, speaker=random.choice(SPEAKERS), session=f"session_{session}", event_time=time)


def _different(asked: Iterator[str], memories: Sequence[MemoryFields], count: int, random: Random) -> Sequence[str]:
    """So many different questions: those given, then made ones."""
    questions: dict[str, None] = {}
    for question in chain(asked, _made_questions(memories, random)):
        questions[question] = None
        if len(questions) == count:
            break
    return list(questions)


def _made_questions(memories: Sequence[MemoryFields], random: Random) -> Iterator[str]:
    """Questions without end."""
    while True:
        memory = random.choice(memories)
        if words := _WORD.findall(memory.content):
            picked = " and ".join(random.sample(words, min(2, len(words))))
            yield random.choice(TEMPLATES).format(speaker=memory.speaker, words=picked)
