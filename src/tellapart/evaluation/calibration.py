"""Probabilities that mean what they say: one temperature for all logits (Guo et al., 2017).

    calibrated = softmax(logits / T)

A network trained to the end is too sure: it says 0.99 where it is right in 90 of 100 cases. T > 1
softens, T < 1 sharpens, and the order of the classes stays. Needs NumPy alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tellapart.evaluation.calibration_error import (
    CalibrationError,
    ReliabilityBin,
    brier_score,
    check,
    expected_calibration_error,
    log_loss,
    reliability,
)
from tellapart.evaluation.metrics import Labels, Probabilities

__all__ = [
    "Calibration",
    "CalibrationError",
    "CalibrationFigures",
    "ReliabilityBin",
    "apply_temperature",
    "brier_score",
    "calibrate",
    "expected_calibration_error",
    "fit_temperature",
    "log_loss",
    "measure",
    "reliability",
]

FittedPart = Literal["calibration part", "validation part", "cross-validation"]

LOWEST, HIGHEST = 0.05, 100.0
"""Of a temperature. Pictures that are all recognised would draw it to 0."""

PRIOR_PICTURES = 10.0
"""The fit is as if so many more pictures had been seen on which T = 1 is right."""

FEW = 100
"""With fewer pictures, a note says that the temperature is uncertain."""

_CHOSE = (
    "These pictures also decided which weights are kept, so they are not quite new to the network: "
    'it may be a little too sure on others, and say "unsure" a little too seldom.'
)

_TINY = float(np.finfo(np.float32).tiny)
"""A softmax in float32 gives 0 for what is less likely than about 1e-38; so the logarithm of a
probability, which serves as the logit, ends at -87."""


@dataclass(frozen=True)
class CalibrationFigures:
    """How good probabilities are, on some pictures.

    Attributes:
        error: the expected calibration error; None where there are too few pictures.
        log_loss: mean of -log p(actual class), in nats.
        brier: over all classes, 0 to 2.
        count: how many pictures.
    """

    error: CalibrationError | None
    log_loss: float
    brier: float
    count: int

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name; what was not measured is null."""
        return {
            "error": self.error and self.error.to_json(),
            "log_loss": self.log_loss if self.count else None,
            "brier": self.brier if self.count else None,
            "count": self.count,
        }


@dataclass(frozen=True)
class Calibration:
    """A temperature, and what it does on the test part.

    Attributes:
        temperature: what the logits are divided by; 1 leaves the probabilities as they are.
        fitted_on: on how many pictures it was fitted.
        fitted_part: which these were.
        before: measured on the test part with T = 1.
        after: measured on the test part with the temperature.
        notes: what the user should know, in sentences.
    """

    temperature: float
    fitted_on: int
    fitted_part: FittedPart
    before: CalibrationFigures
    after: CalibrationFigures
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "temperature": self.temperature,
            "fitted_on": self.fitted_on,
            "fitted_part": self.fitted_part,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "notes": list(self.notes),
        }


def calibrate(
    probabilities: Probabilities,
    labels: Labels,
    test_probabilities: Probabilities,
    test_labels: Labels,
    *,
    fitted_part: FittedPart = "calibration part",
    chose: bool = False,
) -> Calibration:
    """Fits a temperature, and measures on the test part what it does.

    Args:
        probabilities: (n, classes) of pictures that were not trained on, as the network gives
            them; or, with "cross-validation", each by the fold that did not learn from it.
        labels: (n,) integers, their actual classes. n may be 0: the temperature is 1.
        test_probabilities: (m, classes) of the test part, as the network gives them.
        test_labels: (m,) integers.
        fitted_part: which pictures the first two are of.
        chose: whether these pictures also decided which weights are kept.

    Raises:
        ModelError: probabilities that are none, for example NaN.
        DataError: labels that do not fit.
    """
    temperature = fit_temperature(probabilities, labels)
    before = measure(test_probabilities, test_labels)
    after = measure(apply_temperature(test_probabilities, temperature), test_labels)
    right = int((probabilities.argmax(axis=1) == labels).sum()) if len(labels) else 0
    about = _about(temperature, len(labels), right, fitted_part)
    if chose and len(labels):
        about += f" {_CHOSE}"
    notes = [about, *_effect(before, after)]
    return Calibration(temperature, len(labels), fitted_part, before, after, tuple(notes))


