"""Kinds of values."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Scalar: TypeAlias = str | float | bool | datetime
MetadataValue: TypeAlias = Scalar | tuple[Scalar, ...]
Metadata: TypeAlias = Mapping[str, MetadataValue]
Vectors: TypeAlias = NDArray[np.float32]
"""Rows of unit length, shape (n, dimension)."""
Vector: TypeAlias = NDArray[np.float32]
"""Unit length, shape (dimension,)."""
Revisions: TypeAlias = NDArray[np.int64]
