"""Backbones by name, and those of keras.applications without a download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tellapart.cli.network import open_network
from tellapart.data.cache import list_cache
from tellapart.errors import ModelError, UsageError
from tellapart.models.backbones import (
    applications,
    backbone_names,
    efficientnet_lite,
    get_backbone,
)
from tellapart.models.backbones.applications import APPLICATIONS


def test_names() -> None:
    names = backbone_names()
    assert names == sorted(set(names))
    assert {"efficientnet-lite0", "efficientnet-lite2", "mobilenetv3small", "resnet50"} <= set(
        names
    )


@pytest.mark.parametrize(
    "name", ["efficientnet-lite0", "EfficientNet-Lite0", "efficientnet_lite0", "efficientnetlite0"]
)
def test_spelling_does_not_matter(name: str) -> None:
    found = get_backbone(name)
    assert found.name == "efficientnet-lite0"
    assert found.image_size == (224, 224)
    assert found.features == 1280
    assert found.parameters == 3_413_024
    assert found.key == "efficientnet-lite0/579344248a93e230/1"
    assert found == get_backbone("efficientnet-lite0")


def test_an_unknown_name() -> None:
    with pytest.raises(
        UsageError, match=r"Unknown backbone 'resnet-5O'. Did you mean 'resnet50'\? Expected one of"
    ):
        get_backbone("resnet-5O")


def test_weights_for_a_network_that_has_its_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="efficientnet-lite0 comes with its weights: leave out"):
        get_backbone("efficientnet-lite0", weights=tmp_path / "w.pth")


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no weights file .*gone.h5.*without its last layer"):
        get_backbone("MobileNetV2", weights=tmp_path / "gone.h5")


def test_the_key_tells_weights_apart(tmp_path: Path) -> None:
    one, other = tmp_path / "one.h5", tmp_path / "other.h5"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    keys = {get_backbone("mobilenetv2", weights=w).key for w in (None, one, other)}
    assert len(keys) == 3
    assert all(key.startswith("mobilenetv2/") for key in keys)


def test_the_table_has_what_keras_has() -> None:
    """But ConvNeXt, which cannot be written as ONNX."""
    theirs = {
        name
        for name in dir(keras.applications)
        if name[0].isupper() and not name.startswith("ConvNeXt")
    }
    assert {application.function for application in APPLICATIONS.values()} == theirs


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("mobilenetv2", "mobilenet_v2"),
        ("resnet50", "resnet50"),
        ("densenet121", "densenet"),
        ("efficientnetb0", "efficientnet"),
    ],
)
def test_preprocessing_is_that_of_keras(name: str, module: str) -> None:
    """One network for each of the four ways."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), np.uint8)
    entry = keras.Input((4, 5, 3), dtype="uint8")
    ours = keras.Model(entry, applications._preprocess(entry, APPLICATIONS[name].preprocessing))
    theirs = getattr(keras.applications, module).preprocess_input(pixels.astype(np.float32))
    assert np.abs(np.asarray(ours(pixels)) - theirs).max() < 1e-4


def test_no_network_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(**options: Any) -> None:
        raise OSError("URL fetch failure on https://example.org/w.h5: no address")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(ModelError) as caught:
        get_backbone("mobilenetv2").keras((96, 96))
    assert "ImageNet weights of mobilenetv2 could not be downloaded: URL fetch" in str(caught.value)
    assert "take efficientnet-lite0" in str(caught.value)


def test_weights_of_another_network(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.weights.h5"
    wrong.write_bytes(b"\x89HDF and no more")
    with pytest.raises(ModelError, match=r"weights .*wrong.weights.h5 do not fit mobilenetv3small"):
        get_backbone("mobilenetv3small", weights=wrong).keras((64, 64))


def test_weights_that_do_not_fit_do_not_print_their_numbers(tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(300)])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ModelError) as caught:
        get_backbone("mobilenetv3small", weights=tmp_path / "other.weights.h5").keras((64, 64))
    assert "do not fit mobilenetv3small without its last layer: " in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["mobilenetv2", "efficientnet-lite1"])
def test_layers_can_be_looked_at_without_weights(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*args: Any, **options: Any) -> None:
        raise AssertionError("weights were asked for")

    monkeypatch.setattr(keras.utils, "get_file", absent)
    monkeypatch.setattr(efficientnet_lite, "read_weights", absent)
    network = open_network(name, "64", None, 3, pretrained=False)
    # The backbone's, and a weight of each of 1,280 features and a bias for each of 3 classes.
    assert network.count_params() == get_backbone(name).parameters + 3 * (1280 + 1)


def test_convnext_is_refused_with_its_reason() -> None:
    with pytest.raises(UsageError, match="cannot write the grouped convolutions of ConvNeXt as O"):
        get_backbone("convnexttiny")


def test_a_graph_is_made_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def export(name: str, shape: Any, weights: Any, file: Path) -> None:
        made.append((name, shape, weights))
        file.write_bytes(b"graph")

    monkeypatch.setattr(applications, "_export_in_new_process", export)
    for _ in range(2):
        assert get_backbone("mobilenetv2").onnx((96, 64)) == b"graph"
    get_backbone("mobilenetv2").onnx((64, 96))
    assert made == [("mobilenetv2", (96, 64, 3), None), ("mobilenetv2", (64, 96, 3), None)]
    assert {entry.location for entry in list_cache()} == {
        "mobilenetv2 at 96x64",
        "mobilenetv2 at 64x96",
    }
