"""The pixels of test pictures, by name: all that a report takes from outside the run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tellapart.data.dataset import Dataset
from tellapart.data.streaming import PixelRows
from tellapart.images import Pixels
from tellapart.report.record import as_written

TOGETHER = 64
"""So many pictures are decoded at a time: 10 MB of 224x224 pixels."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """What the network sees of some pictures.

    Attributes:
        rows: reads like (n, height, width, channels) uint8.
        places: name, as `predictions.csv` has it, to row.
    """

    rows: PixelRows = field(repr=False)
    places: Mapping[str, int] = field(repr=False)

    @classmethod
    def of(
        cls, dataset: Dataset, rows: PixelRows, indices: npt.NDArray[np.int64] | None = None
    ) -> Pictures:
        """Names the rows of a data set.

        Args:
            dataset: whose pictures they are.
            rows: of all of them.
            indices: which can be asked for; None: all.
        """
        chosen = range(len(dataset)) if indices is None else indices.tolist()
        return cls(rows, {as_written(dataset.paths[i]): i for i in chosen})

    def __contains__(self, name: str) -> bool:
        return name in self.places

    def take(self, names: Sequence[str]) -> Pixels:
        """Returns (k, height, width, channels) uint8.

        Raises:
            DataError: a picture cannot be read now that could be read before.
            KeyError: there is no picture of that name.
        """
        return np.asarray(self.rows[np.array([self.places[name] for name in names], np.int64)])

    def stream(self, names: Sequence[str]) -> Iterator[tuple[str, Pixels]]:
        """Yields each name with its pixels, (height, width, channels); some are held at a time."""
        for start in range(0, len(names), TOGETHER):
            some = names[start : start + TOGETHER]
            yield from zip(some, self.take(some), strict=True)


@dataclass(frozen=True)
class NoPictures:
    """There are none to show.

    Attributes:
        reason: why, in a sentence.
    """

    reason: str
