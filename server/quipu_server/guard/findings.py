"""What is found in a text, and the text without it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Finding(NamedTuple):
    """A part of a text, in code points. kind: such as `email`."""

    start: int
    end: int
    kind: str


def joined(findings: Iterable[Finding], ranks: Sequence[str]) -> list[Finding]:
    """The findings in their order, those that overlap as one of the kind that comes first in `ranks`."""
    result: list[Finding] = []
    for finding in sorted(findings):
        if result and finding.start < result[-1].end:
            last = result[-1]
            kind = min(last.kind, finding.kind, key=ranks.index)
            result[-1] = Finding(last.start, max(last.end, finding.end), kind)
        else:
            result.append(finding)
    return result


def redacted(text: str, findings: Sequence[Finding]) -> str:
    """The text with `[kind]` in the place of each finding; they are in order and apart."""
    parts, end = [], 0
    for finding in findings:
        parts += [text[end : finding.start], f"[{finding.kind}]"]
        end = finding.end
    return "".join([*parts, text[end:]])
