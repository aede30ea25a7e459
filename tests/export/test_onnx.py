"""The classifier file that is written from a Keras model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from tellapart.bundle import Bundle, read_bundle
from tellapart.classifier import Classifier
from tellapart.errors import ExportError
from tellapart.evaluation.calibration import apply_temperature
from tellapart.evaluation.novelty import NoveltyModel, fit_novelty_cross_validated
from tellapart.evaluation.novelty_threshold import fit_novelty_threshold
from tellapart.export.onnx import export_classifier
from tellapart.export.parity import _compare_novelty, check_parity
from tellapart.images import ImageSpec
from tellapart.models.head.problem import softmax
from tellapart.models.penultimate import penultimate
from tellapart.models.registry import build

BUNDLE = Bundle(("a", "b", "c"), ImageSpec(6, 9, 3), provenance={"data": "made-up"})


def network() -> Any:
    keras.utils.set_random_seed(0)
    own = keras.Sequential(
        [
            keras.Input((6, 9, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Dropout(0.5),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ],
        name="mine",
    )
    return build(own, (6, 9, 3), 3).model


def pictures(count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (count, 6, 9, 3), np.uint8)


def named(pixels: Any) -> list[tuple[str, Callable[[], Any]]]:
    return [(str(number), partial(np.asarray, row)) for number, row in enumerate(pixels)]


def test_the_file_gives_what_the_network_gives(tmp_path: Path) -> None:
    model, pixels = network(), pictures(20)
    expected = model.predict(pixels, verbose=0)
    export_classifier(model, BUNDLE, tmp_path / "c.onnx")
    assert np.allclose(
        Classifier.load(tmp_path / "c.onnx").probabilities(pixels), expected, atol=1e-6
    )
    parity = check_parity(tmp_path / "c.onnx", named(pixels), expected)
    assert parity.checked == 20
    assert parity.max_difference < 1e-6


def test_ends_are_named_and_typed_and_metadata_is_there(tmp_path: Path) -> None:
    export_classifier(network(), BUNDLE, tmp_path / "c.onnx")
    graph = onnx.load(tmp_path / "c.onnx").graph
    (start,), (end,) = graph.input, graph.output
    assert (start.name, end.name) == ("pixels", "probabilities")
    assert start.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    dims = [dim.dim_param or dim.dim_value for dim in start.type.tensor_type.shape.dim]
    assert dims == ["batch", 6, 9, 3]
    assert read_bundle(tmp_path / "c.onnx") == BUNDLE
    assert not [node for node in graph.node if node.op_type in ("Dropout", "RandomUniform")]


def adapted() -> Any:
    layer = keras.layers.Normalization()
    layer.adapt(pictures(4) / 255)
    return layer


@pytest.mark.parametrize(
    "layer",
    [
        adapted,
        lambda: keras.layers.Normalization(mean=[0.1, 0.5, 0.7], variance=[0.1, 0.2, 0.3]),
        lambda: keras.Sequential([keras.Input((6, 9, 3)), adapted()]),
        lambda: keras.layers.Activation("gelu"),
        lambda: keras.layers.Conv2D(4, 3, activation="gelu"),
    ],
)
def test_layers_that_the_converter_would_not_know(tmp_path: Path, layer: Callable[[], Any]) -> None:
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense(3, activation="softmax")
    stack = [keras.Input((6, 9, 3)), layer(), keras.layers.Flatten(), dense]
    model, pixels = build(keras.Sequential(stack), (6, 9, 3), 3).model, pictures(20)
    expected = model.predict(pixels, verbose=0)
    export_classifier(model, BUNDLE, tmp_path / "c.onnx")
    assert check_parity(tmp_path / "c.onnx", named(pixels), expected).max_difference < 1e-5
    assert model.predict(pixels, verbose=0) == pytest.approx(expected, abs=1e-7)  # as before


def with_augmentation() -> Any:
    """Layers that act in training alone, in a model in a model too, as in Keras's tutorials."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    augment = keras.Sequential(
        [
            layers.RandomFlip(),
            layers.RandomRotation(0.5),
            layers.RandomZoom(0.5),
            layers.RandomTranslation(0.5, 0.5),
            layers.RandomContrast(0.5),
        ]
    )
    pixels = keras.Input((6, 9, 3))
    x = layers.GaussianNoise(0.5)(layers.RandomBrightness(0.5, (0, 1))(augment(pixels)))
    x = layers.SpatialDropout2D(0.5)(layers.Conv2D(4, 3)(x))
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    own = keras.Model(pixels, layers.Dense(3, activation="softmax")(x), name="tutorial")
    return build(own, (6, 9, 3), 3).model


@pytest.mark.parametrize("cut_open", [False, True])
def test_layers_that_act_in_training_alone_are_left_out(tmp_path: Path, cut_open: bool) -> None:
    model, pixels = with_augmentation(), pictures(20)
    expected = model.predict(pixels, verbose=0)
    assert np.abs(model(pixels, training=True) - expected).max() > 0.01  # they do something
    if cut_open:
        opened = penultimate(model)
        features, logits = opened.predict(pixels, verbose=0)
        assert softmax(logits) == pytest.approx(expected, abs=1e-6)
        novelty, scores = fit_novelty_cross_validated(features, softmax(logits))
        limit = fit_novelty_threshold(scores).to_json()
        export_classifier(opened, replace(BUNDLE, novelty=limit), tmp_path / "c.onnx", novelty)
    else:
        export_classifier(model, BUNDLE, tmp_path / "c.onnx")
    assert check_parity(tmp_path / "c.onnx", named(pixels), expected).max_difference < 1e-6
    kinds = {node.op_type for node in onnx.load(tmp_path / "c.onnx").graph.node}
    assert not {kind for kind in kinds if "Random" in kind or "Dropout" in kind}


