"""What each kind of layer does, in a sentence with its own numbers, and an example."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        layer: `keras.Layer`, or an operation of `keras.ops`.
        inputs: shapes, the number of pictures first.
        after: shape of the output.
        constants: plain numbers among the arguments, as in `x + 0.001`.
    """

    layer: Any
    inputs: tuple[Shape, ...]
    after: Shape
    constants: tuple[float, ...] = ()

    @property
    def before(self) -> Shape:
        """The shape of the first input."""
        return self.inputs[0]


def explain(call: Call) -> tuple[str, str]:
    """Returns what a call does in a sentence, and the same on a number or two ("" for none)."""
    kind = type(call.layer).__name__
    explanation = _EXPLANATIONS.get(kind)
    return explanation(call) if explanation else (f"{kind} layer", "")


def explain_network(graph: Any) -> str:
    """Returns what a network does that is a layer, and that was explained layer by layer before."""
    names = [layer.name for layer in graph.layers if type(layer).__name__ != "InputLayer"]
    return (
        f"Does all that the layers from {names[0]} to {names[-1]} do" if names else "Does nothing"
    )


def explain_input(shape: Shape) -> tuple[str, str]:
    """Does as `explain` for the pixels that enter."""
    numbers = math.prod(axis or 1 for axis in shape[1:])
    return (
        "The pictures' pixels, whole numbers from 0 (dark) to 255 (bright)",
        f"one picture is {times(shape[1:])} = {numbers:,} numbers",
    )


def count_parameters(layer: Any) -> int:
    """Returns how many numbers a layer has learnt; operations have none."""
    return int(layer.count_params()) if hasattr(layer, "count_params") else 0


def count_in_words(layer: Any) -> str:
    """Returns how the parameters come about: "3x3x1x32 + 32", "4x32"; "" where there are none."""
    shapes = [tuple(weight.shape) for weight in getattr(layer, "weights", [])]
    if not shapes or len(shapes) > 4:
        return ""
    if len(shapes) > 2 and len(set(shapes)) == 1:
        return f"{len(shapes)}x{times(shapes[0])}"
    return " + ".join(times(shape) for shape in shapes)


def in_short(layer: Any) -> str:
    """Names a layer in a word or two, for a chain of them: "conv 3x3 to 32 (stride 2)", "ReLU6"."""
    kind = type(layer).__name__
    if hasattr(layer, "kernel_size"):
        word = {"Conv2D": "conv", "DepthwiseConv2D": "depthwise"}.get(kind, kind)
        step = f" (stride {layer.strides[0]})" if max(layer.strides) > 1 else ""
        ending = f", {_function_name(layer)}" if activation_name(layer) != "linear" else ""
        channels = f" to {layer.filters}" if hasattr(layer, "filters") else ""
        return f"{word} {times(layer.kernel_size)}{channels}{step}{ending}"
    if kind in ("ReLU", "Activation"):
        return _relu_name(layer) if kind == "ReLU" else _function_name(layer)
    return _SHORT.get(kind, kind)


def activation_name(layer: Any) -> str:
    """Returns the name of a layer's own activation, "linear" where it has none."""
    return str(getattr(getattr(layer, "activation", None), "__name__", "linear"))


def rectifies(layer: Any) -> bool:
    """Whether a layer ends in ReLU or ReLU6, which set negative numbers to exactly 0."""
    if type(layer).__name__ == "ReLU":
        return not layer.negative_slope
    return activation_name(layer) in ("relu", "relu6")


def times(shape: Sequence[int | None]) -> str:
    """Writes (28, 28, 1) as "28x28x1", an open number as "?"."""
    return "x".join("?" if axis is None else str(axis) for axis in shape)


# --- Filters ------------------------------------------------------------------------------------


def _conv2d(call: Call) -> tuple[str, str]:
    layer = call.layer
    channels = int(call.before[-1] or 1) // getattr(layer, "groups", 1)
    window = math.prod(layer.kernel_size) * channels
    plural = "" if layer.filters == 1 else "s"
    return (
        f"Slides {layer.filters} filter{plural} of {times(layer.kernel_size)} over the picture"
        f"{_pace(layer)}; each answers where its pattern is{_activation(layer)}",
        f"one output: {window} inputs times their {window} weights, summed{_bias(layer)}",
    )


