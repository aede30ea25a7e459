"""With JAX, an epoch on the device is one compiled call.

The call takes the pictures' pixels from where they are, and `jax.lax.scan` makes one of Keras's
training steps after another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.training.batches import Batches
from tellapart.training.on_device.parts import parts

MOST_UPDATES = 1024
"""Of one call: an epoch of more is several, or Ctrl-C, progress and checkpoints had to wait."""

MOST_OF_MEMORY = 0.5
"""Pictures that take more of what is free on the device stay where they are."""


def room() -> float:
    """Bytes that pictures may take on the accelerator; 0: there is none."""
    import jax

    device = jax.devices()[0]
    if device.platform == "cpu":
        return 0
    known = device.memory_stats() or {}
    free = float(known.get("bytes_limit", math.inf)) - float(known.get("bytes_in_use", 0))
    return free * MOST_OF_MEMORY


class OnDevice:
    """Pictures on the device, and the training function of `fit` that goes through them."""

    def __init__(self, model: Any, train: Batches, prompt: bool) -> None:
        """Args are those of `move`."""
        import jax

        self._model = model
        self._pixels = _moved(train)
        self._labels = jax.device_put(train.labels[train.indices].astype(np.int32))
        self._classes = train.classes
        weights = train.class_weights
        self._class_weights = None if weights is None else jax.device_put(weights)
        self._updates = jax.jit(self._make_updates, donate_argnums=0)
        self._steps_per_execution = model.steps_per_execution
        model.steps_per_execution = updates_a_call(len(train), prompt)
        model.train_function = self._train

    def feed(self, batches: Batches) -> Any:
        """See `on_device.OnDevice`."""
        return batches.by_step(batches.where)

    def release(self) -> None:
        """See `on_device.OnDevice`."""
        self._model.train_function = None
        self._model.steps_per_execution = self._steps_per_execution
        del self._pixels, self._labels, self._updates

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
    """Returns the training pictures as an array on the device."""
    import jax
    import jax.numpy as jnp

    pixels = jnp.zeros((len(train.indices), *train.pixels.shape[1:]), jnp.uint8)
    put = jax.jit(
        lambda all_, part, start: jax.lax.dynamic_update_slice_in_dim(all_, part, start, 0),
        donate_argnums=0,
    )
    for start, part in parts(train):
        pixels = put(pixels, part, start)
    return pixels


def _of_one_size(batches: Sequence[tuple[npt.NDArray[Any], ...]]) -> Iterator[Sequence[Any]]:
    """Batches one after another as large as the first, then the last one, which may be smaller."""
    size = len(batches[0][0])
    whole = [batch for batch in batches if len(batch[0]) == size]
    yield whole
    if len(whole) < len(batches):
        yield batches[len(whole) :]
