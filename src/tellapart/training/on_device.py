"""On an accelerator, by JAX: the pictures live on it, and an epoch is one compiled call.

What goes there for each update is where its pictures' pixels are: a few numbers a picture. The call
takes the pixels from there, and `jax.lax.scan` makes one of Keras's training steps after another.
The updates are those of any other training: same order, same augmentation, same arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.training.batches import Batches

MOST_UPDATES = 1024
"""Of one call: an epoch of more is several, or Ctrl-C, progress and checkpoints had to wait."""

MOST_OF_MEMORY = 0.5
"""Pictures that take more of what is free on the device stay where they are."""

MOVED_AT_A_TIME = 2**28
"""Bytes of pictures that are on their way to the device at a time."""


def belongs_on_device(train: Batches) -> bool:
    """Whether these pictures are trained on where they are computed with.

    That takes JAX, a device that is not the processor, room on it, and pictures that are used as
    they are, flipped, or shifted.
    """
    import keras

    if keras.backend.backend() != "jax" or not len(train):
        return False
    if train.augmentation is not None and not train.augmentation.only_moves:
        return False
    room = _room()
    return room is not None and _size(train) <= room * MOST_OF_MEMORY


def _room() -> float | None:
    """Free bytes on the accelerator; None: there is none."""
    import jax

    device = jax.devices()[0]
    if device.platform == "cpu":
        return None
    known = device.memory_stats() or {}
    return float(known.get("bytes_limit", math.inf)) - float(known.get("bytes_in_use", 0))


def _size(train: Batches) -> int:
    return len(train.indices) * math.prod(train.pixels.shape[1:])


class OnDevice:
    """Pictures on the device, and the training function of `fit` that goes through them."""

    def __init__(self, model: Any, train: Batches, *, prompt: bool = False) -> None:
        """Moves the pictures to the device and takes over the training of a compiled model.

        Args:
            model: a compiled `keras.Model` whose metrics are built.
            train: what `belongs_on_device`.
            prompt: several calls an epoch, since a deadline can only be kept between two.
        """
        import jax

        self._model = model
        self._pixels = _moved(train)
        self._labels = jax.device_put(train.labels[train.indices].astype(np.int32))
        self._classes = train.classes
        weights = train.class_weights
        self._class_weights = None if weights is None else jax.device_put(weights)
        self._updates = jax.jit(self._make_updates, donate_argnums=0)
        model.steps_per_execution = updates_a_call(len(train), prompt)
        model.train_function = self._train

    def feed(self, batches: Batches) -> Any:
        """What `fit` is given: of each batch, where its pixels are."""
        return batches.by_step(batches.where)

    def _train(self, state: Any, iterator: Iterator[Any]) -> tuple[Any, Any]:
        """Makes the updates of one call, as Keras's own function does; returns logs and state."""
        taken = [next(iterator)]  # its end is the end of the epoch
        for _, where in zip(range(self._model.steps_per_execution - 1), iterator, strict=False):
            taken.append(where)
        logs: Any = {}
        for alike in _of_one_size(taken):
            stacked = tuple(np.stack(arrays) for arrays in zip(*alike, strict=True))
            logs, state = self._updates(
                state, self._pixels, self._labels, self._class_weights, stacked
            )
        return logs, state

    def _make_updates(
        self, state: Any, pixels: Any, labels: Any, class_weights: Any, where: Any
    ) -> tuple[Any, Any]:
        import jax

        def update(before: Any, where: Any) -> tuple[Any, Any]:
            data = self._batch(pixels, labels, class_weights, *where)
            logs, after = self._model.train_step(before, data)
            # `scan` takes the state back in the form in which it gave it.
            return jax.tree.unflatten(jax.tree.structure(before), jax.tree.leaves(after)), logs

        state, logs = jax.lax.scan(update, state, where)
        return jax.tree.map(lambda values: values[-1], logs), state

    def _batch(
        self, pixels: Any, labels: Any, class_weights: Any, rows: Any, y: Any = None, x: Any = None
    ) -> tuple[Any, ...]:
        import jax

        if y is None:
            taken = pixels[rows]
        else:
            taken = pixels[rows[:, None, None], y[:, :, None], x[:, None, :]]
        own = labels[rows]
        targets = own if self._classes is None else jax.nn.one_hot(own, self._classes)
        return (taken, targets) if class_weights is None else (taken, targets, class_weights[own])


def updates_a_call(steps: int, prompt: bool) -> int:
    """How many updates a call makes: all of an epoch's, or equal parts of them."""
    calls = 20 if prompt else math.ceil(steps / MOST_UPDATES)
    return math.ceil(steps / calls)


def _moved(train: Batches) -> Any:
    """Returns the training pictures as an array on the device; a part at a time is elsewhere."""
    import jax
    import jax.numpy as jnp

    shape = train.pixels.shape[1:]
    pixels = jnp.zeros((len(train.indices), *shape), jnp.uint8)
    put = jax.jit(
        lambda all_, part, start: jax.lax.dynamic_update_slice_in_dim(all_, part, start, 0),
        donate_argnums=0,
    )
    step = max(1, MOVED_AT_A_TIME // math.prod(shape))
    for start in range(0, len(train.indices), step):
        pixels = put(pixels, train.pixels[train.indices[start : start + step]], start)
    return pixels


def _of_one_size(batches: Sequence[tuple[npt.NDArray[Any], ...]]) -> Iterator[Sequence[Any]]:
    """Batches one after another as large as the first, then the last one, which may be smaller."""
    size = len(batches[0][0])
    whole = [batch for batch in batches if len(batch[0]) == size]
    yield whole
    if len(whole) < len(batches):
        yield batches[len(whole) :]
