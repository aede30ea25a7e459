"""The prediction trace: stages, blocks, the user's own networks, and bad weights."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest

from tellapart.errors import ModelError
from tellapart.explanation.flow import data_flow
from tellapart.explanation.prediction import PredictionTrace, prediction_trace
from tellapart.explanation.prediction.text import COLUMNS, percent, stage_rows, worked_text
from tellapart.images import Pixels
from tellapart.models.classic import build_classic
from tellapart.models.registry import build
from tests.explanation.prediction.network import PIXELS, build_tiny

layers = keras.layers
DIGITS = tuple("0123456789")


def picture(*shape: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def answer_of(model: Any, pixels: Pixels) -> Any:
    return np.asarray(model(pixels[None]))[0]


def strict(trace: PredictionTrace) -> Any:
    """The JSON document, as another program reads it."""
    return json.loads(json.dumps(trace.to_json(), allow_nan=False))


@pytest.fixture(scope="module")
def tiny() -> PredictionTrace:
    return prediction_trace(build_tiny(), PIXELS, ["first", "second"], picture="x.png")


# --- A network to calculate by hand -------------------------------------------------------------


def test_every_stage_has_its_figures(tiny: PredictionTrace) -> None:
    figures = {stage.stage.name: stage.activations for stage in tiny.stages}
    # Pixels 10 + 20 + 30 + 40 + 50 = 150 of 16; eleven are 0.
    assert figures["input"].mean == 150 / 16
    assert (figures["input"].maximum, figures["input"].zeros) == (50, 11 / 16)
    assert figures["normalise"].mean == pytest.approx(15 / 16)
    # 6.5 + 9.5 + 3.5 + 2 = 21.5 in one channel of nine; the other nine are 0.
    assert figures["conv"].mean == pytest.approx(21.5 / 18)
    assert figures["conv"].zeros == pytest.approx(14 / 18)
    assert (figures["conv"].minimum, figures["conv"].channels) == (0, 2)
    assert figures["conv"].dead_channels == 1
    for name in ("pool", "flatten"):
        assert figures[name].maximum == pytest.approx(9.5)
        assert (figures[name].zeros, figures[name].dead_channels) == (0.5, 1)
    assert figures["output"].mean == pytest.approx(0.5)  # two probabilities
    assert tiny.notes == ()


def test_stages_are_those_of_the_data_flow(tiny: PredictionTrace) -> None:
    assert [stage.stage for stage in tiny.stages] == data_flow(build_tiny(), 1)


def test_maps_are_kept_where_there_is_something_new_to_see(tiny: PredictionTrace) -> None:
    kept = {stage.stage.name: [m.channel for m in stage.maps] for stage in tiny.stages}
    assert kept == {
        "input": [],
        "normalise": [0],
        "conv": [0, 1],
        "pool": [],  # 1x1: nothing to see
        "flatten": [],  # the same numbers as before
        "output": [None],
    }


def test_json_is_what_the_document_says(tiny: PredictionTrace) -> None:
    found = strict(tiny)
    assert list(found) == [
        "format_version", "model", "picture", "stages", "blocks", "convolution", "pooling",
        "answer", "notes",
    ]  # fmt: skip
    assert {key: found["picture"][key] for key in ("name", "height", "width", "channels")} == {
        "name": "x.png",
        "height": 4,
        "width": 4,
        "channels": 1,
    }
    assert found["convolution"]["window"] == [[2, 0], [4, 0]]
    assert found["convolution"]["products"] == [[2, 0], [8, 0]]
    assert (found["convolution"]["total"], found["pooling"]["result"]) == (9.5, 9.5)
    assert found["answer"]["classes"][0] == {
        "index": 0,
        "name": "first",
        "logit": 2,
        "exponential": 1,
        "probability": 0.7310586,  # 1 / (1 + e^-1), seven digits
    }


def test_text_shows_the_sums(tiny: PredictionTrace) -> None:
    text = worked_text(tiny)
    assert "One answer of 'conv': filter 0 at row 0, column 1 (all counted from 0)" in text
    assert "It looks at rows 0 to 1, columns 1 to 2 of its input:" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "2.0000 0.0000 1.0000 -1.0000 2.0000 -0.0000" in lines
    assert "4.0000 0.0000 2.0000 0.5000 8.0000 0.0000" in lines
    assert "plus the bias of the filter -0.5000" in lines
    assert "the largest of the 4 numbers 9.5000" in lines
    assert "class logit e^((logit - 2.0000)) probability" in lines
    assert "second 1.0000 0.367879 26.89%" in lines
    rows = {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in stage_rows(tiny)}
    assert rows["conv"]["zeros after ReLU"] == "78%"  # 14 of 18
    assert rows["conv"]["dead channels"] == "1 of 2"
    assert rows["conv"]["parameters"] == "10"  # 2x2x1x2 + 2
    assert rows["pool"]["zeros after ReLU"] == ""


@pytest.mark.parametrize(
    ("share", "written"),
    [(1.0, "100.00%"), (0.99995, ">99.99%"), (0.5, "50.00%"), (1e-7, "<0.01%"), (0.0, "0.00%")],
)
def test_percentages_are_never_certain_by_rounding(share: float, written: str) -> None:
    assert percent(share) == written


# --- Networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape"),
    [("classic-28", (28, 28, 1)), ("classic-32", (32, 32, 3)), ("classic-64", (64, 64, 3))],
)
def test_the_classic_networks(name: str, shape: tuple[int, int, int]) -> None:
    model = build_classic(name, shape, 10)
    pixels = picture(*shape)
    trace = prediction_trace(model, pixels, DIGITS, temperature=1.0)
    assert trace.answer.probabilities == pytest.approx(answer_of(model, pixels), abs=1e-6)
    assert [block.name for block in trace.blocks] == [stage.stage.name for stage in trace.stages]
    assert trace.convolution is not None
    assert trace.convolution.layer == "conv_1"
    assert len(trace.convolution.channel_sums) == shape[-1]
    assert trace.pooling is not None
    assert trace.pooling.layer == "pool_1"
    # The strongest answer of the convolution is what the pooling keeps, rim or not.
    assert trace.pooling.result >= trace.convolution.result - 1e-6
    assert trace.notes == ()
    strict(trace)


def own_network() -> Any:
    """A network of the user's own: a Sequential with functional models inside, one used twice."""
    inner = keras.Input((6, 5, 4))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="inner_conv")(inner)
    x = layers.BatchNormalization(name="inner_norm")(x)
    x = layers.ReLU(name="inner_relu")(x)
    block = keras.Model(inner, layers.Add(name="inner_add")([inner, x]), name="shared")
    return keras.Sequential(
        [
            keras.Input((12, 10, 3)),
            layers.Conv2D(4, 3, strides=2, padding="same", name="first"),
            block,
            block,
            keras.Sequential([layers.SeparableConv2D(6, 3, name="separable")], name="nested"),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(3, name="scores"),
            layers.Dropout(0.5, name="dropout"),
        ],
        name="own",
    )


