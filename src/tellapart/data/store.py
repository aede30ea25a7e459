"""The store: every picture decoded once, as uint8 pixels in a memory-mapped file.

Training reads each picture many times, in a new order each epoch. Decoding costs about 100 µs for
the smallest JPEG and milliseconds for a photo; a row of the store costs a copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tellapart.data.classes import normalised
from tellapart.data.columns import Column, open_column
from tellapart.data.dataset import Dataset
from tellapart.data.measure import Measure
from tellapart.data.streaming import PixelRows, StreamedPixels
from tellapart.decoding import pixel_maker
from tellapart.images import ImageSpec

__all__ = ["Store", "fingerprint", "open_store", "pixel_measure"]


@dataclass(frozen=True, eq=False)
class Store:
    """The decoded pictures of a data set.

    Attributes:
        pixels: (n, height, width, channels) uint8, read-only, memory-mapped, or decoded anew each
            time; row i is picture i of the data set, zeros where it could not be decoded.
        digests: (n, 16) uint8; see `Column`.
        failures: index to reason, of the pictures that could not be decoded.
        fingerprint: sha256 over path, class and content of all pictures: the same data has the
            same fingerprint on any machine, from a folder or from an archive.
        folder: where it is in the cache; None where pictures are decoded anew each time.
        decoded: how many pictures had to be decoded now.
        bytes: its size on disk.
    """

    pixels: PixelRows = field(repr=False)
    digests: npt.NDArray[np.uint8] = field(repr=False)
    failures: dict[int, str]
    fingerprint: str
    folder: Path | None
    decoded: int
    bytes: int

    @property
    def was_cached(self) -> bool:
        """Whether no picture had to be decoded."""
        return self.decoded == 0


def open_store(
    dataset: Dataset,
    spec: ImageSpec,
    *,
    read: Column | None = None,
    limit_bytes: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Store:
    """Opens the store of a data set, decoding the pictures that are not in the cache.

    Args:
        dataset: the pictures.
        spec: what to make of each.
        read: another column of this data set, which tells what cannot be decoded. Needed to
            decode anew each time.
        limit_bytes: a larger store is not made: pictures are decoded anew each time they are
            needed, and give the same pixels.
        on_progress: called with the number of pictures decoded so far, and of all.

    Raises:
        DataError: no picture can be decoded, or the cache has no room or cannot be written.
    """
    measure = pixel_measure(spec)
    needed = measure.row_bytes * len(dataset)
    if read is not None and limit_bytes is not None and needed > limit_bytes:
        return Store(
            StreamedPixels(dataset, spec, read.failures),
            read.digests,
            read.failures,
            fingerprint(dataset, read.digests),
            None,
            len(dataset),
            0,
        )
    column = open_column(dataset, measure, on_progress=on_progress)
    return Store(
        column.rows,
        column.digests,
        column.failures,
        fingerprint(dataset, column.digests),
        column.folder,
        column.computed,
        column.bytes,
    )


def pixel_measure(spec: ImageSpec) -> Measure:
    """What makes a picture's pixels."""
    return Measure("pixels", {"spec": spec.to_json()}, spec.shape, np.uint8, pixel_maker(spec))


def fingerprint(dataset: Dataset, digests: npt.NDArray[np.uint8]) -> str:
    """sha256 over path, class and content of all pictures."""
    wrapping = _shared_folder(dataset.paths)
    rows = sorted(
        f"{normalised(path[wrapping:])}\0{dataset.class_names[label]}\0{content.hex()}\n"
        for path, label, content in zip(
            dataset.paths, dataset.labels.tolist(), map(bytes, digests), strict=True
        )
    )
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def _shared_folder(paths: Sequence[str]) -> int:
    """Returns how long the start is that all paths share, up to a "/".

    A wrapping folder, there in an archive and gone once it is unpacked, does not change the data.
    """
    shared = 0
    for own, other in zip(min(paths).split("/")[:-1], max(paths).split("/")[:-1], strict=False):
        if own != other:
            break
        shared += len(own) + 1
    return shared
