"""`quipu search`."""

from typing import TYPE_CHECKING, Any

import click

from quipu_server.cli.connection import address_option, connected, spaces_option
from quipu_server.cli.display import Entry, show_entries
from quipu_server.cli.lines import as_document, dump
from quipu_server.cli.memories import json_option, origin, when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quipu import Context, Hit, SearchSummary
    from quipu.v1.search_service_pb2 import ScoreExplanation

TERMS = ("dense", "lexical", "importance", "recency")
OTHERS = ("confidence", "neighbours", "session", "role", "use", "feedback")
"""Terms that most scores do not have."""


@click.command()
@click.argument("text", required=False)
@spaces_option("Where to look; may be given up to 16 times.")
@click.option("--like", "example", metavar="MEMORY", help="Finds memories like this one, instead of TEXT.")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1_000), help="Most hits.")
@click.option("--filter", help='Which ones, such as \'session = "s1" AND NOT tags = "draft"\'.')
@click.option("--mode", type=click.Choice(["hybrid", "dense", "lexical"]), help="By meaning and words, or one of both.")
@click.option("--min-relevance", default=0.0, type=click.FloatRange(0, 1), help="Least relevance of a hit, 0 to 1.")
@click.option("--as-of", metavar="N", type=click.IntRange(1), help="Searches the space as it was at this revision.")
@click.option("--expand-context", type=click.IntRange(0, 20), help="Shows so many messages before and after each hit.")
@click.option("--explain", is_flag=True, help="Shows the terms of each score, and how long each stage took.")
@json_option
@address_option
def search(
    address: str, spaces: tuple[str, ...], text: str | None, as_of: int | None, as_json: bool, **query: Any
) -> None:
    """Find memories by TEXT, best first."""
    from quipu import AsOf

    if as_of is not None:
        if len(spaces) > 1:
            raise click.UsageError("--as-of is a revision of one space: give one --space")
        query["consistency"] = AsOf(as_of)
    with connected(address, spaces[0]) as client:
        hits = client.search(text, space=spaces, **query)
        found = hits.all()
    if as_json:
        for hit in found:
            click.echo(dump(document(hit)))
    else:
        show_entries(entry(hit) for hit in found)
    show_contexts(hits.contexts, as_json)
    if query["explain"]:
        click.echo(told(hits.summary), err=as_json)
    if not hits.summary.complete:
        click.echo(f"These may not be the best hits: {hits.summary.incomplete_reason}", err=True)


def show_contexts(contexts: "Sequence[Context]", as_json: bool) -> None:
    """Print what was said around hits."""
    for part in contexts:
        messages = [{"memory": as_document(m.memory)} | ({"hit": True} if m.hit else {}) for m in part.messages]
        if as_json:
            click.echo(dump({"session": part.session, "messages": messages}))
            continue
        click.echo(part.session)
        show_entries(Entry("*" if m.hit else "", m.memory.content, [[m.memory.speaker]]) for m in part.messages)


def entry(hit: "Hit") -> Entry:
    """A hit in a list: its score, what it says best, and where it comes from."""
    from quipu import from_memory

    memory = from_memory(hit.memory)
    return Entry(f"{hit.score:.3f}", excerpt(hit), [[when(memory), *origin(memory)], terms(hit)])


def excerpt(hit: "Hit") -> str:
    """The part of the content that was found; all of it when it is short."""
    if not hit.HasField("best_chunk"):
        return hit.memory.content
    before = "…" if hit.best_chunk.start else ""
    return f"{before}{hit.memory.content[hit.best_chunk.start : hit.best_chunk.end]}"


def terms(hit: "Hit") -> list[str]:
    """The terms of the score, if they were asked for."""
    if not hit.HasField("explanation"):
        return []
    parts = " + ".join(f"{name.removesuffix('_term')} {value:.3f}" for name, value in shares(hit.explanation).items())
    measured = [f"{name} {value:.3f}" for name, value in measures(hit.explanation).items()]
    return [parts, *measured, " ".join(hit.explanation.matched_terms)]


def told(summary: "SearchSummary") -> str:
    """What answered, and how long its stages took."""
    answers = [f"{a.space} at revision {a.revision}" for a in summary.answers]
    return f"{', '.join(answers)}: " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in stages(summary).items())


def document(hit: "Hit") -> dict[str, Any]:
    """A hit for JSON."""
    shown: dict[str, Any] = {"score": hit.score, "relevance": hit.relevance, "memory": as_document(hit.memory)}
    if hit.HasField("best_chunk"):
        shown["best_chunk"] = {"start": hit.best_chunk.start, "end": hit.best_chunk.end}
    if hit.HasField("explanation"):
        shown["explanation"] = explanation(hit.explanation)
    return shown


def explanation(message: "ScoreExplanation") -> dict[str, Any]:
    """The terms of a score for JSON."""
    age_s = message.age.ToTimedelta().total_seconds()
    return {**measures(message), **shares(message), "age_s": age_s, "matched_terms": [*message.matched_terms]}


def shares(message: "ScoreExplanation") -> dict[str, float]:
    """The terms: those that all scores have, and others that are not 0."""
    values = {f"{name}_term": getattr(message, f"{name}_term") for name in (*TERMS, *OTHERS)}
    return {name: value for name, value in values.items() if value or name.removesuffix("_term") in TERMS}


def measures(message: "ScoreExplanation") -> dict[str, float]:
    """Cosine and BM25, if the mode of the search has them."""
    return {name: getattr(message, name) for name in ("cosine", "bm25") if message.HasField(name)}


def stages(summary: "SearchSummary") -> dict[str, float]:
    """Milliseconds by stage."""
    return {timing.stage: timing.duration.ToTimedelta().total_seconds() * 1e3 for timing in summary.stages}
