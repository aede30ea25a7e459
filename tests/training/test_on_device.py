"""Training where the pictures are; here the device is the processor.

The training itself is that of TensorFlow; that of JAX is in slow/test_jax.py.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.training import on_device
from tellapart.training.augmentation import parse_augmentation
from tellapart.training.batches import Batches
from tellapart.training.checkpoint import SECONDS_VARIABLE
from tellapart.training.on_device import belongs_on_device, parts, with_jax, with_tensorflow
from tellapart.training.on_device.with_jax import _of_one_size, updates_a_call
from tests.training import test_resume as resuming


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
        ("none", "jax", 11 * 105, True),  # 5x7x3 bytes a picture
        ("flip,shift=0.1", "jax", 1e9, True),
        ("none", "jax", 11 * 105 - 1, False),
        ("none", "tensorflow", 11 * 105, True),
        ("none", "tensorflow", 11 * 105 - 1, False),
        ("none", "torch", 1e9, False),
        ("rotate=10", "jax", 1e9, False),
        ("erase=0.5", "tensorflow", 1e9, False),
    ],
)
def test_what_belongs_there(
    augment: str, backend: str, room: float, belongs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    for module in (with_jax, with_tensorflow):
        monkeypatch.setattr(module, "room", lambda: room)
    assert belongs_on_device(SimpleNamespace(jit_compile=True), batches(augment)) == belongs
    assert not belongs_on_device(SimpleNamespace(jit_compile=False), batches(augment))


def test_without_an_accelerator_nothing_belongs_there() -> None:
    assert with_tensorflow.room() == 0
    assert not belongs_on_device(SimpleNamespace(jit_compile=True), batches("none"))


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The processor as TensorFlow's accelerator; what is moved there, and released."""
    seen: list[str] = []
    moved, release = with_tensorflow.OnDevice.__init__, with_tensorflow.OnDevice.release

    def move(self: Any, *args: Any) -> None:
        moved(self, *args)
        seen.append("moved")

    def let_go(self: Any) -> None:
        release(self)
        seen.append("released")

    monkeypatch.setattr(on_device, "_compiled", lambda model: True)  # for a processor, none is
    monkeypatch.setattr(with_tensorflow.OnDevice, "__init__", move)
    monkeypatch.setattr(with_tensorflow.OnDevice, "release", let_go)
    monkeypatch.setattr(with_tensorflow, "_device", lambda: "/CPU:0")
    monkeypatch.setattr(parts, "PART_BYTES", 40 * 64)  # 40 pictures of 8x8
    return seen


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"augment": "flip,shift=0.3", "class_weight": "balanced"},
        {"augment": "none", "loss": "sparse_categorical_crossentropy"},
        {"augment": "none", "class_weight": "balanced", "batch_size": 32},
    ],
)
def test_the_updates_are_those_of_any_other_training(
    changes: dict[str, Any], device: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = resuming.how(**changes)
    there = resuming.train(recipe, None)
    assert device == ["moved", "released"]
    monkeypatch.setattr(with_tensorflow, "_device", lambda: None)
    resuming.assert_same(resuming.train(recipe, None), there)
    assert device == ["moved", "released"]


def test_by_xla_it_learns_the_same(device: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As Keras has it done for an accelerator; sums may then be of another order."""
    import keras

    monkeypatch.setattr(keras.Model, "_resolve_auto_jit_compile", lambda self: True)
    recipe = resuming.how(augment="flip,shift=0.2", class_weight="balanced")
    there = resuming.train(recipe, None)
    monkeypatch.setattr(with_tensorflow, "_device", lambda: None)
    here = resuming.train(recipe, None)
    assert device == ["moved", "released"]
    for ours, theirs in zip(there.history, here.history, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)


def test_what_was_cut_off_there_goes_on(
    device: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS_VARIABLE, "0")
    recipe = resuming.how()
    straight = resuming.train(recipe, None)
    resuming.assert_same(straight, resuming.train_in_pieces(recipe, tmp_path, 11))
    assert len(device) > 8
    assert device == ["moved", "released"] * (len(device) // 2)  # whatever ended it


def test_a_deadline_is_kept_there(device: list[str]) -> None:
    found = resuming.train(resuming.how(budget_seconds=1.0, epochs=10_000), None)
    assert device == ["moved", "released"]
    assert 1 <= len(found.history) < 10_000  # the last one may be a part


def test_a_model_that_was_trained_there_is_trained_elsewhere_as_any_other(
    device: list[str],
) -> None:
    import keras

    train = batches("flip")
    model = keras.Sequential(
        [keras.Input((5, 7, 3), dtype="uint8"), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    moved = with_tensorflow.OnDevice(model, train, False)
    model.fit(moved.feed(train), shuffle=False, verbose=0)
    moved.release()
    assert device == ["moved", "released"]
    assert "train_step" not in vars(model)
    model.fit(train.for_keras(), shuffle=False, verbose=0)


def test_what_is_mixed_does_not_belong_there() -> None:
    assert not parse_augmentation("flip,mixup=0.2").only_moves
    assert parse_augmentation("flip=both,shift=0.2").only_moves
