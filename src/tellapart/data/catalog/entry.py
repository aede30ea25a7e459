"""What the catalog says of a data set, and how its arrays come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tellapart.data.dataset import Part


@dataclass(frozen=True, eq=False)
class Arrays:
    """One part of a data set.

    Attributes:
        x: (n, height, width) or (n, height, width, 3) uint8.
        y: (n,) int64, indices into the class names of the entry.
        part: None where the data set has no parts.
    """

    x: npt.NDArray[np.uint8]
    y: npt.NDArray[np.int64]
    part: Part | None


@dataclass(frozen=True)
class CatalogEntry:
    """A data set that can be had by its name.

    Attributes:
        name: what `load` takes.
        description: one line.
        pictures: how many there are.
        picture_size: height, width, channels.
        class_names: in the order of the labels as they were published.
        source: who made it, and where it was published.
        licence: in short.
        needs_download: whether the first use needs a network.
        fetch: gets the arrays; slow, and may raise DownloadError.
    """

    name: str
    description: str
    pictures: int
    picture_size: tuple[int, int, int]
    class_names: tuple[str, ...]
    source: str
    licence: str
    needs_download: bool
    fetch: Callable[[], Sequence[Arrays]] = field(repr=False)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)
