"""Training where the pictures are; the training itself, on JAX, is in slow/test_jax.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.training import on_device
from tellapart.training.augmentation import parse_augmentation
from tellapart.training.batches import Batches
from tellapart.training.on_device import _of_one_size, belongs_on_device, updates_a_call


def batches(augment: str, count: int = 11, size: int = 4) -> Batches:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 5, 7, 3), dtype=np.uint8)
    chosen = np.sort(rng.permutation(20)[:count])
    labels = np.arange(20) % 3
    spec = parse_augmentation(augment) or None
    return Batches(pixels, labels, chosen, size, seed=4, augmentation=spec)


@given(
    augment=st.sampled_from(["none", "flip", "flip=both", "shift=0.3", "flip,shift=1"]),
    epoch=st.integers(0, 5),
    start=st.sampled_from([0, 4, 8]),
)
def test_where_says_what_take_takes(augment: str, epoch: int, start: int) -> None:
    train = batches(augment)
    pixels, labels = train.take(epoch, start)
    rows, *moved = train.where(epoch, start)
    assert len(rows) == len(pixels) == min(4, 11 - start)
    own = train.pixels[train.indices]
    if moved:
        y, x = moved
        found = own[rows[:, None, None], y[:, :, None], x[:, None, :]]
    else:
        found = own[rows]
    np.testing.assert_array_equal(found, pixels)
    np.testing.assert_array_equal(train.labels[train.indices][rows], labels)


@pytest.mark.parametrize(
    ("steps", "prompt", "updates"),
    [
        (1, False, 1),
        (80, False, 80),
        (1024, False, 1024),
        (1025, False, 513),  # two calls, nearly alike
        (1, True, 1),
        (80, True, 4),
        (2000, True, 100),
    ],
)
def test_an_epoch_is_one_call_or_equal_parts(steps: int, prompt: bool, updates: int) -> None:
    assert updates_a_call(steps, prompt) == updates


@pytest.mark.parametrize(
    ("sizes", "groups"), [([4, 4, 4], [[4, 4, 4]]), ([4, 4, 3], [[4, 4], [3]]), ([3], [[3]])]
)
def test_the_last_batch_is_a_call_of_its_own(sizes: list[int], groups: list[list[int]]) -> None:
    made = [(np.zeros(size, np.int32),) for size in sizes]
    assert [[len(batch[0]) for batch in group] for group in _of_one_size(made)] == groups


@pytest.mark.parametrize(
    ("augment", "backend", "room", "belongs"),
    [
        ("none", "jax", 2 * 11 * 105, True),  # 5x7x3 bytes a picture, of half the room
        ("flip,shift=0.1", "jax", 1e9, True),
        ("none", "jax", 2 * 11 * 105 - 1, False),
        ("none", "jax", None, False),
        ("none", "tensorflow", 1e9, False),
        ("rotate=10", "jax", 1e9, False),
        ("erase=0.5", "jax", 1e9, False),
    ],
)
def test_what_belongs_there(
    augment: str,
    backend: str,
    room: float | None,
    belongs: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(on_device, "_room", lambda: room)
    assert belongs_on_device(batches(augment)) == belongs


def test_what_is_mixed_does_not_belong_there() -> None:
    assert not parse_augmentation("flip,mixup=0.2").only_moves
    assert parse_augmentation("flip=both,shift=0.2").only_moves
