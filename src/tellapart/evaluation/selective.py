"""When to answer "unsure": a threshold on the top probability that keeps a promise.

    answered if  max_k p_k >= threshold      of these, at least 95% are right

The promise is tested on pictures that were not trained on, by learn-then-test (Angelopoulos et
al., 2021) with fixed-sequence testing. Reading and using a rule needs NumPy alone; fitting one
needs SciPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.evaluation.calibration_error import check
from tellapart.evaluation.metrics import Labels, Probabilities
from tellapart.results import Interval, wilson_interval

PROMISE = 0.95
CONFIDENCE = 0.9
"""How often a calibration part leads to a rule that keeps its promise. With 0.95 a promise needs
59 pictures without a mistake at the least, with 0.9 it needs 45."""

NEVER = 2.0
"""The threshold of a rule that answers nothing."""

_MOST_GROWTH = 1_000
_POINTS = 200


@dataclass(frozen=True)
class UnsureRule:
    """When a classifier answers, and what its answers are worth.

    Attributes:
        threshold: a top probability from here on is answered; 0 answers everything, and above 1
            nothing is answered.
        promise: this share of the answers is right, or more.
        confidence: how often a rule fitted in this way keeps its promise.
        proven: whether the pictures sufficed to prove that. If not, the threshold is what the
            probabilities themselves say: the promise.
        answered: the share of the pictures it was fitted on that is answered.
        right: the share of right ones among these.
        fitted_on: how many pictures.
        more_needed: so many more pictures, at least, would prove it; None where it is proven, or
            where more pictures would not help.
        note: the same in words.
    """

    threshold: float
    promise: float
    confidence: float
    proven: bool
    answered: Interval
    right: Interval
    fitted_on: int
    more_needed: int | None
    note: str

    def answers(self, probabilities: Probabilities) -> npt.NDArray[np.bool_]:
        """Which of (n, classes) probabilities are answered rather than "unsure": (n,) bool."""
        answered: npt.NDArray[np.bool_] = probabilities.max(axis=1) >= self.threshold
        return answered

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "threshold": self.threshold,
            "promise": self.promise,
            "confidence": self.confidence,
            "proven": self.proven,
            "answered": self.answered.to_json(),
            "right": self.right.to_json(),
            "fitted_on": self.fitted_on,
            "more_needed": self.more_needed,
            "note": self.note,
        }

    @classmethod
    def from_json(cls, value: Any) -> UnsureRule:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: it is something else; all problems are listed.
        """
        if problems := _problems(value):
            raise ValueError("; ".join(problems))
        intervals = {name: _interval(value[name]) for name in ("answered", "right")}
        return cls(**(value | intervals))


@dataclass(frozen=True)
class RiskCoverage:
    """Accuracy against the share of pictures that is answered (El-Yaniv & Wiener, 2010).

    Attributes:
        threshold: (k,) top probabilities from which on is answered, falling.
        answered: (k,) share of the pictures that is then answered, rising to 1.
        accuracy: (k,) share of right ones among these.
        count: how many pictures there were.
    """

    threshold: npt.NDArray[np.float64] = field(repr=False)
    answered: npt.NDArray[np.float64] = field(repr=False)
    accuracy: npt.NDArray[np.float64] = field(repr=False)
    count: int

    def to_json(self) -> dict[str, Any]:
        """Returns the curve, thinned to at most 200 points."""
        places = np.linspace(0, len(self.answered) - 1, _POINTS).round().astype(int)
        kept = np.unique(places) if len(self.answered) else places[:0]
        return {
            "threshold": self.threshold[kept].tolist(),
            "answered": self.answered[kept].tolist(),
            "accuracy": self.accuracy[kept].tolist(),
            "count": self.count,
        }


