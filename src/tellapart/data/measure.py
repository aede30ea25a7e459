"""How a row is made of a picture: what a column of a data set holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL

from tellapart.data.cache import FORMAT
from tellapart.decoding import Maker
from tellapart.images import DECODING

Rows = npt.NDArray[Any]


@dataclass(frozen=True)
class Measure:
    """How a row is made of a picture.

    Attributes:
        kind: one of `cache.KINDS`; names the cache entry.
        about: equal kind and equal `about` (JSON) mean equal rows for equal pictures.
        shape: of a row.
        dtype: of a row; may be structured.
        maker: what is made of each picture for itself.
        then: where several pictures at a time are cheaper: what `maker` made of k pictures,
            stacked, to (k, *shape) rows. Called in one thread, in the order of the data set.
    """

    kind: str
    about: Mapping[str, Any]
    shape: tuple[int, ...]
    dtype: npt.DTypeLike
    maker: Maker = field(repr=False)
    then: Callable[[Rows], Rows] | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """Names what makes the rows; Pillow's decoders may differ by a shade by version."""
        about = {
            "format": FORMAT,
            "pillow": PIL.__version__,
            "decoding": DECODING,
            "kind": self.kind,
            **self.about,
        }
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    @property
    def row_bytes(self) -> int:
        """The size of a row."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize
