"""With TensorFlow, the training step takes its pictures from the device."""

from __future__ import annotations

from typing import Any

import numpy as np

from tellapart.training.batches import Batches
from tellapart.training.on_device.parts import parts

MOST_BYTES = 2**30
"""Pictures that take more stay where they are: how much a device has, TensorFlow does not tell."""


def room() -> float:
    """Bytes that pictures may take on the accelerator; 0: there is none."""
    return MOST_BYTES if _device() else 0


def _device() -> str | None:
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU")
    return found[0].name if found else None


class OnDevice:
    """Pictures on the device, and the training step of a model that takes them from there."""

    def __init__(self, model: Any, train: Batches, prompt: bool) -> None:
        """Args are those of `move`; how many steps a call makes is the model's own matter."""
        import tensorflow as tf

        self._model = model
        self._classes = train.classes
        with tf.device(_device()):
            self._pixels = _moved(train)
            # As long integers: TensorFlow keeps short ones, which it takes for shapes, elsewhere.
            self._labels = tf.convert_to_tensor(train.labels[train.indices].astype(np.int64))
            weights = train.class_weights
            self._class_weights = None if weights is None else tf.convert_to_tensor(weights)
        self._own_step = model.train_step
        model.train_step = self._train_step

    def feed(self, batches: Batches) -> Any:
        """See `on_device.OnDevice`."""
        return batches.in_tensorflow(batches.where, batches.where_signature)

    def release(self) -> None:
        """See `on_device.OnDevice`."""
        del self._model.train_step  # the class's own is found again
        self._model.train_function = None
        del self._pixels, self._labels, self._class_weights

    def _train_step(self, where: Any) -> Any:
        return self._own_step(self._batch(*where))

    def _batch(self, rows: Any, y: Any = None, x: Any = None) -> tuple[Any, ...]:
        """Makes what `Batches.take` would, of what `Batches.where` says."""
        import tensorflow as tf

        taken = tf.gather(self._pixels, rows)
        if y is not None:
            taken = tf.gather(taken, tf.cast(y, tf.int32), axis=1, batch_dims=1)
            taken = tf.gather(taken, tf.cast(x, tf.int32), axis=2, batch_dims=1)
        own = tf.gather(self._labels, rows)
        targets = own if self._classes is None else tf.one_hot(own, self._classes)
        if self._class_weights is None:
            return taken, targets
        return taken, targets, tf.gather(self._class_weights, own)


def _moved(train: Batches) -> Any:
    """Returns the training pictures as a tensor on the current device."""
    import tensorflow as tf

    return tf.concat([tf.convert_to_tensor(part) for _, part in parts(train)], axis=0)