def fit_unsure(
    probabilities: Probabilities,
    labels: Labels,
    *,
    promise: float = PROMISE,
    confidence: float = CONFIDENCE,
) -> UnsureRule:
    """Finds the lowest threshold whose answers are right with the promised probability.

    Thresholds are tested from the surest pictures down, one picture after the other: "more than
    1 - promise of these answers are wrong" must be refuted by the exact binomial test (Clopper &
    Pearson, 1934) at 1 - confidence. The first that is not refuted ends the row, which is why no
    correction for the number of tests is needed. The row starts where as many pictures are
    answered as a test without mistakes needs. A sure mistake up there, such as a wrong label,
    would end it at once; so where half of the pictures can forgive a mistake, a second row starts
    at that half, and each has half of the chance of error.

    Why not selection with guaranteed risk (Geifman & El-Yaniv, 2017), which divides the chance of
    error by the number of its search steps: of 100 pictures of MNIST or flowers17 it answered
    none, this rule nine in ten. See docs/calibration.md.

    Args:
        probabilities: (n, classes), calibrated, of pictures that were not trained on.
        labels: (n,) integers: the actual classes. n may be 0.
        promise: above 0 and below 1.
        confidence: above 0 and below 1.

    Raises:
        ModelError: the probabilities are none, for example NaN.
        DataError: the labels do not fit them.
        ValueError: promise or confidence is not between 0 and 1.
    """
    for name, share in (("promise", promise), ("confidence", confidence)):
        if not 0 < share < 1:
            raise ValueError(f"{name} {share}: expected above 0 and below 1")
    curve = risk_coverage(probabilities, labels)
    sizes, mistakes = _counts(curve)
    starts, error = _starts(len(labels), promise, 1 - confidence)
    place = _lowest(sizes, _refuted(mistakes, sizes, promise, error), starts)
    top = probabilities.max(axis=1) if len(labels) else np.zeros(0)
    right = probabilities.argmax(axis=1) == labels if len(labels) else np.zeros(0, bool)
    if place is not None:
        threshold, more = _between(curve, place), None
    else:
        threshold = _fallback(top, right, promise)
        more = _more_needed(sizes, mistakes, len(labels), promise, 1 - confidence)
    answered = top >= threshold
    shares = (
        wilson_interval(int(answered.sum()), len(labels)),
        wilson_interval(int((answered & right).sum()), int(answered.sum())),
    )
    note = _note(threshold, promise, confidence, place is not None, *shares, more)
    return UnsureRule(
        threshold, promise, confidence, place is not None, *shares, len(labels), more, note
    )


def risk_coverage(probabilities: Probabilities, labels: Labels) -> RiskCoverage:
    """Sorts the pictures by top probability, and counts the right ones from the surest down.

    Args:
        probabilities: (n, classes) floats, each row summing to 1.
        labels: (n,) integers: the actual classes.

    Returns:
        A point for each different top probability; none without pictures.

    Raises:
        ModelError: the probabilities are none, for example NaN.
        DataError: the labels do not fit them.
    """
    check(probabilities, labels)
    count = len(labels)
    if not count:
        return RiskCoverage(np.zeros(0), np.zeros(0), np.zeros(0), 0)
    top = probabilities.max(axis=1).astype(np.float64)
    order = np.argsort(-top, kind="stable")
    top, right = top[order], (probabilities.argmax(axis=1) == labels)[order]
    last = np.append(np.flatnonzero(top[:-1] != top[1:]), count - 1)
    sizes = last + 1
    return RiskCoverage(top[last], sizes / count, np.cumsum(right)[last] / sizes, count)


# --- The test -----------------------------------------------------------------------------------


