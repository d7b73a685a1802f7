"""A day of a service with memories: three users, 40 sessions, 2,000 messages, and one guest who wants to be forgotten.

    python docs/examples/day_in_the_life.py [ADDRESS]

Without an address it starts a server of its own in a temporary directory. It says what it does, and fails where an
answer is not what was promised. The texts are sentences of Python's own documentation, so that they are real, free and
at hand.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from tempfile import TemporaryDirectory
from typing import TypeAlias

from prose import sentences

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
ARCHIVED_AFTER = timedelta(days=30, hours=12)
KEPT = 400
"""Memories of each user, at most."""


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
        return [
            quipu.Draft(
                content=text,
                role="assistant" if number % 2 else "user",
                speaker="" if number % 2 else self.speaker,
                event_time=self.begins + timedelta(minutes=number),
            )
            for number, text in enumerate(self.sentences)
        ]


def talks() -> Sequence[Talk]:
    """All sessions, one a day until yesterday; the same texts every time."""
    texts, now = sentences(), datetime.now(UTC).replace(microsecond=0)
    made = []
    for number in range(SESSIONS):
        user = USERS[number % len(USERS)]
        speaker = GUEST if number == GUEST_SESSION else user.title()
        begins = now - timedelta(days=SESSIONS - number)
        made.append(Talk(user, f"talk-{number:02}", list(islice(texts, MESSAGES)), speaker, begins))
    return made


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


def tidy_up(client: quipu.SyncClient, told: Sequence[Talk]) -> None:
    """Archive what is old, keep so much of the rest, and see that the dry run said exactly that."""
    archived, deleted = set[str](), set[str]()
    for space in sorted({talk.space for talk in told}):
        client.create_retention_policy(
            "old", space=space, priority=1, action="archive", older_than=ARCHIVED_AFTER, by_event_time=True
        )
        client.create_retention_policy("many", space=space, priority=2, action="delete", keep_at_most=KEPT)
        before = names(client, space)
        planned = [*client.run_retention(space=space, dry_run=True)][-1].summary
        promised(names(client, space) == before, "a dry run changes nothing")
        done = [*client.run_retention(space=space)][-1].summary
        kept, readable = names(client, space), names(client, space, show_archived=True)
        told_of = {decision.memory for decision in planned.decisions}
        promised((done.archived, done.deleted) == (planned.archived, planned.deleted), "the dry run counted the same")
        promised((done.archived, done.deleted) == (len(readable - kept), len(before - readable)), "they are so many")
        promised(told_of == before - kept, "the dry run named those that go")
        promised(len(kept) == KEPT, "so many are kept")
        archived |= readable - kept
        deleted |= before - readable
    promised(not client.unarchive(min(archived)).HasField("archive_time"), "what is archived can be brought back")
    print(f"retention: archived {len(archived)} and deleted {len(deleted)} memories, as the dry run said")


def names(client: quipu.SyncClient, space: str, *, show_archived: bool = False) -> set[str]:
    return {memory.name for memory in client.list(space=space, show_archived=show_archived)}


def forget(client: quipu.SyncClient, told: Sequence[Talk]) -> None:
    """Erase what the guest said, and look for it everywhere."""
    space, condition = f"day-{USERS[0]}", f'speaker = "{GUEST}"'
    gone = said_by_guest(told)
    there = [*client.list(space=space, filter=condition, show_archived=True)]
    promised(len(there) == len(gone), "all that the guest said is there before")
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


Step: TypeAlias = Callable[[quipu.SyncClient, Sequence[Talk]], None]
STEPS: Sequence[Step] = (
    talk_all_day,
    look_back,
    ask,
    judge,
    tidy_up,
    forget,
)


def live(address: str, steps: Sequence[Step] = STEPS) -> None:
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
