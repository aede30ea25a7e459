"""Prediction sets: the classes among which the right one is, nine times out of ten.

Split conformal prediction (Vovk et al., 2005) with the score of Sadinle et al. (2019), "least
ambiguous set-valued classifiers": a class is in the set if its probability is high enough, and how
high is found on n pictures that were not trained on.

    score of a picture     s = 1 - p(actual class)
    quantile               q = the ceil((n + 1) · coverage)-th smallest of the n scores
    set of a new picture   all classes with 1 - p <= q, and the most probable one

Of pictures like those n, the sets hold the right class with a probability of at least `coverage`,
whatever the network is. Reading, fitting and using a rule need NumPy alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.evaluation.calibration_error import check
from tellapart.evaluation.json_fields import COUNT, SHARE, TEXT, field_problems
from tellapart.evaluation.metrics import Labels, Probabilities

COVERAGE = 0.9

_CHECKS = {"quantile": SHARE, "coverage": SHARE, "fitted_on": COUNT, "note": TEXT}


@dataclass(frozen=True)
class ConformalRule:
    """Which classes a prediction set holds.

    Attributes:
        quantile: classes with 1 - p up to here are in the set, 0 to 1; 1 takes all classes.
        coverage: the share of sets that hold the right class, at least.
        fitted_on: how many pictures.
        note: the same in words.
    """

    quantile: float
    coverage: float
    fitted_on: int
    note: str

    def prediction_set(self, probabilities: npt.NDArray[np.floating[Any]]) -> list[int]:
        """Returns the classes of one picture's set, the most probable first; never none.

        Args:
            probabilities: (classes,) floats that sum to 1.
        """
        order = np.argsort(-probabilities, kind="stable")
        held = self.sets(probabilities[None])[0]
        return [int(k) for k in order if held[k]]

    def sets(self, probabilities: Probabilities) -> npt.NDArray[np.bool_]:
        """Returns which classes are in each picture's set.

        Args:
            probabilities: (n, classes) floats, each row summing to 1.

        Returns:
            (n, classes) bool; the most probable class is always in the set.
        """
        held: npt.NDArray[np.bool_] = _scores(probabilities) <= self.quantile
        held[np.arange(len(held)), probabilities.argmax(axis=1)] = True
        return held

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "quantile": self.quantile,
            "coverage": self.coverage,
            "fitted_on": self.fitted_on,
            "note": self.note,
        }

    @classmethod
    def from_json(cls, value: Any) -> ConformalRule:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: it is something else; all problems are listed.
        """
        if problems := field_problems(value, _CHECKS):
            raise ValueError("; ".join(problems))
        return cls(**value)


def fit_conformal(
    probabilities: Probabilities, labels: Labels, *, coverage: float = COVERAGE
) -> ConformalRule:
    """Finds how probable a class must be to belong to a prediction set.

    A network that is right more often than `coverage` covers more: a set is never empty, so it
    holds the right class whenever the most probable one is right.

    Args:
        probabilities: (n, classes), of pictures that were not trained on.
        labels: (n,) integers: the actual classes. n may be 0.
        coverage: above 0 and below 1.

    Raises:
        ModelError: the probabilities are none, for example NaN.
        DataError: the labels do not fit them.
        ValueError: the coverage is not between 0 and 1.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage {coverage}: expected above 0 and below 1")
    check(probabilities, labels)
    count = len(labels)
    place = math.ceil((count + 1) * coverage - 1e-9)
    if place > count:
        needed = math.ceil(coverage / (1 - coverage) - 1e-9)
        few = "1 picture is" if count == 1 else f"{count:,} pictures are"
        note = (
            f"{few} too few for sets that hold the right class in {coverage:.0%} of the cases: at "
            f"least {needed:,} are needed, {needed - count:,} more. Until then every set holds all "
            "classes."
        )
        return ConformalRule(1.0, coverage, count, note)
    scores = np.sort(_scores(probabilities)[np.arange(count), labels])
    quantile = float(scores[place - 1])
    note = (
        f"Sets hold the right class with a probability of {coverage:.0%} or more: every class "
        f"with a probability of {1 - quantile:.3g} or more, fitted on {count:,} pictures."
    )
    return ConformalRule(quantile, coverage, count, note)


def _scores(probabilities: Probabilities) -> npt.NDArray[np.float64]:
    # In float64, where 1 - p is exact for every float32 p from 1e-9 on.
    scores: npt.NDArray[np.float64] = 1 - probabilities.astype(np.float64)
    return np.clip(scores, 0.0, 1.0)
