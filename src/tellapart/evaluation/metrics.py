"""From probabilities and actual classes to figures: accuracy, loss, confusion, mistakes."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import DataError, ModelError
from tellapart.evaluation.intervals import balanced_accuracy_interval, f1_interval
from tellapart.results import (
    ClassScore,
    Evaluation,
    FailedPrediction,
    Interval,
    Mistake,
    wilson_interval,
)

Probabilities = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.integer[Any]]

EPSILON = 1e-7
"""Keras clips probabilities to EPSILON..1-EPSILON before the logarithm; so do we."""

TOLERANCE = 0.02
"""How far a row's sum may be from 1: a softmax in half precision keeps three digits."""


def evaluate(
    probabilities: Probabilities,
    labels: Labels,
    *,
    class_names: Sequence[str],
    sources: Sequence[str],
    unreadable: Sequence[FailedPrediction] = (),
    mistakes: int = 50,
) -> Evaluation:
    """Measures predictions against the actual classes.

    The predicted class is the most probable one, the first of them where several are equally so.

    Args:
        probabilities: (n, classes) floats, each row summing to 1.
        labels: (n,) integers, indices into `class_names`: the actual classes.
        class_names: in the order of the columns of `probabilities`.
        sources: n names, one a picture.
        unreadable: pictures that were left out; handed on.
        mistakes: list at most so many wrong answers.

    Returns:
        The figures. With n = 0 the loss is NaN and the accuracy an interval of count 0.

    Raises:
        ModelError: the probabilities do not fit the classes, or are none.
        DataError: labels or sources do not fit the probabilities.
    """
    check_probabilities(probabilities, len(class_names))
    check_labels(labels, sources, count=len(probabilities), classes=len(class_names))
    labels = labels.astype(np.int64, copy=False)
    confusion = confusion_matrix(probabilities.argmax(axis=1), labels, len(class_names))
    return Evaluation(
        class_names=tuple(class_names),
        accuracy=wilson_interval(int(confusion.trace()), len(labels)),
        loss=cross_entropy(probabilities, labels),
        class_scores=class_scores(confusion, class_names),
        confusion=confusion,
        mistakes=tuple(
            Mistake(
                source=sources[i],
                actual=class_names[labels[i]],
                predicted=class_names[probabilities[i].argmax()],
                probability=float(probabilities[i].max()),
            )
            for i in worst_mistakes(probabilities, labels, sources, mistakes)
        ),
        unreadable=tuple(unreadable),
        balanced_accuracy_interval=_known(
            balanced_accuracy_interval(
                confusion.diagonal().tolist(), confusion.sum(axis=1).tolist()
            )
        ),
    )


def cross_entropy(probabilities: Probabilities, labels: Labels) -> float:
    """Mean of -log p(actual class) in nats, with p clipped as Keras does; NaN without pictures."""
    if not len(labels):
        return math.nan
    actual = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(actual, EPSILON, 1 - EPSILON)).mean())


