"""The data-flow trace: what becomes of N pictures on their way through a network."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from tellapart.models.backend import import_keras

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Stage:
    """One row of the trace.

    Attributes:
        name: the layer's name.
        kind: the layer's Keras class.
        before, after: shapes, the number of pictures first.
        parameters: numbers that training sets.
        counted: how `parameters` comes about, such as "3x3x3x32 + 32"; "" where there are none.
        does: what the stage does, in a sentence.
        example: the same on a number or two.
    """

    name: str
    kind: str
    before: Shape
    after: Shape
    parameters: int
    counted: str
    does: str
    example: str

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return asdict(self)


def data_flow(model: Any, images: int | None = None) -> list[Stage]:
    """Follows the shapes of `images` pictures through a `keras.Model`.

    A model wrapped in the model is followed layer by layer too.

    Args:
        model: a built model with one input and one output.
        images: how many pictures; None leaves the number open.
    """
    pixels = _shape(model.inputs, images)
    stages = [Stage("input", "Input", pixels, pixels, 0, "", *_explain_input(pixels))]
    for layer in _layers(model):
        node = layer._inbound_nodes[0]  # a shared layer is shown where it is used first
        before = _shape(node.input_tensors, images)
        after = _shape(node.output_tensors, images)
        does, example = _explain(layer, before, after)
        stages.append(
            Stage(
                name=layer.name,
                kind=type(layer).__name__,
                before=before,
                after=after,
                parameters=layer.count_params(),
                counted=_count_in_words(layer),
                does=does,
                example=example,
            )
        )
    return stages


def format_shape(shape: Shape) -> str:
    """Writes (1000, 64, 64, 3) as "1000x64x64x3", an open number of pictures as "?"."""
    return _times(shape)


def _layers(model: Any) -> list[Any]:
    """The layers in order, with those of wrapped models in the place of the wrapper."""
    keras = import_keras()
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        wrapped = isinstance(layer, keras.Sequential) or hasattr(layer, "operations")
        found += _layers(layer) if wrapped else [layer]
    return found


def _shape(tensors: Any, images: int | None) -> Shape:
    tensor = tensors[0] if isinstance(tensors, list | tuple) else tensors
    return (images, *tuple(tensor.shape)[1:])


def _explain(layer: Any, before: Shape, after: Shape) -> tuple[str, str]:
    explain = _EXPLANATIONS.get(type(layer).__name__)
    if explain is None:
        return f"{type(layer).__name__} layer", ""
    return explain(layer, before, after)


def _explain_input(shape: Shape) -> tuple[str, str]:
    numbers = math.prod(axis or 1 for axis in shape[1:])
    return (
        "The pictures' pixels, whole numbers from 0 (dark) to 255 (bright)",
        f"one picture is {_times(shape[1:])} = {numbers:,} numbers",
    )


def _rescaling(layer: Any, before: Shape, after: Shape) -> tuple[str, str]:
    scale, offset = float(layer.scale), float(layer.offset)
    result = 128 * scale + offset
    if math.isclose(scale, 1 / 255):
        does = "Divides every pixel by 255, so that all lie from 0 to 1: training is steadier"
    else:
        does = f"Multiplies every pixel by {scale:.4g} and adds {offset:.4g}"
    return does, f"pixel 128 becomes {result:.3g}"


def _conv2d(layer: Any, before: Shape, after: Shape) -> tuple[str, str]:
    height, width = layer.kernel_size
    window = height * width * int(before[-1] or 1)
    rim = (
        ", leaving out the rim where the window would stick out"
        if layer.padding == "valid"
        else ", padding the rim with zeros to keep the size"
    )
    return (
        f"Slides {layer.filters} filters of {height}x{width} over the picture{rim}; each answers "
        f"where its pattern is{_activation(layer)}",
        f"one output: {window} inputs times their {window} weights, summed, plus a bias",
    )


def _pooling(layer: Any, before: Shape, after: Shape) -> tuple[str, str]:
    height, width = layer.pool_size
    maximum = type(layer).__name__.startswith("Max")
    what = "largest" if maximum else "mean"
    values = [0.1, 0.7, 0.3, 0.2]
    result = max(values) if maximum else sum(values) / 4
    lost = (
        "; a last row or column that fills no window is dropped"
        if layer.padding == "valid"
        and ((before[1] or 0) % layer.strides[0] or (before[2] or 0) % layer.strides[1])
        else ""
    )
    return (
        f"Keeps the {what} value of every {height}x{width} window: smaller, and steady when the "
        f"picture shifts a little{lost}",
        f"0.1, 0.7, 0.3, 0.2 become {result:.3g}",
    )


def _global_pooling(layer: Any, before: Shape, after: Shape) -> tuple[str, str]:
    what = "largest" if "Max" in type(layer).__name__ else "mean"
    return (
        f"Keeps the {what} value of each whole channel",
        f"{_times(before[1:3])} positions become 1",
    )


def _flatten(layer: Any, before: Shape, after: Shape) -> tuple[str, str]:
    return (
        "Lays all numbers of a picture in one row, for the dense layers",
        f"{_times(before[1:])} = {after[1]:,} numbers",
    )


def _dense(layer: Any, before: Shape, after: Shape) -> tuple[str, str]:
    inputs = int(before[-1] or 1)
    if _activation_name(layer) == "softmax":
        return (
            f"One score a class from all {inputs:,} numbers; softmax turns the scores into "
            "probabilities that add up to 1",
            "scores 2, 1, 0 become 0.67, 0.24, 0.09",
        )
    return (
        f"Every one of {layer.units} units weighs all {inputs:,} numbers{_activation(layer)}",
        f"one output: {inputs:,} inputs times their {inputs:,} weights, summed, plus a bias",
    )


def _dropout(layer: Any, before: Shape, after: Shape) -> tuple[str, str]:
    return (
        f"While training, sets {layer.rate:.0%} of the numbers to 0 at random, so that none is "
        "relied on alone; does nothing when predicting",
        f"0.8 becomes 0 or {0.8 / (1 - layer.rate):.3g}",
    )


def _batch_normalization(layer: Any, before: Shape, after: Shape) -> tuple[str, str]:
    return "Shifts and scales each channel to mean 0 and spread 1, then as training finds best", ""


def _activation_layer(layer: Any, before: Shape, after: Shape) -> tuple[str, str]:
    name = _activation_name(layer)
    return (
        ("Sets negative numbers to 0", "-0.3 becomes 0, 0.3 stays 0.3")
        if name == "relu"
        else (f"Applies {name} to every number", "")
    )


def _softmax(layer: Any, before: Shape, after: Shape) -> tuple[str, str]:
    return (
        "Turns scores into probabilities that add up to 1",
        "scores 2, 1, 0 become 0.67, 0.24, 0.09",
    )


_EXPLANATIONS = {
    "Rescaling": _rescaling,
    "Conv2D": _conv2d,
    "MaxPooling2D": _pooling,
    "AveragePooling2D": _pooling,
    "GlobalAveragePooling2D": _global_pooling,
    "GlobalMaxPooling2D": _global_pooling,
    "Flatten": _flatten,
    "Dense": _dense,
    "Dropout": _dropout,
    "BatchNormalization": _batch_normalization,
    "ReLU": lambda layer, before, after: (
        "Sets negative numbers to 0",
        "-0.3 becomes 0, 0.3 stays 0.3",
    ),
    "Activation": _activation_layer,
    "Softmax": _softmax,
}


def _activation_name(layer: Any) -> str:
    return str(getattr(getattr(layer, "activation", None), "__name__", "linear"))


def _activation(layer: Any) -> str:
    name = _activation_name(layer)
    if name == "linear":
        return ""
    return "; ReLU sets negative answers to 0" if name == "relu" else f"; then {name}"


def _count_in_words(layer: Any) -> str:
    shapes = [tuple(weight.shape) for weight in getattr(layer, "weights", [])]
    if not shapes or len(shapes) > 4:
        return ""
    return " + ".join(_times(shape) for shape in shapes)


def _times(shape: tuple[int | None, ...]) -> str:
    return "x".join("?" if axis is None else str(axis) for axis in shape)
