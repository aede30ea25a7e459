"""Paired shares: against published figures, by hand, and how often promises are kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.evaluation.paired import difference_interval, holm, mcnemar, needed_pictures


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [
        (7, 1, 0.0703125),  # Bentur et al. (2009), as in Fagerland et al. (2014): 2 · 9 / 256
        (2, 12, 2 * (1 + 14 + 91) / 2**14),
        (0, 5, 2 / 32),
        (3, 3, 1.0),
        (0, 1, 1.0),
        (0, 0, 1.0),
    ],
)
def test_exact_mcnemar(only_first: int, only_second: int, p_value: float) -> None:
    assert mcnemar(only_first, only_second) == pytest.approx(p_value, rel=1e-12)
    assert mcnemar(only_second, only_first) == pytest.approx(p_value, rel=1e-12)


def test_mcnemar_of_many_is_that_of_scipy() -> None:
    from scipy.stats import binomtest

    assert mcnemar(480, 560) == pytest.approx(binomtest(480, 1040, 0.5).pvalue, rel=1e-9)


def test_tangos_interval_against_published_values() -> None:
    """Bentur et al. (2009), as in Fagerland et al. (2014): -0.286 (-0.517 to -0.026), b=7, c=1."""
    interval = difference_interval(7, 1, 21)
    assert interval.value == pytest.approx(-6 / 21)
    assert interval.low == pytest.approx(-0.517, abs=5e-4)
    assert interval.high == pytest.approx(-0.026, abs=5e-4)


def test_without_differing_answers_the_interval_has_a_closed_form() -> None:
    """b = c = 0: q = 0 for d > 0, so d² n = z² d (1 - d), and d = z² / (n + z²)."""
    z2 = 1.959964**2
    interval = difference_interval(0, 0, 50)
    assert interval.value == 0
    assert interval.high == pytest.approx(z2 / (50 + z2), abs=1e-6)
    assert interval.low == pytest.approx(-z2 / (50 + z2), abs=1e-6)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300))
def test_the_interval_mirrors_and_agrees_with_the_score_test(
    only_first: int, only_second: int, rest: int
) -> None:
    count = only_first + only_second + rest
    if not count:
        return
    interval = difference_interval(only_first, only_second, count)
    mirrored = difference_interval(only_second, only_first, count)
    assert -1 <= interval.low <= interval.value <= interval.high <= 1
    assert mirrored.low == pytest.approx(-interval.high, abs=1e-9)
    assert mirrored.high == pytest.approx(-interval.low, abs=1e-9)
    if only_first + only_second:
        score = (only_second - only_first) / math.sqrt(only_first + only_second)
        if abs(abs(score) - 1.959964) > 1e-6:
            assert (0 in interval) == (abs(score) < 1.959964)


@pytest.mark.parametrize(
    ("count", "first", "second"),
    [(272, 0.02, 0.05), (50, 0.1, 0.1), (1000, 0.1, 0.12), (20, 0.3, 0.05), (154, 0.03, 0.01)],
)
def test_how_often_it_keeps_its_promise(count: int, first: float, second: float) -> None:
    """First and second: shares of pictures that only one gets right. Known within 0.4 of 100."""
    rng = np.random.default_rng(0)
    tables = rng.multinomial(count, [first, second, 1 - first - second], 10_000)
    kinds, often = np.unique(tables, axis=0, return_counts=True)
    inside = [second - first in difference_interval(b, c, count) for b, c, _ in kinds.tolist()]
    assert np.average(inside, weights=often) >= 0.93


def test_equals_are_rarely_called_different() -> None:
    """The exact test errs in at most 5% of tests."""
    rng = np.random.default_rng(0)
    tables = rng.multinomial(272, [0.05, 0.05, 0.9], 2_000).tolist()
    assert np.mean([mcnemar(b, c) < 0.05 for b, c, _ in tables]) <= 0.055


def test_needed_pictures_show_the_difference_four_times_of_five() -> None:
    """b = 4, c = 8 of 100: s = 0.12, d = 0.04.

    (1.959964 · sqrt(0.12) + 0.841621 · sqrt(0.12 - 0.0016))² / 0.0016
    = (0.678952 + 0.289596)² / 0.0016 = 586.3, so 590 to two digits.
    """
    needed = needed_pictures(4, 8, 100)
    assert needed == 590
    rng = np.random.default_rng(0)
    tables = rng.multinomial(needed, [0.04, 0.08, 0.88], 1_000).tolist()
    shown = np.mean([mcnemar(b, c) < 0.05 for b, c, _ in tables])
    assert 0.74 <= shown <= 0.84  # the exact test needs a little more than the formula says
    assert needed_pictures(3, 3, 100) is None
    assert needed_pictures(0, 0, 100) is None


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 500))
def test_more_pictures_than_there_were_are_needed(b: int, c: int, rest: int) -> None:
    if b == c:
        return
    needed = needed_pictures(b, c, b + c + rest)
    assert needed is not None
    assert needed > b + c + rest


def test_holm_by_hand() -> None:
    """0.01 · 4, then 0.02 · 3; 0.03 · 2 is not above that; 0.5 · 1."""
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]
