"""Networks cut open before their last layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from tellapart.models.backbones import get_backbone
from tellapart.models.backbones.engine import FeatureExtractor
from tellapart.models.backbones.transfer import build_transfer_model
from tellapart.models.classic import CLASSIC, build_classic
from tellapart.models.penultimate import follow, penultimate
from tellapart.models.registry import build

SHAPE = (20, 24, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, (6, *SHAPE), np.uint8)


def body() -> list[Any]:
    return [
        keras.Input(SHAPE),
        layers.Conv2D(4, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(5, activation="relu"),
    ]


def functional() -> Any:
    pixels = keras.Input(SHAPE)
    x = layers.Flatten()(layers.MaxPooling2D(4)(pixels))
    return keras.Model(pixels, layers.Activation("softmax")(layers.Dense(3)(x)))


NETWORKS = {
    "softmax in the last layer": lambda: keras.Sequential(
        [*body(), layers.Dense(3, activation="softmax")]
    ),
    "softmax as a layer": lambda: keras.Sequential([*body(), layers.Dense(3), layers.Softmax()]),
    "no softmax, so that one is added": lambda: keras.Sequential([*body(), layers.Dense(3)]),
    "activation as a layer": functional,
    "dropout before the softmax": lambda: keras.Sequential(
        [*body(), layers.Dense(3), layers.Dropout(0.5), layers.Softmax()]
    ),
    "augmentation in the model": lambda: keras.Sequential(
        [keras.Input(SHAPE), layers.RandomFlip(), *body()[1:], layers.Dense(3), layers.Softmax()]
    ),
    "a model in the model": lambda: keras.Sequential(
        [keras.Input(SHAPE), keras.Sequential([*body(), layers.Dense(3, use_bias=False)])]
    ),
}


def opened_and_checked(model: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Returns the features; the logits must be those of the network's probabilities."""
    features, logits = penultimate(model).predict(PIXELS, verbose=0)
    expected = model.predict(PIXELS, verbose=0)
    assert features.dtype == logits.dtype == np.float32
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert powers / powers.sum(axis=1, keepdims=True) == pytest.approx(expected, abs=1e-5)
    return features  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_users_own_networks(name: str) -> None:
    keras.utils.set_random_seed(0)
    model = build(NETWORKS[name], SHAPE, 3).model
    features = opened_and_checked(model)
    if name == "activation as a layer":  # its only maps are the three colours, pooled by 4
        scaled = PIXELS.reshape(6, 5, 4, 6, 4, 3).max(axis=(2, 4)) / 255
        assert features == pytest.approx(scaled.mean(axis=(1, 2)), abs=1e-5)
    else:
        assert features.shape == (len(PIXELS), 4)


def test_an_opened_network_follows_the_training() -> None:
    keras.utils.set_random_seed(0)
    model = build_classic("classic-28", SHAPE, 10)
    opened = penultimate(model)
    before = opened.predict(PIXELS, verbose=0)[1]
    for weight in model.weights:
        weight.assign(weight + 0.01)
    follow(opened, model)
    logits = opened.predict(PIXELS, verbose=0)[1]
    assert np.abs(logits - before).max() > 0.01
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = model.predict(PIXELS, verbose=0)
    assert powers / powers.sum(axis=1, keepdims=True) == pytest.approx(expected, abs=1e-5)


def test_nothing_follows_a_network_that_was_not_cut_open() -> None:
    model = keras.Sequential([keras.Input(SHAPE), layers.Flatten()], name="flat")
    with pytest.raises(RuntimeError, match="flat was not cut open"):
        follow(None, model)


@pytest.mark.parametrize("name", sorted(CLASSIC))
def test_the_classic_networks(name: str) -> None:
    keras.utils.set_random_seed(0)
    model = build_classic(name, SHAPE, 10)
    maps = keras.Model(model.inputs, model.get_layer("flatten").input).predict(PIXELS, verbose=0)
    assert opened_and_checked(model) == pytest.approx(maps.mean(axis=(1, 2)), abs=1e-5)
    assert maps.shape[-1] == CLASSIC[name].filters[-1]


def test_a_transferred_network_gives_the_means_whose_roots_its_backbone_gives() -> None:
    backbone = get_backbone("efficientnet-lite0")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3), np.uint8)
    features, logits = penultimate(build_transfer_model(backbone, (32, 48), 4))(pixels)
    expected = FeatureExtractor(backbone, (32, 48), "onnxruntime").features(pixels)
    # The backbone's features are sqrt(mean + 0.001).
    assert np.sqrt(np.asarray(features) + 0.001) == pytest.approx(expected, abs=1e-3)
    assert logits.shape == (3, 4)


