"""The data-flow trace against the table of the tutorials."""

from __future__ import annotations

import keras

from tellapart.explanation.flow import data_flow, format_shape
from tellapart.models.classic import build_classic
from tellapart.models.registry import build


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


def test_a_layer_that_is_not_explained_is_still_listed() -> None:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.SeparableConv2D(4, 3, name="separable")(inputs)
    y = keras.layers.Conv2D(4, 3)(inputs)
    x = keras.layers.Add()([x, y])
    x = keras.layers.Flatten()(x)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    kinds = [stage.kind for stage in data_flow(model, 1)]
    assert "SeparableConv2D" in kinds
    assert "Add" in kinds
