"""`fast`: a network that learns quickly on a few processor cores.

    pixels - whiten 2x2 - relu
      - 3 blocks of: conv 3x3 - pool - normalise - relu - conv 3x3 - normalise - relu
      - means of the maps - output

What the records for CIFAR-10 know (Page, How to train your ResNet, 2018; Jordan, 94% on CIFAR-10 in
3.29 seconds, 2024), weighed anew for two cores: a first layer that whitens patches of pixels and is
not trained, convolutions that begin as the identity, pooling before the normalisation. Narrow where
the maps are large, since there the activations, not the products, take the time; and ReLU, since
GELU takes longer than a convolution of 32 channels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import ModelError
from tellapart.images import Pixels
from tellapart.models.backend import import_keras
from tellapart.models.precision import SINGLE, training_dtype

FAST, FAST_NARROW, FAST_WIDE = "fast", "fast-narrow", "fast-wide"

WIDTHS = {FAST: (32, 64, 128), FAST_NARROW: (16, 32, 64), FAST_WIDE: (64, 128, 256)}
"""Channels of the blocks. A wider network learns more from a picture, and sees about a third as
many in a given time."""

SMALLEST_SIDE = 8

LARGEST_UNHALVED = 48
"""Of larger pictures the first layer halves the resolution."""

MOST_FILTERS = {2: 16, 4: 48}
"""Of the first layer, by the side of its patches: those of the least variance say little, and the
convolution that follows takes time for each."""

PIXEL_SCALE = 1 / 256
"""A power of two: pixels times that are exact in bfloat16, whose numbers have 8 bits."""

MOST_PATCHES = 100_000
"""The whitening is computed from so many patches of the training pictures."""

SMALL = 0.02
"""Standard deviation of the output layer's first weights."""

WHITENING_EPSILON = 5e-4
"""Added to the variances, in units of the pixels' own, so that noise is not amplified."""


def check_fast(input_shape: tuple[int, int, int]) -> None:
    """Makes sure that pictures of a size can pass through the network.

    Raises:
        ModelError: they are too small.
    """
    height, width, _ = input_shape
    if min(height, width) < SMALLEST_SIDE:
        raise ModelError(
            f"{FAST} is too deep for pictures of {height}x{width}: it needs {SMALLEST_SIDE} pixels "
            "a side. Choose a larger --image-size."
        )


def build_fast(
    input_shape: tuple[int, int, int],
    classes: int,
    name: str = FAST,
    *,
    training: bool = False,
    seed: int = 0,
) -> Any:
    """Builds the network with fresh weights; `set_whitening` gives it its first layer.

    The same layers in the same order either way, so that weights go from one to the other by
    `set_weights(get_weights())`.

    Args:
        input_shape: height, width, channels of the uint8 pixels it will be given.
        classes: width of the softmax output.
        name: which of `WIDTHS`.
        training: made to train fast, with layers of our own and in half precision where the
            processor multiplies that faster; otherwise of Keras's own layers, in single precision.
        seed: of the initial weights.

    Returns:
        A `keras.Model`, (batch, height, width, channels) uint8 to (batch, classes) float32.

    Raises:
        ModelError: the pictures are too small.
    """
    check_fast(input_shape)
    keras = import_keras()
    from keras import layers

    make = _Maker(seed, training)
    pixels = keras.Input(input_shape, dtype="uint8", name="pixels")
    x = layers.Rescaling(PIXEL_SCALE, dtype=make.dtype, name="scale")(pixels)
    patch, stride = patches(input_shape)
    filters = min(2 * patch * patch * input_shape[2], MOST_FILTERS[patch])
    x = layers.Conv2D(
        filters, patch, strides=stride, trainable=False, dtype=make.dtype, name="whiten"
    )(x)
    x = layers.Activation("relu", name="whiten_relu", dtype=make.dtype)(x)
    for number, width in enumerate(WIDTHS[name], start=1):
        x = make.conv(width, f"conv_{number}a")(x)
        if min(x.shape[1:3]) > 1:
            padding = "valid" if min(x.shape[1:3]) >= 4 else "same"
            x = layers.MaxPooling2D(2, padding=padding, name=f"pool_{number}", dtype=make.dtype)(x)
        x = make.normalise(f"norm_{number}a")(x)
        x = make.relu(f"relu_{number}a")(x)
        x = make.conv(width, f"conv_{number}b")(x)
        x = make.normalise(f"norm_{number}b")(x)
        x = make.relu(f"relu_{number}b")(x)
    x = layers.GlobalAveragePooling2D(name="means", dtype="float32")(x)
    return keras.Model(pixels, make.output(classes)(x), name=name)


