"""What a change of the embedding model of a space needs from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from quipu_server.domain import EmbeddedText, Space, TextToEmbed


@dataclass(frozen=True, slots=True)
class Missing:
    """A passage without vectors of a model, and a revision that has it."""

    revision: int
    passage_id: UUID
    text: TextToEmbed


class ModelStore(Protocol):
    """Keeps vectors of several models side by side. Every method may raise StoreUnavailable.

    `target` is always the space as it will be, or is: with the model whose vectors are meant.
    """

    async def count_vectors(self, target: Space) -> tuple[int, int]:
        """How many passages have vectors of the model, and how many passages there are."""

    async def head(self, space: Space) -> int:
        """The revision of its last write. Raises NotFound."""

    async def next_missing(self, target: Space, after: int, limit: int) -> Sequence[Missing]:
        """At most `limit` passages of revisions above `after` that have no vectors of the model, by revision.

        Passages that wait to be embedded are not among them: they get the vectors of the model that the space has then.
        """

    async def add_vectors(self, target: Space, missing: Sequence[Missing], made: Sequence[EmbeddedText]) -> None:
        """Store the vectors of each in one transaction.

        Raises Conflict, and stores nothing, when somebody else has stored some of them, or a passage is gone.
        """

    async def cut_over(self, space: Space, target: Space, dimension: int, seen: int, may_wait: int) -> Space | None:
        """Give the space the model of the target, while nobody writes; the space as it is then.

        None, and nothing is changed, when a revision above `seen` lacks vectors, or the settings of the space have
        another version than those given. may_wait: so many passages may lack them; they wait to be embedded then.
        Writers that began before are told with ModelChanged.
        """

    async def forget_token_counts(self, space: Space) -> None:
        """Forget the tokens of all texts: they were counted by another model."""

    async def forget_previous(self, space: Space) -> None:
        """Forget the model before: there is no way back any more."""

    async def drop_other_vectors(self, space: Space, limit: int) -> int:
        """Remove at most `limit` vectors of models that the space has not; how many."""
