"""Backbones on real photos, and against the published implementation."""

from __future__ import annotations

import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tellapart as ta
from tellapart.data.store import open_store
from tellapart.errors import ModelError
from tellapart.images import ImageSpec
from tellapart.models.backbones import get_backbone
from tellapart.models.backbones.applications import APPLICATIONS
from tellapart.models.backbones.efficientnet_lite import ROOT_OFFSET, VARIANTS, read_weights
from tellapart.models.backbones.engine import TOLERANCE, FeatureExtractor, available_engines

DATA = Path(os.environ.get("TELLAPART_DATA", Path(__file__).parents[2].parent / "shared" / "data"))

pytestmark = pytest.mark.slow


def photos(archive: str, size: int, step: int = 1) -> tuple[Any, Any, list[str]]:
    """Every `step`-th picture, (n, size, size, 3) uint8, its label, and the class names."""
    path = DATA / archive
    if not path.exists():
        pytest.skip(f"{path} is missing; TELLAPART_DATA names the folder that holds it")
    dataset = ta.load(path)
    store = open_store(dataset, ImageSpec(size, size, 3, resize="crop"))
    chosen = slice(None, None, step)
    return store.pixels[chosen], dataset.labels[chosen], list(dataset.class_names)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_the_published_implementation_gives_the_same(name: str) -> None:
    """PyPI's efficientnet-lite-pytorch, which needs torch; neither is a dependency of ours."""
    for package in ("torch", "efficientnet_lite_pytorch", VARIANTS[name].package):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    # By name, for type checkers that cannot see them.
    torch = importlib.import_module("torch")
    published_as = importlib.import_module("efficientnet_lite_pytorch")

    from tellapart.models.backbones.efficientnet_lite import _weights_file

    backbone = get_backbone(name)
    pixels, _, _ = photos("flowers17.zip", backbone.image_size[0], step=170)
    published = published_as.EfficientNet.from_pretrained(
        name, weights_path=str(_weights_file(name))
    ).eval()
    normalised = torch.from_numpy((pixels.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
    with torch.no_grad():
        average = published.extract_features(normalised).mean((2, 3)).numpy()
    for engine in available_engines():
        found = FeatureExtractor(backbone, backbone.image_size, engine).features(pixels)
        assert np.abs(found**2 - ROOT_OFFSET - average).max() < 1e-4


@pytest.mark.parametrize(
    ("archive", "name", "imagenet", "least"),
    [
        # ImageNet has 1,000 classes, and no sunflower: its daisy is the nearest.
        ("flowers17.zip", "Daisy", 985, 0.95),
        ("flowers17.zip", "Sunflower", 985, 0.9),
        ("ants-bees.zip", "ants", 310, 0.7),
        ("ants-bees.zip", "bees", 309, 0.7),
    ],
)
def test_imagenet_classes_make_sense(archive: str, name: str, imagenet: int, least: float) -> None:
    pixels, labels, names = photos(archive, 224)
    pixels = pixels[labels == names.index(name)]
    weights = read_weights("efficientnet-lite0")
    backbone = get_backbone("efficientnet-lite0")
    average = FeatureExtractor(backbone, (224, 224)).features(pixels) ** 2 - ROOT_OFFSET
    said = (average @ weights["_fc.weight"].T + weights["_fc.bias"]).argmax(axis=1)
    assert (said == imagenet).mean() >= least


@pytest.mark.parametrize("size", [96, 160, 224, 256])
def test_engines_agree_on_photos_of_any_size(size: int) -> None:
    pixels, _, _ = photos("flowers17.zip", size, step=50)
    lite = get_backbone("efficientnet-lite0")
    found = [
        FeatureExtractor(lite, (size, size), engine).features(pixels)
        for engine in available_engines()
    ]
    assert all(np.abs(other - found[0]).max() < TOLERANCE for other in found[1:])


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("mobilenetv3small", "mobilenet_v3"),
        ("resnet50", "resnet50"),
        ("densenet121", "densenet"),
        ("efficientnetb0", "efficientnet"),
        ("efficientnetv2b0", "efficientnet_v2"),
    ],
)
def test_an_application_from_a_file_is_what_keras_makes_of_it(
    name: str, module: str, tmp_path: Path
) -> None:
    """Random weights: Keras's network after its own preprocessing, ours saved, ours in ONNX."""
    import keras

    function = getattr(keras.applications, APPLICATIONS[name].function)
    keras.utils.set_random_seed(0)
    network = function(include_top=False, weights=None, pooling="avg", input_shape=(64, 96, 3))
    weights = tmp_path / "own.weights.h5"
    network.save_weights(weights)
    backbone = get_backbone(name, weights=weights)
    assert network.output_shape == (None, backbone.features)
    assert network.count_params() == backbone.parameters
    pixels = np.random.default_rng(0).integers(0, 256, (5, 64, 96, 3), np.uint8)
    theirs = getattr(keras.applications, module).preprocess_input(pixels.astype(np.float32))
    expected = np.asarray(network(theirs))
    tolerance = TOLERANCE * max(1, np.abs(expected).max())
    backbone.keras((64, 96)).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert np.abs(np.asarray(loaded(pixels)) - expected).max() < tolerance
    found = FeatureExtractor(backbone, (64, 96), "onnxruntime").features(pixels)
    assert np.abs(found - expected).max() < tolerance


def test_an_export_that_fails_says_why(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.weights.h5"
    wrong.write_bytes(b"\x89HDF and no more")
    with pytest.raises(ModelError, match=r"do not fit mobilenetv3small without its last layer"):
        get_backbone("mobilenetv3small", weights=wrong).onnx((64, 64))
