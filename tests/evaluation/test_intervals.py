"""Intervals of F1 and of balanced accuracy: by hand, and how often they keep their promise."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.evaluation.intervals import balanced_accuracy_interval, f1_interval
from tellapart.results import wilson_interval

TESTS = 2_000
"""Made-up test parts; a coverage of 95% is then known within 1 (two standard errors)."""


def test_f1_by_hand() -> None:
    """8 right of 10, 9 predicted: J = 8 / 11; F1 = 16 / 19 = 2 · 8/11 / (1 + 8/11).

    Wilson for 8 of 11: z²/n = 0.349224, centre (0.727273 + 0.174612) / 1.349224 = 0.668447, half =
    1.959964 / 1.349224 · sqrt(0.198347/11 + 3.841459/484) = 0.234106; so J from 0.434341 to
    0.902553, and F1 = 2 J / (1 + J) from 0.605631 to 0.948781.
    """
    interval = f1_interval(8, 10, 9)
    assert interval.value == pytest.approx(16 / 19)
    assert interval.low == pytest.approx(0.605631, abs=2e-5)
    assert interval.high == pytest.approx(0.948781, abs=2e-5)
    assert interval.count == 11


def test_balanced_accuracy_by_hand() -> None:
    """9 of 10 and 3 of 5, K = 2: n = 12 and 7, p = 10/12 and 4/7.

    Centre (0.833333 + 0.571429) / 2 = 0.702381; variances 0.138889/11 + 0.244898/6 = 0.053443;
    half = 1.959964 / 2 · sqrt(0.053443) = 0.226549.
    """
    interval = balanced_accuracy_interval([9, 3], [10, 5])
    assert interval.value == pytest.approx((0.9 + 0.6) / 2)
    assert interval.low == pytest.approx(0.475832, abs=2e-5)
    assert interval.high == pytest.approx(0.928930, abs=2e-5)
    assert interval.count == 15


def test_classes_without_pictures_do_not_count() -> None:
    assert balanced_accuracy_interval([9, 0, 3], [10, 0, 5]) == balanced_accuracy_interval(
        [9, 3], [10, 5]
    )
    nothing = balanced_accuracy_interval([0], [0])
    assert (nothing.count, math.isnan(nothing.value)) == (0, True)
    assert math.isnan(f1_interval(0, 0, 0).value)
    json.dumps(nothing.to_json(), allow_nan=False)
    json.dumps(f1_interval(0, 0, 0).to_json(), allow_nan=False)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=30),
    st.sampled_from([0.9, 0.95, 0.99]),
)
def test_balanced_accuracy_lies_inside(classes: list[tuple[int, int]], confidence: float) -> None:
    right = [min(pair) for pair in classes]
    counts = [max(pair) for pair in classes]
    interval = balanced_accuracy_interval(right, counts, confidence)
    if sum(counts):
        assert 0 <= interval.low <= interval.value <= interval.high <= 1
        assert interval.high > interval.low


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_f1_lies_inside(right: int, missed: int, added: int) -> None:
    interval = f1_interval(right, right + missed, right + added)
    if right + missed + added:
        assert interval.value == pytest.approx(2 * right / (2 * right + missed + added))
        assert 0 <= interval.low <= interval.value <= interval.high <= 1


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(1, 10))
def test_equal_classes_are_nearly_wilsons(wrong: int, classes: int) -> None:
    """With equally large classes, balanced accuracy is accuracy, and so is nearly its interval."""
    right = [200 - wrong] * classes
    ours = balanced_accuracy_interval(right, [200] * classes)
    wilson = wilson_interval(sum(right), 200 * classes)
    assert ours.low == pytest.approx(wilson.low, abs=0.01)
    assert ours.high == pytest.approx(wilson.high, abs=0.01)


@pytest.mark.parametrize(
    ("counts", "recalls"),
    [
        ([16] * 17, [0.96] * 17),  # flowers17
        ([16] * 17, np.linspace(0.5, 1, 17)),
        ([75, 75], [0.94, 0.94]),  # ants and bees
        ([500, 12], [0.98, 0.7]),
        ([500, 12], [0.98, 0.97]),
        ([100, 50, 20, 10, 5], [0.95, 0.9, 0.8, 0.6, 0.5]),
        ([1000] * 10, np.linspace(0.5, 0.8, 10)),  # CIFAR-10
        ([5] * 200, np.tile([0.6, 0.9], 100)),
        ([2] * 200, np.tile([0.9, 0.99], 100)),
        ([3, 3, 3], [0.8, 0.8, 0.8]),
        ([100, 100, 20], [0.99, 0.99, 0.9]),
        ([20] * 10, [0.1] * 10),  # chance
    ],
)
def test_balanced_accuracy_keeps_its_promise(counts: Any, recalls: Any) -> None:
    """Of 95% intervals, at least 93% contain the truth; with tiny classes more do."""
    rng = np.random.default_rng(0)
    right = rng.binomial(counts, recalls, (TESTS, len(counts)))
    truth = float(np.mean(recalls))
    inside = [truth in balanced_accuracy_interval(row, counts) for row in right.tolist()]
    assert np.mean(inside) >= 0.93


@pytest.mark.parametrize(
    ("count", "others", "recall", "taken"),
    [
        (16, 256, 0.96, 0.002),  # a flower
        (16, 256, 0.8, 0.02),
        (40, 38, 0.95, 0.1),
        (10, 90, 0.5, 0.05),
        (1000, 9000, 0.65, 0.04),  # a class of CIFAR-10
        (5, 50, 0.8, 0.02),
        (100, 5, 0.9, 0.5),
    ],
)
@pytest.mark.parametrize("stratified", [True, False])
def test_f1_keeps_its_promise(
    count: int, others: int, recall: float, taken: float, stratified: bool
) -> None:
    """`taken`: share of the other pictures that is taken for the class."""
    rng = np.random.default_rng(0)
    hits, false = count * recall, others * taken
    if stratified:
        right = rng.binomial(count, recall, TESTS)
        wrong = count - right + rng.binomial(others, taken, TESTS)
    else:
        shares = np.array([hits, count - hits + false, others - false]) / (count + others)
        right, wrong, _ = rng.multinomial(count + others, shares, TESTS).T
    truth = 2 * hits / (hits + count + false)
    inside = [truth in f1_interval(a, a + b, a) for a, b in zip(right, wrong, strict=True) if a + b]
    assert np.mean(inside) >= 0.94


@pytest.mark.parametrize(("right", "count", "predicted"), [(-1, 2, 2), (3, 2, 4), (3, 4, 2)])
def test_impossible_counts_of_a_class(right: int, count: int, predicted: int) -> None:
    with pytest.raises(ValueError, match="expected no more than both"):
        f1_interval(right, count, predicted)


@pytest.mark.parametrize(("right", "counts"), [([3], [2]), ([-1], [2]), ([1, 1], [2])])
def test_impossible_counts(right: list[int], counts: list[int]) -> None:
    with pytest.raises(ValueError, match="expected 0 <= right <= count of each"):
        balanced_accuracy_interval(right, counts)
