"""The data-flow trace against the table of the tutorials."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from tellapart.explanation.flow import Stage, data_flow, format_shape
from tellapart.models.classic import build_classic
from tellapart.models.registry import build

layers = keras.layers


def test_classic_64_and_1000_pictures() -> None:
    stages = data_flow(build_classic("classic-64", (64, 64, 3), 10), 1000)
    assert [(stage.kind, format_shape(stage.after)) for stage in stages] == [
        ("Input", "1000x64x64x3"),
        ("Rescaling", "1000x64x64x3"),
        ("Conv2D", "1000x62x62x32"),
        ("MaxPooling2D", "1000x31x31x32"),
        ("Conv2D", "1000x29x29x64"),
        ("MaxPooling2D", "1000x14x14x64"),
        ("Flatten", "1000x12544"),
        ("Dense", "1000x128"),
        ("Dense", "1000x10"),
    ]
    # Each stage begins with what the one before left.
    assert [stage.before for stage in stages[1:]] == [stage.after for stage in stages[:-1]]
    assert all(stage.does and stage.example for stage in stages)


def test_the_examples_are_worked_out_from_the_layer() -> None:
    stages = {s.name: s for s in data_flow(build_classic("classic-64", (64, 64, 3), 10), 1000)}
    assert stages["input"].example == "one picture is 64x64x3 = 12,288 numbers"
    assert stages["normalise"].example == "pixel 128 becomes 0.502"  # 128 / 255
    assert stages["conv_2"].example == (
        "one output: 288 inputs times their 288 weights, summed, plus a bias"  # 3x3x32
    )
    assert stages["conv_2"].counted == "3x3x32x64 + 64"
    assert stages["conv_2"].parameters == 3 * 3 * 32 * 64 + 64
    assert stages["flatten"].example == "14x14x64 = 12,544 numbers"
    # 29 rows make 14 windows of 2; the last row fills none.
    assert "dropped" in stages["pool_2"].does
    assert "dropped" not in stages["pool_1"].does


def test_a_wrapped_model_is_followed_inside() -> None:
    own = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Dropout(0.25),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4),
        ]
    )
    stages = data_flow(build(own, (8, 8, 3), 4).model, 5)
    assert [stage.kind for stage in stages] == [
        "Input",
        "Rescaling",
        "Dropout",
        "GlobalAveragePooling2D",
        "Dense",
        "Softmax",
    ]
    assert "25%" in stages[2].does
    assert format_shape(stages[-1].after) == "5x4"


def test_an_open_number_of_pictures() -> None:
    stages = data_flow(build_classic("classic-28", (28, 28, 1), 10))
    assert format_shape(stages[0].after) == "?x28x28x1"


def flow_of(*stack: Any, shape: tuple[int, int, int] = (8, 8, 3)) -> dict[str, Stage]:
    """The stages behind the input, by kind."""
    model = keras.Sequential([keras.Input(shape), *stack])
    return {stage.kind: stage for stage in data_flow(model, 1)[1:]}


def test_a_layer_that_is_not_explained_is_still_listed() -> None:
    found = flow_of(layers.Permute((2, 1, 3), name="turned"))["Permute"]
    assert (found.name, found.does, found.counted) == ("turned", "Permute layer", "")


@pytest.mark.parametrize(
    ("layer", "words", "after"),
    [
        (layers.Conv2D(4, 3, strides=2), "Slides 4 filters of 3x3 over the picture, 2 pixels at a "
         "time (stride 2), leaving out the rim where the window would stick out; each answers "
         "where its pattern is", "1x3x3x4"),
        (layers.Conv2D(1, (1, 1), activation="relu"), "Slides 1 filter of 1x1 over the picture; "
         "each answers where its pattern is; ReLU sets negative answers to 0", "1x8x8x1"),
        (layers.Conv2D(2, 3, dilation_rate=2), "looking at every 2. pixel", "1x4x4x2"),
        (layers.DepthwiseConv2D(5, padding="same"), "Slides a filter of 5x5 over each channel by "
         "itself, padding the rim with zeros to keep the size", "1x8x8x3"),
        (layers.SeparableConv2D(4, 3), "then mixes the channels into 4", "1x6x6x4"),
        (layers.Conv2DTranspose(4, 3, strides=2), "Paints 4 filters of 3x3, 2x2 pixels apart",
         "1x17x17x4"),
        (layers.MaxPooling2D(3, strides=2), "every 3x3 window, 2 pixels apart (stride 2): smaller, "
         "and steady when the picture shifts a little; a last row or column that fills no window "
         "is dropped", "1x3x3x3"),
        (layers.ZeroPadding2D(((0, 1), (2, 3))), "Adds 0 rows of zeros above, 1 below, 2 columns "
         "left, 3 right", "1x9x13x3"),
        (layers.Cropping2D(1), "Cuts off 1 rows above", "1x6x6x3"),
        (layers.UpSampling2D(2), "Brings the picture to another size", "1x16x16x3"),
        (layers.ReLU(6.0), "Sets negative numbers to 0, and those above 6 to 6 (ReLU6)", "1x8x8x3"),
        (layers.ReLU(negative_slope=0.1), "Multiplies negative numbers by 0.1", "1x8x8x3"),
        (layers.LeakyReLU(negative_slope=0.2), "Multiplies negative numbers by 0.2", "1x8x8x3"),
        (layers.Activation("swish"), "Applies silu to every number", "1x8x8x3"),
        (layers.Rescaling(1 / 127.5, offset=-1), "Multiplies every pixel by 0.007843 and adds -1",
         "1x8x8x3"),
        (layers.Rescaling([1.0, 2, 3], offset=[0.0, 0, 1]), "Multiplies each channel by 1, 2, 3 "
         "and adds 0, 0, 1", "1x8x8x3"),
        (layers.GaussianNoise(0.1), "does nothing when predicting", "1x8x8x3"),
        (layers.SpatialDropout2D(0.25), "sets 25% of the channels to 0", "1x8x8x3"),
        (layers.Reshape((4, 48)), "Arranges the numbers of a picture as 4x48", "1x4x48"),
    ],
)  # fmt: skip
def test_sentences_have_the_layers_own_numbers(layer: Any, words: str, after: str) -> None:
    (stage,) = flow_of(layer.from_config(layer.get_config())).values()
    assert words in stage.does
    assert format_shape(stage.after) == after


@pytest.mark.parametrize(
    ("layer", "counted", "parameters"),
    [
        (layers.Conv2D(4, 5, use_bias=False), "5x5x3x4", 300),
        (layers.Conv2D(6, 3, groups=3), "3x3x1x6 + 6", 60),
        (layers.DepthwiseConv2D(3), "3x3x3x1 + 3", 30),
        (layers.BatchNormalization(), "4x3", 12),  # gamma, beta, mean, variance of each channel
        (layers.SeparableConv2D(4, 3), "3x3x3x1 + 1x1x3x4 + 4", 27 + 12 + 4),
    ],
)
def test_parameters_are_counted_in_words(layer: Any, counted: str, parameters: int) -> None:
    (stage,) = flow_of(layer.from_config(layer.get_config())).values()
    assert (stage.counted, stage.parameters) == (counted, parameters)


def test_several_inputs_and_operations() -> None:
    pixels = keras.Input((4, 4, 2))
    x = layers.Conv2D(2, 1, name="conv")(pixels)
    x = layers.Add(name="sum")([pixels, x])
    x = layers.Concatenate(name="both")([pixels, x])
    x = layers.Multiply(name="product")([x, x])
    x = keras.ops.sqrt(2.0 * layers.GlobalAveragePooling2D()(x))
    stages = data_flow(keras.Model(pixels, x), 1)
    by_name = {stage.name: stage for stage in stages}
    assert "Adds 2 inputs, number by number" in by_name["sum"].does
    assert by_name["both"].example == "2 + 2 = 4 channels"
    assert "Multiplies its inputs" in by_name["product"].does
    assert [stage.kind for stage in stages[-2:]] == ["Multiply", "Sqrt"]
    assert stages[-2].does == "Multiplies every number by 2"
    assert stages[-1].parameters == 0


def test_a_shared_layer_is_counted_once() -> None:
    pixels = keras.Input((4, 4, 2))
    shared = layers.Conv2D(2, 1, name="shared")
    model = keras.Model(pixels, shared(shared(pixels)))
    first, second = data_flow(model, 1)[1:]
    assert (first.parameters, second.parameters) == (2 * 2 + 2, 0)
    assert second.does.endswith("(the same weights once more)")
