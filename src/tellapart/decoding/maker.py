"""What is made of a picture, in words that another process understands."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import ImageError
from tellapart.images import Raw

Rows = npt.NDArray[Any]

Make = Callable[[Raw, str], Rows]
"""A raw picture and its name to a row; raises `ImageError`.

One with a method `together`, which does what `make_each` does, is asked for many pictures at once.
"""


def make_each(make: Make, raws: Sequence[Raw], names: Sequence[str]) -> Sequence[Rows | ImageError]:
    """Makes a row of each picture, or says why there is none."""
    together = getattr(make, "together", None)
    if together is not None:
        rows: Sequence[Rows | ImageError] = together(raws, names)
        return rows
    return [make_row(make, raw, name) for raw, name in zip(raws, names, strict=True)]


def make_row(make: Make, raw: Raw, name: str) -> Rows | ImageError:
    """Makes a row of a picture, or says why there is none."""
    try:
        return make(raw, name)
    except ImageError as error:
        return error


@dataclass(frozen=True)
class Maker:
    """Names a function that makes rows of pictures.

    Attributes:
        function: "package.module:name" of tellapart's own, which takes `arguments` and returns
            a `Make`.
        arguments: by name; JSON.
        shape: of a row.
        dtype: of a row; may be structured.
    """

    function: str
    arguments: Mapping[str, Any]
    shape: tuple[int, ...]
    dtype: npt.DTypeLike = field(repr=False)

    @property
    def row_bytes(self) -> int:
        """The size of a row."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def load(self) -> Make:
        """Returns the function itself, for this process."""
        module, _, name = self.function.partition(":")
        factory = getattr(importlib.import_module(module), name)
        make: Make = factory(**self.arguments)
        return make
