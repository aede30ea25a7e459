"""The learning rate over a training."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tellapart.training.schedule import OneCycle, one_cycle


@pytest.mark.parametrize(
    ("progress", "factor"),
    [
        (0, 0),
        (0.05, 0.5),
        (0.1, 1),
        (0.1 + 0.9 / 3, 0.75),  # (1 + cos 60°) / 2
        (0.55, 0.5),
        (1, 0),
        (1.2, 0),
    ],
)
def test_one_cycle(progress: float, factor: float) -> None:
    assert one_cycle(progress) == pytest.approx(factor, abs=1e-12)


def test_updates_follow_the_cycle() -> None:
    schedule = OneCycle(0.4, 20)
    rates = [float(schedule(step)) for step in range(20)]
    expected = [0.4 * one_cycle((step + 0.5) / 20) for step in range(20)]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)
    assert min(rates) > 0  # no update is lost
    assert max(rates) == pytest.approx(0.4, rel=0.01)


def test_it_can_be_written_down() -> None:
    again = OneCycle.from_config(OneCycle(0.3, 7).get_config())
    assert float(again(3)) == pytest.approx(float(OneCycle(0.3, 7)(3)))
    assert not math.isnan(float(again(0)))
