"""Order is a function of seed and epoch; batches hold what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.training.batches import Batches, epoch_order


@given(st.integers(0, 300), st.integers(0, 2**32 - 1), st.integers(0, 1000))
def test_order_is_a_permutation_that_repeats(count: int, seed: int, epoch: int) -> None:
    order = epoch_order(count, seed, epoch)
    assert sorted(order.tolist()) == list(range(count))
    assert (order == epoch_order(count, seed, epoch)).all()


def test_order_differs_by_seed_and_by_epoch() -> None:
    orders = {tuple(epoch_order(50, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def numbered(count: int = 10) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pictures of 2x2x1 whose every pixel is their own number."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((2, 2, 1), np.uint8)


def batches_of(**changes: Any) -> Batches:
    settings: dict[str, Any] = {
        "pixels": numbered(),
        "labels": np.arange(10) % 3,
        "indices": np.array([9, 1, 4, 7, 2]),
        "batch_size": 2,
    }
    return Batches(**(settings | changes))


@pytest.mark.parametrize("form", ["_tf_dataset", "_py_dataset"])
@pytest.mark.parametrize("seed", [None, 3])
def test_an_epoch_gives_each_picture_once_with_its_label(form: str, seed: int | None) -> None:
    batches = batches_of(seed=seed)
    source = getattr(batches, form)()
    steps = iter(source) if form == "_tf_dataset" else (source[i] for i in range(len(source)))
    got = [(np.asarray(pixels), np.asarray(labels)) for pixels, labels in steps]
    assert [len(pixels) for pixels, _ in got] == [2, 2, 1]
    seen = np.concatenate([pixels for pixels, _ in got])[:, 0, 0, 0]
    expected = [9, 1, 4, 7, 2]
    if seed is not None:
        expected = [expected[i] for i in epoch_order(5, seed, 0)]
    assert seen.tolist() == expected
    assert np.concatenate([labels for _, labels in got]).tolist() == [i % 3 for i in expected]


@pytest.mark.parametrize("form", ["_tf_dataset", "_py_dataset"])
def test_the_next_epoch_has_an_order_of_its_own(form: str) -> None:
    batches = batches_of(indices=np.arange(10), seed=5, batch_size=10)
    source = getattr(batches, form)()
    orders = []
    for epoch in range(3):
        batches.epoch = epoch
        if form == "_tf_dataset":
            pixels, _ = next(iter(source))
        else:
            source.on_epoch_begin()
            pixels, _ = source[0]
        orders.append(np.asarray(pixels)[:, 0, 0, 0].tolist())
    assert orders == [epoch_order(10, 5, epoch).tolist() for epoch in range(3)]


def test_one_hot_labels() -> None:
    _, labels = batches_of(classes=3).take(np.array([4, 2]))
    assert labels.dtype == np.float32
    assert labels.tolist() == [[0, 1, 0], [0, 0, 1]]  # 4 % 3 = 1, 2 % 3 = 2
