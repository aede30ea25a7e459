"""Networks whose maps can be worked out by hand, and one that is really trained in seconds."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.models.backend import import_keras

Array = npt.NDArray[Any]

SIDE = 16
SPOT = 6
"""The side of what is to be told apart in `spots`."""


def corner_network(*, softmax: bool = True) -> Any:
    """Two classes of 4x4 grey pictures: the pixel in the upper right corner decides.

        one 1x1 filter with weight 1/100, ReLU -> Flatten -> Dense

    The logit of class 1 is 2 · corner / 100 and that of class 0 is 0.
    """
    keras = import_keras()
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1), dtype="uint8"),
            keras.layers.Rescaling(1.0),
            keras.layers.Conv2D(1, 1, activation="relu", name="look"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax" if softmax else None, name="decide"),
        ]
    )
    kernel = np.zeros((16, 2), np.float32)
    kernel[3, 1] = 2  # row 0, column 3
    model.get_layer("look").set_weights([np.full((1, 1, 1, 1), 0.01, np.float32), np.zeros(1)])
    model.get_layer("decide").set_weights([kernel, np.zeros(2)])
    return model


def dense_network() -> Any:
    """No layer keeps places apart."""
    keras = import_keras()
    return keras.Sequential(
        [
            keras.Input((4, 4, 1), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ],
        name="dense",
    )


def spots(count: int, seed: int) -> tuple[Array, Array, Array]:
    """Pictures of noise with a striped spot somewhere: across is class 0, down is class 1.

    Returns:
        (count, SIDE, SIDE, 1) uint8, (count,) int64, and (count, 2) top and left of the spots.
    """
    rng = np.random.default_rng(seed)
    pixels = rng.integers(100, 140, (count, SIDE, SIDE, 1), dtype=np.uint8)
    labels = rng.integers(0, 2, count)
    corners = rng.integers(0, SIDE - SPOT + 1, (count, 2))
    stripes = np.where(np.arange(SPOT) % 2, 255, 0).astype(np.uint8)
    across = np.repeat(stripes[:, np.newaxis], SPOT, axis=1)
    for picture, label, (top, left) in zip(pixels, labels, corners, strict=True):
        patch = across.T if label else across
        picture[top : top + SPOT, left : left + SPOT, 0] = patch
    return pixels, labels, corners


@cache
def trained_network() -> Any:
    """Trained on 800 `spots` until it tells new ones apart; a few seconds."""
    keras = import_keras()
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1), dtype="uint8"),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    pixels, labels, _ = spots(800, seed=0)
    model.fit(pixels, labels, epochs=15, batch_size=32, verbose=0)
    return model