def _counts(curve: RiskCoverage) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How many pictures each threshold answers, and how many of them wrongly: (k,) each."""
    sizes = np.rint(curve.answered * curve.count).astype(np.int64)
    return sizes, np.rint(sizes * (1 - curve.accuracy)).astype(np.int64)


def _refuted(
    mistakes: npt.NDArray[Any], sizes: npt.NDArray[Any], promise: float, error: float
) -> npt.NDArray[np.bool_]:
    """Whether so few mistakes would be rarer than `error` if more than 1 - promise were wrong."""
    from scipy.special import bdtr

    refuted: npt.NDArray[np.bool_] = bdtr(mistakes, sizes, 1 - promise) <= error
    return refuted


def _starts(count: int, promise: float, error: float) -> tuple[tuple[int, ...], float]:
    """Returns how many pictures each row of tests starts with, and its chance of error."""
    half = np.array([count // 2])
    if count and _refuted(np.array([1]), half, promise, error / 2)[0]:
        return (_fewest(promise, error / 2), count // 2), error / 2
    return (_fewest(promise, error),), error


def _fewest(promise: float, error: float) -> int:
    """How many answers without a mistake prove the promise: the least n with promise^n <= error."""
    return math.ceil(math.log(error) / math.log(promise) - 1e-9)


def _lowest(
    sizes: npt.NDArray[np.int64], refuted: npt.NDArray[np.bool_], starts: tuple[int, ...]
) -> int | None:
    """Follows each row of tests to its end; returns the farthest place that passed."""
    passed = []
    for start in starts:
        first = int(np.searchsorted(sizes, start))
        failed = np.flatnonzero(~refuted[first:])
        end = first + int(failed[0]) if len(failed) else len(sizes)
        if end > first:
            passed.append(end - 1)
    return max(passed, default=None)


def _between(curve: RiskCoverage, place: int) -> float:
    """A threshold halfway to the first that is not answered, safe from rounding; or 0."""
    if place + 1 == len(curve.threshold):
        return 0.0
    return float(curve.threshold[place] + curve.threshold[place + 1]) / 2


def _fallback(top: npt.NDArray[Any], right: npt.NDArray[np.bool_], promise: float) -> float:
    """The promise itself, unless it is plain that answers as sure as that do not keep it."""
    seen = right[top >= promise]
    return promise if wilson_interval(int(seen.sum()), len(seen)).high >= promise else NEVER


def _more_needed(
    sizes: npt.NDArray[np.int64],
    mistakes: npt.NDArray[np.int64],
    count: int,
    promise: float,
    error: float,
) -> int | None:
    """How many more pictures would prove the promise if they were like these; None: no number."""
    fewest = _fewest(promise, error)
    if count < fewest:
        return fewest - count
    growth = 1.0
    while growth <= _MOST_GROWTH:
        growth *= 1.05
        more = np.floor(sizes * growth).astype(np.int64)
        _, each = _starts(math.ceil(count * growth), promise, error)
        if _refuted(np.ceil(mistakes * growth), more, promise, each).any():
            return math.ceil(count * growth) - count
    return None


# --- In words -----------------------------------------------------------------------------------


def _note(
    threshold: float,
    promise: float,
    confidence: float,
    proven: bool,
    answered: Interval,
    right: Interval,
    more: int | None,
) -> str:
    pictures = f"{answered.count:,} picture{'s' * (answered.count != 1)}"
    measured = f"Of {pictures}, {answered.value:.1%} are answered"
    measured += f", {right.value:.1%} of these rightly." if right.count else "."
    if proven:
        which = "All answers are" if threshold == 0 else f"Answers from {threshold:.3f} on are"
        return (
            f"{which} right with a probability of {promise:.0%} or more (a promise that is kept "
            f"in {confidence:.0%} of such fits). {measured}"
        )
    if not answered.count:
        reason = f"There are no pictures to prove it on; {more or 0:,} are needed at least."
    elif more is None:
        reason = (
            f"More pictures like these {answered.count:,} would not prove it: even the surest "
            "answers are too often wrong. A better network is needed."
        )
    else:
        few = "1 picture is" if answered.count == 1 else f"{pictures} are"
        reason = f"{few} too few to prove it: at least {more:,} more are needed."
    done = (
        "Until then nothing is answered, for the probabilities do not keep it either."
        if threshold == NEVER
        else f"Until then, what has a probability of {promise:.0%} itself is answered."
    )
    return (
        f"Not proven: that answers are right with a probability of {promise:.0%}. {reason} {done}"
        + (f" {measured}" if answered.count else "")
    )


# --- Reading ------------------------------------------------------------------------------------


def _problems(value: Any) -> list[str]:
    """Everything that keeps a decoded JSON value from being a rule."""
    known = tuple(UnsureRule.__dataclass_fields__)
    if not isinstance(value, dict):
        return [f"{value!r}"[:80] + ": expected an object"]
    problems = [f"{key!r}: unknown field" for key in value if key not in known]
    problems += [f"{key}: missing" for key in known if key not in value]
    checks = {
        "threshold": (_is_share(value.get("threshold"), most=NEVER), f"0 to {NEVER:g}"),
        "promise": (_is_share(value.get("promise")), "0 to 1"),
        "confidence": (_is_share(value.get("confidence")), "0 to 1"),
        "proven": (isinstance(value.get("proven"), bool), "true or false"),
        "answered": (_is_interval(value.get("answered")), "an interval"),
        "right": (_is_interval(value.get("right")), "an interval"),
        "fitted_on": (_is_count(value.get("fitted_on")), "a whole number from 0"),
        "more_needed": (
            value.get("more_needed") is None or _is_count(value.get("more_needed")),
            "null or a whole number from 0",
        ),
        "note": (isinstance(value.get("note"), str), "text"),
    }
    return problems + [
        f"{key}: {value[key]!r}"[:80] + f": expected {expected}"
        for key, (fits, expected) in checks.items()
        if key in value and not fits
    ]


def _is_share(value: Any, *, most: float = 1.0) -> bool:
    return type(value) in (int, float) and 0 <= value <= most


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_interval(value: Any) -> bool:
    fields = set(Interval.__dataclass_fields__)
    if not isinstance(value, dict) or set(value) != fields or not _is_count(value["count"]):
        return False
    shares = [value[name] for name in ("value", "low", "high")]
    known = all(map(_is_share, shares)) if value["count"] else shares == [None] * 3
    return known and _is_share(value["confidence"])


def _interval(value: dict[str, Any]) -> Interval:
    if not value["count"]:
        return Interval(math.nan, 0.0, 1.0, 0, value["confidence"])
    return Interval(**value)
