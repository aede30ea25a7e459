"""The engines that run a backbone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.errors import MissingDependencyError, ModelError, UsageError
from tellapart.models.backbones import engine, get_backbone
from tellapart.models.backbones.engine import TOLERANCE, FeatureExtractor, available_engines

SIZE = (64, 96)


def pictures(count: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), np.uint8)


@pytest.mark.parametrize("name", ["openvino", "keras"])
def test_engines_agree(name: str) -> None:
    if name not in available_engines():
        pytest.skip(f"{name} is not installed")
    lite, pixels = get_backbone("efficientnet-lite0"), pictures(11)
    expected = FeatureExtractor(lite, SIZE, "onnxruntime").features(pixels)
    found = FeatureExtractor(lite, SIZE, name).features(pixels)
    assert found.shape == expected.shape == (11, 1280)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < TOLERANCE


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_every_picture_keeps_its_place(name: str) -> None:
    """Batches end in any order; the last is not full."""
    if name not in available_engines():
        pytest.skip(f"{name} is not installed")
    extractor = FeatureExtractor(get_backbone("efficientnet-lite0"), SIZE, name)
    pixels = pictures(10)
    together = extractor.features(pixels)
    alone = np.concatenate([extractor.features(pixels[i : i + 1]) for i in range(10)])
    assert np.abs(together - alone).max() < 1e-5
    assert extractor.features(pixels[:0]).shape == (0, 1280)


def test_the_fastest_engine_is_taken() -> None:
    extractor = FeatureExtractor(get_backbone("efficientnet-lite0"), SIZE)
    assert extractor.engine == available_engines()[0]
    assert "onnxruntime" in available_engines()


def test_engines_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    lite = get_backbone("efficientnet-lite0")
    with pytest.raises(UsageError, match=r"Unknown engine 'opnvino'. Did you mean 'openvino'\?"):
        FeatureExtractor(lite, SIZE, "opnvino")
    monkeypatch.setattr(engine, "available_engines", lambda: ["onnxruntime"])
    with pytest.raises(
        MissingDependencyError, match="'openvino' is not installed: pip install openvino"
    ):
        FeatureExtractor(lite, SIZE, "openvino")


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((2, 96, 64, 3), np.uint8), np.zeros((2, 64, 96, 3), np.float32), np.zeros((64, 96))],
)
def test_pixels_of_another_shape_or_type(pixels: Any) -> None:
    extractor = FeatureExtractor(get_backbone("efficientnet-lite0"), SIZE, "onnxruntime")
    with pytest.raises(UsageError, match=r"expected \(n, 64, 96, 3\) uint8"):
        extractor.features(pixels)


def test_features_that_are_not_finite() -> None:
    import onnx
    from onnx import numpy_helper

    lite = get_backbone("efficientnet-lite0")
    model = onnx.load_model_from_string(lite.onnx(SIZE))
    for constant in model.graph.initializer:
        if constant.name == "std":
            constant.CopyFrom(numpy_helper.from_array(np.array(np.nan, np.float32), "std"))
    content = model.SerializeToString()
    broken = replace(lite, onnx_builder=lambda shape: content)
    with pytest.raises(ModelError, match="features that are not finite numbers, on onnxruntime"):
        FeatureExtractor(broken, SIZE, "onnxruntime").features(pictures(1))


def test_a_picture_that_is_too_small() -> None:
    with pytest.raises(ModelError, match="pictures of 16x64: expected at least 32 pixels a side"):
        FeatureExtractor(get_backbone("efficientnet-lite0"), (16, 64))


def test_features_need_no_tensorflow_and_report_to_nobody(tmp_path: Path) -> None:
    """In a fresh process with a home of its own: nothing is written there."""
    code = (
        "import sys, numpy as np\n"
        "from tellapart.models.backbones import get_backbone\n"
        "from tellapart.models.backbones.engine import FeatureExtractor\n"
        "from tellapart.models.head import fit_head\n"
        "extractor = FeatureExtractor(get_backbone('efficientnet-lite0'), (64, 64))\n"
        "pixels = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)\n"
        "fit_head(extractor.features(pixels), np.arange(8) % 2)\n"
        "print([n for n in ('tensorflow', 'keras', 'sklearn', 'openvino_telemetry')"
        " if n in sys.modules])\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "CI"}
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []
