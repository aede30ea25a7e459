"""What cannot be deployed is found before it is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tellapart import runs
from tellapart.errors import ExportError
from tellapart.export import trial
from tellapart.export.trial import try_export
from tellapart.models.registry import build
from tellapart.pipeline import train

SHAPE = (8, 9, 3)


class StaysRandom(keras.layers.Layer):  # type: ignore[misc]
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.dropout = keras.layers.Dropout(0.5, name="always")

    def call(self, x: Any) -> Any:
        return self.dropout(x, training=True)


class HoldsTensor(keras.layers.Layer):  # type: ignore[misc]
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.factor = keras.ops.convert_to_tensor([0.5])

    def call(self, x: Any) -> Any:
        return x * self.factor


class Unwritten(keras.layers.Layer):  # type: ignore[misc]
    def __init__(self, secret: Any, **options: Any) -> None:
        super().__init__(**options)
        self.secret = secret

    def call(self, x: Any) -> Any:
        return x


def network(*layers: Any) -> Any:
    own = keras.Sequential(
        [
            keras.Input(SHAPE),
            *layers,
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ],
        name="mine",
    )
    return build(own, SHAPE, 3).model


def test_a_network_of_keras_passes() -> None:
    try_export(network(keras.layers.RandomFlip(), keras.layers.Conv2D(4, 3, activation="silu")))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (
            lambda: StaysRandom(name="doubt"),
            "'mine' cannot be written as ONNX: 'doubt/always' draws random numbers "
            "(StatelessRandomUniformV2) even when it predicts. Let it do so only where its "
            "argument `training` is true.",
        ),
        (
            lambda: keras.layers.Conv2D(6, 3, groups=3, name="grouped"),
            "'grouped' is compiled by itself, as a Conv2D with `groups` is, and the converter "
            "cannot look into it. Take a DepthwiseConv2D or SeparableConv2D instead.",
        ),
        (
            lambda: HoldsTensor(),
            "open, as it does for tensors that a layer of your own computes with: make weights of "
            "them, or plain numbers.",
        ),
        (
            lambda: Unwritten(object()),
            "'mine' cannot be saved as a .keras file: Object Unwritten was created by passing "
            "non-serializable argument values in `__init__()`, and therefore the object must "
            "override `get_config()` in order to be serializable.",
        ),
    ],
)
def test_what_cannot_be_deployed_is_named(layer: Any, words: str) -> None:
    with pytest.raises(ExportError) as caught:
        try_export(network(layer()))
    assert str(caught.value).endswith(words)


def test_other_answers_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.export.onnx import convert

    def convert_wrongly(model: Any, file: Path) -> Any:
        kept = model.get_weights()
        model.set_weights(
            [weight + np.arange(weight.size).reshape(weight.shape) for weight in kept]
        )
        converted = convert(model, file)
        model.set_weights(kept)
        return converted

    monkeypatch.setattr(trial, "convert", convert_wrongly)
    with pytest.raises(ExportError, match="'mine' answers differently once it is written as ONNX"):
        try_export(network())


# --- Whole runs ---------------------------------------------------------------------------------


def test_a_run_with_augmentation_in_the_model_is_whole(colour_folder: Path, tmp_path: Path) -> None:
    def mine(input_shape: Any, classes: int) -> Any:
        layers = keras.layers
        augment = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.2)])
        return keras.Sequential(
            [
                keras.Input(input_shape),
                augment,
                layers.Conv2D(4, 3, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dropout(0.2),
                layers.Dense(classes, activation="softmax"),
            ]
        )

    run = train(colour_folder, model=mine, epochs=1, out=tmp_path / "run", observers=[])
    parity = json.loads((run.path / runs.RUN_JSON).read_text())["parity"]
    assert parity["max_difference"] < 1e-5
    assert (run.path / runs.CLASSIFIER_ONNX).is_file()
    # The picture's trace compares its walk with the network's answer: both as when predicting.
    assert (run.path / runs.PREDICTION_TRACE_JSON).is_file()


def test_a_run_that_could_not_be_deployed_does_not_begin(
    colour_folder: Path, tmp_path: Path
) -> None:
    def mine(input_shape: Any, classes: int) -> Any:
        return keras.Sequential(
            [
                keras.Input(input_shape),
                StaysRandom(),
                keras.layers.Flatten(),
                keras.layers.Dense(classes),
            ]
        )

    with pytest.raises(ExportError, match="draws random numbers"):
        train(colour_folder, model=mine, epochs=1, out=tmp_path / "run", observers=[])
    assert not (tmp_path / "run").exists()
