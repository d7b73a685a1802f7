"""A day of a service with memories: three users, 40 sessions, 2,000 messages, and one guest who wants to be forgotten.

    python docs/examples/day_in_the_life.py [ADDRESS]

Without an address it starts a server of its own in a temporary directory. It says what it does, and fails where an
answer is not what was promised. The texts are sentences of Python's own documentation, so that they are real, free and
at hand.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pydoc_data.topics import topics
from tempfile import TemporaryDirectory

import quipu

USERS = ("ann", "bo", "carla")
SESSIONS = 40
MESSAGES = 50
"""Of each session."""
AT_ONCE = 10
GUEST = "Zebulon Quillfeather"
"""Speaks in one session of Ann's, and wants to be forgotten."""
GUEST_SESSION = 9
WINDOW_TOKENS = 300
PACK_TOKENS = 800
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


@dataclass(frozen=True, slots=True)
class Talk:
    """A session. The user begins, and the assistant answers; the guest speaks for the user."""

    user: str
    name: str
    sentences: Sequence[str]
    speaker: str
    begins: datetime

    @property
    def space(self) -> str:
        return f"day-{self.user}"

    @property
    def drafts(self) -> Sequence[quipu.Draft]:
        return [self._draft(number, text) for number, text in enumerate(self.sentences)]

    def _draft(self, number: int, text: str) -> quipu.Draft:
        said_at = self.begins + timedelta(minutes=number)
        if number % 2:
            return quipu.Draft(content=text, role="assistant", event_time=said_at)
        return quipu.Draft(content=text, role="user", speaker=self.speaker, event_time=said_at)


def talks() -> Sequence[Talk]:
    """All sessions, one a day until today; the same texts every time."""
    texts, today = sentences(), datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    made = []
    for number in range(SESSIONS):
        user = USERS[number % len(USERS)]
        speaker = GUEST if number == GUEST_SESSION else user.title()
        begins = today - timedelta(days=SESSIONS - number)
        made.append(Talk(user, f"talk-{number:02}", list(islice(texts, MESSAGES)), speaker, begins))
    return made


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
    """The topics of `help()`, then what modules say of themselves."""
    yield from (topics[name] for name in sorted(topics))
    for module in map(importlib.import_module, MODULES):
        for _, thing in sorted(vars(module).items()):
            parts = vars(thing).values() if inspect.isclass(thing) else ()
            yield from (inspect.getdoc(part) or "" for part in (thing, *parts) if is_described(part))


def is_described(thing: object) -> bool:
    return inspect.isclass(thing) or inspect.isroutine(thing)


def is_prose(text: str) -> bool:
    plain = sum(character.isalpha() or character in " ,." for character in text)
    return 40 <= len(text) <= 320 and text[0].isupper() and text[-1] in ".?!" and plain > 0.9 * len(text)


def promised(holds: bool, what: str) -> None:
    """Fail unless it holds."""
    if not holds:
        raise SystemExit(f"not as promised: {what}")


def said_by_guest(told: Sequence[Talk]) -> Sequence[str]:
    """What is to be forgotten."""
    return [text for talk in told if talk.speaker == GUEST for text in talk.sentences[::2]]


def talk_all_day(client: quipu.SyncClient, told: Sequence[Talk]) -> None:
    """Append all messages, some at a time, and read them again."""
    for talk in told:
        drafts = talk.drafts
        for start in range(0, len(drafts), AT_ONCE):
            client.append(talk.name, drafts[start : start + AT_ONCE], space=talk.space)
        client.update_session(talk.name, title=f"{talk.speaker}, {talk.begins:%d %B}", space=talk.space)
    for talk in told:
        stored = [message.content for message in client.messages(talk.name, space=talk.space)]
        promised(stored == talk.sentences, f"{talk.name} has its messages in their order")
    counts = {user: sum(1 for _ in client.sessions(space=f"day-{user}")) for user in USERS}
    print(f"talked: {len(told)} sessions, {len(told) * MESSAGES} messages, sessions of each user {counts}")


def look_back(client: quipu.SyncClient, told: Sequence[Talk]) -> None:
    """Read the newest messages of each session that fit a budget."""
    sizes = []
    for talk in told:
        window = client.window(talk.name, max_tokens=WINDOW_TOKENS, space=talk.space)
        shown = [message.content for message in window.messages]
        promised(shown == talk.sentences[-len(shown) :], f"the window of {talk.name} is its end, and nothing is cut")
        promised(window.token_count <= WINDOW_TOKENS, f"the window of {talk.name} fits")
        sizes.append(len(shown))
    print(f"windows of {WINDOW_TOKENS} tokens: {min(sizes)} to {max(sizes)} messages")


