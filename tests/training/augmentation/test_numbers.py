from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tellapart.training.augmentation.numbers import NUMBERS, between, draw


@given(st.integers(0, 2**32 - 1), st.integers(0, 10**6), st.integers(0, 10**9), st.integers(0, 20))
def test_a_picture_draws_the_same_wherever_a_batch_begins(
    seed: int, epoch: int, start: int, skipped: int
) -> None:
    whole = draw(seed, epoch, start, 24)
    part = draw(seed, epoch, start + skipped, 24 - skipped)
    assert set(whole) == set(NUMBERS)
    assert all((whole[name][skipped:] == part[name]).all() for name in NUMBERS)


def test_seed_epoch_and_place_decide() -> None:
    firsts = [
        draw(seed, epoch, start, 1)["flip_x"][0]
        for seed in (0, 1)
        for epoch in (0, 1, 256)
        for start in (0, 1)
    ]
    assert len(set(firsts)) == 12


def test_numbers_are_uniform_and_apart_from_each_other() -> None:
    table = np.stack([*draw(3, 0, 0, 20_000).values()])
    assert table.min() >= 0
    assert table.max() < 1
    # Means of 20,000 uniform numbers: standard deviation sqrt(1/12/20,000) = 0.002
    assert abs(table.mean(axis=1) - 0.5).max() < 5 * 0.0021
    correlation = np.corrcoef(table) - np.eye(len(NUMBERS))
    assert abs(correlation).max() < 5 / np.sqrt(20_000)


def test_numpy_integers_from_tensorflow_do_not_overflow() -> None:
    place = np.int64(2**40)
    assert (draw(1, np.int64(2), place, 2)["mix"] == draw(1, 2, 2**40, 2)["mix"]).all()  # type: ignore[arg-type]


def test_stretching() -> None:
    assert between(np.array([0.0, 0.25, 1.0]), -2, 2).tolist() == [-2, -1, 2]
