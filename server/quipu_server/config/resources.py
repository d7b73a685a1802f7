"""Named resources: what a file of settings describes, and a setting chooses by name."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from quipu_server.config.secrets import Resolved, Secret

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
"""Of a resource."""


class Resource(BaseModel):
    """What all have in common: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class DatabaseResource(Resource):
    """A PostgreSQL that others run, chosen by the setting `database`."""

    url: Resolved = Field(description="How to connect to it, as in `database_url`.", repr=False)
    pool_size: int | None = Field(
        None, ge=1, le=128, description="Connections to it; the setting `pool_size` if empty."
    )


class Endpoint(Resource):
    """Where an embedder is reached."""

    url: str = Field(pattern=r"^https?://", description="Address up to `/v1`; `/embeddings` is added.")
    key: Secret | None = Field(None, description="Bearer token, by reference.")


class EmbedderResource(Resource):
    """An embedding model behind endpoints of the OpenAI form. Its name here is that of the model in Quipu."""

    kind: Literal["openai"] = Field("openai", description="Form of the endpoints.")
    model: str = Field(min_length=1, description="Name of the model at the endpoints.")
    dimension: int = Field(ge=1, le=4_000, description="Numbers of a vector; checked when the server starts.")
    endpoints: list[Endpoint] = Field(min_length=1, description="Where it is; used in turn.")
    max_tokens: int = Field(8_191, ge=64, description="Longest text, tokens; longer ones become chunks.")
    tokenizer: Path | None = Field(
        None,
        description="Its `tokenizer.json`; without one, a byte of text is taken for a token, and none are counted.",
    )
    query_prefix: str = Field("", description="Put before queries.")
    passage_prefix: str = Field("", description="Put before texts to be stored.")
    send_dimension: bool = Field(
        False, description="Ask for vectors of `dimension` numbers, where models can shorten them."
    )
    batch_texts: int = Field(64, ge=1, le=2_048, description="Most texts of one request.")
    concurrency: int = Field(8, ge=1, le=256, description="Most requests at once, of all endpoints together.")
    timeout_s: float = Field(30.0, gt=0, description="Time for one request.")