def test_the_users_own_nested_network() -> None:
    model = build(own_network(), (12, 10, 3), 3).model
    pixels = picture(12, 10, 3)
    trace = prediction_trace(model, pixels, ["a", "b", "c"])
    assert trace.answer.probabilities == pytest.approx(answer_of(model, pixels), abs=1e-6)
    assert [stage.stage.name for stage in trace.stages] == [
        "input", "normalise", "first",
        "inner_conv", "inner_norm", "inner_relu", "inner_add",
        "shared",
        "separable", "mean", "scores", "dropout", "softmax",
    ]  # fmt: skip
    # The block is used twice and has one set of weights: it is followed once.
    stages = {stage.stage.name: stage.stage for stage in trace.stages}
    assert (stages["inner_conv"].parameters, stages["shared"].parameters) == (3 * 3 * 4 * 4, 0)
    assert stages["shared"].does == (
        "Does all that the layers from inner_conv to inner_add do (the same weights once more)"
    )
    assert (stages["shared"].before, stages["shared"].after) == ((1, 6, 5, 4), (1, 6, 5, 4))
    assert sum(stage.stage.parameters for stage in trace.stages) == model.count_params()
    assert [stage.stage for stage in trace.stages] == data_flow(model, 1)
    # Convolution, normalisation and ReLU are one block, the addition is not.
    assert [block.name for block in trace.blocks].count("inner_conv") == 1
    assert "Conv 3x3 to 4, batch norm, ReLU" in [block.does for block in trace.blocks]
    assert trace.answer.layer == "softmax"
    assert trace.pooling is not None
    assert (trace.pooling.layer, trace.pooling.takes) == ("mean", "mean")


class Doubled(keras.Model):  # type: ignore[misc]
    """A model with a `call` of its own: nothing shows what is inside."""

    def __init__(self) -> None:
        super().__init__(name="doubled")
        self.inner = layers.Dense(3)

    def call(self, x: Any) -> Any:
        return 2 * self.inner(x)


def test_a_part_that_cannot_be_followed_is_one_stage() -> None:
    pixels = keras.Input((4, 4, 1))
    own = keras.Model(pixels, Doubled()(layers.Flatten()(pixels)), name="own")
    model = build(own, (4, 4, 1), 3).model
    trace = prediction_trace(model, picture(4, 4, 1), ["a", "b", "c"])
    (stage,) = (stage.stage for stage in trace.stages if stage.stage.name == "doubled")
    assert (stage.kind, stage.before, stage.after) == ("Doubled", (1, 16), (1, 3))
    assert stage.does == "Doubled layer"
    assert stage.parameters == 16 * 3 + 3
    assert trace.convolution is None
    assert trace.pooling is None
    assert trace.notes == (
        "No convolution is worked out: the network has no Conv2D layer.",
        "No pooling window is worked out: the network has no pooling layer.",
    )