def ask(client: quipu.SyncClient, told: Sequence[Talk]) -> None:
    """Make the text for a prompt from each session: its end, what a question finds, and what was said around it."""
    sizes, found = [], 0
    for talk in told:
        wanted = talk.sentences[4]
        pack = client.pack(wanted, token_budget=PACK_TOKENS, session=talk.name, space=talk.space)
        promised(pack.token_count <= PACK_TOKENS, f"the pack of {talk.name} fits")
        promised(talk.sentences[-1] in pack.text, f"the pack of {talk.name} ends with the session")
        numbered = [f"[{citation.number}] " in pack.text for citation in pack.citations]
        promised(all(numbered), f"the pack of {talk.name} has what it cites")
        sizes.append(pack.token_count)
        found += wanted in pack.text
    promised(found == len(told), "each pack has what was asked for")
    print(f"packs of {PACK_TOKENS} tokens: {min(sizes)} to {max(sizes)} tokens, {found} have what was asked for")


def judge(client: quipu.SyncClient, told: Sequence[Talk]) -> None:
    """Say of the first two hits that one is wrong and one is useful, and search again."""
    for user in USERS:
        space = f"day-{user}"
        question = next(talk.sentences[10] for talk in told if talk.user == user)
        before = scores(client, question, space)
        wrong, useful = islice(before, 2)
        client.feedback(wrong, "wrong")
        client.feedback(useful, "useful")
        after = scores(client, question, space)
        promised(after[wrong] < before[wrong], "what is wrong falls")
        promised(after[useful] > before[useful], "what is useful rises")
    print(f"feedback: moved two memories of each of {len(USERS)} users")


def scores(client: quipu.SyncClient, question: str, space: str) -> dict[str, float]:
    """Score of each hit, best first. Neither age nor what is beside it counts, which might change meanwhile."""
    ranking = quipu.Ranking(recency=0, neighbours=0, session=0)
    return {hit.memory.name: hit.score for hit in client.search(question, space=space, ranking=ranking)}


def forget(client: quipu.SyncClient, told: Sequence[Talk]) -> None:
    """Erase what the guest said, and look for it everywhere."""
    space, condition = f"day-{USERS[0]}", f'speaker = "{GUEST}"'
    gone = said_by_guest(told)
    names = [memory.name for memory in client.list(space=space, filter=condition, show_archived=True)]
    promised(len(names) == len(gone), "all that the guest said is there before")
    planned = client.erase(filter=condition, sessions=True, dry_run=True, space=space)
    receipt = client.erase(filter=condition, sessions=True, space=space)
    promised(receipt.erased == planned.erased, "what is erased is what the dry run counted")
    promised(receipt.erased.memories == len(gone), "all that the guest said is erased")
    promised(not receipt.left.ByteSize(), "nothing is left")
    for text in gone:
        found = [hit.memory.content for hit in client.search(text, space=space, k=50)]
        promised(text not in found, "no search finds it")
        promised(text not in client.pack(text, token_budget=PACK_TOKENS, space=space).text, "no pack has it")
    (talk,) = [talk for talk in told if talk.speaker == GUEST]
    kept = [message.content for message in client.messages(talk.name, space=space)]
    promised(not {*kept} & {*gone}, "the session has it no more")
    promised(not [*client.list(space=space, filter=condition, show_archived=True, show_deleted=True)], "no list has it")
    promised(GUEST not in client.get_session(talk.name, space=space).title, "the title does not tell")
    print(f"erased: {receipt.erased.memories} memories of {GUEST}, {receipt.erased.vectors} vectors; nothing is found")


STEPS: Sequence[Callable[[quipu.SyncClient, Sequence[Talk]], None]] = (talk_all_day, look_back, ask, judge, forget)


def live(address: str, steps: Sequence[Callable[[quipu.SyncClient, Sequence[Talk]], None]] = STEPS) -> None:
    """Do the steps on a server."""
    with quipu.connect_sync(address, timeout=120) as client:
        told = talks()
        for step in steps:
            step(client, told)


def main() -> None:
    if len(sys.argv) > 1:
        live(sys.argv[1])
        return
    with TemporaryDirectory() as directory, quipu.Server.ensure_running(directory) as server:
        live(server.address)


if __name__ == "__main__":
    main()
