"""Which test picture is followed: the right answer with the median probability."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.report.example import choose_example


@pytest.mark.parametrize(
    ("top", "right", "chosen"),
    [
        ([0.6, 0.9, 0.7, 0.8, 0.99], [1, 1, 1, 0, 1], 2),  # of 0.6, 0.7, 0.9, 0.99 the lower middle
        ([0.6, 0.9, 0.7], [1, 1, 1], 2),
        ([0.6, 0.9, 0.7], [0, 0, 0], 2),  # none is right: of all
        ([0.8, 0.8, 0.8, 0.8], [1, 1, 1, 1], 1),  # equally sure ones in their order
        ([0.55], [0], 0),
    ],
)
def test_the_median_of_the_right_ones(top: list[float], right: list[int], chosen: int) -> None:
    probabilities = np.array([[value, 1 - value] for value in top])
    assert choose_example(probabilities, 1 - np.array(right)) == chosen


def test_no_pictures() -> None:
    assert choose_example(np.zeros((0, 2)), np.zeros(0, int)) is None
