"""Occlusion and RISE, and the sums they are made of, worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tellapart.explanation.heatmaps.grids import enlarge, linear_weights, normalise, spline_weights
from tellapart.explanation.heatmaps.occlusion import occlude
from tellapart.explanation.heatmaps.rise import MASKS, rise
from tellapart.explanation.heatmaps.scores import log_odds

Array = npt.NDArray[Any]


def last_pixel(pixels: Array) -> Array:
    """Two classes; the log-odds of class 1 are a hundredth of the last pixel."""
    score = pixels[:, -1, -1, 0] / 100
    p = 1 / (1 + np.exp(-score))
    return np.stack([1 - p, p], axis=1)


# --- Small sums ---------------------------------------------------------------------------------


def test_log_odds_by_hand() -> None:
    found = log_odds(np.array([[0.2, 0.2, 0.6], [0.0, 0.5, 0.5]]), np.array([2, 0]))
    # 0.6 against 0.4 and 0.2 against 0.8; a half against a half and 1e-12 (the least) against 1
    expected = np.log([[1.5, 0.25], [1, 1e-12]])
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_log_odds_keep_their_digits_near_one() -> None:
    p = np.array([[1 - 1e-9, 1e-9]], np.float32)  # float32 makes 1 of the first
    assert log_odds(p, np.array([0])).item() == pytest.approx(np.log(1e9), rel=1e-6)


def test_spline_weights_by_hand() -> None:
    found = spline_weights(np.array([0.0, 1.0, 2.0, 2.5, 3.0]), np.array([1.0, 2.0, 3.0]))
    # In steps of 1: 3/4 at the point, 1/8 a step away; beyond the ends as there, and the sum 1.
    end = [6 / 7, 1 / 7, 0.0]
    expected = np.array([end, end, [1 / 8, 3 / 4, 1 / 8], [0, 1 / 2, 1 / 2], end[::-1]])
    np.testing.assert_allclose(found, expected)
    np.testing.assert_array_equal(spline_weights(np.array([5.0, 9.0]), np.array([1.0])), 1)


def test_linear_weights_by_hand() -> None:
    found = linear_weights(np.array([0.0, 1.25, 4.0]), np.array([1.0, 2.0]))
    np.testing.assert_allclose(found, np.array([[1, 0], [0.75, 0.25], [0, 1]]))


def test_enlarging_keeps_rows_and_columns_apart() -> None:
    grid = np.array([[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]])
    found = enlarge(grid, np.array([1.0, 3.0]), np.array([2.0, 4.0, 6.0]), (4, 8))
    assert found.shape == (4, 8)
    # In the middle of three equal steps the spline gives the middle value.
    np.testing.assert_allclose(found[:, 3:5].mean(axis=1)[[1, 2]].mean(), 6)
    assert (np.diff(found, axis=0) >= 0).all()
    assert (np.diff(found, axis=1) >= 0).all()


def test_normalising() -> None:
    maps = np.array([[[-1.0, 2.0], [4.0, 1.0]], [[-3.0, -1.0], [0.0, 0.0]]])
    np.testing.assert_array_equal(normalise(maps), [[[0, 0.5], [1, 0.25]], [[0, 0], [0, 0]]])
    assert not normalise(maps, least=4).any()


# --- Occlusion and RISE -------------------------------------------------------------------------


def test_occlusion_by_hand() -> None:
    picture = np.array([0, 0, 0, 200], np.uint8).reshape(1, 1, 4, 1)
    found = occlude(last_pixel, picture, np.array([[1, 0]]), windows=3)
    # Windows of round(2·4/(3+1)) = 2 pixels at 0, 1 and 2, their middles at 1, 2 and 3. The last
    # sets 200 to the mean of 50: 1.5 of the log-odds are lost; the others lose nothing. The middles
    # of the pixels, 0.5, 1.5, 2.5, 3.5, weigh that by 0, 0, 1/2 and (beyond the end) 6/7.
    np.testing.assert_allclose(found[0, 0], [[0, 0, 0.5 / (6 / 7), 1]], rtol=1e-5)
    assert not found[0, 1].any()  # nothing lowers class 0


def test_occlusion_asks_once_a_window() -> None:
    asked = []

    def predict(pixels: Array) -> Array:
        asked.append(len(pixels))
        return last_pixel(pixels)

    picture = np.random.default_rng(0).integers(0, 256, (2, 30, 50, 3), dtype=np.uint8)
    occlude(predict, picture, np.array([[0, 1]] * 2))
    assert sum(asked) == 2 * (1 + 7 * 7)


def test_rise_finds_the_pixel_that_decides() -> None:
    pixels = np.random.default_rng(0).integers(0, 120, (1, 28, 35, 1), dtype=np.uint8)
    pixels[0, -1, -1] = 255
    found = rise(last_pixel, pixels, np.array([[1, 0]]))
    row, column = np.unravel_index(found[0, 0].argmax(), (28, 35))
    assert row >= 28 - 28 / 7  # within a cell, a seventh of a side
    assert column >= 35 - 35 / 7
    # Class 0 gains where class 1 loses: nowhere near the corner.
    assert found[0, 1][-4:, -5:].max() == 0


def test_rise_repeats_itself_and_asks_as_often_as_it_says() -> None:
    asked = []

    def predict(pixels: Array) -> Array:
        asked.append(len(pixels))
        return last_pixel(pixels)

    pixels = np.random.default_rng(1).integers(0, 256, (2, 9, 9, 3), dtype=np.uint8)
    first, second = (rise(predict, pixels, np.array([[1], [0]])) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert sum(asked) == 2 * 2 * MASKS


@pytest.mark.parametrize("draw", [occlude, rise])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 90, 3), (90, 1, 1), (3, 2, 3)])
def test_tiny_and_narrow_pictures(draw: Any, shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    pixels[:, -1, -1] = 255
    found = draw(last_pixel, pixels, np.array([[1], [1]]))
    assert found.shape == (2, 1, *shape[:2])
    assert np.isfinite(found).all()
    if shape != (1, 1, 1):
        assert (found.max(axis=(2, 3)) == 1).all()
    else:  # its only pixel is the mean colour
        assert not found.any()


@pytest.mark.parametrize("draw", [occlude, rise])
def test_one_colour_has_no_map(draw: Any) -> None:
    pixels = np.full((1, 12, 12, 3), 77, np.uint8)

    def noisy(batch: Array) -> Array:  # as a network's rounding makes it
        p = 0.7 + np.random.default_rng(0).normal(0, 1e-6, len(batch))
        return np.stack([1 - p, p], axis=1)

    assert not draw(noisy, pixels, np.array([[1, 0]])).any()