def patches(input_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Side and stride of the patches that the first layer whitens, in pixels."""
    return (2, 1) if min(input_shape[:2]) <= LARGEST_UNHALVED else (4, 2)


def set_whitening(model: Any, pixels: Pixels, seed: int = 0) -> None:
    """Gives the first layer its weights: patches of pixels, decorrelated and of variance 1.

    Filters are the eigenvectors of the patches' covariance divided by the roots of the eigenvalues,
    each with both signs, since a ReLU follows. They are rounded to the numbers that the layer
    computes with, so that they are the same ones where the network is used.

    Args:
        model: of `build_fast`.
        pixels: (n, height, width, channels) uint8, training pictures; a few thousand are enough.
        seed: which patches of them.
    """
    layer = model.get_layer("whiten")
    side, _, channels, filters = layer.kernel.shape
    found = _patches(pixels, side, np.random.default_rng(seed)).astype(np.float64) * PIXEL_SCALE
    mean, deviation = found.mean(axis=0), max(float(found.std()), 1e-3)
    covariance = np.cov(found, rowvar=False) / deviation**2
    values, vectors = np.linalg.eigh(covariance)
    strongest = np.argsort(values)[::-1][: filters // 2]
    half = vectors[:, strongest] / np.sqrt(values[strongest] + WHITENING_EPSILON) / deviation
    kernel = _rounded(np.concatenate([half, -half], axis=1), layer.compute_dtype)
    bias = _rounded(-mean @ kernel, layer.compute_dtype)
    layer.set_weights([kernel.reshape(side, side, channels, filters), bias])


def _rounded(numbers: npt.NDArray[np.float64], dtype: str) -> npt.NDArray[np.float32]:
    ops = import_keras().ops
    rounded = ops.cast(ops.cast(numbers.astype(np.float32), dtype), SINGLE)
    return np.asarray(ops.convert_to_numpy(rounded))


def _patches(pixels: Pixels, side: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Returns (patches, side * side * channels) from random places."""
    count = min(MOST_PATCHES, 64 * len(pixels))
    height, width = pixels.shape[1:3]
    which = rng.integers(0, len(pixels), count)[:, None, None]
    y = rng.integers(0, height - side + 1, count)[:, None, None] + np.arange(side)[:, None]
    x = rng.integers(0, width - side + 1, count)[:, None, None] + np.arange(side)
    taken: npt.NDArray[np.uint8] = pixels[which, y, x]
    return taken.reshape(count, -1)


class _Maker:
    """Makes the layers of the blocks, for training or for everything else."""

    def __init__(self, seed: int, training: bool) -> None:
        from keras import layers

        self._random = np.random.default_rng(seed)
        self._training = training
        self._layers = layers
        self.dtype = training_dtype() if training else SINGLE

    def conv(self, filters: int, name: str) -> Any:
        initial = self._identity if self._training else "glorot_uniform"
        return self._layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=initial,
            dtype=self.dtype,
            name=name,
        )

    def normalise(self, name: str) -> Any:
        from tellapart.models.fused_normalisation import FusedNormalization

        kind = FusedNormalization if self._training else self._layers.BatchNormalization
        return kind(momentum=0.7, epsilon=1e-5, dtype=self.dtype, name=name)

    def output(self, classes: int) -> Any:
        # To begin with, all classes are about equally probable.
        return self._layers.Dense(
            classes,
            activation="softmax",
            kernel_initializer=self._small if self._training else "glorot_uniform",
            dtype="float32",
            name="output",
        )

    def _small(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        return self._random.normal(0, SMALL, shape).astype(np.float32)

    def relu(self, name: str) -> Any:
        return self._layers.Activation("relu", dtype=self.dtype, name=name)

    def _identity(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """The first outputs repeat the inputs, the others begin at random."""
        height, width, inputs, outputs = shape
        bound = math.sqrt(1 / (height * width * inputs))
        kernel = self._random.uniform(-bound, bound, shape).astype(np.float32)
        same = range(min(inputs, outputs))
        kernel[:, :, :, same] = 0
        kernel[height // 2, width // 2, same, same] = 1
        return kernel
