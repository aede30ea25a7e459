"""How far a classifier's answers can be trusted: its probabilities calibrated, "unsure" settled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import ModelError
from tellapart.evaluation.calibration import (
    Calibration,
    FittedPart,
    apply_temperature,
    calibrate,
)
from tellapart.evaluation.conformal import ConformalRule, fit_conformal
from tellapart.evaluation.metrics import Labels, Probabilities
from tellapart.evaluation.novelty import (
    Floats,
    NoveltyModel,
    check_finite,
    fit_novelty,
    fit_novelty_cross_validated,
)
from tellapart.evaluation.novelty_threshold import NoveltyThreshold, fit_novelty_threshold
from tellapart.evaluation.selective import RiskCoverage, UnsureRule, fit_unsure, risk_coverage
from tellapart.results import Interval, wilson_interval

COVERAGES = (0.8, 0.9, 0.95, 0.99)
"""Prediction sets can be asked for with these."""


NOT_OPENED = (
    "Pictures like nothing it was trained on are not told: for that a network must be made of "
    "connected layers and end in a Dense layer with softmax."
)
NOTHING_UNSEEN = (
    "Pictures like nothing it was trained on are not told: there are no known pictures to compare "
    "them with that were not trained on."
)


@dataclass(frozen=True, eq=False)
class Features:
    """What the network sees in pictures, by which unknown ones are told.

    Attributes:
        trained: (m, d) float32, of training pictures; None where the unseen ones are those, and
            each is judged by a fold that did not learn from it.
        unseen: (k, d) float32, of pictures that were not trained on.
        test: (n, d) float32, of the test part.
    """

    trained: Floats | None
    unseen: Floats
    test: Floats


@dataclass(frozen=True, eq=False)
class Novelty:
    """How pictures are told that are like nothing the network was trained on.

    Attributes:
        model: gives their score.
        limit: above which they are called unknown.
        scores: (n,) float32, of the test part.
        unknown: the share of the test pictures that is called so; known pictures all of them.
    """

    model: NoveltyModel
    limit: NoveltyThreshold
    scores: Floats
    unknown: Interval


@dataclass(frozen=True, eq=False)
class Trust:
    """What was found on unseen pictures, and what it is worth on the test part.

    Attributes:
        calibration: the temperature.
        unsure: when to answer a picture that is not called unknown.
        sets: what prediction sets hold, for each of COVERAGES.
        novelty: which pictures are called unknown; None: none are.
        novelty_note: the same in words.
        answered: the share of the test pictures that is answered: those that are not called
            unknown, and whose top probability is high enough.
        right: the share of right ones among these.
        curve: accuracy against the share answered, on the test part; pictures that are called
            unknown are never answered.
        uncalibrated: (n, classes) float32 of the test part, as the network gives them.
        probabilities: (n, classes) float32 of the test part, calibrated.
    """

    calibration: Calibration
    unsure: UnsureRule
    sets: tuple[ConformalRule, ...]
    novelty: Novelty | None
    novelty_note: str
    answered: Interval
    right: Interval
    curve: RiskCoverage
    uncalibrated: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]

    def __str__(self) -> str:
        if not self.answered.count:
            return "not measured (no pictures)"
        answered = f"{self.answered.value:.1%} of the test pictures are answered"
        if self.right.count:
            answered += f", {self.right.value:.1%} of these rightly"
        unknown = "" if self.novelty is None else f" ({self.novelty.unknown.value:.1%} unknown)"
        return f"{answered}; the rest is unsure{unknown}"

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
            "novelty": {
                "rule": self.novelty and self.novelty.limit.to_json(),
                "unknown": self.novelty and self.novelty.unknown.to_json(),
                "note": self.novelty_note,
            },
        }


def establish_trust(
    unseen: Probabilities,
    unseen_labels: Labels,
    part: FittedPart,
    probabilities: Probabilities,
    labels: Labels,
    *,
    chose: bool = False,
    features: Features | None = None,
) -> Trust:
    """Fits temperature and thresholds on unseen pictures, and measures them on the test part.

    The limit of novelty is found without a look at the labels, and the threshold for "unsure" on
    the pictures that it lets pass. So what that promises is promised of the answers that pass both.

    Args:
        unseen: (k, classes), as the network gives them, of pictures that were neither trained
            on nor are tested on.
        unseen_labels: (k,) integers, their actual classes.
        part: which pictures they are.
        probabilities: (n, classes) of the test part, as the network gives them.
        labels: (n,) integers.
        chose: whether the unseen pictures also decided which weights are kept.
        features: what the network sees in these pictures; None: unknown pictures are not told.

    Raises:
        ModelError: probabilities that are none, for example NaN.
    """
    calibration = calibrate(
        unseen, unseen_labels, probabilities, labels, fitted_part=part, chose=chose
    )
    fitted_on = apply_temperature(unseen, calibration.temperature)
    calibrated = apply_temperature(probabilities, calibration.temperature)
    novelty, passed, note = _tell_unknown(features, fitted_on, calibrated)
    rule = fit_unsure(fitted_on[passed], unseen_labels[passed])
    known = np.ones(len(labels), bool)
    if novelty is not None:
        known = ~novelty.limit.is_unknown(novelty.scores)
    answered = known.copy()
    answered[known] = rule.answers(calibrated[known]) if known.any() else False
    right = calibrated[answered].argmax(axis=1) == labels[answered]
    return Trust(
        calibration,
        rule,
        tuple(fit_conformal(fitted_on, unseen_labels, coverage=share) for share in COVERAGES),
        novelty,
        note,
        wilson_interval(int(answered.sum()), len(labels)),
        wilson_interval(int(right.sum()), len(right)),
        _curve(calibrated, labels, known),
        probabilities.astype(np.float32, copy=False),
        calibrated,
    )


def _tell_unknown(
    features: Features | None, unseen: Floats, test: Floats
) -> tuple[Novelty | None, npt.NDArray[np.bool_], str]:
    """Fits score and limit; returns them, which unseen pictures pass, and what to say."""
    passed = np.ones(len(unseen), bool)
    if features is None:
        return None, passed, NOT_OPENED
    if len(unseen) < 2:
        return None, passed, NOTHING_UNSEEN
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # shows in what comes out
            if features.trained is None:
                model, scores = fit_novelty_cross_validated(features.unseen, unseen)
            else:
                model = fit_novelty(features.trained, features.unseen, unseen)
                scores = model.score(features.unseen, unseen)
            limit = fit_novelty_threshold(scores)
            found = model.score(features.test, test)
            check_finite("novelty scores", found)
    except ModelError as error:
        return None, passed, f"Pictures like nothing it was trained on are not told. {error}"
    unknown = wilson_interval(int(limit.is_unknown(found).sum()), len(found))
    return Novelty(model, limit, found, unknown), ~limit.is_unknown(scores), limit.note


def _curve(
    probabilities: Probabilities, labels: Labels, known: npt.NDArray[np.bool_]
) -> RiskCoverage:
    """The curve of the known pictures, as shares of all of them."""
    curve = risk_coverage(probabilities[known], labels[known])
    if not curve.count:
        return curve
    return replace(curve, answered=curve.answered * known.mean(), count=len(labels))
