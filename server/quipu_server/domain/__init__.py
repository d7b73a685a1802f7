"""What the core speaks: plain dataclasses and arrays."""

from quipu_server.domain.embedding import EmbeddedText, ModelInfo, Purpose, TextToEmbed
from quipu_server.domain.memories import (
    MONTHS,
    NO_FEEDBACK,
    Change,
    Kind,
    Memory,
    MemoryFields,
    Passage,
    Redaction,
    RequestKey,
    Role,
    Verdict,
    Write,
    balance,
)
from quipu_server.domain.searching import Evidence, IndexRow, Mode, Path, Surroundings, Tail, TermStatistics
from quipu_server.domain.spaces import Head, Space, SpaceStatus
from quipu_server.domain.values import Metadata, MetadataValue, Revisions, Scalar, Vector, Vectors

__all__ = [
    "MONTHS",
    "NO_FEEDBACK",
    "Change",
    "EmbeddedText",
    "Evidence",
    "Head",
    "IndexRow",
    "Kind",
    "Memory",
    "MemoryFields",
    "Metadata",
    "MetadataValue",
    "Mode",
    "ModelInfo",
    "Passage",
    "Path",
    "Purpose",
    "Redaction",
    "RequestKey",
    "Revisions",
    "Role",
    "Scalar",
    "Space",
    "SpaceStatus",
    "Surroundings",
    "Tail",
    "TermStatistics",
    "TextToEmbed",
    "Vector",
    "Vectors",
    "Verdict",
    "Write",
    "balance",
]
