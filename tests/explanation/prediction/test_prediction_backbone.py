"""The prediction trace of a pretrained network, grouped by its blocks."""

from __future__ import annotations

import itertools
import json
import re

import keras
import numpy as np
import numpy.typing as npt
import pytest

from tellapart.explanation.prediction import PredictionTrace, prediction_trace
from tellapart.models.backbones import get_backbone
from tellapart.models.backbones.transfer import build_transfer_model
from tests.explanation.prediction.network import PIXELS

SIDE = 96

Probabilities = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def traced() -> tuple[PredictionTrace, Probabilities]:
    """EfficientNet-Lite0 with its real weights, and what it answers itself."""
    model = build_transfer_model(get_backbone("efficientnet-lite0"), (SIDE, SIDE), 3)
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    return prediction_trace(model, pixels, ["a", "b", "c"]), np.asarray(model(pixels[None]))[0]


def test_blocks_are_those_of_the_network(
    traced: tuple[PredictionTrace, Probabilities],
) -> None:
    trace, answer = traced
    # Operations without a name of their own are numbered by Keras: add, add_1, ...
    names = [re.sub(r"^(add|sqrt)_\d+$", r"\1", block.name) for block in trace.blocks]
    repeats = {1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 6: 4, 7: 1}
    assert names == [
        "input",
        "normalise",
        "stem",
        *(f"stage{n}_block{k + 1}" for n, count in repeats.items() for k in range(count)),
        "head",
        "average",
        "add",
        "sqrt",
        "output",
    ]
    # Every stage is in exactly one block, in order.
    ends = [(block.first, block.last) for block in trace.blocks]
    assert ends[0][0] == 0
    assert ends[-1][1] == len(trace.stages) - 1
    assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(ends))
    assert trace.answer.probabilities == pytest.approx(answer, abs=1e-5)


def test_a_block_says_what_is_in_it(
    traced: tuple[PredictionTrace, Probabilities],
) -> None:
    trace, _ = traced
    blocks = {block.name: block for block in trace.blocks}
    block = blocks["stage2_block2"]
    assert block.does == (
        "Conv 1x1 to 144, batch norm, ReLU6, depthwise 3x3, batch norm, ReLU6, conv 1x1 to 24, "
        "batch norm, add"
    )
    # 24 -> 144 -> 144 -> 24 channels, each convolution followed by four numbers a channel.
    assert block.parameters == 24 * 144 + 9 * 144 + 144 * 24 + 4 * (144 + 144 + 24)
    assert block.rectified is not None
    assert trace.stages[block.rectified].stage.name == "stage2_block2_depthwise_relu6"
    assert len(trace.stages[block.last].maps) == 8
    assert all(not stage.maps for stage in trace.stages[block.first : block.last])
    depthwise = {s.stage.name: s.stage for s in trace.stages}["stage3_block1_depthwise"]
    assert "a filter of 5x5 over each channel by itself" in depthwise.does
    assert "stride 2" in depthwise.does
    assert (depthwise.counted, depthwise.parameters) == ("5x5x144x1", 25 * 144)
    add = {s.stage.name: s.stage for s in trace.stages}["stage2_block2_add"]
    assert "Adds 2 inputs" in add.does


def test_the_stem_is_worked_out_to_its_relu6(
    traced: tuple[PredictionTrace, Probabilities],
) -> None:
    trace, _ = traced
    worked = trace.convolution
    assert worked is not None
    assert (worked.layer, worked.bias, len(worked.channel_sums)) == ("stem", None, 3)
    assert [step.name for step in worked.then] == ["stem_bn", "stem_relu6"]
    assert worked.then[-1].value == min(max(worked.then[0].value, 0), 6)
    assert trace.pooling is not None
    assert (trace.pooling.layer, trace.pooling.window.shape) == ("average", (3, 3))  # 96 / 32
    assert trace.pooling.result == pytest.approx(trace.pooling.window.mean(), rel=1e-5)


def test_the_document_stays_small(
    traced: tuple[PredictionTrace, Probabilities],
) -> None:
    assert len(json.dumps(traced[0].to_json(), allow_nan=False)) < 1_000_000


def test_the_names_of_keras_applications_are_understood() -> None:
    names = ("conv2_block1_1_conv", "conv2_block1_1_bn", "conv2_block1_out", "block2a_expand_conv")
    pixels = x = keras.Input((4, 4, 1))
    for name in names:
        x = keras.layers.Dropout(0.1, name=name)(x)
    x = keras.layers.GlobalMaxPooling2D(name="pool")(x)
    model = keras.Model(pixels, keras.layers.Dense(2, activation="softmax", name="end")(x))
    trace = prediction_trace(model, PIXELS, ["a", "b"])
    assert [(block.name, block.last - block.first + 1) for block in trace.blocks] == [
        ("input", 1),
        ("conv2_block1", 3),
        ("block2a_expand_conv", 1),  # alone: called by its own name
        ("pool", 1),
        ("end", 1),
    ]


def test_neighbours_of_one_size_are_joined_where_blocks_are_many() -> None:
    layers = keras.layers
    stack = [layers.DepthwiseConv2D(1, name=f"first_{n}") for n in range(60)]
    stack += [layers.MaxPooling2D(2, name="pool")]
    stack += [layers.DepthwiseConv2D(1, name=f"second_{n}") for n in range(30)]
    stack += [layers.Flatten(name="flatten"), layers.Dense(2, activation="softmax", name="end")]
    model = keras.Sequential([keras.Input((4, 4, 1)), *stack])
    trace = prediction_trace(model, PIXELS, ["a", "b"])
    assert [(block.name, block.parameters) for block in trace.blocks] == [
        ("input", 0),
        ("first_0 to first_59", 60 * 2),
        ("pool to second_29", 30 * 2),
        ("flatten", 0),
        ("end", 2 * 2 * 2 + 2),
    ]
    assert trace.blocks[2].does == "31 layers: 30 DepthwiseConv2D, 1 MaxPooling2D"
    assert [len(trace.stages[block.last].maps) for block in trace.blocks] == [0, 1, 1, 0, 1]