def _depthwise(call: Call) -> tuple[str, str]:
    layer = call.layer
    window = math.prod(layer.kernel_size)
    own = layer.depth_multiplier
    filters = "a filter" if own == 1 else f"{own} filters"
    return (
        f"Slides {filters} of {times(layer.kernel_size)} over each channel by itself"
        f"{_pace(layer)}{_activation(layer)}",
        f"one output: {window} inputs of one channel times {window} weights, summed{_bias(layer)}",
    )


def _separable(call: Call) -> tuple[str, str]:
    layer = call.layer
    return (
        f"Slides a filter of {times(layer.kernel_size)} over each channel by itself{_pace(layer)}, "
        f"then mixes the channels into {layer.filters}{_activation(layer)}",
        "",
    )


def _transposed(call: Call) -> tuple[str, str]:
    layer = call.layer
    return (
        f"Paints {layer.filters} filters of {times(layer.kernel_size)}, {times(layer.strides)} "
        f"pixels apart, each as strong as its input: the picture grows{_activation(layer)}",
        "",
    )


def _pace(layer: Any) -> str:
    step = layer.strides[0]
    pace = "" if max(layer.strides) == 1 else f", {step} pixels at a time (stride {step})"
    dilation = getattr(layer, "dilation_rate", (1, 1))
    if max(dilation) > 1:
        pace += f", looking at every {dilation[0]}. pixel"
    if tuple(layer.kernel_size) == (1, 1):
        return pace
    if layer.padding == "valid":
        return f"{pace}, leaving out the rim where the window would stick out"
    kept = "to keep the size" if max(layer.strides) == 1 else "where the window sticks out"
    return f"{pace}, padding the rim with zeros {kept}"


def _bias(layer: Any) -> str:
    return ", plus a bias" if layer.use_bias else ""


# --- Pooling, and the shape of the picture ------------------------------------------------------


def _pooling(call: Call) -> tuple[str, str]:
    layer, before = call.layer, call.before
    maximum = type(layer).__name__.startswith("Max")
    what = "largest" if maximum else "mean"
    values = [0.1, 0.7, 0.3, 0.2]
    result = max(values) if maximum else sum(values) / 4
    step = layer.strides
    paced = "" if step == layer.pool_size else f", {step[0]} pixels apart (stride {step[0]})"
    lost = (
        "; a last row or column that fills no window is dropped"
        if layer.padding == "valid"
        and any(
            ((side or 0) - size) % stride
            for side, size, stride in zip(before[1:3], layer.pool_size, step, strict=True)
        )
        else ""
    )
    return (
        f"Keeps the {what} value of every {times(layer.pool_size)} window{paced}: smaller, and "
        f"steady when the picture shifts a little{lost}",
        f"0.1, 0.7, 0.3, 0.2 become {result:.3g}",
    )


def _global_pooling(call: Call) -> tuple[str, str]:
    what = "largest" if "Max" in type(call.layer).__name__ else "mean"
    return (
        f"Keeps the {what} value of each whole channel",
        f"{times(call.before[1:3])} positions become 1",
    )


def _flatten(call: Call) -> tuple[str, str]:
    return (
        "Lays all numbers of a picture in one row, for the dense layers",
        f"{times(call.before[1:])} = {call.after[1]:,} numbers",
    )


def _reshape(call: Call) -> tuple[str, str]:
    return f"Arranges the numbers of a picture as {times(call.after[1:])}", ""


def _zero_padding(call: Call) -> tuple[str, str]:
    (top, bottom), (left, right) = call.layer.padding
    return (
        f"Adds {top} rows of zeros above, {bottom} below, {left} columns left, {right} right",
        f"{times(call.before[1:3])} becomes {times(call.after[1:3])}",
    )


def _cropping(call: Call) -> tuple[str, str]:
    (top, bottom), (left, right) = call.layer.cropping
    return (
        f"Cuts off {top} rows above, {bottom} below, {left} columns left, {right} right",
        f"{times(call.before[1:3])} becomes {times(call.after[1:3])}",
    )