def fit_temperature(probabilities: Probabilities, labels: Labels) -> float:
    """Finds the temperature with the lowest log loss (Guo et al., 2017).

    The loss is convex in 1/T, so its slope is followed to zero by bisection. To it belong
    PRIOR_PICTURES made-up pictures whose classes are as likely as the network says: they hold T
    near 1 where few pictures, or pictures without a mistake, say little. They alone would choose
    T = 1, so with any other T the log loss on the given pictures is lower than with that.

    Args:
        probabilities: (n, classes) floats, each row summing to 1.
        labels: (n,) integers: the actual classes.

    Returns:
        T, from LOWEST to HIGHEST; 1 without pictures, or where T makes no difference.

    Raises:
        ModelError: the probabilities are none, for example NaN.
        DataError: the labels do not fit them.
    """
    check(probabilities, labels)
    if not len(labels):
        return 1.0
    logits = _logits(probabilities)
    prior = PRIOR_PICTURES / len(labels)
    actual = float(logits[np.arange(len(labels)), labels].sum())
    target = actual + prior * _expected(logits, 1.0)

    def slope(inverse: float) -> float:
        return (1 + prior) * _expected(logits, inverse) - target

    if abs(slope(1.0)) <= 1e-9 * max(1.0, abs(target)):
        return 1.0
    low, high = math.log(1 / HIGHEST), math.log(1 / LOWEST)
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(math.exp(middle)) > 0 else (middle, high)
    temperature = math.exp(-(low + high) / 2)
    # Losses are reported with probabilities clipped as Keras does, which the fit does not know.
    if log_loss(apply_temperature(probabilities, temperature), labels) > log_loss(
        probabilities, labels
    ):
        return 1.0
    return temperature


def apply_temperature(probabilities: Probabilities, temperature: float) -> npt.NDArray[np.float32]:
    """Returns softmax(log(probabilities) / temperature), which is softmax(logits / temperature).

    The most probable class stays the same, ties included.

    Args:
        probabilities: (n, classes) floats, each row summing to 1.
        temperature: above 0; 1 gives the probabilities back as they are.

    Returns:
        (n, classes) float32; each row sums to 1.

    Raises:
        ValueError: the temperature is not a number above 0.
    """
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature {temperature}: expected a number above 0")
    if temperature == 1 or not len(probabilities):
        return probabilities.astype(np.float32)
    calibrated = _softmax(_logits(probabilities) / temperature).astype(np.float32)
    rows, best = np.arange(len(calibrated)), probabilities.argmax(axis=1)
    # Classes that were hardly apart can become equal by rounding; the first would then win.
    moved = calibrated.argmax(axis=1) != best
    top = calibrated.max(axis=1)
    calibrated[rows[moved], best[moved]] = np.nextafter(top, np.float32(2))[moved]
    return calibrated


def measure(probabilities: Probabilities, labels: Labels) -> CalibrationFigures:
    """Measures calibration error, log loss and Brier score.

    Args:
        probabilities: (n, classes) floats, each row summing to 1.
        labels: (n,) integers: the actual classes.

    Raises:
        ModelError: the probabilities are none, for example NaN.
        DataError: the labels do not fit them.
    """
    return CalibrationFigures(
        error=expected_calibration_error(probabilities, labels),
        log_loss=log_loss(probabilities, labels),
        brier=brier_score(probabilities, labels),
        count=len(labels),
    )


def _about(temperature: float, count: int, right: int, part: FittedPart) -> str:
    if not count:
        return f"There are no pictures to fit a temperature on ({part}): T = 1, as the network is."
    found = {"cross-validation": "in cross-validation"}.get(part, f"of the {part}")
    pictures = f"{count:,} picture{'s' * (count != 1)} {found}"
    if abs(math.log(temperature)) < 0.02:
        said = "the probabilities stay about as they are"
    elif temperature > 1:
        said = "on these the network was too sure, so its probabilities are softened"
    else:
        said = "on these the network was not sure enough, so its probabilities are sharpened"
    text = f"Temperature {temperature:.2f}, fitted on {pictures}: {said}."
    if right == count:
        text += " All of them were recognised, so how sure the network may be is a guess."
    elif count < FEW:
        text += f" Fewer than {FEW} pictures leave it uncertain."
    return text


def _effect(before: CalibrationFigures, after: CalibrationFigures) -> list[str]:
    if before.error is None or after.error is None:
        count = before.count
        return [
            f"The test part has {count:,} picture{'s' * (count != 1)}, too few to measure a "
            "calibration error."
        ]
    first, second = before.error, after.error
    notes = [
        f"On the test part the calibration error is {second}; {first.value:.3f} before, and the "
        f"log loss {after.log_loss:.3f}; {before.log_loss:.3f} before."
    ]
    if second.low == 0:
        notes.append(
            f"That cannot be told from perfect calibration with {after.count:,} test pictures."
        )
    if after.log_loss > before.log_loss:
        notes.append(
            "The log loss on the test part rose: the pictures that the temperature was fitted on "
            "are too few, or differ from the test part."
        )
    return notes


def _logits(probabilities: Probabilities) -> npt.NDArray[np.float64]:
    logits: npt.NDArray[np.float64] = np.log(np.maximum(probabilities.astype(np.float64), _TINY))
    return logits


def _expected(logits: npt.NDArray[np.float64], inverse: float) -> float:
    """The sum of the logits that softmax(inverse · logits) expects."""
    return float(np.vdot(_softmax(inverse * logits), logits))


def _softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
