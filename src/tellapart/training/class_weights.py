"""Uneven classes: what a picture of a rare class counts while training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

WARRANTED = 3.0
"""`auto` weighs classes where the largest has so many times the smallest's pictures.

A judgement; what weighing gains is measured in docs/augmentation.md."""

LARGEST_RATIO = 10.0
"""No class counts more than so many times another: a handful of pictures must not lead."""


def count_classes(labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.int64]:
    """Pictures of each class, (classes,) int64."""
    return np.bincount(labels, minlength=classes).astype(np.int64, copy=False)


def class_weights(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Weights in inverse proportion to how frequent classes are, for Keras's `class_weight`.

        weight = n / (classes · count)      at most LARGEST_RATIO times the smallest one

    scaled so that the mean over all n pictures is 1, and the loss and the learning rate keep their
    meaning. Without the limit these are scikit-learn's "balanced" weights (King and Zeng, 2001).

    Args:
        counts: (classes,) int64, training pictures of each class; a class without any gets the
            largest weight, which nothing uses.

    Returns:
        (classes,) float32.
    """
    inverse = 1 / np.maximum(counts, 1)
    weights = np.minimum(inverse, LARGEST_RATIO * inverse.min())
    return np.asarray(weights * counts.sum() / (weights @ counts), np.float32)


def imbalance(counts: npt.NDArray[np.int64]) -> float:
    """The largest class's pictures for one of the smallest's, among classes that have any."""
    present = counts[counts > 0]
    return float(present.max() / present.min()) if len(present) else 1.0


def describe_class_weights(
    counts: npt.NDArray[np.int64], class_names: Sequence[str], where: str = ""
) -> str:
    """Says why and how classes are weighed.

    Args:
        counts: (classes,) int64, of the pictures that there are before any are set apart; the
            weights are those of the training part, which has about the same shares.
        class_names: in the order of `counts`.
        where: what was counted, if not all pictures: " in the data's own training part".
    """
    weights = class_weights(counts)
    present = np.flatnonzero(counts)
    rare, common = (present[pick(counts[present])] for pick in (np.argmin, np.argmax))
    return (
        f"Uneven classes: {counts[common]:,} pictures of '{class_names[common]}', "
        f"{counts[rare]:,} of '{class_names[rare]}'{where}. In training each of the latter counts "
        f"about {weights[rare] / weights[common]:.1f} times as much (--class-weight none turns it "
        "off)."
    )
