"""Figures of activations and feature maps."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from tellapart.explanation.prediction.activations import (
    MAX_SIDE,
    encode_png,
    measure,
    strongest_maps,
)
from tellapart.explanation.walk import Array


def test_figures_by_hand() -> None:
    # Three channels of two positions: 1, 0; 0, 0 (dead); -4, 2.
    found = measure(np.array([[[[1, 0, -4], [0, 0, 2]]]], np.float32))
    assert (found.minimum, found.maximum) == (-4, 2)
    assert found.mean == pytest.approx((1 + 0 - 4 + 0 + 0 + 2) / 6)
    assert found.zeros == pytest.approx(3 / 6)
    assert (found.channels, found.dead_channels, found.not_finite) == (3, 1, 0)


def test_numbers_that_are_not_finite_are_counted_and_nothing_is_made_up() -> None:
    found = measure(np.array([[1, np.nan, np.inf, 0]], np.float32))
    assert found.to_json() == {
        "minimum": None,
        "mean": None,
        "maximum": None,
        "zeros": None,
        "channels": 4,
        "dead_channels": None,
        "not_finite": 2,
    }
    assert strongest_maps(np.full((1, 2, 2, 1), np.nan, np.float32), 3) == ()


def test_the_channels_that_vary_most_come_first() -> None:
    output = np.zeros((1, 1, 2, 3), np.float32)
    output[0, 0, :, 0] = 100, 100  # large, and the same everywhere
    output[0, 0, :, 1] = -1, 3  # deviates by 2 from its mean of 1
    output[0, 0, :, 2] = 0, 2
    first, second, third = strongest_maps(output, 3)
    assert [first.channel, second.channel, third.channel] == [1, 2, 0]
    assert (first.low, first.high, first.strength) == (-1, 3, 2)
    assert first.pixels.tolist() == [[0, 255]]
    assert (third.strength, third.pixels.tolist()) == (0, [[0, 0]])
    assert len(strongest_maps(output, 2)) == 2


def test_large_maps_are_reduced_by_averaging() -> None:
    output = np.zeros((1, 128, 64, 1), np.float32)
    output[0, ::2] = 1  # every second row: pairs of rows average to the middle
    (found,) = strongest_maps(output, 1)
    assert found.pixels.shape == (MAX_SIDE, 32)
    assert (found.size, set(found.pixels.ravel().tolist())) == ((128, 64), {128})


def test_a_vector_is_laid_in_rows() -> None:
    (found,) = strongest_maps(np.arange(100, dtype=np.float32)[None], 8)
    assert (found.channel, found.size) == (None, (1, 100))
    assert found.pixels.shape == (7, 16)
    assert found.pixels.ravel()[[0, 99]].tolist() == [0, 255]
    assert found.pixels.ravel()[100:].tolist() == [0] * 12
    assert strongest_maps(np.zeros((1, 1), np.float32), 8) == ()
    assert strongest_maps(np.zeros((1, 5000), np.float32), 8) == ()


@settings(deadline=None)
@given(
    npst.arrays(
        np.float32,
        st.tuples(st.just(1), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)),
        elements=st.floats(-(2.0**99), 2.0**99, width=32),
    ),
    st.integers(1, 6),
)
def test_figures_and_maps_hold_together(output: Array, count: int) -> None:
    found = measure(output)
    assert found.minimum is not None
    assert found.mean is not None
    assert found.maximum is not None
    slack = 1e-5 * max(abs(found.minimum), abs(found.maximum))
    assert found.minimum - slack <= found.mean <= found.maximum + slack
    assert found.dead_channels is not None
    assert found.zeros is not None
    assert found.zeros >= found.dead_channels / found.channels - 1e-9
    maps = strongest_maps(output, count)
    assert len(maps) == (0 if output.shape[1:3] == (1, 1) else min(count, output.shape[-1]))
    strengths = [feature_map.strength for feature_map in maps]
    assert strengths == sorted(strengths, reverse=True)
    for feature_map in maps:
        assert found.minimum <= feature_map.low <= feature_map.high <= found.maximum


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 1), (3, 5, 3)])
def test_png_keeps_every_pixel(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    image = Image.open(io.BytesIO(base64.b64decode(encode_png(pixels))))
    assert np.array_equal(np.asarray(image).reshape(shape), pixels)
