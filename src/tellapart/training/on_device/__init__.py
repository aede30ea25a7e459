"""On an accelerator: the training pictures live where they are computed with.

What goes there for each update is where its pictures' pixels are: a few numbers a picture. The
updates are those of any other training: same order, same augmentation, same arithmetic.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

from tellapart.training.batches import Batches
from tellapart.training.on_device import with_jax, with_tensorflow

_BACKENDS: dict[str, Any] = {"jax": with_jax, "tensorflow": with_tensorflow}


class OnDevice(Protocol):
    """Pictures on the device, and the training of a model that takes them from there."""

    def feed(self, batches: Batches) -> Any:
        """What `fit` is given: of each batch, where its pixels are."""

    def release(self) -> None:
        """Gives the device's memory back; the model is trained on as any other then."""


def belongs_on_device(model: Any, train: Batches) -> bool:
    """Whether a model is trained on these pictures where they are computed with.

    That takes JAX or TensorFlow, a device that is not the processor, room on it, and pictures that
    are used as they are, flipped, or shifted. And the model must be one that XLA compiles: of
    what it is not, TensorFlow may do parts on the processor, and fetch all pictures for each step.

    Args:
        model: a compiled `keras.Model`.
        train: the pictures.
    """
    import keras

    backend = _BACKENDS.get(keras.backend.backend())
    if backend is None or not _compiled(model) or not len(train):
        return False
    if train.augmentation is not None and not train.augmentation.only_moves:
        return False
    size = len(train.indices) * math.prod(train.pixels.shape[1:])
    return bool(size <= backend.room())


def _compiled(model: Any) -> bool:
    return bool(model.jit_compile)


def move(model: Any, train: Batches, *, prompt: bool) -> OnDevice:
    """Moves pictures to the device and lets a model take them from there.

    Args:
        model: a compiled `keras.Model` whose metrics are built.
        train: what `belongs_on_device`.
        prompt: several calls an epoch, since a deadline can only be kept between two.
    """
    import keras

    moved: OnDevice = _BACKENDS[keras.backend.backend()].OnDevice(model, train, prompt)
    return moved
