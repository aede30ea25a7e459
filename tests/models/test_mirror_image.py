"""Networks that look at a picture and at its mirror image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from keras import layers

import tellapart as ta
from tellapart.bundle import Bundle
from tellapart.classifier import Classifier
from tellapart.errors import ModelError
from tellapart.explanation.flow import data_flow
from tellapart.explanation.heatmaps.explainers import explainer_of_model
from tellapart.export.onnx import export_classifier
from tellapart.images import ImageSpec, Pixels
from tellapart.models.fast import WIDTHS
from tellapart.models.head.problem import softmax
from tellapart.models.mirror_image import with_mirror_image
from tellapart.models.penultimate import last_dense
from tellapart.models.registry import Network, build, load_keras_file


def some_pictures(*shape: int) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def left_pixel_network(*, softmax_layer: bool = False) -> Any:
    """Two classes of grey pictures of 1x3: the logits are the left pixel and 0."""
    dense = layers.Dense(2, activation=None if softmax_layer else "softmax", name="decide")
    end = [layers.Softmax()] if softmax_layer else []
    pixels = keras.Input((1, 3, 1), dtype="uint8")
    model = keras.Sequential([pixels, layers.Rescaling(0.01), layers.Flatten(), dense, *end])
    dense.set_weights([np.array([[1, 0], [0, 0], [0, 0]], np.float32), np.zeros(2, np.float32)])
    return model


@pytest.mark.parametrize("softmax_layer", [False, True])
def test_logits_are_averaged(softmax_layer: bool) -> None:
    network = Network(left_pixel_network(softmax_layer=softmax_layer), "left")
    both = with_mirror_image(network).model
    pixels = np.array([[[[100], [7], [40]]]], np.uint8)
    # The left pixel is 1.0 once and 0.4 in the mirror image: a logit of 0.7 against 0.
    expected = [[1 / (1 + np.exp(-0.7)), 1 / (1 + np.exp(0.7))]]
    np.testing.assert_allclose(both(pixels), expected, rtol=1e-6)
    np.testing.assert_allclose(both(pixels[:, :, ::-1]), expected, rtol=1e-6)


def test_what_is_trained_looks_once_and_shares_its_weights() -> None:
    network = Network(left_pixel_network(), "left")
    both = with_mirror_image(network)
    assert both.twin is not None
    assert both.twin.model is network.model
    assert [id(w) for w in both.model.weights] == [id(w) for w in network.model.weights]
    assert (both.name, both.model.name) == (network.name, network.model.name)


@pytest.mark.parametrize("name", [*WIDTHS, "classic-28", "classic-32", "classic-64"])
def test_the_weights_of_a_twin_fit(name: str) -> None:
    network = with_mirror_image(build(name, (32, 32, 3), 4))
    assert network.twin is not None
    trained = network.twin.model
    trained.set_weights([np.full(w.shape, 0.01, np.float32) for w in trained.weights])
    network.model.set_weights(trained.get_weights())
    assert all((np.asarray(weight) == np.float32(0.01)).all() for weight in network.model.weights)


def test_a_network_that_ends_otherwise_cannot() -> None:
    pixels = keras.Input((4, 4, 1), name="pixels")
    score = layers.Dense(1, activation="sigmoid")(layers.Flatten()(pixels))
    model = keras.Model(pixels, layers.Concatenate()([score, 1 - score]), name="pair")
    with pytest.raises(ModelError) as caught:
        with_mirror_image(Network(model, "pair"))
    assert str(caught.value) == (
        "Model 'pair' cannot look at mirror images too: expected a network that ends in a Dense "
        "layer with softmax. Leave out --test-time-augmentation."
    )


def test_the_files_look_twice_and_hold_the_weights_once(tmp_path: Path) -> None:
    network = build("fast", (16, 18, 3), 3)
    both = with_mirror_image(network).model
    pixels = some_pictures(5, 16, 18, 3)
    found = last_dense(network.model)
    assert found is not None
    features, _, output = found
    look = keras.Model(network.model.inputs[0], features)
    kernel, bias = output.get_weights()
    mean = (np.asarray(look(pixels)) + np.asarray(look(pixels[:, :, ::-1]))) / 2
    expected = softmax(mean @ kernel + bias)
    np.testing.assert_allclose(both(pixels), expected, rtol=1e-5)

    both.save(tmp_path / "both.keras")
    loaded = load_keras_file(tmp_path / "both.keras")
    np.testing.assert_allclose(loaded(pixels), expected, rtol=1e-5)

    sizes = []
    for model, file in ((network.model, "once.onnx"), (both, "both.onnx")):
        bundle = Bundle(("a", "b", "c"), ImageSpec(16, 18, 3), provenance={"data": "made-up"})
        export_classifier(model, bundle, tmp_path / file)
        graph = onnx.load(tmp_path / file).graph
        sizes.append(sum(onnx.numpy_helper.to_array(part).nbytes for part in graph.initializer))
    classifier = Classifier.load(tmp_path / "both.onnx")
    np.testing.assert_allclose(classifier.probabilities(pixels), expected, rtol=1e-5)
    assert sizes[1] < 1.01 * sizes[0]


def test_a_network_of_ones_own_is_trained_in_place_and_looks_twice(tmp_path: Path) -> None:
    own = keras.Sequential(
        [
            keras.Input((16, 12, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(2),  # logits: a softmax is added
        ]
    )
    begun = [np.asarray(weight).copy() for weight in own.weights]
    pixels = some_pictures(60, 16, 12, 1)
    pixels[::2, :, :6] //= 2
    run = ta.train(
        (pixels, np.array(["left", "no"] * 30)),
        model=own,
        epochs=2,
        test_time_augmentation="flip",
        out=tmp_path / "run",
        observers=[],
    )
    assert all((np.asarray(w) != b).any() for w, b in zip(own.weights, begun, strict=True))
    for weight, own_weight in zip(run.model.weights, own.weights, strict=True):
        np.testing.assert_array_equal(weight, own_weight)
    logits = [np.asarray(own(view / 255.0)) for view in (pixels, pixels[:, :, ::-1])]
    classifier = Classifier.load(run.path)
    expected = softmax((logits[0] + logits[1]) / 2 / classifier.bundle.temperature)
    np.testing.assert_allclose(classifier.probabilities(pixels), expected, atol=1e-5)


def test_in_the_trace_the_second_look_is_one_stage() -> None:
    network = build("classic-28", (28, 28, 1), 3)
    once = [stage.name for stage in data_flow(network.model, 10)]
    stages = data_flow(with_mirror_image(network).model, 10)
    names = [stage.name for stage in stages]
    assert names[: len(once) - 1] == once[:-1]
    mirrored, look, both, output = stages[len(once) - 1 :]
    assert mirrored.does == "Mirrors the picture left to right"
    assert look.does == (
        f"Does all that the layers from {once[1]} to {once[-2]} do (the same weights once more)"
    )
    assert (look.before, look.after, look.parameters) == ((10, 28, 28, 1), both.after, 0)
    assert (both.does, both.example) == (
        "Takes the mean of its 2 inputs, number by number",
        "0.4 and 0.8 become 0.6",
    )
    assert output.name == once[-1]
    assert sum(stage.parameters for stage in stages) == network.model.count_params()


def test_heat_maps_are_made_from_answers() -> None:
    both = with_mirror_image(build("fast", (16, 16, 3), 3)).model
    assert explainer_of_model(both).method == "rise"
    with pytest.raises(ModelError) as caught:
        explainer_of_model(both, "hires-cam")
    assert str(caught.value) == (
        "'fast' uses its last layer with places several times for an answer (as for a picture and "
        "its mirror image) and not once, which hires-cam needs. Choose rise or occlusion."
    )
