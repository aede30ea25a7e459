"""The maps of networks that can be worked out by hand, and of one that was trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import spearmanr

from tellapart.errors import ModelError, UsageError
from tellapart.explanation.heatmaps import METHODS, explain_pixels, explainer_of_model
from tellapart.explanation.heatmaps.class_activation import as_large_as, hires_cam
from tellapart.explanation.heatmaps.gradients import look
from tellapart.explanation.heatmaps.layers import dissect
from tellapart.models import registry
from tellapart.models.backend import import_keras
from tests.explanation.heatmap_networks import (
    SPOT,
    corner_network,
    dense_network,
    spots,
    trained_network,
)

Array = npt.NDArray[Any]


# --- HiResCAM -----------------------------------------------------------------------------------


def picture_with_corner() -> Array:
    pixels = np.full((1, 4, 4, 1), 100, np.uint8)
    pixels[0, 0, 3] = 50
    return pixels


@pytest.mark.parametrize("softmax", [True, False])
def test_hires_cam_by_hand(softmax: bool) -> None:
    model = corner_network(softmax=softmax)
    if not softmax:
        model = registry.build(model, (4, 4, 1), 2, rescale=1.0).model
    anatomy = dissect(model)
    assert anatomy.spatial.name == "look"
    assert anatomy.grid == (4, 4, 1)
    assert anatomy.softmax.name == ("decide" if softmax else "softmax")
    sight = look(model, anatomy, picture_with_corner(), np.array([1]))
    # The filter gives pixel / 100: 1 everywhere, 0.5 in the corner, which the logit weighs by 2.
    np.testing.assert_allclose(sight.values[0, :, :, 0], [[1, 1, 1, 0.5]] + [[1] * 4] * 3)
    np.testing.assert_allclose(sight.gradients[0, :, :, 0], [[0, 0, 0, 2]] + [[0] * 4] * 3)
    np.testing.assert_allclose(hires_cam(sight), [[[0, 0, 0, 1]] + [[0] * 4] * 3])
    # Enlarged from 4 to 4: 6/7 stay at a corner, 1/8 of that goes to the next but for the rim.
    (found,) = explain_pixels(model, picture_with_corner(), np.array([1]), method="hires-cam")
    assert np.unravel_index(found.argmax(), (4, 4)) == (0, 3)
    np.testing.assert_allclose(found[0], [0, 0, (1 / 8) / (6 / 7), 1], rtol=1e-5)
    np.testing.assert_allclose(found[1, 3], (1 / 8) / (6 / 7), rtol=1e-5)
    assert not found[2:].any()


def test_nothing_speaks_for_the_other_class() -> None:
    found = explain_pixels(
        corner_network(), picture_with_corner(), np.array([0]), method="hires-cam"
    )
    assert not found.any()


def test_the_network_is_as_it_was() -> None:
    model = corner_network()
    before = model.predict(picture_with_corner(), verbose=0)
    explain_pixels(model, picture_with_corner(), np.array([1]), method="hires-cam")
    np.testing.assert_array_equal(model.predict(picture_with_corner(), verbose=0), before)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())
    assert model.get_layer("decide").activation is import_keras().activations.softmax


def test_of_a_probability_where_the_softmax_cannot_be_left_out() -> None:
    keras = import_keras()
    inner = corner_network()
    # Something follows the softmax: the layer stays, and ln p stands for the logit.
    doubled = keras.layers.Lambda(lambda p: p / keras.ops.sum(p, axis=-1, keepdims=True))
    model = keras.Model(inner.inputs[0], doubled(inner.outputs[0]))
    anatomy = dissect(model)
    assert anatomy.softmax is None
    sight = look(model, anatomy, picture_with_corner(), np.array([1]))
    # logits 0 and 2 · 0.5 = 1: p = e/(1 + e); d ln p / d value = 2 (1 - p)
    expected = 2 * (1 - np.e / (1 + np.e))
    assert sight.gradients[0, 0, 3, 0] == pytest.approx(expected, rel=1e-5)


def test_the_users_own_model_of_any_build() -> None:
    keras = import_keras()

    class Own(keras.Model):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__(name="own")
            self.conv = keras.layers.Conv2D(4, 3, activation="relu")
            self.pool = keras.layers.GlobalAveragePooling2D()
            self.out = keras.layers.Dense(3)

        def call(self, inputs: Any) -> Any:
            return self.out(self.pool(self.conv(inputs)))

    pixels = keras.Input((12, 10, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(pixels)
    model = keras.Model(pixels, keras.layers.Softmax(name="end")(Own()(scaled)))
    anatomy = dissect(model)
    assert (anatomy.grid, anatomy.softmax.name) == ((10, 8, 4), "end")
    batch = np.random.default_rng(0).integers(0, 256, (40, 12, 10, 3), dtype=np.uint8)
    found = explain_pixels(model, batch, np.arange(40) % 3, method="hires-cam")
    assert found.shape == (40, 12, 10)
    assert found.dtype == np.float32
    np.testing.assert_allclose(  # a picture's map does not hang on its batch
        found[33:], explain_pixels(model, batch[33:], np.arange(33, 40) % 3, method="hires-cam"),
        atol=1e-5,
    )  # fmt: skip


def test_the_last_layer_with_places_in_the_classic_networks() -> None:
    for name, shape, layer, grid in (
        ("classic-28", (28, 28, 1), "pool_1", (13, 13, 32)),
        ("classic-32", (32, 32, 3), "conv_3", (8, 8, 64)),
        ("classic-64", (64, 64, 3), "pool_2", (14, 14, 64)),
    ):
        anatomy = dissect(registry.build(name, shape, 10).model)
        assert (anatomy.spatial.name, anatomy.grid) == (layer, grid)
        assert anatomy.softmax.name == "output"


def test_a_network_of_dense_layers() -> None:
    model = dense_network()
    assert dissect(model).spatial is None
    with pytest.raises(ModelError) as caught:
        explainer_of_model(model, "hires-cam")
    assert str(caught.value) == (
        "'dense' has no layer that keeps places apart, such as a convolution, which hires-cam "
        "needs. Choose rise or occlusion."
    )
    assert explainer_of_model(model).method == "rise"


def test_a_large_network_of_dense_layers_is_explained_by_rise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tellapart.explanation.heatmaps import explainers

    monkeypatch.setattr(explainers, "SMALL_SIDE", 3)
    explainer = explainer_of_model(dense_network())
    assert explainer.method == "rise"
    assert explainer.note == (
        "'dense' has no layer that keeps places apart, such as a convolution, so rise makes the "
        "map, with 200 answers of the network a picture."
    )
    assert explainer_of_model(corner_network()).method == "hires-cam"


def test_a_backend_without_gradients_here(monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.explanation.heatmaps import gradients

    monkeypatch.setattr(gradients, "_TAKE", {})
    with pytest.raises(ModelError, match="On this backend of Keras no gradients are taken here"):
        explainer_of_model(corner_network(), "hires-cam")


# --- What cannot be explained -------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_nan_weights_are_a_sentence(method: str) -> None:
    model = corner_network()
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(ModelError, match="answers with NaN or infinity instead of numbers, so"):
        explain_pixels(model, picture_with_corner(), np.array([1]), method=method)


def test_wrong_arguments_are_named() -> None:
    model, pixels = corner_network(), picture_with_corner()
    with pytest.raises(UsageError) as caught:
        explain_pixels(model, pixels, np.array([1]), method="occluson")
    assert str(caught.value) == (
        "Unknown method 'occluson'. Did you mean 'occlusion'? Expected one of auto, rise, "
        "hires-cam, occlusion."
    )
    with pytest.raises(UsageError, match=r"\(1, 4, 4, 1\) and type float64: expected \(n, 4, 4, 1"):
        explain_pixels(model, pixels.astype(np.float64), np.array([1]))
    with pytest.raises(UsageError, match=r"expected \(n, 4, 4, 1\) uint8"):
        explain_pixels(model, pixels[:, :3], np.array([1]))
    with pytest.raises(UsageError, match="expected a whole number for each of 1 pictures"):
        explain_pixels(model, pixels, np.array([1, 0]))
    with pytest.raises(UsageError, match="Class 2: expected a number from 0 to 1"):
        explain_pixels(model, pixels, np.array([2]))


@pytest.mark.parametrize("method", METHODS)
def test_no_pictures_have_no_maps(method: str) -> None:
    none = np.empty((0, 4, 4, 1), np.uint8)
    found = explain_pixels(corner_network(), none, np.empty(0, np.int64), method=method)
    assert found.shape == (0, 4, 4)


# --- A trained network --------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_maps_find_what_a_trained_network_was_trained_on(method: str) -> None:
    model = trained_network()
    pixels, labels, corners = spots(100, seed=7)
    said = model.predict(pixels, verbose=0).argmax(axis=1)
    assert (said == labels).mean() >= 0.95
    maps = explain_pixels(model, pixels, said, method=method)
    peaks = np.stack([np.unravel_index(heat.argmax(), heat.shape) for heat in maps])
    # A map is at most as sharp as its grid: a pixel or two beside the spot will do.
    near = ((peaks >= corners - 2) & (peaks < corners + SPOT + 2)).all(axis=1)
    # By chance: at most (SPOT + 4)² of 16² places, 39%.
    assert near.mean() >= 0.95


@pytest.mark.parametrize("method", METHODS)
def test_with_random_weights_the_map_changes(method: str) -> None:
    """The sanity check of Adebayo et al., 2018: a map that stays shows the picture alone.

    Rank correlation of 1 is the same map. Bound: 0.5 in the mean over 60 pictures.
    """
    keras = import_keras()
    model = trained_network()
    pixels, _, _ = spots(60, seed=8)
    said = model.predict(pixels, verbose=0).argmax(axis=1)
    random = keras.models.clone_model(model)  # with fresh weights
    trained = explain_pixels(model, pixels, said, method=method)
    changed = explain_pixels(random, pixels, said, method=method)
    again = explain_pixels(model, pixels, said, method=method)
    np.testing.assert_allclose(again, trained, atol=1e-5)
    found = [_correlation(a, b) for a, b in zip(trained, changed, strict=True)]
    assert abs(np.mean(found)) < 0.5


def _correlation(first: Array, second: Array) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first.ravel(), second.ravel()).statistic)


def test_as_large_as_takes_any_sides() -> None:
    assert as_large_as(np.ones((2, 1, 3)), (1, 300)).shape == (2, 1, 300)