def _resizing(call: Call) -> tuple[str, str]:
    return (
        "Brings the picture to another size",
        f"{times(call.before[1:3])} becomes {times(call.after[1:3])}",
    )


# --- Dense, and number by number ----------------------------------------------------------------


def _dense(call: Call) -> tuple[str, str]:
    inputs = int(call.before[-1] or 1)
    if activation_name(call.layer) == "softmax":
        return (
            f"One score a class from all {inputs:,} numbers; softmax turns the scores into "
            "probabilities that add up to 1",
            "scores 2, 1, 0 become 0.67, 0.24, 0.09",
        )
    return (
        f"Every one of {call.layer.units} units weighs all {inputs:,} numbers"
        f"{_activation(call.layer)}",
        f"one output: {inputs:,} inputs times their {inputs:,} weights, summed{_bias(call.layer)}",
    )


def _softmax(call: Call) -> tuple[str, str]:
    return (
        "Turns scores into probabilities that add up to 1",
        "scores 2, 1, 0 become 0.67, 0.24, 0.09",
    )


def _rescaling(call: Call) -> tuple[str, str]:
    scale, offset = (_numbers(part) for part in (call.layer.scale, call.layer.offset))
    if len(scale) > 1 or len(offset) > 1:
        return (
            f"Multiplies each channel by {_listed(scale)} and adds {_listed(offset)}",
            f"pixel 128 of the first becomes {128 * scale[0] + offset[0]:.3g}",
        )
    result = 128 * scale[0] + offset[0]
    if scale[0] in (1 / 255, 1 / 256) and offset[0] == 0:
        does = (
            f"Divides every pixel by {1 / scale[0]:.0f}, so that all lie from 0 to 1: training is "
            "steadier"
        )
    elif (scale[0], offset[0]) == (1, 0):
        does = "Leaves the pixels as they are, as numbers with decimals"
    else:
        does = f"Multiplies every pixel by {scale[0]:.4g} and adds {offset[0]:.4g}"
    return does, f"pixel 128 becomes {result:.3g}"


def _normalization(call: Call) -> tuple[str, str]:
    return "Takes the mean of the training pictures away and divides by their deviation", ""


def _batch_normalization(call: Call) -> tuple[str, str]:
    return "Shifts and scales each channel to mean 0 and spread 1, then as training finds best", ""


def _layer_normalization(call: Call) -> tuple[str, str]:
    return "Shifts and scales the numbers of this picture to mean 0 and spread 1", ""


def _dropout(call: Call) -> tuple[str, str]:
    rate = call.layer.rate
    what = "channels" if "Spatial" in type(call.layer).__name__ else "numbers"
    return (
        f"While training, sets {rate:.0%} of the {what} to 0 at random, so that none is "
        "relied on alone; does nothing when predicting",
        f"0.8 becomes 0 or {0.8 / (1 - rate):.3g}" if rate < 1 else "",
    )


def _noise(call: Call) -> tuple[str, str]:
    return "While training, changes the picture at random; does nothing when predicting", ""


def _relu(call: Call) -> tuple[str, str]:
    layer = call.layer
    top, slope = getattr(layer, "max_value", None), getattr(layer, "negative_slope", 0) or 0
    if slope:
        return f"Multiplies negative numbers by {slope:.3g}", f"-0.3 becomes {-0.3 * slope:.3g}"
    if top is not None:
        return (
            f"Sets negative numbers to 0, and those above {top:g} to {top:g} ({_relu_name(layer)})",
            f"-0.3 becomes 0, {top + 1:g} becomes {top:g}",
        )
    return "Sets negative numbers to 0", "-0.3 becomes 0, 0.3 stays 0.3"


def _activation_layer(call: Call) -> tuple[str, str]:
    name = activation_name(call.layer)
    if name == "relu":
        return "Sets negative numbers to 0", "-0.3 becomes 0, 0.3 stays 0.3"
    if name == "softmax":
        return _softmax(call)
    return f"Applies {name} to every number", ""


# --- Several inputs -----------------------------------------------------------------------------