def confusion_matrix(predicted: Labels, labels: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Counts, (classes, classes) int64; row: actual class, column: predicted class."""
    cells = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64, copy=False)


def class_scores(
    confusion: npt.NDArray[np.int64], class_names: Sequence[str]
) -> tuple[ClassScore, ...]:
    """Precision, recall and F1 of every class.

        precision = right / predicted           None if the class is never predicted
        recall    = right / count               None if the class has no test pictures
        F1        = 2·right / (count + predicted)   None if neither

    F1 is the harmonic mean of the other two, written so that it is a true 0, not None, for a
    class that has test pictures but is never predicted, and the other way round. Each has its 95%
    interval.

    Args:
        confusion: (classes, classes) int64; row: actual class, column: predicted class.
        class_names: in the order of the rows.
    """
    return tuple(
        ClassScore(
            name=name,
            count=count,
            predicted=predicted,
            precision=_ratio(right, predicted),
            recall=_ratio(right, count),
            f1=_ratio(2 * right, count + predicted),
            precision_interval=_known(wilson_interval(right, predicted)),
            recall_interval=_known(wilson_interval(right, count)),
            f1_interval=_known(f1_interval(right, count, predicted)),
        )
        for name, right, count, predicted in zip(
            class_names,
            confusion.diagonal().tolist(),
            confusion.sum(axis=1).tolist(),
            confusion.sum(axis=0).tolist(),
            strict=True,
        )
    )


def most_confused(
    confusion: npt.NDArray[np.int64], class_names: Sequence[str], count: int
) -> list[tuple[str, str, int]]:
    """Returns (actual class, predicted class, pictures) of the at most `count` worst mix-ups.

    The most frequent comes first; of equally frequent ones, the one that takes the larger share
    of its actual class.

    Args:
        confusion: (classes, classes) int64; row: actual class, column: predicted class.
        class_names: in the order of the rows.
        count: how many pairs at most.
    """
    wrong = confusion * ~np.eye(len(confusion), dtype=bool)
    rows, columns = np.nonzero(wrong)
    cells = wrong[rows, columns]
    order = np.lexsort((confusion.sum(axis=1)[rows], -cells))[:count]
    return [(class_names[rows[i]], class_names[columns[i]], int(cells[i])) for i in order]


def worst_mistakes(
    probabilities: Probabilities, labels: Labels, sources: Sequence[str], count: int
) -> npt.NDArray[np.intp]:
    """Returns the rows of the at most `count` wrong answers given with the most confidence.

    The most confident comes first; the source's name decides between equally confident ones.
    """
    confidence = probabilities.max(axis=1) if len(labels) else np.zeros(0)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    worst = heapq.nsmallest(count, wrong.tolist(), key=lambda i: (-confidence[i], sources[i]))
    return np.array(worst, dtype=np.intp)


def check_probabilities(probabilities: Probabilities, classes: int) -> None:
    """Refuses what is not (n, classes) probabilities. Worth a call before training, too.

    Raises:
        ModelError: the shape is another, values are NaN, negative or above 1, or rows do not sum
            to 1 within TOLERANCE.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != classes:
        raise ModelError(
            f"The network's output has shape {probabilities.shape}: expected (pictures, {classes}),"
            f" one probability for each of the {classes} classes. End the network with"
            f" Dense({classes}, activation='softmax')."
        )
    if not np.issubdtype(probabilities.dtype, np.floating):
        raise ModelError(
            f"The network's output has type {probabilities.dtype}: expected floating-point"
            " probabilities. Leave out a final argmax or rounding."
        )
    sums = probabilities.sum(axis=1, dtype=np.float64)
    # One bad value makes its row's sum NaN or infinite.
    if broken := int(np.count_nonzero(~np.isfinite(sums))):
        raise ModelError(
            f"The network's output is not a number for {broken:,} of {len(sums):,} pictures:"
            " its weights have become NaN or infinite. Train again with a smaller learning rate,"
            " and look at results.csv for the epoch in which the loss went wrong."
        )
    if not len(sums):
        return
    low, high = float(probabilities.min()), float(probabilities.max())
    off = sums[np.abs(sums - 1).argmax()]
    if low < -TOLERANCE or high > 1 + TOLERANCE or abs(off - 1) > TOLERANCE:
        raise ModelError(
            f"The network's output is not probabilities: its values go from {low:.4g} to {high:.4g}"
            f" and a row sums to {off:.4g}; expected 0 to 1 and a sum of 1. End the network with"
            f" Dense({classes}, activation='softmax')."
        )


def check_labels(labels: Labels, sources: Sequence[str], *, count: int, classes: int) -> None:
    """Refuses labels and sources that do not fit `count` rows of `classes` probabilities.

    Raises:
        DataError: a length differs, or a label is not a whole number from 0 to classes - 1.
    """
    if labels.shape != (count,):
        raise DataError(
            f"Labels of shape {labels.shape} for {count:,} predictions: expected ({count},),"
            " one class index a picture (integers, not one-hot)."
        )
    if len(sources) != count:
        raise DataError(f"{len(sources):,} sources for {count:,} predictions: expected one each.")
    if not count:
        return
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"Labels of type {labels.dtype}: expected integers, the class indices.")
    outside = (labels < 0) | (labels >= classes)
    if bad := int(np.count_nonzero(outside)):
        first = int(outside.argmax())
        raise DataError(
            f"{bad:,} of {count:,} labels do not name a class; the first is {labels[first]} for"
            f" {sources[first]}: expected 0 to {classes - 1}, as there are {classes} classes."
        )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _known(interval: Interval) -> Interval | None:
    return interval if interval.count else None
