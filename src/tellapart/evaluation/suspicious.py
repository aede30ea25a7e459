"""Labels that are probably wrong, by confident learning (Northcutt, Jiang & Chuang, 2021).

Each picture is judged by a classifier that did not learn from it. How probable the given label
must be depends on its class: confident learning compares with the mean probability that the
pictures of a class give to their own label,

    t_j = mean of p_i[j] over the pictures i that are labelled j

since a class that is hard to tell, or small, is never given with much confidence. Here a label is
suspicious where another class is more probable, and its own probability is less than a tenth of
what is usual in its class (a fifth where there are two classes). The paper's rule asks instead
that the other class reaches its threshold; it was measured beside this one, and finds fewer
(docs/labels.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tellapart.evaluation.metrics import (
    Labels,
    Probabilities,
    check_labels,
    check_probabilities,
)


@dataclass(frozen=True)
class Suspicion:
    """A label that is probably wrong.

    Attributes:
        index: which picture, a row of the probabilities.
        given: its label.
        suggested: the class that is the most probable instead.
        score: how probable the given label is, as a share of what is usual in its class: 0 is
            impossible, `suspicious_below` hardly suspicious.
    """

    index: int
    given: int
    suggested: int
    score: float


def find_suspicious(probabilities: Probabilities, labels: Labels) -> tuple[Suspicion, ...]:
    """Finds the labels that are probably wrong.

    Args:
        probabilities: (n, classes) floats, each row by a classifier that did not learn from that
            picture; rows sum to 1.
        labels: (n,) integers, the given labels.

    Returns:
        The most suspicious first; of equally suspicious ones, the one whose suggestion is more
        probable.

    Raises:
        ModelError: the probabilities are none, such as NaN.
        DataError: the labels do not fit them.
    """
    classes = probabilities.shape[-1]
    check_probabilities(probabilities, classes)
    check_labels(labels, [""] * len(labels), count=len(probabilities), classes=classes)
    suggested = probabilities.argmax(axis=1)
    scores = label_quality(probabilities, labels)
    doubtful = np.flatnonzero((suggested != labels) & (scores < suspicious_below(classes)))
    order = np.lexsort((-probabilities.max(axis=1)[doubtful], scores[doubtful]))
    return tuple(
        Suspicion(index, int(labels[index]), int(suggested[index]), float(scores[index]))
        for index in doubtful[order].tolist()
    )


def suspicious_below(classes: int) -> float:
    """The share of a label's usual probability below which it is suspicious.

    A wrong label keeps more probability the fewer other classes there are to take it. Chosen on
    flipped labels that no reported figure uses.
    """
    return max(0.1, 0.4 / classes)


def label_quality(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.float64]:
    """How probable each given label is, as a share of what is usual in its class.

    Args:
        probabilities: (n, classes) floats.
        labels: (n,) integers.

    Returns:
        (n,) from 0; 1 is usual, and anything above counts as 1. Where a class is never thought
        possible, nothing is usual, and its pictures have 1.
    """
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    own = np.clip(own, 0, 1)  # rounding, and what a softmax in half precision may give
    classes = probabilities.shape[1]
    sums = np.bincount(labels, weights=own, minlength=classes)
    usual = (sums / np.maximum(np.bincount(labels, minlength=classes), 1))[labels]
    quality = np.divide(own, usual, out=np.ones_like(own), where=usual > 0)
    return np.minimum(quality, 1)