def test_maps_that_are_made_before_the_model_in_the_model() -> None:
    keras.utils.set_random_seed(0)
    top = keras.Sequential([keras.Input((5,)), layers.Dense(3, activation="softmax")])
    pixels = keras.Input(SHAPE)
    pooled = layers.GlobalMaxPooling2D()(layers.Conv2D(5, 3)(pixels))
    assert opened_and_checked(keras.Model(pixels, top(pooled))).shape == (len(PIXELS), 5)


def test_a_model_in_the_model_that_ends_in_features() -> None:
    keras.utils.set_random_seed(0)
    backbone = keras.Sequential(body())
    model = keras.Sequential([keras.Input(SHAPE), backbone, layers.Dense(3, "softmax")])
    features = opened_and_checked(model)
    # Not the means of its input, which are three colours.
    assert features == pytest.approx(backbone.predict(PIXELS, verbose=0), abs=1e-4)


def test_a_network_without_maps_gives_what_the_last_layer_is_given() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, "relu"), layers.Dense(3, "softmax")]
    )
    x = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    features, logits = penultimate(model).predict(x, verbose=0)
    assert features.shape == (7, 5)
    kernel, bias = model.layers[-1].get_weights()
    assert features @ kernel + bias == pytest.approx(logits, abs=1e-5)


def test_layers_may_have_any_name() -> None:
    pixels = keras.Input(SHAPE, name="pixels")
    x = layers.GlobalAveragePooling2D(name="means")(layers.Conv2D(4, 3, name="features")(pixels))
    x = layers.Dense(3, name="logits")(x)
    model = keras.Model(pixels, layers.Softmax(name="probabilities")(x))
    features, logits = penultimate(model).predict_on_batch(PIXELS)
    assert (features.shape, logits.shape) == ((6, 4), (6, 3))


def test_mixed_precision() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, dtype="mixed_float16"), layers.Dense(3, "softmax")]
    )
    features, logits = penultimate(model).predict(np.ones((2, 4), np.float32), verbose=0)
    assert features.dtype == logits.dtype == np.float32


def test_the_network_itself_stays_as_it_is() -> None:
    model = build_classic("classic-28", SHAPE, 4)
    names, before = [layer.name for layer in model.layers], model.predict(PIXELS, verbose=0)
    penultimate(model)
    assert [layer.name for layer in model.layers] == names
    assert np.array_equal(model.predict(PIXELS, verbose=0), before)


def test_a_model_that_is_trained_on_afterwards_does_not_move_the_copied_layer() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])
    opened = penultimate(model)
    before = opened.predict(np.ones((1, 4)), verbose=0)[1]
    model.layers[-1].set_weights([np.zeros((4, 3)), np.zeros(3)])
    assert np.array_equal(opened.predict(np.ones((1, 4)), verbose=0)[1], before)


class Subclassed(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3, activation="softmax")

    def call(self, x: Any) -> Any:
        return self.dense(x)


def of_layers(*stack: Any) -> Any:
    return keras.Sequential([keras.Input((8, 4)), *stack])


def summed() -> Any:
    x = keras.Input((4,))
    return keras.Model(x, layers.Softmax()(layers.Add()([layers.Dense(3)(x), layers.Dense(3)(x)])))


@pytest.mark.parametrize(
    "make",
    [
        Subclassed,
        lambda: of_layers(layers.Conv1D(3, 8), layers.Flatten(), layers.Softmax()),
        lambda: of_layers(layers.Dense(3), layers.GlobalAveragePooling1D(), layers.Softmax()),
        lambda: of_layers(layers.Flatten(), layers.Dense(3)),
        lambda: of_layers(layers.Flatten(), layers.Dense(3, "softmax"), layers.Softmax()),
        lambda: of_layers(layers.Flatten(), layers.Dense(3, "relu"), layers.Softmax()),
        lambda: of_layers(layers.Flatten(), layers.Dense(3), layers.Softmax(), layers.Softmax()),
        lambda: of_layers(layers.Dense(3), layers.Softmax(), layers.Flatten()),
        summed,
        lambda: keras.Sequential([keras.Input((4,)), layers.Softmax()]),
        lambda: keras.Sequential([layers.Dense(3)]),  # not built
    ],
)
def test_networks_without_such_a_layer(make: Any) -> None:
    assert penultimate(make()) is None
