"""What a network multiplies, by hand, and that the machine's speed is measured."""

from __future__ import annotations

import time

import keras
import pytest

from tellapart.models import speed
from tellapart.models.fast import build_fast
from tellapart.models.speed import operations_per_second, python_slowness, training_operations


def test_operations_by_hand() -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 5, 2)),
            layers.Conv2D(4, 3),  # 4 x 3 places of 3 x 3 x 2 x 4 weights: 864
            layers.Conv2D(3, 1, trainable=False),  # 4 x 3 places of 4 x 3: 144, forward alone
            layers.Flatten(),
            layers.Dense(7),  # 36 x 7: 252
        ]
    )
    assert training_operations(model) == 2 * (3 * 864 + 144 + 3 * 252)


def test_half_the_channels_take_less_than_a_third() -> None:
    narrow, middle, wide = (
        training_operations(build_fast((28, 28, 1), 10, name))
        for name in ("fast-narrow", "fast", "fast-wide")
    )
    assert 3 < middle / narrow < 4
    assert 3 < wide / middle < 4


@pytest.mark.parametrize("dtype", [None, "float32", "bfloat16"])
def test_the_best_of_several_products_counts(
    monkeypatch: pytest.MonkeyPatch, dtype: str | None
) -> None:
    ends = iter([0, 9, 10, 12, 20, 21, 30, 34])  # 9 s for the first, then 2, 1 and 4
    monkeypatch.setattr(time, "perf_counter", lambda: next(ends))
    assert operations_per_second(dtype, side=8, tries=3) == 2 * 8**3


def test_slowness_is_what_some_python_takes_against_the_machine_of_the_constants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 5.0

    def work() -> None:
        nonlocal now
        now += 0.021  # and 0.0084 there: 2.5 times as long

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    monkeypatch.setattr(speed, "_some_python", work)
    assert python_slowness() == pytest.approx(2.5)


def test_slowness_is_measured() -> None:
    began = time.perf_counter()
    slowness = python_slowness()
    # What 12 times take, beside what lies between the looks at the clock.
    assert 0 < slowness * 12 * 0.0084 <= time.perf_counter() - began
