import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.collection import MissingData
from bench.fidelity import load_pairs
from bench.locomo import load_locomo, parse_time, turn_ids
from bench.quality import main
from bench.scifact import load_scifact

CONVERSATION = {
    "speaker_a": "Ann",
    "session_2_date_time": "12:05 am on 1 June, 2023",
    "session_2": [{"speaker": "Ann", "dia_id": "D2:1", "text": "Later."}],
    "session_1_date_time": "1:56 pm on 8 May, 2023",
    "session_1": [{"speaker": "Bo", "dia_id": "D1:1", "text": "Look!", "blip_caption": "a photo of a dog"}],
}
QUESTIONS = [
    {"question": "What did Bo show?", "evidence": ["D:1:01; D2:1"], "category": 1},
    {"question": "Who?", "evidence": ["D9:9"], "category": 2},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("locomo", "scifact/qrels"):
        (tmp_path / name).mkdir(parents=True)
    sample = {"sample_id": "conv-1", "conversation": CONVERSATION, "qa": QUESTIONS}
    (tmp_path / "locomo/locomo10.json").write_text(json.dumps([sample]))
    (tmp_path / "scifact/corpus.jsonl").write_text('{"_id": "7", "text": "Cells grow."}\n')
    (tmp_path / "scifact/queries.jsonl").write_text('{"_id": "1", "text": "growth"}\n{"_id": "2", "text": "other"}\n')
    (tmp_path / "scifact/qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\n1\t7\t1\n")
    (tmp_path / "stsb-en-test.csv").write_text('"One, two.",Two.,3.5\n')
    return tmp_path


def test_turns_come_in_the_order_of_their_sessions(folder: Path) -> None:
    (conversation,) = load_locomo(folder)
    assert conversation.space == "conv-1"
    assert [turn["id"] for turn in conversation.memories] == ["D1.1", "D2.1"]
    assert conversation.memories[0] == {
        "id": "D1.1",
        "content": "Look! [shared image: a photo of a dog]",
        "speaker": "Bo",
        "session": "session_1",
        "event_time": datetime(2023, 5, 8, 13, 56, tzinfo=UTC),
    }


def test_questions_without_a_known_turn_are_dropped(folder: Path) -> None:
    (conversation,) = load_locomo(folder)
    assert [question.relevant for question in conversation.questions] == [{"D1.1", "D2.1"}]


def test_references_to_turns_are_repaired() -> None:
    assert turn_ids("D8:6; D9:17") == ["D8.6", "D9.17"]
    assert turn_ids("D:11:26") == ["D11.26"]
    assert turn_ids("D30:05") == ["D30.5"]
    assert turn_ids("D") == []


def test_midnight_is_read() -> None:
    assert parse_time("12:09 am on 13 September, 2023") == datetime(2023, 9, 13, 0, 9, tzinfo=UTC)


def test_only_judged_claims_are_asked(folder: Path) -> None:
    scifact = load_scifact(folder)
    assert [(question.text, question.relevant) for question in scifact.questions] == [("growth", {"7"})]
    assert [memory["id"] for memory in scifact.memories] == ["7"]


def test_quoted_sentences_are_read(folder: Path) -> None:
    (pair,) = load_pairs(folder)
    assert (pair.left, pair.right, pair.similarity) == ("One, two.", "Two.", 3.5)


def test_missing_data_is_named(folder: Path) -> None:
    (folder / "scifact/queries.jsonl").unlink()
    with pytest.raises(MissingData, match=r"scifact/queries\.jsonl"):
        load_scifact(folder)


def test_the_command_says_which_file_is_missing(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "locomo/locomo10.json is not in" in result.output
