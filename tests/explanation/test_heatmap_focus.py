"""Where the weight of a map lies, in words."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.explanation.heatmaps.focus import Focus, find_focus


def test_by_hand() -> None:
    heat = np.full((6, 6), 0.1, np.float32)
    heat[:2, :2] = 1
    # Strong are 4 of 36 pixels, 11%; their weight is 4 of 4 + 32 · 0.1 = 7.2, 56%.
    found = find_focus(heat)
    assert found is not None
    assert found == Focus("upper left", found.weight, found.area)
    assert (found.weight, found.area) == pytest.approx((4 / 7.2, 4 / 36))
    assert str(found) == "upper left, 56% of the weight on 11% of the picture"
    assert found.to_json() == {"where": "upper left", "weight": found.weight, "area": found.area}


@pytest.mark.parametrize(
    ("row", "column", "name"),
    [
        (0, 0, "upper left"), (0, 4, "top"), (0, 8, "upper right"),
        (4, 0, "left"), (4, 4, "centre"), (4, 8, "right"),
        (8, 0, "lower left"), (8, 4, "bottom"), (8, 8, "lower right"),
    ],
)  # fmt: skip
def test_the_ninths(row: int, column: int, name: str) -> None:
    heat = np.zeros((9, 9), np.float32)
    heat[row, column] = 0.3  # the strongest need not be 1
    found = find_focus(heat)
    assert found is not None
    assert (found.where, found.weight) == (name, 1)


def test_two_places_and_many() -> None:
    heat = np.zeros((9, 9), np.float32)
    heat[0, 0], heat[8, 8], heat[4, 4] = 1, 0.9, 0.8  # 37%, 33% and 30%
    found = find_focus(heat)
    assert found is not None
    assert found.where == "upper left and lower right"
    everywhere = find_focus(np.ones((9, 9), np.float32))
    assert everywhere is not None
    assert str(everywhere) == "in many places, 100% of the weight on 100% of the picture"


def test_a_pixel_on_the_line_counts_for_both_sides() -> None:
    # Of four columns, the second lies a third left of the first line (4/3) and the rest right.
    heat = np.array([[0, 1, 0, 0]] * 3, np.float32)
    found = find_focus(heat)
    assert found is not None
    # top: (1/3 of it left, 2/3 in the middle) and so on: each ninth of the middle has 2/9.
    assert found.where == "in many places"
    heat[1:] = 0
    found = find_focus(heat)
    assert found is not None
    assert found.where == "top"


def test_an_empty_map_and_one_that_saw_nothing() -> None:
    assert find_focus(np.zeros((3, 3), np.float32)) is None
    assert find_focus(np.full((3, 3), np.nan, np.float32)) is None


def test_what_was_not_seen_is_part_of_the_picture() -> None:
    heat = np.full((3, 6), np.nan, np.float32)
    heat[:, 2:4] = 0
    heat[1, 2] = 1
    found = find_focus(heat)
    assert found is not None
    assert found.area == pytest.approx(1 / 18)
    assert str(found) == "centre, 100% of the weight on 6% of the picture"


def test_a_dot_in_a_large_picture() -> None:
    heat = np.zeros((100, 100), np.float32)
    heat[99, 0] = 1
    assert str(find_focus(heat)) == "lower left, 100% of the weight on under 1% of the picture"
