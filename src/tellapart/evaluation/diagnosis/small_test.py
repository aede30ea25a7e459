"""A test part that is too small to say how good the classifier is."""

from __future__ import annotations

from tellapart.evaluation.diagnosis.commands import Remedies, train_again
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.finding import Diagnosis, Level, percent, points
from tellapart.results import Interval, wilson_interval

WIDE, VERY_WIDE = 0.1, 0.2
"""Widths of the 95% interval that are noted and warned of. In ten points most improvements vanish,
and in twenty a good classifier looks like a middling one."""

HALF_WIDTH = 0.02
"""An interval of two points either way tells most choices apart; the text says what it takes."""

LARGEST_SPLIT = 0.5
"""More than half of the pictures are never set apart: the training would suffer."""


def small_test_part(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Fires where the accuracy's interval is wide, and says how many pictures it takes."""
    accuracy = facts.accuracy
    if accuracy is None:
        return ()
    if not accuracy.count:
        text = "There are no test pictures, so nothing is known of the accuracy."
        return (Diagnosis("test part too small", "warning", text, _remedies(facts, 0)),)
    width = accuracy.high - accuracy.low
    if width <= WIDE:
        return ()
    needed = pictures_for(nearest_to_half(accuracy), HALF_WIDTH)
    text = (
        f"With {accuracy.count:,} test pictures the accuracy of {percent(accuracy.value)} may be "
        f"anything from {percent(accuracy.low)} to {percent(accuracy.high)} (95% interval, "
        f"{points(width)} wide). For 2 points either way it takes up to {needed:,} test pictures."
    )
    level: Level = "warning" if width > VERY_WIDE else "note"
    return (Diagnosis("test part too small", level, text, _remedies(facts, needed)),)


def nearest_to_half(accuracy: Interval) -> float:
    """The share within the interval that takes the most pictures to measure.

    The measured share itself would promise too much: with 2 of 2 right, that of 100%.
    """
    return min(max(0.5, accuracy.low), accuracy.high)


def pictures_for(share: float, half_width: float) -> int:
    """The least pictures with a 95% Wilson interval of at most 2·`half_width` around a share."""

    def wide(count: int) -> bool:
        interval = wilson_interval(round(share * count), count)
        return interval.high - interval.low > 2 * half_width

    low, high = 0, 1  # so many are too few, and enough
    while wide(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if wide(middle) else (low, middle)
    return high


def _remedies(facts: TrainingFacts, needed: int) -> Remedies:
    total, test = sum(facts.parts.values()), facts.parts.get("test", 0)
    remedies = []
    # The option has no effect on data with a test part of their own, of whatever size.
    split_here = abs(test - facts.recipe["test_split"] * total) <= 1 + 0.02 * total
    if split_here and total and needed <= LARGEST_SPLIT * total:
        share = max(round(needed / total + 0.005, 2), facts.recipe["test_split"])
        words = (
            f"Set more of the pictures apart: {percent(share)} instead of {percent(test / total)}"
        )
        remedies.append((words, train_again(facts, test_split=share)))
    words = "Add labelled pictures, and train again"
    return (*remedies, (words, train_again(facts)))
