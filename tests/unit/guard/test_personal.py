"""Personal data is found with its right place, and nothing else is."""

import json
from importlib.resources import files
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quipu_server.guard.findings import Finding, joined, redacted
from quipu_server.guard.personal import KINDS, find_personal, is_region, passes_luhn
from tests.unit.guard.sentences import SENTENCES

SAMPLE = files("quipu_server").joinpath("samples/expedition.jsonl").read_text("utf-8")

FOUND = [
    ("email", "ann@example.org"),
    ("email", "ann.b+list@mail.example.co.uk"),
    ("email", "müller@bücher.example"),
    ("phone", "+1 650 253 0000"),
    ("phone", "(415) 555-2671"),
    ("phone", "415-555-2671"),
    ("phone", "+49 30 901820"),
    ("phone", "+44 20 7946 0958"),
    ("phone", "＋１６５０２５３００００"),
    ("ssn", "123-45-6789"),
    ("ssn", "123\u201145\u20116789"),
    ("ssn", "١٢٣-٤٥-٦٧٨٩"),
    ("card", "4111 1111 1111 1111"),
    ("card", "4111-1111-1111-1111"),
    ("card", "4111111111111111"),
    ("card", "378282246310005"),
    ("card", "3782 822463 10005"),
    ("card", "5555 5555 5555 4444"),
    ("card", "2223 0031 2200 3222"),
    ("card", "6011 1111 1111 1117"),
    ("card", "3056 930902 5904"),
    ("card", "٤١١١ ١١١١ ١١١١ ١١١١"),
]
HARMLESS = [
    "ann@localhost",
    "ann at example.org",
    "@ann",
    "000-12-3456",
    "666-12-3456",
    "900-12-3456",
    "123-00-4567",
    "123-45-0000",
    "1123-45-6789",
    "4111 1111 1111 1112",
    "1234 5678 9012 3452",
    "0000000000000000",
    "4.111111111111111",
    "555-0100",
]


def kinds(text: str, region: str = "US") -> list[tuple[str, str]]:
    return [(finding.kind, text[finding.start : finding.end]) for finding in find_personal(text, region)]


@pytest.mark.parametrize(("kind", "data"), FOUND, ids=[f"{kind}-{i}" for i, (kind, _) in enumerate(FOUND)])
@pytest.mark.parametrize("before", ["", "It is ", "é😀 ", "你好 ", "a) ", "(", "a\n"])
@pytest.mark.parametrize("after", ["", ".", ", he said", " 😀", ")", "\nb"])
def test_it_is_found_where_it_stands(kind: str, data: str, before: str, after: str) -> None:
    assert kinds(f"{before}{data}{after}") == [(kind, data)]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_looks_like_it_is_none(text: str) -> None:
    assert kinds(text) == []
    assert kinds(f"It is {text}, as they say.") == []


@pytest.mark.parametrize("text", SENTENCES)
def test_ordinary_sentences_have_none(text: str) -> None:
    assert kinds(text) == []


def test_the_sample_has_none() -> None:
    for line in SAMPLE.splitlines():
        assert kinds(json.loads(line)["content"]) == []


def test_what_is_named_needs_no_hyphens() -> None:
    assert kinds("SSN: 123456789") == [("ssn", "123456789")]
    assert kinds("social security number is 123 45 6789") == [("ssn", "123 45 6789")]


def test_a_number_beside_a_card_stays() -> None:
    text = "Paid with 4111 1111 1111 1111 12/26 123, then 5555-5555-5555-4444."
    assert redacted(text, find_personal(text, "US")) == "Paid with [card] 12/26 123, then [card]."


def test_the_region_says_what_a_national_number_is() -> None:
    assert kinds("030 901820", "DE") == [("phone", "030 901820")]
    assert kinds("030 901820", "US") == []
    assert kinds("030 901820 or +49 30 901820", "") == [("phone", "+49 30 901820")]
    assert [is_region(region) for region in ("", "US", "DE", "XX", "us")] == [True, True, True, False, False]


@given(st.text(alphabet="0123456789", min_size=12, max_size=18))
def test_luhn_has_one_check_digit(digits: str) -> None:
    """As the standard says it: double every second digit from the right, add the digits of all."""
    passing = [check for check in "0123456789" if passes_luhn(digits + check)]
    total = sum(int(d) if i % 2 else sum(map(int, str(2 * int(d)))) for i, d in enumerate(reversed(digits)))
    assert passing == [str(-total % 10)]


@given(
    st.integers(0, 10**11 - 1),
    st.sampled_from(["", " ", "-"]),
    st.sampled_from(["", "٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９"]),
)
def test_every_card_number_is_found_in_digits_of_any_script(number: int, separator: str, script: str) -> None:
    body = f"4{number:014d}"
    digits = next(body + check for check in "0123456789" if passes_luhn(body + check))
    shown = digits.translate(str.maketrans("0123456789", script)) if script else digits
    card = separator.join(shown[i : i + 4] for i in range(0, 16, 4))
    assert kinds(f"😀 {card} é") == [("card", card)]


PARTS = st.sampled_from([*(data for _, data in FOUND), *HARMLESS, "😀", "é", "tea", " ", "\n", ", ", "-", ".", "12"])


@given(st.lists(PARTS, max_size=12).map(" ".join))
def test_nothing_is_found_in_what_was_redacted(text: str) -> None:
    found = find_personal(text, "US")
    assert all(0 <= f.start < f.end <= len(text) for f in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert kinds(redacted(text, found)) == []


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    find_personal(text, "US")


SPANS = st.tuples(st.integers(0, 30), st.integers(1, 10), st.sampled_from(KINDS))


@given(st.lists(SPANS.map(lambda span: Finding(span[0], span[0] + span[1], span[2])), max_size=8))
def test_findings_that_overlap_are_one(findings: list[Finding]) -> None:
    whole = joined(findings, KINDS)
    assert all(a.end <= b.start for a, b in pairwise(whole))
    covered = {i for f in findings for i in range(f.start, f.end)}
    assert {i for f in whole for i in range(f.start, f.end)} == covered
    for each in whole:
        parts = [f.kind for f in findings if each.start <= f.start < each.end]
        assert each.kind == min(parts, key=KINDS.index)


def test_a_table_of_numbers_is_read_in_bounded_time() -> None:
    """It would take minutes, and the test its time limit, if every number was tried with all others."""
    find_personal("12 " * 20_000, "US")
    find_personal("1" * 65_536, "US")
    find_personal("a." * 32_768 + "@", "US")
