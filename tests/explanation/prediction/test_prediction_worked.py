"""What is worked out by hand, against numbers that are derived by hand."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.explanation.prediction.worked_convolution import goes_on, work_out_convolution
from tellapart.explanation.prediction.worked_pooling import work_out_pooling
from tellapart.explanation.prediction.worked_softmax import work_out_softmax
from tellapart.explanation.prediction.worked_window import CannotWorkOut, Windows, windows_of
from tellapart.explanation.walk import Step, walk
from tests.explanation.prediction.network import PIXELS, build_tiny


@pytest.fixture(scope="module")
def steps() -> dict[str, Step]:
    return {step.layer.name: step for step in walk(build_tiny(), PIXELS)}


def step_of(layer: Any, entering: npt.NDArray[Any]) -> Step:
    entering = np.asarray(entering, np.float32)
    return Step(layer, (entering,), np.asarray(layer(entering)))


# --- Windows ------------------------------------------------------------------------------------


def test_windows_of_padding_same() -> None:
    # 5 inputs, windows of 3, 2 apart: 3 windows reach over 2x2 + 3 = 7, so 2 zeros, 1 in front.
    layer = keras.layers.Conv2D(1, 3, strides=2, padding="same")
    windows = windows_of(layer, 0, length=5, count=3)
    assert windows == Windows(size=3, stride=2, dilation=1, before=1, length=5, count=3)
    assert [windows.indices(k) for k in range(3)] == [[-1, 0, 1], [1, 2, 3], [3, 4, 5]]
    assert windows.inside() == [1]
    # 4 inputs: 2 windows reach over 5, so one zero, behind: TensorFlow's smaller half is in front.
    assert windows_of(layer, 1, length=4, count=2).before == 0


def test_windows_of_a_dilated_kernel() -> None:
    layer = keras.layers.Conv2D(1, 3, dilation_rate=2)
    windows = windows_of(layer, 0, length=7, count=3)
    assert windows.indices(2) == [2, 4, 6]
    assert windows.inside() == [0, 1, 2]


# --- Convolution --------------------------------------------------------------------------------


def test_the_convolution_of_the_tiny_network(steps: dict[str, Step]) -> None:
    worked = work_out_convolution([steps["conv"]])
    assert (worked.layer, worked.filter, worked.row, worked.column) == ("conv", 0, 0, 1)
    assert (worked.rows, worked.columns) == ((0, 1), (1, 2))
    np.testing.assert_allclose(worked.window, [[2, 0], [4, 0]], atol=1e-6)
    assert worked.weights.tolist() == [[1, -1], [2, 0.5]]
    np.testing.assert_allclose(worked.products, [[2, 0], [8, 0]], atol=1e-6)
    assert worked.channel_sums == pytest.approx([10])
    assert worked.bias == -0.5
    assert worked.total == pytest.approx(9.5)
    assert worked.activation == "relu"
    assert worked.result == pytest.approx(9.5)
    words, numbers = zip(*worked.sum_in_words(), strict=True)
    assert words == (
        "the 4 products add up to",
        "plus the bias of the filter",
        "makes",
        "ReLU sets negative sums to 0",
    )
    assert numbers == pytest.approx([10, -0.5, 9.5, 9.5])


def test_many_channels_are_summed_one_by_one() -> None:
    # A 1x1 window: channel c sees c + 1 and weighs it c - 5; its product is (c + 1)(c - 5):
    # -5, -8, -9, -8, -5, 0, 7, 16, 27, 40. Together 55.
    layer = keras.layers.Conv2D(1, 1, use_bias=False, name="conv")
    layer.build((1, 1, 1, 10))
    layer.set_weights([np.arange(-5.0, 5.0).reshape(1, 1, 10, 1)])
    worked = work_out_convolution([step_of(layer, np.arange(1.0, 11).reshape(1, 1, 1, 10))])
    assert list(worked.channel_sums) == [-5, -8, -9, -8, -5, 0, 7, 16, 27, 40]
    assert worked.bias is None
    assert (worked.channel, worked.window.item(), worked.products.item()) == (9, 10, 40)
    lines: list[Any] = [list(line) for line in worked.sum_in_words()]
    assert lines[0] == ["the 1 products of channel 9 add up to", 40]
    assert lines[1] == ["plus those of channel 8", 27]
    assert lines[8] == ["plus those of the other 2 channels", -5]  # one of -5, and 0
    assert lines[9] == ["makes", 55]
    assert len(lines) == 10
    assert sum(value for _, value in lines[:-1]) == 55


def test_normalisation_and_activation_of_their_own() -> None:
    layers = keras.layers
    conv = layers.Conv2D(1, 1, use_bias=False, name="conv")
    norm = layers.BatchNormalization(epsilon=1e-3, name="norm")
    relu6 = layers.ReLU(6.0, name="relu6")
    conv.build((1, 2, 2, 1))
    norm.build((1, 2, 2, 1))
    conv.set_weights([np.full((1, 1, 1, 1), 2.0)])
    norm.set_weights([np.array([value]) for value in (3.0, 1.0, 4.0, 8.999)])
    first = step_of(conv, np.array([[1.0, 5], [4, 2]]).reshape(1, 2, 2, 1))
    second = step_of(norm, first.output)
    third = step_of(relu6, second.output)
    assert goes_on([first], second)
    assert goes_on([first, second], third)
    assert not goes_on([first], third)  # it is given the answers of the normalisation
    # gamma 3, beta 1, mean 4, sqrt(8.999 + 0.001) = 3: x becomes 2x - 4 + 1. Inputs of 5 and 4
    # end as 17 - 10 = 7 and 5; both 7 and more are cut to 6. Of equal ends the larger sum counts.
    worked = work_out_convolution([first, second, third])
    assert (worked.row, worked.column, worked.result) == (0, 1, 10)
    assert [(step.name, step.value) for step in worked.then] == [
        ("norm", pytest.approx(7)),
        ("relu6", 6),
    ]
    assert worked.then[0].how == "(10.0000 - 4.0000) / sqrt(8.9990 + 0.001) x 3.0000 + 1.0000"
    assert worked.then[1].how == "negative becomes 0, above 6 becomes 6"


def test_a_position_without_padding_is_chosen() -> None:
    # The largest answer would be at the rim, where half of the window is padding.
    layer = keras.layers.Conv2D(1, 3, padding="same", use_bias=False)
    layer.build((1, 4, 4, 1))
    layer.set_weights([np.ones((3, 3, 1, 1))])
    picture = np.ones((1, 4, 4, 1))
    picture[0, 0, 0] = 100
    worked = work_out_convolution([step_of(layer, picture)])
    assert (worked.row, worked.column, worked.result) == (1, 1, 108)  # 100 and eight ones
    assert worked.rows == (0, 1, 2)


def test_a_picture_smaller_than_the_window_shows_the_padding() -> None:
    layer = keras.layers.Conv2D(1, 3, padding="same", use_bias=False)
    layer.build((1, 1, 1, 1))
    layer.set_weights([np.ones((3, 3, 1, 1))])
    worked = work_out_convolution([step_of(layer, np.full((1, 1, 1, 1), 7.0))])
    assert worked.window.tolist() == [[0, 0, 0], [0, 7, 0], [0, 0, 0]]
    assert (worked.rows, worked.total) == ((-1, 0, 1), 7)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_sum_is_what_keras_answers(data: st.DataObject) -> None:
    groups = data.draw(st.sampled_from([1, 1, 2]))
    dilation = data.draw(st.integers(1, 2))
    layer = keras.layers.Conv2D(
        groups * data.draw(st.integers(1, 2)),
        (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))),
        strides=1 if dilation > 1 else data.draw(st.integers(1, 3)),
        dilation_rate=dilation,
        padding=data.draw(st.sampled_from(["valid", "same"])),
        groups=groups,
        use_bias=data.draw(st.booleans()),
        activation=data.draw(st.sampled_from([None, "relu", "tanh"])),
        bias_initializer="ones",
    )
    seed = data.draw(st.integers(0, 2**16))
    side = data.draw(st.integers(5, 9))
    picture = np.random.default_rng(seed).normal(size=(1, side, side + 1, groups * 2))
    step = step_of(layer, picture)
    worked = work_out_convolution([step])  # raises where the sum is another than Keras's
    assert worked.result == step.output[0, worked.row, worked.column, worked.filter]
    assert sum(worked.channel_sums) + (worked.bias or 0) == pytest.approx(worked.total)
    assert worked.channel_sums[worked.channel] == pytest.approx(worked.products.sum())
    np.testing.assert_allclose(worked.products, worked.window * worked.weights)


def test_numbers_that_are_not_finite_are_not_worked_out() -> None:
    layer = keras.layers.Conv2D(1, 2, name="conv")
    step = step_of(layer, np.full((1, 3, 3, 1), np.nan))
    with pytest.raises(CannotWorkOut, match="'conv' gives numbers that are not finite"):
        work_out_convolution([step])


def test_a_layer_that_does_more_than_a_convolution_is_not_worked_out() -> None:
    layer = keras.layers.Conv2D(1, 2, name="conv")
    step = step_of(layer, np.ones((1, 3, 3, 1)))
    other = Step(layer, step.inputs, step.output + 1)
    with pytest.raises(CannotWorkOut, match="'conv' answers .* where its weights give"):
        work_out_convolution([other])


# --- Pooling ------------------------------------------------------------------------------------


def test_the_pooling_of_the_tiny_network(steps: dict[str, Step]) -> None:
    worked = work_out_pooling(steps["pool"])
    np.testing.assert_allclose(worked.window, [[6.5, 9.5], [0, 3.5]], atol=1e-5)
    assert worked.takes == "largest"
    assert worked.result == pytest.approx(9.5)
    assert (worked.channel, worked.row, worked.column) == (0, 0, 0)


def test_mean_pooling_of_windows_and_of_whole_channels() -> None:
    picture = np.array([[1.0, 2, 9], [3, 6, 9]]).reshape(1, 2, 3, 1)
    worked = work_out_pooling(step_of(keras.layers.AveragePooling2D(2), picture))
    assert worked.window.tolist() == [[1, 2], [3, 6]]
    assert (worked.takes, worked.result) == ("mean", 3)  # 12 / 4
    whole = work_out_pooling(step_of(keras.layers.GlobalAveragePooling2D(), picture))
    assert whole.window.tolist() == [[1, 2, 9], [3, 6, 9]]
    assert (whole.takes, whole.result, whole.rows) == ("mean", 5, (0, 1))  # 30 / 6
    largest = work_out_pooling(step_of(keras.layers.GlobalMaxPooling2D(), picture))
    assert (largest.takes, largest.result) == ("largest", 9)


def test_a_window_of_thousands_is_not_worked_out() -> None:
    step = step_of(keras.layers.GlobalAveragePooling2D(name="mean"), np.ones((1, 50, 40, 1)))
    with pytest.raises(CannotWorkOut, match="'mean' pools 2,000 numbers, too many to check"):
        work_out_pooling(step)


# --- Softmax ------------------------------------------------------------------------------------


def test_the_softmax_of_the_tiny_network(steps: dict[str, Step]) -> None:
    answer = work_out_softmax(steps["output"], ["first", "second"])
    assert answer.logits == pytest.approx([2, 1])
    assert answer.exponentials == pytest.approx([1, math.exp(-1)])
    total = 1 + math.exp(-1)
    assert answer.probabilities == pytest.approx([1 / total, math.exp(-1) / total])
    assert answer.to_json()["sum"] == pytest.approx(total)
    assert [found["name"] for found in answer.to_json()["classes"]] == ["first", "second"]


def test_a_temperature_divides_the_difference(steps: dict[str, Step]) -> None:
    answer = work_out_softmax(steps["output"], ["first", "second"], temperature=2)
    share = 1 / (1 + math.exp(-0.5))
    assert answer.probabilities == pytest.approx([share, 1 - share])
    assert answer.logits == pytest.approx([2, 1])


@pytest.mark.parametrize("layer", [keras.layers.Softmax(), keras.layers.Activation("softmax")])
def test_a_softmax_layer_is_given_the_logits(layer: Any) -> None:
    answer = work_out_softmax(step_of(layer, np.array([[0.0, 3, 1]])), ["a", "b", "c"])
    assert answer.logits is not None
    assert answer.logits.tolist() == [0, 3, 1]
    assert answer.order() == [1, 2, 0]


def test_without_a_softmax_there_are_no_logits_but_a_temperature_still_works() -> None:
    share = np.array([[0.2, 0.8]], np.float32)
    step = Step(keras.layers.Rescaling(1.0, name="end"), (share,), share)
    answer = work_out_softmax(step, ["a", "b"])
    assert (answer.logits, answer.exponentials) == (None, None)
    assert answer.probabilities == pytest.approx([0.2, 0.8])
    # 0.2^(1/2) : 0.8^(1/2) = 1 : 2
    halved = work_out_softmax(step, ["a", "b"], temperature=2)
    assert halved.probabilities == pytest.approx([1 / 3, 2 / 3])


def test_huge_logits_do_not_overflow() -> None:
    answer = work_out_softmax(
        step_of(keras.layers.Softmax(), np.array([[1e4, -1e4, 1e4]])), ["a", "b", "c"]
    )
    assert answer.probabilities == pytest.approx([0.5, 0, 0.5])
