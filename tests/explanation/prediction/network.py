"""A network of one convolution, pooling and a dense layer, with weights to calculate by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

PIXELS = np.array([[10, 20, 0, 0], [30, 40, 0, 0], [0, 0, 0, 50], [0, 0, 0, 0]], dtype=np.uint8)[
    ..., None
]


def build_tiny() -> Any:
    """Returns pixels x 0.1 -> conv 2x2, 2 filters, ReLU -> max pool 2x2 -> dense 2, softmax.

    The picture becomes      filter 0, bias -0.5     so before the ReLU it answers

        1 2 0 0                   1  -1                  6.5   9.5  -0.5
        3 4 0 0                   2   0.5               -1.5   3.5   2
        0 0 0 5                                         -0.5  -0.5  -5.5
        0 0 0 0

    For example 2x1 + 0x(-1) + 4x2 + 0x0.5 - 0.5 = 9.5 at row 0, column 1. Filter 1 has four
    weights of -1 and answers nothing above 0: it is dead. Pooling keeps 9.5 and 0. The logits are
    9.5 x 0.2 + 0.1 = 2 and 9.5 x 0 + 1 = 1.
    """
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1), dtype="uint8"),
            layers.Rescaling(0.1, name="normalise"),
            layers.Conv2D(2, 2, activation="relu", name="conv"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(2, activation="softmax", name="output"),
        ],
        name="tiny",
    )
    seeks, dead = np.array([[1, -1], [2, 0.5]]), np.full((2, 2), -1.0)
    kernel = np.stack([seeks, dead], axis=-1)[:, :, None, :]
    model.get_layer("conv").set_weights([kernel, np.array([-0.5, 0])])
    model.get_layer("output").set_weights([np.array([[0.2, 0], [5, 7]]), np.array([0.1, 1])])
    return model
