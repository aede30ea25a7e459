"""The gate of every export: from raw files, the classifier must give what the network gives."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.classifier import Classifier, NamedPicture
from tellapart.errors import ExportError
from tellapart.images import ImageSpec
from tellapart.results import FailedPrediction

TOLERANCE = 1e-4
"""The largest difference between two probabilities that is let pass."""

NOVELTY_TOLERANCE = 0.01
"""The same for the novelty of a picture, in standard deviations of known pictures; of one that is
more than a deviation from their mean, so large a share of its novelty."""

TIE = 1e-6
"""Two classes whose probabilities are this close are tied: float32 rounding decides."""


MOST_VALUES = 2 * 10**6
LEAST_PICTURES = 64
"""Checked are as many pictures as have so many values, but at least so many pictures: 2,551 of
28x28, 651 of 32x32x3, 64 of 224x224x3."""


def sample(pictures: int, spec: ImageSpec) -> npt.NDArray[np.int64]:
    """Returns which of so many pictures to check, evenly spread: (k,) positions."""
    return sample_evenly(pictures, max(LEAST_PICTURES, MOST_VALUES // math.prod(spec.shape)))


def sample_evenly(pictures: int, most: int) -> npt.NDArray[np.int64]:
    """Returns at most so many positions of so many pictures, evenly spread: (k,)."""
    return np.unique(np.linspace(0, pictures - 1, min(pictures, most)).astype(np.int64))


@dataclass(frozen=True)
class Parity:
    """How well a classifier file agrees with the network it was made from.

    Attributes:
        checked: how many pictures were predicted from their raw files.
        max_difference: the largest between two probabilities.
        max_novelty_difference: the largest between two novelties, as NOVELTY_TOLERANCE counts it;
            None where there are none.
    """

    checked: int
    max_difference: float
    max_novelty_difference: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "checked": self.checked,
            "max_difference": self.max_difference,
            "max_novelty_difference": self.max_novelty_difference,
        }


def check_parity(
    classifier_path: Path,
    pictures: Iterable[NamedPicture],
    expected: npt.NDArray[np.float32],
    novelty: npt.NDArray[np.float32] | None = None,
) -> Parity:
    """Predicts raw pictures with the classifier file and compares with the network.

    Args:
        classifier_path: the file that will be deployed, loaded as any user loads it.
        pictures: name and a function that reads the raw picture, in the order of `expected`.
        expected: (n, classes) float32, the network's probabilities.
        novelty: (n,) float32, as `NoveltyModel.score` gives it; None: the file has no score.

    Raises:
        ExportError: a probability differs by more than TOLERANCE, or a label that is not a tie, or
            a novelty by more than NOVELTY_TOLERANCE.
    """
    classifier = Classifier.load(classifier_path)
    worst, mismatches, found = 0.0, 0, []
    for row, answer in zip(expected, classifier.predict_stream(pictures), strict=True):
        if isinstance(answer, FailedPrediction):
            raise ExportError(
                f"{answer.source} could be read for training but not for the check of the "
                f"export: {answer.error}. Were pictures changed or removed meanwhile? The trained "
                "network is kept as model.keras; put them back and train again."
            )
        # np.maximum, unlike max, lets a NaN through to the verdict.
        worst = float(np.maximum(worst, np.abs(answer.probabilities - row).max()))
        mismatches += _label_differs(answer.probabilities, row)
        found.append(answer.novelty)
    if not worst <= TOLERANCE or mismatches:
        raise ExportError(
            f"{classifier_path} disagrees with the trained network: over {len(found):,} pictures "
            f"the largest difference of a probability is {worst:.2g} (at most {TOLERANCE:g} is "
            f"allowed), and {mismatches:,} labels differ. The file was not kept. Please report "
            "this together with the run's model.keras."
        )
    return Parity(len(found), worst, _compare_novelty(classifier_path, found, novelty))


def _compare_novelty(
    path: Path, found: list[float | None], expected: npt.NDArray[np.float32] | None
) -> float | None:
    """Returns the largest difference, or None where there is nothing to compare."""
    if expected is None or not found:
        return None
    differences = np.abs(np.array(found, np.float64) - expected) / np.maximum(1, np.abs(expected))
    worst = float(differences.max())
    if not worst <= NOVELTY_TOLERANCE:
        raise ExportError(
            f"{path} disagrees with the trained network: over {len(found):,} pictures the largest "
            f"difference of the novelty is {worst:.2g} (at most {NOVELTY_TOLERANCE:g} is allowed). "
            "The file was not kept. Please report this together with the run's model.keras."
        )
    return worst


def _label_differs(got: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> bool:
    best = int(expected.argmax())
    return bool(got.argmax() != best and expected[best] - expected[got.argmax()] > TIE)
