"""Descriptions: what they do not depend on, and the numbers behind them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.audit.description import (
    FEW_DISTANCE,
    MIRRORED,
    View,
    _of_rank,
    crowd_around,
    describe,
    waves,
)
from tellapart.data.audit.thumbnails import SIDE

GREY = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE)).astype(np.uint8)


@given(st.floats(0, 0.1), st.floats(0.85, 0.9))
def test_waves_do_not_see_brightness(start: float, size: float) -> None:
    # The integral of cos(pi u t) from 0 to 1 is sin(pi u) / (pi u) = 0 for whole u.
    sums = waves(np.float32(start), np.float32(size), 8).sum(axis=1)
    assert sums[0] == pytest.approx(1, abs=1e-5)
    assert np.abs(sums[1:]).max() < 1e-5


def test_descriptions_have_length_1_whatever_brightness_and_contrast() -> None:
    described = describe(GREY)
    assert np.linalg.norm(described, axis=1) == pytest.approx(1, abs=1e-5)
    dimmed = (GREY // 2 + 20).astype(np.uint8)
    assert np.einsum("ij,ij->i", described, describe(dimmed)) == pytest.approx(1, abs=1e-3)


def test_a_mirrored_view_is_the_view_of_a_mirrored_picture() -> None:
    mirrored = np.ascontiguousarray(GREY[:, :, ::-1])
    assert np.abs(describe(GREY, MIRRORED) - describe(mirrored)).max() < 1e-5
    assert np.abs(describe(GREY) - describe(mirrored)).max() > 0.1


def test_a_view_of_the_left_half_ignores_the_right_half() -> None:
    changed = GREY.copy()
    changed[:, :, SIDE // 2 :] = 0
    left = View(width=0.5)
    assert np.abs(describe(GREY, left) - describe(changed, left)).max() < 1e-5
    below = View(top=0.5, height=0.5)
    assert np.abs(describe(GREY, below) - describe(changed, below)).max() > 0.1


def test_the_crowd_lies_where_a_hundredth_of_the_sample_lies() -> None:
    # 1000 points at 1 - cosine 0.001, 0.002, ..., 1 from (1, 0): the tenth nearest beside the
    # point itself is at 0.011, the hundredth at 0.101, so the exponent is 1 / log10(101/11).
    cosines = 1 - np.arange(1, 1001) / 1000
    sample = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1).astype(np.float32)
    crowd = crowd_around(np.array([[1, 0]], np.float32), sample)
    assert crowd.distances[0] == pytest.approx(0.011, abs=1e-5)
    assert crowd.exponents[0] == pytest.approx(1 / np.log10(101 / 11), rel=1e-3)


def test_few_pictures_are_no_crowd() -> None:
    described = describe(np.repeat(GREY[:1], 5, axis=0))
    assert crowd_around(described, described).distances == pytest.approx(FEW_DISTANCE)


@given(
    st.integers(1, 5),
    st.integers(1, 700),
    st.integers(0, 30),
    st.sampled_from([2, 50, 100_000]),
    st.integers(0, 2**32 - 1),
)
def test_the_value_of_a_rank_is_that_of_a_sorted_row(
    count: int, width: int, rank: int, different: int, seed: int
) -> None:
    rank = min(rank, width - 1)
    random = np.random.default_rng(seed)
    values = random.integers(0, different, (count, width)).astype(np.float32)
    assert np.array_equal(_of_rank(values, rank), np.sort(values, axis=1)[:, rank])