def test_a_layer_that_onnx_does_not_know_is_named_in_the_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            import tensorflow as tf

            return tf.raw_ops.Betainc(a=x, b=x, x=x)

    inputs = keras.Input((6, 9, 3), dtype="uint8")
    x = Odd(name="strange")(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x), name="odd")
    with pytest.raises(ExportError) as caught:
        export_classifier(model, BUNDLE, tmp_path / "c.onnx")
    assert str(caught.value) == (
        "The network 'odd' cannot be written as ONNX: 'strange' computes Betainc, which the "
        "converter does not know. Make it of other operations. The trained network is kept as "
        "model.keras."
    )
    assert not caplog.records  # the converter has lines of its own for it
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (0.001, "the largest difference of a probability is 0.001"),
        (np.nan, "the largest difference of a probability is nan"),
    ],
)
def test_a_difference_fails_the_gate(tmp_path: Path, change: float, words: str) -> None:
    model, pixels = network(), pictures(4)
    expected = model.predict(pixels, verbose=0)
    export_classifier(model, BUNDLE, tmp_path / "c.onnx")
    expected[2, 1] += change
    with pytest.raises(ExportError, match=words):
        check_parity(tmp_path / "c.onnx", named(pixels), expected)


def test_a_tie_may_be_decided_either_way_but_nothing_else_may(tmp_path: Path) -> None:
    from tellapart.export.parity import _label_differs

    tie, almost = np.array([0.4, 0.4, 0.2], np.float32), np.array([0.4, 0.4, 0.2], np.float32)
    almost[1] += 1e-7
    assert not _label_differs(almost, tie)
    apart = np.array([0.40003, 0.39997, 0.2], np.float32)
    assert _label_differs(almost, apart)


def test_a_picture_that_vanished_fails_the_gate(tmp_path: Path) -> None:
    export_classifier(network(), BUNDLE, tmp_path / "c.onnx")
    gone = [("gone.png", lambda: tmp_path / "gone.png")]
    with pytest.raises(ExportError, match="gone.png could be read for training but not for"):
        check_parity(tmp_path / "c.onnx", gone, np.full((1, 3), 1 / 3, np.float32))


# --- Novelty ------------------------------------------------------------------------------------


def opened_and_fitted(temperature: float) -> tuple[Any, NoveltyModel, Bundle]:
    """The network cut open, its score, and the metadata that go with both."""
    opened = penultimate(network())
    features, logits = opened.predict(pictures(40), verbose=0)
    model, scores = fit_novelty_cross_validated(features, softmax(logits / temperature))
    limit = fit_novelty_threshold(scores).to_json()
    return opened, model, replace(BUNDLE, temperature=temperature, novelty=limit)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_a_network_cut_open_gives_probabilities_and_novelty(
    tmp_path: Path, temperature: float
) -> None:
    opened, novelty, bundle = opened_and_fitted(temperature)
    export_classifier(opened, bundle, tmp_path / "c.onnx", novelty)
    pixels = pictures(20)
    features, logits = opened.predict(pixels, verbose=0)
    p = softmax(logits / np.float32(temperature))
    expected = novelty.score(features, p)
    parity = check_parity(tmp_path / "c.onnx", named(pixels), p, expected)
    assert parity.max_difference < 1e-5
    assert parity.max_novelty_difference is not None
    assert parity.max_novelty_difference < 1e-3
    # The network that was cut open is the same function as before, temperature aside.
    whole = network().predict(pixels, verbose=0)
    found = Classifier.load(tmp_path / "c.onnx").probabilities(pixels)
    assert np.allclose(found, apply_temperature(whole, temperature), atol=1e-5)
    graph = onnx.load(tmp_path / "c.onnx").graph
    assert [end.name for end in graph.output] == ["probabilities", "novelty"]
    assert [end.name for end in graph.input] == ["pixels"]


def test_a_difference_in_novelty_fails_the_gate(tmp_path: Path) -> None:
    opened, novelty, bundle = opened_and_fitted(1.0)
    export_classifier(opened, bundle, tmp_path / "c.onnx", novelty)
    pixels = pictures(4)
    features, logits = opened.predict(pixels, verbose=0)
    p = softmax(logits)
    for wrong in (0.02, np.nan):
        expected = novelty.score(features, p)
        expected[2] += wrong * max(1, abs(expected[2]))
        with pytest.raises(ExportError, match=r"over 4 pictures the largest difference of the nov"):
            check_parity(tmp_path / "c.onnx", named(pixels), p, expected)


def test_the_novelty_of_a_stranger_may_differ_by_a_share_of_it() -> None:
    found: list[float | None] = [2000.0, 1.0]
    expected = np.array([2010, 1.001], np.float32)
    assert _compare_novelty(Path("c"), found, expected) == pytest.approx(10 / 2010, rel=1e-3)
    assert _compare_novelty(Path("c"), [None, None], None) is None
