"""Axes, round values and lines."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.report.charts.drawing import Axis, area, line, log_values, plot_axes, round_values


def test_places_on_an_axis() -> None:
    axis = Axis(10, 20, 100, 300)
    assert [axis(value) for value in (10, 15, 20)] == [100, 200, 300]
    assert (axis(-5), axis(99)) == (100, 300)  # on the rim
    assert Axis(0, 1, 300, 100)(0.25) == 250  # upwards
    logarithmic = Axis(0.01, 100, 0, 400, logarithmic=True)
    assert [round(logarithmic(value)) for value in (0.01, 0.1, 1, 10, 100)] == [
        0,
        100,
        200,
        300,
        400,
    ]


def test_an_axis_of_one_value() -> None:
    x, y = plot_axes(420, 280, (1, 1), (0.5, 0.5))
    assert x.low < 1 < x.high
    assert y.low < 0.5 < y.high
    assert x.start < x(1) < x.end


@pytest.mark.parametrize(
    ("low", "high", "count", "values"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.4, 1, 5, [0.4, 0.6, 0.8, 1]),
        (1, 56, 6, [10, 20, 30, 40, 50]),
        (0.553, 2.26, 5, [1, 1.5, 2]),
        (3, 3, 5, [3]),
    ],
)
def test_round_values(low: float, high: float, count: int, values: list[float]) -> None:
    assert round_values(low, high, count) == values


def test_epochs_are_whole() -> None:
    assert round_values(1, 3, 6) == [1, 1.5, 2, 2.5, 3]
    assert round_values(1, 3, 6, whole=True) == [1, 2, 3]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 10))
def test_round_values_lie_between(low: float, length: float, count: int) -> None:
    values = round_values(low, low + length, count)
    assert values == sorted(values)
    assert len(values) <= 2.6 * count + 2
    room = 1e-6 * (length + abs(low))
    assert all(low - room <= value <= low + length + room for value in values)


def test_powers_of_ten() -> None:
    assert log_values(0.009, 120) == [0.01, 0.1, 1, 10, 100]
    assert log_values(0.9, 60) == [1, 2, 5, 10, 20, 50]


def test_lines_have_gaps_where_there_are_no_numbers() -> None:
    drawn = line([(0, 1), (1, 2), (2, math.nan), (3, 4), (4, 5)], "line first")
    assert drawn.path == "M0.0 1.0L1.0 2.0M3.0 4.0L4.0 5.0"
    assert line([], "line").path == ""


def test_the_area_between_two_lines() -> None:
    assert area([(0, 1), (2, 1)], [(0, 5), (2, 6)]) == "M0.0 1.0L2.0 1.0L2.0 6.0L0.0 5.0Z"
    assert area([], []) == ""
