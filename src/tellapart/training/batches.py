"""Batches for training, in an order that is a function of seed and epoch alone.

The pictures stay where the store has them, memory-mapped uint8; a batch is the only copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.images import Pixels

PREFETCHED_BATCHES = 4


def epoch_order(count: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order in which an epoch sees its pictures: (count,) int64, a permutation.

    Any epoch's order can be made without the ones before it, so that training can resume.
    """
    stream = np.random.SeedSequence([seed, epoch])
    return np.random.Generator(np.random.PCG64(stream)).permutation(count)


@dataclass
class Batches:
    """Pictures with their labels, batch by batch.

    Attributes:
        pixels: (n, height, width, channels) uint8, all pictures of the data set.
        labels: (n,) int64.
        indices: (m,) int64, the pictures to go through.
        classes: None for integer labels; their number for one-hot labels.
        seed: shuffles anew each epoch; None: the order of `indices`.
        epoch: counts from 0; set it before an epoch begins.
    """

    pixels: Pixels
    labels: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]
    batch_size: int
    classes: int | None = None
    seed: int | None = None
    epoch: int = 0

    def __len__(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return -(-len(self.indices) // self.batch_size)

    def order(self) -> npt.NDArray[np.int64]:
        """The pictures of the current epoch, in order: (m,) int64."""
        if self.seed is None:
            return self.indices
        return self.indices[epoch_order(len(self.indices), self.seed, self.epoch)]

    def take(self, rows: npt.NDArray[np.int64]) -> tuple[Pixels, npt.NDArray[Any]]:
        """Reads one batch: pictures uint8, and labels int64 or one-hot float32."""
        labels: npt.NDArray[Any] = self.labels[rows]
        if self.classes is not None:
            labels = np.eye(self.classes, dtype=np.float32)[labels]
        return self.pixels[rows], labels

    def for_keras(self) -> Any:
        """The form that feeds `fit` and `evaluate` of the current backend fastest."""
        import keras

        if keras.backend.backend() == "tensorflow":
            return self._tf_dataset()
        return self._py_dataset()

    def _tf_dataset(self) -> Any:
        # One call into Python a batch; Keras's own adapter for Python data makes several, and its
        # adapter for arrays copies all of the data first.
        import tensorflow as tf

        label_type = tf.int64 if self.classes is None else tf.float32
        label_shape = (None,) if self.classes is None else (None, self.classes)
        picture_shape = (None, *self.pixels.shape[1:])

        def read(rows: Any) -> tuple[Any, Any]:
            pixels, labels = tf.numpy_function(
                self.take, [rows], (tf.uint8, label_type), stateful=False
            )
            return tf.ensure_shape(pixels, picture_shape), tf.ensure_shape(labels, label_shape)

        def rows_of_epoch(_: Any) -> Any:
            order = tf.numpy_function(self.order, [], tf.int64)
            order = tf.ensure_shape(order, (len(self.indices),))
            return tf.data.Dataset.from_tensor_slices(order).batch(self.batch_size)

        batches = tf.data.Dataset.range(1).flat_map(rows_of_epoch).map(read)
        batches = batches.apply(tf.data.experimental.assert_cardinality(len(self)))
        # Nothing here is left to tune, and the end of an iterator waits for its tuner to wake up:
        # up to ten seconds of idling at the end of each epoch.
        options = tf.data.Options()
        options.autotune.enabled = False
        return batches.prefetch(PREFETCHED_BATCHES).with_options(options)

    def _py_dataset(self) -> Any:
        import keras

        batches = self

        class EpochOfBatches(keras.utils.PyDataset):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__(workers=1)
                self.on_epoch_begin()

            def __len__(self) -> int:
                return len(batches)

            def __getitem__(self, step: int) -> tuple[Pixels, npt.NDArray[Any]]:
                start = step * batches.batch_size
                return batches.take(self.rows[start : start + batches.batch_size])

            def on_epoch_begin(self) -> None:
                self.rows = batches.order()

        return EpochOfBatches()
