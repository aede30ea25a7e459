"""The temperature becomes part of the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tellapart.bundle import Bundle
from tellapart.classifier import Classifier
from tellapart.export.onnx import export_classifier
from tellapart.images import ImageSpec

SPEC = ImageSpec(2, 1, 1)


def exported(model: Any, temperature: float, path: Path) -> Classifier:
    export_classifier(model, Bundle(("a", "b"), SPEC, temperature=temperature), path)
    return Classifier.load(path)


def softmax_network() -> Any:
    """The logits are the two pixels, divided by 10."""
    model = keras.Sequential(
        [
            keras.Input((2, 1, 1), dtype="uint8"),
            keras.layers.Rescaling(0.1),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.layers[-1].set_weights([np.eye(2, dtype=np.float32), np.zeros(2, np.float32)])
    return model


def shares_network() -> Any:
    """Probabilities without a softmax: each pixel's share of both."""
    pixels = keras.Input((2, 1, 1), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1.0)(pixels))
    total = keras.layers.Dense(2, use_bias=False)
    shares = keras.layers.Lambda(lambda both: both[0] / both[1], output_shape=(2,))
    model = keras.Model(pixels, shares([flat, total(flat)]))
    total.set_weights([np.ones((2, 2), np.float32)])
    return model


PIXELS = np.array([[20, 0], [0, 0], [30, 20]], np.uint8).reshape(3, 2, 1, 1)


@pytest.mark.parametrize(("temperature", "logits"), [(1.0, (2, 0, 1)), (2.0, (1, 0, 0.5))])
def test_logits_are_divided(temperature: float, logits: tuple[float, ...], tmp_path: Path) -> None:
    given = exported(softmax_network(), temperature, tmp_path / "c.onnx").probabilities(PIXELS)
    # Of two classes, the first has 1 / (1 + exp(-difference of the logits)).
    assert given[:, 0] == pytest.approx(1 / (1 + np.exp(-np.array(logits))), abs=1e-6)
    assert given.sum(axis=1) == pytest.approx(1)


def test_probabilities_without_a_softmax(tmp_path: Path) -> None:
    pixels = np.array([[30, 10], [0, 8]], np.uint8).reshape(2, 2, 1, 1)
    given = exported(shares_network(), 2.0, tmp_path / "c.onnx").probabilities(pixels)
    # 3/4 and 1/4 become their roots' shares: sqrt(3) / (sqrt(3) + 1) = 0.6340. 0 stays 0.
    assert given[0] == pytest.approx([0.6340, 0.3660], abs=1e-4)
    assert given[1] == pytest.approx([0, 1], abs=1e-6)
