"""How far a classifier's answers can be trusted: its probabilities calibrated, "unsure" settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.evaluation.calibration import (
    Calibration,
    FittedPart,
    apply_temperature,
    calibrate,
)
from tellapart.evaluation.conformal import ConformalRule, fit_conformal
from tellapart.evaluation.metrics import Labels, Probabilities
from tellapart.evaluation.selective import RiskCoverage, UnsureRule, fit_unsure, risk_coverage
from tellapart.results import Interval, wilson_interval

COVERAGES = (0.8, 0.9, 0.95, 0.99)
"""Prediction sets can be asked for with these."""


@dataclass(frozen=True)
class Trust:
    """What was found on unseen pictures, and what it is worth on the test part.

    Attributes:
        calibration: the temperature.
        unsure: when to answer.
        sets: what prediction sets hold, for each of COVERAGES.
        answered: the share of the test pictures that is answered.
        right: the share of right ones among these.
        curve: accuracy against the share answered, on the test part.
        uncalibrated: (n, classes) float32 of the test part, as the network gives them.
        probabilities: (n, classes) float32 of the test part, calibrated.
    """

    calibration: Calibration
    unsure: UnsureRule
    sets: tuple[ConformalRule, ...]
    answered: Interval
    right: Interval
    curve: RiskCoverage
    uncalibrated: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]

    def __str__(self) -> str:
        if not self.answered.count:
            return "not measured (no pictures)"
        answered = f"{self.answered.value:.1%} of the test pictures are answered"
        if not self.right.count:
            return f"{answered}; the rest is unsure"
        return f"{answered}, {self.right.value:.1%} of these rightly; the rest is unsure"

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name, other than the probabilities."""
        return {
            "calibration": self.calibration.to_json(),
            "unsure": {
                "rule": self.unsure.to_json(),
                "answered": self.answered.to_json(),
                "right": self.right.to_json(),
                "curve": self.curve.to_json(),
            },
            "sets": [rule.to_json() for rule in self.sets],
        }


def establish_trust(
    unseen: Probabilities,
    unseen_labels: Labels,
    part: FittedPart,
    probabilities: Probabilities,
    labels: Labels,
) -> Trust:
    """Fits temperature and threshold on unseen pictures, and measures both on the test part.

    Args:
        unseen: (k, classes), as the network gives them, of pictures that were neither trained
            on nor are tested on.
        unseen_labels: (k,) integers, their actual classes.
        part: which pictures they are.
        probabilities: (n, classes) of the test part, as the network gives them.
        labels: (n,) integers.

    Raises:
        ModelError: probabilities that are none, for example NaN.
    """
    calibration = calibrate(unseen, unseen_labels, probabilities, labels, fitted_part=part)
    fitted_on = apply_temperature(unseen, calibration.temperature)
    rule = fit_unsure(fitted_on, unseen_labels)
    calibrated = apply_temperature(probabilities, calibration.temperature)
    answered = rule.answers(calibrated) if len(labels) else np.zeros(0, bool)
    right = (calibrated.argmax(axis=1) == labels)[answered] if len(labels) else answered
    return Trust(
        calibration,
        rule,
        tuple(fit_conformal(fitted_on, unseen_labels, coverage=share) for share in COVERAGES),
        wilson_interval(int(answered.sum()), len(labels)),
        wilson_interval(int(right.sum()), len(right)),
        risk_coverage(calibrated, labels),
        probabilities.astype(np.float32, copy=False),
        calibrated,
    )
