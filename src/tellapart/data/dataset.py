"""A data set: which pictures there are, what they show, and which part each belongs to.

Nothing here holds pixels. A `Source` hands out one raw picture at a time; the store decodes
them once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from tellapart.images import Raw

Part = Literal["train", "validation", "calibration", "test"]
PARTS: tuple[Part, ...] = get_args(Part)

UNASSIGNED = -1
"""In `Dataset.parts`: the source does not say which part the picture belongs to."""


class Source(Protocol):
    """Where the pictures of a data set are."""

    @property
    def key(self) -> str:
        """Equal keys mean equal pictures in equal order.

        Cheap to make: an archive's digest, a folder's names, sizes and times of change.
        """
        ...

    def read(self, index: int) -> Raw:
        """Returns picture `index` before decoding. Safe to call from several threads.

        Raises:
            ImageError: it cannot be read (vanished, no permission, damaged archive).
        """
        ...


class Selection:
    """Some pictures of another source."""

    def __init__(self, source: Source, indices: npt.NDArray[np.int64]) -> None:
        self._source = source
        self._indices = indices

    @property
    def key(self) -> str:
        """See `Source`."""
        chosen = hashlib.sha256(self._indices.astype("<i8").tobytes()).hexdigest()
        return f"{chosen} of {self._source.key}"

    def read(self, index: int) -> Raw:
        """See `Source`."""
        return self._source.read(int(self._indices[index]))


@dataclass(frozen=True)
class Excluded:
    """A file that is left out, and why. Left out is all: it is never changed or deleted."""

    path: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures.

    Attributes:
        name: short, fit for a folder name: "photos", "cifar10".
        location: what the user gave: a path, a catalog name, "arrays".
        class_names: sorted; `labels` index into it.
        paths: one name a picture, "/" between folders, unique; relative to the source.
        labels: (n,) int64.
        parts: (n,) int8, an index into PARTS as the source has it, or UNASSIGNED.
        source: reads the pictures.
        sizes: (height, width, channels) of a sample of the pictures, spread over the whole.
        excluded: pictures that are left out, with reasons.
        ignored: how many hidden and non-image files were passed over.
        notes: what the user should know about how the source was understood.
    """

    name: str
    location: str
    class_names: tuple[str, ...]
    paths: Sequence[str] = field(repr=False)
    labels: npt.NDArray[np.int64] = field(repr=False)
    parts: npt.NDArray[np.int8] = field(repr=False)
    source: Source = field(repr=False)
    sizes: tuple[tuple[int, int, int], ...] = field(repr=False)
    excluded: tuple[Excluded, ...] = ()
    ignored: int = 0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, indices: npt.NDArray[np.int64]) -> Dataset:
        """Returns the data set of those pictures alone, under the same classes."""
        return replace(
            self,
            paths=[self.paths[i] for i in indices.tolist()],
            labels=self.labels[indices],
            parts=self.parts[indices],
            source=Selection(self.source, indices),
        )

    def has_part(self, part: Part) -> bool:
        """Whether the source itself sets pictures of this part apart."""
        return bool((self.parts == PARTS.index(part)).any())

    def count_by_class(self) -> dict[str, int]:
        """Number of pictures of each class, in the order of `class_names`."""
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        return dict(zip(self.class_names, counts.tolist(), strict=True))
