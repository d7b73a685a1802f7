"""LoCoMo: long conversations of two people, and questions whose evidence is some of the turns."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.collection import Collection, Question, data_file
from quipu import Draft

FILE = "locomo/locomo10.json"
ANSWERABLE = frozenset({1, 2, 3, 4})
"""Categories whose questions the conversations answer; those of category 5 are traps."""

_SESSION = re.compile(r"session_(\d+)")
# As in `D8:6; D9:17`, `D:11:26` and `D30:05`.
_EVIDENCE = re.compile(r"D:?(\d+):(\d+)")


def load_locomo(folder: Path) -> Sequence[Collection]:
    """A collection for each conversation. Raises MissingData."""
    samples = json.loads(data_file(folder, FILE).read_text("utf-8"))
    return [_collection(sample) for sample in samples]


def turn_ids(evidence: str) -> Sequence[str]:
    """The ids of memories that a reference to turns names."""
    return [f"D{int(session)}.{int(turn)}" for session, turn in _EVIDENCE.findall(evidence)]


def parse_time(text: str) -> datetime:
    """Read `1:56 pm on 8 May, 2023`; the data names no zone, UTC stands for it."""
    return datetime.strptime(text, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)


def _collection(sample: Mapping[str, Any]) -> Collection:
    turns = list(_turns(sample["conversation"]))
    known = {turn["id"] for turn in turns if turn["id"] is not None}
    asked = [_question(question, known) for question in sample["qa"]]
    return Collection(sample["sample_id"], turns, [question for question in asked if question.relevant])


def _turns(conversation: Mapping[str, Any]) -> Iterator[Draft]:
    """The turns in the order of their sessions."""
    numbers = sorted(int(match[1]) for key in conversation if (match := _SESSION.fullmatch(key)))
    for number in numbers:
        session = f"session_{number}"
        time = parse_time(conversation[f"{session}_date_time"])
        for turn in conversation[session]:
            (memory_id,) = turn_ids(turn["dia_id"])
            yield Draft(id=memory_id, content=_text(turn), speaker=turn["speaker"], session=session, event_time=time)


def _text(turn: Mapping[str, str]) -> str:
    caption = turn.get("blip_caption")
    return f"{turn['text']} [shared image: {caption}]" if caption else turn["text"]


def _question(question: Mapping[str, Any], known: Set[str]) -> Question:
    named = {turn for evidence in question["evidence"] for turn in turn_ids(evidence)}
    return Question(question["question"], named & known, question["category"])
