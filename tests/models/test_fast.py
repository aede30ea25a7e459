"""The network `fast`: sizes, first layer, twin."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from tellapart.errors import ModelError
from tellapart.models import fast
from tellapart.models.fast import build_fast, check_fast, patches, set_whitening


@pytest.mark.parametrize(
    "shape", [(8, 8, 1), (9, 31, 3), (28, 28, 1), (32, 32, 3), (64, 48, 3), (96, 96, 3)]
)
@pytest.mark.parametrize("classes", [2, 200])
def test_any_size_and_any_number_of_classes(shape: tuple[int, int, int], classes: int) -> None:
    model = build_fast(shape, classes)
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    answers = np.asarray(model.predict_on_batch(pixels))
    assert answers.shape == (3, classes)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)


def test_the_narrow_one_has_half_the_channels_and_the_wide_one_twice_as_many() -> None:
    widths = {
        name: [
            layer.filters
            for layer in build_fast((16, 16, 3), 2, name).layers[3:]
            if hasattr(layer, "filters")
        ]
        for name in fast.WIDTHS
    }
    assert widths == {
        "fast": [32, 32, 64, 64, 128, 128],
        "fast-narrow": [16, 16, 32, 32, 64, 64],
        "fast-wide": [64, 64, 128, 128, 256, 256],
    }


def test_too_small() -> None:
    with pytest.raises(ModelError) as caught:
        check_fast((7, 20, 3))
    assert str(caught.value) == (
        "fast is too deep for pictures of 7x20: it needs 8 pixels a side. Choose a larger "
        "--image-size."
    )


def test_whitened_patches_are_uncorrelated_and_of_variance_1() -> None:
    rng = np.random.default_rng(0)
    smooth = rng.normal(size=(300, 34, 34, 3)).cumsum(axis=1).cumsum(axis=2)
    pixels = np.clip(128 + 4 * smooth, 0, 255).astype(np.uint8)[:, 2:, 2:]
    model = build_fast((32, 32, 3), 10)
    set_whitening(model, pixels)
    side, stride = patches((32, 32, 3))
    layer = model.get_layer("whiten")
    kernel, bias = (np.asarray(weight, np.float64) for weight in layer.get_weights())
    windows = np.lib.stride_tricks.sliding_window_view(pixels / 256, (side, side), (1, 2))
    flat = windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3).reshape(-1, side * side * 3)
    answers = flat @ kernel.reshape(len(flat[0]), -1) + bias
    half = answers.shape[1] // 2
    np.testing.assert_allclose(answers[:, half:], -answers[:, :half], atol=1e-5)
    covariance = np.cov(answers[:, :half], rowvar=False)
    variances = np.diag(covariance)
    assert np.abs(covariance - np.diag(variances)).max() < 0.1
    # Where a direction has a variance v of its own, v / (v + epsilon) is left of it.
    assert variances.max() < 1.1
    assert variances[0] == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(answers[:, :half].mean(axis=0), 0, atol=0.2)


@pytest.mark.parametrize(
    ("shape", "filters"),
    [((16, 16, 1), 8), ((16, 16, 3), 16), ((64, 64, 1), 32), ((64, 64, 3), 48)],
)
def test_directions_of_little_variance_are_left_out(
    shape: tuple[int, int, int], filters: int
) -> None:
    """Two filters a direction: a patch of 2x2 pixels of three colours has 12, and 8 are taken."""
    assert build_fast(shape, 2).get_layer("whiten").filters == filters


def test_the_first_layer_is_the_same_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of pixels or weights is lost in bfloat16, or use would differ from training."""
    monkeypatch.setattr(fast, "training_dtype", lambda: "mixed_bfloat16")
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    twin = build_fast((16, 16, 1), 2, training=True)
    scaled = twin.get_layer("scale")(pixels)
    assert keras.backend.standardize_dtype(scaled.dtype) == "bfloat16"
    np.testing.assert_array_equal(keras.ops.cast(scaled, "float32"), pixels / np.float32(256))
    rng = np.random.default_rng(0)
    set_whitening(twin, rng.integers(0, 256, (30, 16, 16, 1), dtype=np.uint8))
    for weight in twin.get_layer("whiten").get_weights():
        rounded = keras.ops.cast(keras.ops.cast(weight, "bfloat16"), "float32")
        np.testing.assert_array_equal(rounded, weight)


def test_the_first_layer_is_not_trained() -> None:
    model = build_fast((8, 8, 1), 3, training=True)
    names = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert "whiten" not in names
    assert {"conv_1a", "norm_1a", "output"} <= names


def test_blank_pictures_can_be_whitened() -> None:
    model = build_fast((8, 8, 1), 2)
    set_whitening(model, np.full((20, 8, 8, 1), 7, np.uint8))
    assert all(np.isfinite(weight).all() for weight in model.get_layer("whiten").get_weights())


def test_convolutions_begin_as_the_identity() -> None:
    model = build_fast((16, 16, 3), 5, training=True)
    kernel = np.asarray(model.get_layer("conv_1b").kernel)
    expected = np.zeros_like(kernel)
    expected[1, 1] = np.eye(len(expected[1, 1]))
    np.testing.assert_array_equal(kernel, expected)


def test_the_twin_answers_as_the_network_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "training_dtype", lambda: "float32")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 16, 16, 3), dtype=np.uint8)
    twin = build_fast((16, 16, 3), 4, training=True)
    set_whitening(twin, pixels)
    twin.compile("adam", "sparse_categorical_crossentropy")
    twin.fit(pixels, rng.integers(0, 4, 64), epochs=2, verbose=0)
    network = build_fast((16, 16, 3), 4)
    network.set_weights(twin.get_weights())
    np.testing.assert_allclose(
        network.predict_on_batch(pixels), twin.predict_on_batch(pixels), atol=1e-5
    )


def test_fused_normalisation_is_keras_own() -> None:
    from tellapart.models.fused_normalisation import FusedNormalization

    rng = np.random.default_rng(0)
    given = rng.normal(3, 2, (8, 5, 5, 4)).astype(np.float32)
    layers = [
        kind(momentum=0.7, epsilon=1e-5)
        for kind in (keras.layers.BatchNormalization, FusedNormalization)
    ]
    for _ in range(3):
        own, fused = (np.asarray(layer(given, training=True)) for layer in layers)
        np.testing.assert_allclose(fused, own, atol=1e-4)
    for own, fused in zip(*(layer.get_weights() for layer in layers), strict=True):
        np.testing.assert_allclose(fused, own, rtol=0.02)  # one divides by n, one by n - 1
    own, fused = (np.asarray(layer(given, training=False)) for layer in layers)
    np.testing.assert_allclose(fused, own, rtol=0.02, atol=0.02)


def test_what_is_saved_is_made_of_keras_own_layers(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "model.keras"
    build_fast((32, 32, 3), 10).save(path)
    config = json.loads(zipfile.ZipFile(path).read("config.json"))
    packages = {layer["registered_name"] for layer in config["config"]["layers"]}
    assert packages == {None}
