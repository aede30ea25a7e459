"""Batches for training, in an order that is a function of seed and epoch alone.

The pictures stay where the store has them, memory-mapped uint8; a batch is the only copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.data.streaming import PixelRows
from tellapart.images import Pixels
from tellapart.training.augmentation import Augmentation, augment, draw, mix, moves

PREFETCHED_BATCHES = 4

Make = Callable[[int, int], tuple[npt.NDArray[Any], ...]]
"""An epoch and the first place of a batch in its order, to the arrays of the batch."""

Signature = list[tuple[tuple[int | None, ...], str]]
"""Shape and type of each array of a batch."""


@lru_cache(maxsize=2)
def epoch_order(count: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order in which an epoch sees its pictures: (count,) int64, a permutation, read-only.

    Any epoch's order can be made without the ones before it, so that training can resume.
    """
    stream = np.random.SeedSequence([seed, epoch])
    order = np.random.Generator(np.random.PCG64(stream)).permutation(count)
    order.flags.writeable = False
    return order


@dataclass
class Batches:
    """Pictures with their labels, batch by batch.

    A batch is a function of these fields, the epoch and its place in it, whatever came before.

    Attributes:
        pixels: (n, height, width, channels) uint8, all pictures of the data set.
        labels: (n,) int64.
        indices: (m,) int64, the pictures to go through.
        classes: None for integer labels; their number for one-hot labels.
        seed: shuffles anew each epoch; None: the order of `indices`.
        augmentation: what is done to the pictures, anew each epoch; mixing needs one-hot labels.
        class_weights: (k,) float32, what a picture of each class counts; None: all the same.
        epoch: counts from 0; set it before an epoch begins.
        start: the place in an epoch's order where it begins: 0, or where an interrupted one goes
            on.
    """

    pixels: PixelRows
    labels: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]
    batch_size: int
    classes: int | None = None
    seed: int | None = None
    augmentation: Augmentation | None = None
    class_weights: npt.NDArray[np.float32] | None = None
    epoch: int = 0
    start: int = 0

    def __len__(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return -(-(len(self.indices) - self.start) // self.batch_size)

    def take(self, epoch: int, start: int, size: int | None = None) -> tuple[npt.NDArray[Any], ...]:
        """Makes a batch.

        Args:
            epoch: whose order and augmentation.
            start: the batch's first place in that order.
            size: of the batch, `batch_size` by default; there are never more than are left.

        Returns:
            Pictures, (b, height, width, channels) uint8; labels, (b,) int64 or one-hot
            (b, classes) float32, shares of two classes where pictures are mixed; with class
            weights also what each picture counts, (b,) float32.
        """
        count = min(size or self.batch_size, len(self.indices) - start)
        spec = self.augmentation
        mixes = spec is not None and spec.mixes
        rows = self._rows(epoch, start, count + mixes)  # the last one's partner, too
        pixels, labels = self.pixels[rows], self._targets(rows)
        if spec is not None:
            numbers = draw(self.seed or 0, epoch, start, len(rows))
            pixels = augment(pixels, spec, numbers)
            if mixes:
                pixels, labels = mix(pixels, labels, spec, numbers)
        if self.class_weights is None:
            return pixels, labels
        # A mixed picture counts what its classes do, by their shares.
        weights = self.class_weights
        return pixels, labels, weights[labels] if self.classes is None else labels @ weights

    def where(self, epoch: int, start: int) -> tuple[npt.NDArray[Any], ...]:
        """Says where the pixels of a batch are, instead of making it.

        For an augmentation that only moves pixels, or none.

        Args:
            epoch: whose order and augmentation.
            start: the batch's first place in that order.

        Returns:
            The pictures' positions in `indices`, (b,) int32. With an augmentation also which row
            of its picture each row is, (b, height) int16, and which column each column,
            (b, width) int16.
        """
        count = min(self.batch_size, len(self.indices) - start)
        order = self._order(epoch, start, count).astype(np.int32)
        if self.augmentation is None:
            return (order,)
        numbers = draw(self.seed or 0, epoch, start, count)
        height, width = self.pixels.shape[1:3]
        y, x = moves(self.augmentation, numbers, height, width)
        return order, y.astype(np.int16), x.astype(np.int16)

    def seen(self, index: int, epoch: int) -> Pixels:
        """Returns picture `index` as an epoch sees it, (height, width, channels) uint8."""
        order = self._rows(epoch, 0, len(self.indices))
        place = int(np.flatnonzero(order == index)[0])
        seen: Pixels = self.take(epoch, place, size=1)[0][0]
        return seen

    def _rows(self, epoch: int, start: int, count: int) -> npt.NDArray[np.int64]:
        """The pictures from a place on; behind the last place of the epoch comes its first."""
        return self.indices[self._order(epoch, start, count)]

    def _order(self, epoch: int, start: int, count: int) -> npt.NDArray[np.int64]:
        places = np.arange(start, start + count) % len(self.indices)
        if self.seed is None:
            return places
        return epoch_order(len(self.indices), self.seed, epoch)[places]

    def _targets(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        labels: npt.NDArray[Any] = self.labels[rows]
        return labels if self.classes is None else np.eye(self.classes, dtype=np.float32)[labels]

    def for_keras(self) -> Any:
        """The form that feeds `fit` and `evaluate` of the current backend fastest."""
        import keras

        if keras.backend.backend() == "tensorflow":
            return self.in_tensorflow(self.take, self._signature)
        return self.by_step(self.take)

    def in_tensorflow(self, make: Make, signature: Signature) -> Any:
        """A `tf.data.Dataset` of what `make` gives for each batch's epoch and first place.

        Args:
            make: see `take`.
            signature: shape and type of each array that it returns.
        """
        # One call into Python a batch; Keras's own adapter for Python data makes several, and its
        # adapter for arrays copies all of the data first. It runs beside the training step, in the
        # thread that prefetches.
        import tensorflow as tf

        shapes, types = zip(*signature, strict=True)

        def read(epoch: Any, start: Any) -> tuple[Any, ...]:
            arrays = tf.numpy_function(make, [epoch, start], types, stateful=False)
            return tuple(map(tf.ensure_shape, arrays, shapes))

        def read_epoch(_: Any) -> Any:
            epoch = tf.numpy_function(lambda: np.int64(self.epoch), [], tf.int64)
            starts = tf.data.Dataset.range(self.start, len(self.indices), self.batch_size)
            return starts.map(lambda start: read(epoch, start))

        batches = tf.data.Dataset.range(1).flat_map(read_epoch)
        batches = batches.apply(tf.data.experimental.assert_cardinality(len(self)))
        # Nothing here is left to tune, and the end of an iterator waits for its tuner to wake up:
        # up to ten seconds of idling at the end of each epoch.
        options = tf.data.Options()
        options.autotune.enabled = False
        return batches.prefetch(PREFETCHED_BATCHES).with_options(options)

    @property
    def _signature(self) -> Signature:
        """Of what `take` returns."""
        labels: tuple[tuple[int | None, ...], str] = (
            ((None,), "int64") if self.classes is None else ((None, self.classes), "float32")
        )
        pixels = ((None, *self.pixels.shape[1:]), "uint8")
        weights = [] if self.class_weights is None else [((None,), "float32")]
        return [pixels, labels, *weights]

    @property
    def where_signature(self) -> Signature:
        """Of what `where` returns."""
        if self.augmentation is None:
            return [((None,), "int32")]
        height, width = self.pixels.shape[1:3]
        return [((None,), "int32"), ((None, height), "int16"), ((None, width), "int16")]

    def by_step(self, make: Make) -> Any:
        """A `keras.utils.PyDataset` of what `make` gives for each batch's epoch and first place."""
        import keras

        batches = self

        class EpochOfBatches(keras.utils.PyDataset):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__(workers=1)
                self.on_epoch_begin()

            def __len__(self) -> int:
                return len(batches)

            def __getitem__(self, step: int) -> tuple[npt.NDArray[Any], ...]:
                return make(self.epoch, batches.start + step * batches.batch_size)

            def on_epoch_begin(self) -> None:
                self.epoch = batches.epoch

        return EpochOfBatches()
