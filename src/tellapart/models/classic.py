"""The three classic networks of Keras's image tutorials: convolve, pool, flatten, decide.

    classic-28   Conv 32 - pool - dense 64                       347,146 parameters at 28x28x1
    classic-32   Conv 32 - pool - conv 64 - pool - conv 64 - dense 64    319,178 at 32x32x3
    classic-64   Conv 32 - pool - conv 64 - pool - dense 128           1,626,442 at 64x64x3

Parameters are for 10 classes. Every network takes any picture size that leaves pixels to look
at and any number of classes. Input is uint8 pixels; the first layer scales them to 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tellapart.errors import ModelError
from tellapart.models.backend import import_keras
from tellapart.models.precision import SINGLE


@dataclass(frozen=True)
class Architecture:
    """What sets one classic network apart from the others.

    Attributes:
        filters: of each 3x3 convolution; all but the last of `classic-32` are pooled.
        padding: "valid" loses a rim of one pixel at each convolution, "same" does not.
        pools: how many of the convolutions are followed by 2x2 max pooling.
        units: of the dense layer before the output.
    """

    filters: tuple[int, ...]
    padding: Literal["valid", "same"]
    pools: int
    units: int


MAX_WEIGHTS = 2**28
"""The most weights of one layer: training takes 4 bytes for each, its gradient and Adam's two."""


CLASSIC: dict[str, Architecture] = {
    "classic-28": Architecture(filters=(32,), padding="valid", pools=1, units=64),
    "classic-32": Architecture(filters=(32, 64, 64), padding="same", pools=2, units=64),
    "classic-64": Architecture(filters=(32, 64), padding="valid", pools=2, units=128),
}


def build_classic(
    name: str, input_shape: tuple[int, int, int], classes: int, *, dtype: str = SINGLE
) -> Any:
    """Builds one of the classic networks with fresh weights.

    Args:
        name: a key of `CLASSIC`.
        input_shape: height, width, channels of the uint8 pixels it will be given.
        classes: width of the softmax output.
        dtype: Keras's dtype policy of all layers but the first, which scales, and the last.

    Returns:
        A `keras.Sequential`, (batch, height, width, channels) uint8 to (batch, classes) float32.

    Raises:
        ModelError: a layer would be left without pixels; the layer is named.
    """
    check_classic(name, input_shape)
    keras = import_keras()
    pixels = keras.Input(input_shape, dtype="uint8", name="pixels")
    return keras.Sequential([pixels, *_layers(CLASSIC[name], classes, dtype)], name=name)


def check_classic(name: str, input_shape: tuple[int, int, int]) -> None:
    """Makes sure that pictures of a size can pass through a network, without building it.

    Args:
        name: a key of `CLASSIC`.
        input_shape: height, width, channels of the pictures.

    Raises:
        ModelError: a layer would be left without pixels, or weigh too much; the layer is named.
    """
    architecture = CLASSIC[name]
    size = input_shape[:2]
    for number in range(1, len(architecture.filters) + 1):
        if architecture.padding == "valid":
            _check_window(name, input_shape, f"conv_{number}", 3, size)
            size = (size[0] - 2, size[1] - 2)
        if number <= architecture.pools:
            _check_window(name, input_shape, f"pool_{number}", 2, size)
            size = (size[0] // 2, size[1] // 2)
    numbers = size[0] * size[1] * architecture.filters[-1]
    weights = numbers * architecture.units
    if weights > MAX_WEIGHTS:
        height, width, channels = input_shape
        raise ModelError(
            f"{name} is too large for pictures of {height}x{width}x{channels}: layer 'dense' would "
            f"weigh {numbers:,} numbers for each of {architecture.units} units, {weights:,} "
            f"weights, which take {16 * weights / 2**30:,.0f} GiB to train. Choose a smaller "
            "--image-size."
        )


def _check_window(
    name: str, input_shape: tuple[int, int, int], layer: str, window: int, left: tuple[int, int]
) -> None:
    if min(left) < window:
        height, width, channels = input_shape
        raise ModelError(
            f"{name} is too deep for pictures of {height}x{width}x{channels}: layer '{layer}' "
            f"looks through a window of {window}x{window} pixels, but only {left[0]}x{left[1]} "
            "are left there. Choose a larger --image-size, or a network with fewer layers."
        )


def _layers(architecture: Architecture, classes: int, dtype: str) -> list[Any]:
    from keras import layers

    stack: list[Any] = [layers.Rescaling(1 / 255, dtype=SINGLE, name="normalise")]
    for number, filters in enumerate(architecture.filters, start=1):
        stack.append(
            layers.Conv2D(
                filters,
                3,
                padding=architecture.padding,
                activation="relu",
                dtype=dtype,
                name=f"conv_{number}",
            )
        )
        if number <= architecture.pools:
            stack.append(layers.MaxPooling2D(2, dtype=dtype, name=f"pool_{number}"))
    return [
        *stack,
        layers.Flatten(dtype=dtype, name="flatten"),
        layers.Dense(architecture.units, activation="relu", dtype=dtype, name="dense"),
        layers.Dense(classes, activation="softmax", dtype=SINGLE, name="output"),
    ]
