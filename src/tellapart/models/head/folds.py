"""Folds for a cross-validation: even by class, with copies of one picture in one fold."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDS = 5
FEWEST = 3
"""Pictures a class, below which there are no folds."""

Groups = Sequence[Hashable] | npt.NDArray[Any]


def deal_folds(
    labels: npt.NDArray[np.int64], groups: Groups | None, seed: int
) -> npt.NDArray[np.int64] | None:
    """Deals the groups of each class to the folds in turn.

    Args:
        labels: (n,) whole numbers from 0.
        groups: (n,) pictures of one group share a fold; None: each is its own.
        seed: decides the order in which they are dealt.

    Returns:
        (n,) the fold that holds a picture out, -1 for classes with a single group, which every
        fold must learn from; None where there is too little to hold out.
    """
    owner = np.arange(len(labels)) if groups is None else _number(groups)
    # A group that spans classes goes where its first picture goes.
    members, first = np.unique(owner, return_index=True)
    group_labels = labels[first]
    counts = np.bincount(group_labels)
    typical = int(np.median(counts[counts > 0]))
    if typical < FEWEST:
        return None
    folds = min(FOLDS, typical)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(members))
    order = shuffled[np.argsort(group_labels[shuffled], kind="stable")]
    dealt = np.empty(len(members), np.int64)
    dealt[order] = np.arange(len(members)) % folds
    dealt[counts[group_labels] == 1] = -1
    return dealt[owner] if groups is not None else dealt


def draw(
    labels: npt.NDArray[np.int64], folds: npt.NDArray[np.int64], most: int, seed: int
) -> npt.NDArray[np.int64]:
    """Draws at most so many pictures, each class and fold in proportion; returns (k,) sorted."""
    if len(labels) <= most:
        return np.arange(len(labels))
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    order = shuffled[np.lexsort((folds[shuffled], labels[shuffled]))]
    places = np.linspace(0, len(labels) - 1, most).astype(np.int64)
    drawn: npt.NDArray[np.int64] = np.sort(order[places])
    return drawn


def _number(groups: Groups) -> npt.NDArray[np.int64]:
    numbers: dict[Hashable, int] = {}
    values = groups.tolist() if isinstance(groups, np.ndarray) else groups
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)