def test_operations_without_a_layer_are_stages_too() -> None:
    pixels = keras.Input((4, 4, 3))
    x = keras.ops.flip(pixels, axis=-1)
    x = layers.GlobalMaxPooling2D()(x)
    x = keras.ops.sqrt(x + 0.25)
    model = keras.Model(pixels, layers.Dense(2, activation="softmax")(x))
    trace = prediction_trace(model, picture(4, 4, 3), ["a", "b"])
    assert [stage.stage.kind for stage in trace.stages] == [
        "Input", "Flip", "GlobalMaxPooling2D", "Add", "Sqrt", "Dense",
    ]  # fmt: skip
    assert trace.stages[3].stage.does == "Adds 0.25 to every number"


def test_two_outputs_that_sum_to_one_without_a_softmax() -> None:
    pixels = keras.Input((4, 4, 1))
    score = layers.Dense(1, activation="sigmoid")(layers.Flatten()(pixels / 255.0))
    model = keras.Model(pixels, layers.Concatenate(name="both")([score, 1 - score]))
    trace = prediction_trace(model, picture(4, 4, 1), ["a", "b"])
    assert trace.answer.logits is None
    assert trace.answer.probabilities is not None
    assert trace.answer.probabilities.sum() == pytest.approx(1)
    assert "There are no logits to show: 'both', the last layer, is no softmax." in trace.notes
    assert "The probabilities, as 'both' gives them" in worked_text(trace)
    found = strict(trace)["answer"]
    assert (found["largest_logit"], found["sum"]) == (None, None)


# --- What cannot be traced ----------------------------------------------------------------------


def test_a_model_without_a_graph() -> None:
    model = Doubled()
    model(np.zeros((1, 4), np.float32))
    with pytest.raises(ModelError, match="'doubled' cannot be followed: it computes in a `call`"):
        prediction_trace(model, picture(4, 4, 1), ["a", "b", "c"])


def test_a_picture_of_another_size() -> None:
    with pytest.raises(ModelError, match="takes pictures of 4x4x1, but the picture is 5x4x1"):
        prediction_trace(build_tiny(), picture(5, 4, 1), ["a", "b"])


def test_another_number_of_classes() -> None:
    with pytest.raises(ModelError, match=r"expected one for each of 3 classes"):
        prediction_trace(build_tiny(), PIXELS, ["a", "b", "c"])


class Counting(layers.Layer):  # type: ignore[misc,name-defined]
    """Scores 0 and the number of its calls: another answer each time."""

    calls = 0

    def call(self, x: Any) -> Any:
        self.calls += 1
        nothing = 0 * keras.ops.sum(x, axis=1, keepdims=True)
        return keras.ops.concatenate([nothing, nothing + self.calls], axis=1)


def test_a_network_that_answers_differently_each_time() -> None:
    pixels = keras.Input((4, 4, 1))
    scores = Counting()(layers.Flatten()(pixels))
    model = keras.Model(pixels, layers.Softmax()(scores), name="moody")
    with pytest.raises(ModelError, match="'moody' cannot be followed: its layers one by one"):
        prediction_trace(model, picture(4, 4, 1), ["a", "b"])


def test_weights_that_are_no_numbers_give_sentences_and_no_numbers() -> None:
    model = build_classic("classic-28", (28, 28, 1), 10)
    kernel, bias = model.get_layer("conv_1").get_weights()
    kernel[0, 0, 0, :3] = np.nan
    model.get_layer("conv_1").set_weights([kernel, bias])
    trace = prediction_trace(model, picture(28, 28, 1), DIGITS)
    assert trace.notes[:3] == (
        "3 of the 320 weights of 'conv_1' are not finite numbers (NaN or infinite).",
        # 26x26 answers of each of three filters
        "'conv_1' is the first to answer with numbers that are not finite, 2,028 of them.",
        "So there are no probabilities: whatever comes out in the end is made of these.",
    )
    assert any("'conv_1' gives numbers that are not finite" in note for note in trace.notes)
    found = strict(trace)
    assert {entry["probability"] for entry in found["answer"]["classes"]} == {None}
    assert (found["convolution"], found["pooling"]) == (None, None)
    by_name = {stage["name"]: stage for stage in found["stages"]}
    assert by_name["normalise"]["activations"]["mean"] is not None
    for name in ("conv_1", "pool_1", "flatten", "dense", "output"):
        assert by_name[name]["activations"]["mean"] is None, name
        assert by_name[name]["maps"] == []
    assert worked_text(trace) == "There are no probabilities.\n"
    assert dict(zip(COLUMNS, stage_rows(trace)[2], strict=True))["zeros after ReLU"] == "-"