def _add(call: Call) -> tuple[str, str]:
    if len(call.inputs) < 2:
        return _with_constant(call, "Adds {} to every number")
    return (
        f"Adds {len(call.inputs)} inputs, number by number: what entered the block and what it made"
        " of it",
        "0.4 and 0.3 become 0.7",
    )


def _multiply(call: Call) -> tuple[str, str]:
    if len(call.inputs) < 2:
        return _with_constant(call, "Multiplies every number by {}")
    return "Multiplies its inputs, number by number: one turns the other up or down", ""


def _with_constant(call: Call, sentence: str) -> tuple[str, str]:
    number = f"{call.constants[0]:.4g}" if call.constants else "a fixed number"
    return sentence.format(number), ""


def _concatenate(call: Call) -> tuple[str, str]:
    depths = " + ".join(str(shape[-1]) for shape in call.inputs)
    return "Lays the channels of its inputs side by side", f"{depths} = {call.after[-1]} channels"


def _average(call: Call) -> tuple[str, str]:
    return f"Takes the mean of its {len(call.inputs)} inputs, number by number", (
        "0.4 and 0.8 become 0.6" if len(call.inputs) == 2 else ""
    )


def _square_root(call: Call) -> tuple[str, str]:
    return "Takes the square root of every number, so that few large ones count less", "9 becomes 3"


def _flip(call: Call) -> tuple[str, str]:
    if len(call.before) == 4 and call.layer.axis in (1, 2):
        upright = call.layer.axis == 2
        return f"Mirrors the picture {'left to right' if upright else 'upside down'}", ""
    return "Turns the order round: red, green, blue become blue, green, red", ""


Explanation = Callable[[Call], tuple[str, str]]

_EXPLANATIONS: dict[str, Explanation] = {
    "Activation": _activation_layer,
    "Add": _add,
    "Average": _average,
    "AveragePooling2D": _pooling,
    "BatchNormalization": _batch_normalization,
    "Concatenate": _concatenate,
    "Conv2D": _conv2d,
    "Conv2DTranspose": _transposed,
    "Cropping2D": _cropping,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Flip": _flip,
    "GaussianDropout": _noise,
    "GaussianNoise": _noise,
    "GlobalAveragePooling2D": _global_pooling,
    "GlobalMaxPooling2D": _global_pooling,
    "LayerNormalization": _layer_normalization,
    "LeakyReLU": _relu,
    "MaxPooling2D": _pooling,
    "Multiply": _multiply,
    "Normalization": _normalization,
    "RandomBrightness": _noise,
    "RandomContrast": _noise,
    "RandomFlip": _noise,
    "RandomRotation": _noise,
    "RandomTranslation": _noise,
    "RandomZoom": _noise,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "Resizing": _resizing,
    "SeparableConv2D": _separable,
    "Softmax": _softmax,
    "SpatialDropout2D": _dropout,
    "Sqrt": _square_root,
    "UpSampling2D": _resizing,
    "ZeroPadding2D": _zero_padding,
}

_SHORT = {
    "Add": "add",
    "Average": "mean of both",
    "AveragePooling2D": "mean pool",
    "BatchNormalization": "batch norm",
    "Concatenate": "join",
    "Dropout": "dropout",
    "GlobalAveragePooling2D": "mean",
    "GlobalMaxPooling2D": "maximum",
    "MaxPooling2D": "max pool",
    "Multiply": "multiply",
    "ZeroPadding2D": "pad",
}


def _function_name(layer: Any) -> str:
    name = activation_name(layer)
    return {"relu": "ReLU", "relu6": "ReLU6"}.get(name, name)


def _relu_name(layer: Any) -> str:
    top = getattr(layer, "max_value", None)
    return "ReLU" if top is None else f"ReLU{top:g}"


def _activation(layer: Any) -> str:
    name = activation_name(layer)
    if name == "linear":
        return ""
    return "; ReLU sets negative answers to 0" if name == "relu" else f"; then {name}"


def _numbers(value: Any) -> list[float]:
    return [float(part) for part in value] if hasattr(value, "__len__") else [float(value)]


def _listed(numbers: list[float]) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers)
