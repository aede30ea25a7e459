"""Fewer pictures where there is no time for all of them, evenly from every class and part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tellapart.data.dataset import PARTS
from tellapart.data.split import Split

LEAST_OF_EACH = 10
"""Of each class in each part at least so many pictures are kept, where there are so many."""


def thin(split: Split, labels: npt.NDArray[np.int64], keep: int) -> Split:
    """Keeps about `keep` pictures: the same share of each class in each part.

    Args:
        split: which pictures are in which part.
        labels: (n,) of all pictures.
        keep: how many to keep; more where `LEAST_OF_EACH` asks for it.

    Returns:
        A split of those pictures alone, drawn by the seed of the one that was given.
    """
    total = sum(split.counts().values())
    if keep >= total:
        return split
    train, validation, calibration, test = (
        _thin_part(split, number, labels, keep / total) for number in range(len(PARTS))
    )
    return Split(train, validation, calibration, test, split.seed, split.notes)


def _thin_part(
    split: Split, number: int, labels: npt.NDArray[np.int64], share: float
) -> npt.NDArray[np.int64]:
    part = split.part(PARTS[number])
    order = np.random.Generator(np.random.PCG64((split.seed, number))).permutation(part)
    order = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels[part])
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    wanted = np.maximum(np.ceil(counts * share).astype(np.int64), LEAST_OF_EACH)
    return np.sort(order[rank < np.repeat(np.minimum(counts, wanted), counts)])
