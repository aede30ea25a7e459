"""Order is a function of seed and epoch; batches hold what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.training.augmentation import Augmentation, parse_augmentation
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


def for_keras(batches: Batches, backend: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras.backend.backend", lambda: backend)
        return batches.for_keras()


@pytest.mark.parametrize("form", ["tensorflow", "jax"])
@pytest.mark.parametrize("seed", [None, 3])
def test_an_epoch_gives_each_picture_once_with_its_label(form: str, seed: int | None) -> None:
    batches = batches_of(seed=seed)
    source = for_keras(batches, form)
    steps = iter(source) if form == "tensorflow" else (source[i] for i in range(len(source)))
    got = [(np.asarray(pixels), np.asarray(labels)) for pixels, labels in steps]
    assert [len(pixels) for pixels, _ in got] == [2, 2, 1]
    seen = np.concatenate([pixels for pixels, _ in got])[:, 0, 0, 0]
    expected = [9, 1, 4, 7, 2]
    if seed is not None:
        expected = [expected[i] for i in epoch_order(5, seed, 0)]
    assert seen.tolist() == expected
    assert np.concatenate([labels for _, labels in got]).tolist() == [i % 3 for i in expected]


@pytest.mark.parametrize("form", ["tensorflow", "jax"])
def test_the_next_epoch_has_an_order_of_its_own(form: str) -> None:
    batches = batches_of(indices=np.arange(10), seed=5, batch_size=10)
    source = for_keras(batches, form)
    orders = []
    for epoch in range(3):
        batches.epoch = epoch
        if form == "tensorflow":
            pixels, _ = next(iter(source))
        else:
            source.on_epoch_begin()
            pixels, _ = source[0]
        orders.append(np.asarray(pixels)[:, 0, 0, 0].tolist())
    assert orders == [epoch_order(10, 5, epoch).tolist() for epoch in range(3)]


def test_one_hot_labels() -> None:
    _, labels = batches_of(classes=3).take(0, 2)
    assert labels.dtype == np.float32
    assert labels.tolist() == [[0, 1, 0], [0, 1, 0]]  # pictures 4 and 7: 4 % 3 = 7 % 3 = 1


def test_a_batch_needs_nothing_of_those_before() -> None:
    one, other = batches_of(seed=5), batches_of(seed=5)
    for start in (0, 2, 4):
        one.take(3, start)
    assert (one.take(3, 2)[0] == other.take(3, 2)[0]).all()


def ramps(count: int = 10) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pictures that flips, shifts and blends change: all pixels differ."""
    return np.arange(count * 36, dtype=np.uint8).reshape(count, 6, 6, 1)


@pytest.mark.parametrize("how", ["flip,shift=0.3", "strong", "light,mixup=1.0,cutmix"])
def test_a_picture_is_augmented_alike_in_batches_of_any_size(how: str) -> None:
    spec = parse_augmentation(how)

    def epoch(batch_size: int) -> list[np.ndarray[Any, Any]]:
        batches = batches_of(
            pixels=ramps(), batch_size=batch_size, classes=3, seed=7, augmentation=spec
        )
        starts = range(0, 5, batch_size)
        parts = zip(*(batches.take(2, start) for start in starts), strict=True)
        return [np.concatenate(part) for part in parts]

    whole = epoch(5)
    for size in (1, 2, 3):
        for got, expected in zip(epoch(size), whole, strict=True):
            assert (got == expected).all()


@pytest.mark.parametrize("form", ["tensorflow", "jax"])
def test_both_forms_hand_over_what_take_makes(form: str) -> None:
    weights = np.array([0.5, 1, 2], np.float32)
    spec = parse_augmentation("light,mixup=1.0")
    batches = batches_of(
        pixels=ramps(), classes=3, seed=7, augmentation=spec, class_weights=weights, epoch=4
    )
    source = for_keras(batches, form)
    steps = iter(source) if form == "tensorflow" else (source[i] for i in range(len(source)))
    for start, step in zip((0, 2, 4), steps, strict=True):
        for got, expected in zip(step, batches.take(4, start), strict=True):
            assert (np.asarray(got) == expected).all()


def test_the_partner_of_the_last_picture_is_the_first() -> None:
    batches = batches_of(classes=10, labels=np.arange(10), augmentation=Augmentation(mixup=1.0))
    _, labels = batches.take(0, 4)  # picture 2; the epoch begins with picture 9
    assert set(np.flatnonzero(labels[0]).tolist()) == {2, 9}


def test_what_an_epoch_sees_of_a_picture() -> None:
    batches = batches_of(pixels=ramps(), seed=7, augmentation=parse_augmentation("strong"))
    places = [(epoch, start) for epoch in range(2) for start in (0, 2, 4)]
    for epoch, start in places:
        rows = batches.indices[epoch_order(5, 7, epoch)][start : start + 2]
        for row, picture in zip(rows.tolist(), batches.take(epoch, start)[0], strict=True):
            assert (batches.seen(row, epoch) == picture).all()


def test_class_weights_of_integer_one_hot_and_shared_labels() -> None:
    weights = np.array([1, 2, 4], np.float32)
    for classes in (None, 3):
        _, _, counts = batches_of(class_weights=weights, classes=classes).take(0, 0, 5)
        # Pictures 9, 1, 4, 7, 2 are of the classes 0, 1, 1, 1, 2.
        assert counts.tolist() == [1, 2, 2, 2, 4]
        assert counts.dtype == np.float32
    _, labels, counts = batches_of(
        class_weights=weights, classes=3, augmentation=Augmentation(mixup=1.0)
    ).take(0, 0, 5)
    # A blend of classes 0 and 1 by p and 1 - p counts p + 2 (1 - p).
    assert counts[0] == pytest.approx(labels[0, 0] + 2 * labels[0, 1])
    assert 1 < counts[0] < 2


def test_the_order_of_an_epoch_cannot_be_changed_by_mistake() -> None:
    with pytest.raises(ValueError, match="read-only"):
        epoch_order(5, 0, 0)[0] = 3
