"""Fewer pictures where there is no time for all of them, evenly from every class and part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tellapart.data.dataset import Dataset

LEAST_OF_EACH = 10
"""Of each class in each part at least so many pictures are kept, where there are so many."""


def thin(dataset: Dataset, keep: int, *, seed: int = 0) -> npt.NDArray[np.int64]:
    """Chooses about `keep` pictures: the same share of each class in each part.

    Args:
        dataset: the pictures.
        keep: how many to choose; more where `LEAST_OF_EACH` asks for it.
        seed: the same seed chooses the same pictures.

    Returns:
        (k,) sorted positions; all of them where `keep` is no fewer.
    """
    everything = np.arange(len(dataset))
    if keep >= len(dataset):
        return everything
    # One number for each pair of part and class; parts are -1 and up.
    stratum = (dataset.parts.astype(np.int64) + 1) * len(dataset.class_names) + dataset.labels
    order = np.random.Generator(np.random.PCG64(seed)).permutation(everything)
    order = order[np.argsort(stratum[order], kind="stable")]
    counts = np.bincount(stratum)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = np.ceil(counts * keep / len(dataset)).astype(np.int64)
    wanted = np.minimum(counts, np.maximum(share, LEAST_OF_EACH))
    return np.sort(order[rank < np.repeat(wanted, counts)])
