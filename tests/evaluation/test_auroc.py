"""The area under the ROC curve, counted by hand, and how often its interval holds the true one."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.evaluation.auroc import auroc

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=12)


def test_by_hand() -> None:
    # 3 is above 0, 1 and 2; 1 is above 0 and level with 1; of 2 · 3 pairs.
    found = auroc(np.array([2.0, 0, 1]), np.array([3.0, 1]))
    assert found.value == (3 + 1.5) / 6
    assert found.count == 5


@given(SCORES, SCORES)
def test_it_counts_pairs(known: list[float], unknown: list[float]) -> None:
    pairs = [(u > k) + 0.5 * (u == k) for k in known for u in unknown]
    found = auroc(np.array(known), np.array(unknown))
    assert found.value == pytest.approx(sum(pairs) / len(pairs))
    assert 0 <= found.low <= found.value <= found.high <= 1
    turned = auroc(np.array(unknown), np.array(known))
    assert turned.value == pytest.approx(1 - found.value)
    assert (turned.low, turned.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-9)


def test_the_ends_of_the_interval_by_hand() -> None:
    found = auroc(np.arange(10.0), np.arange(20.0, 30))
    # All 100 pairs are right. The lower end A solves 1 - A = z sqrt(variance); with k = 9:
    # (1 - A) · 100 = z² A (1 + 9 ((1 - A) / (2 - A) + A / (1 + A))), so A = 0.800.
    z = 1.959964
    assert found.high == 1
    low = found.low
    spread = (1 - low) / (2 - low) + low / (1 + low)
    assert (1 - low) * 100 == pytest.approx(z * z * low * (1 + 9 * spread), rel=1e-4)
    assert low == pytest.approx(0.8, abs=1e-3)


def test_without_pictures_of_one_kind_nothing_is_measured() -> None:
    for found in (auroc(np.zeros(0), np.ones(3)), auroc(np.ones(3), np.zeros(0))):
        assert math.isnan(found.value)
        assert str(found) == "not measured (no pictures)"


@pytest.mark.parametrize(
    ("shift", "known", "unknown"), [(0.5, 40, 40), (2.0, 60, 30), (3.0, 30, 80)]
)
def test_the_interval_holds_the_true_area(shift: float, known: int, unknown: int) -> None:
    # Two normal distributions `shift` apart have an area of Phi(shift / sqrt(2)).
    true = NormalDist().cdf(shift / math.sqrt(2))
    rng = np.random.default_rng(0)
    held = [
        true in auroc(rng.normal(size=known), rng.normal(shift, size=unknown)) for _ in range(500)
    ]
    assert 0.92 <= np.mean(held) <= 0.99
