"""One answer of one convolution, worked out so that its sum can be checked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.explanation.layers import activation_name
from tellapart.explanation.prediction.worked_window import (
    CannotWorkOut,
    Windows,
    require_known_layout,
    windows_of,
)
from tellapart.explanation.walk import Array, Step
from tellapart.models.backend import import_keras

MAX_CHANNELS_LISTED = 8
"""Sums of more channels than this are taken together when they are shown."""

TOLERANCE = 1e-3
"""How far our sum may be from the layer's own answer, as a share of the largest number in it."""

_NUMBER_BY_NUMBER = ("BatchNormalization", "ReLU", "LeakyReLU", "Activation")


@dataclass(frozen=True)
class Then:
    """What a layer behind the convolution makes of its answer.

    Attributes:
        name: of the layer.
        kind: its Keras class.
        how: the calculation in numbers.
        value: what comes out.
    """

    name: str
    kind: str
    how: str
    value: float


@dataclass(frozen=True, eq=False)
class WorkedConvolution:
    """total = the sum of window x weights over all channels + bias; result = activation(total).

    Positions and channels count from 0.

    Attributes:
        layer: its name.
        filter: which of its filters.
        row, column: of the answer.
        rows, columns: of the input that the window looks at; outside of it are zeros of padding.
        channel: the channel that is shown in full, the one with the largest sum.
        window, weights, products: (kernel height, kernel width) of that channel.
        channel_sums: the sum of the products, of every channel.
        bias: None where the layer has none.
        total: channel_sums + bias.
        activation: the layer's own, "linear" for none.
        result: the layer's answer, as the network gave it.
        then: batch normalisation and activation that follow as layers of their own.
    """

    layer: str
    filter: int
    row: int
    column: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    channel: int
    window: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    products: npt.NDArray[np.float64]
    channel_sums: tuple[float, ...]
    bias: float | None
    total: float
    activation: str
    result: float
    then: tuple[Then, ...] = ()

    def sum_in_words(self) -> list[tuple[str, float]]:
        """The calculation from the products to the result, a line a step: words and number."""
        products = f"{self.products.size} products"
        if len(self.channel_sums) == 1:
            lines = [(f"the {products} add up to", self.channel_sums[0])]
        else:
            lines = self._channels_in_words(products)
        if self.bias is not None:
            lines.append(("plus the bias of the filter", self.bias))
        lines.append(("makes", self.total))
        if self.activation != "linear":
            name = {"relu": "ReLU sets negative sums to 0"}.get(self.activation, self.activation)
            lines.append((name, self.result))
        return lines + [(f"{step.name}: {step.how}", step.value) for step in self.then]

    def _channels_in_words(self, products: str) -> list[tuple[str, float]]:
        order = sorted(range(len(self.channel_sums)), key=lambda c: -abs(self.channel_sums[c]))
        shown, rest = order[:MAX_CHANNELS_LISTED], order[MAX_CHANNELS_LISTED:]
        if len(rest) == 1:
            shown, rest = order, []
        lines = [
            (
                f"the {products} of channel {c} add up to"
                if c == self.channel
                else f"plus those of channel {c}",
                self.channel_sums[c],
            )
            for c in shown
        ]
        if rest:
            together = sum(self.channel_sums[c] for c in rest)
            lines.append((f"plus those of the other {len(rest)} channels", together))
        return lines

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name, arrays as lists of rows."""
        return {
            "layer": self.layer,
            "filter": self.filter,
            "row": self.row,
            "column": self.column,
            "rows": list(self.rows),
            "columns": list(self.columns),
            "channel": self.channel,
            "window": self.window.tolist(),
            "weights": self.weights.tolist(),
            "products": self.products.tolist(),
            "channel_sums": list(self.channel_sums),
            "bias": self.bias,
            "total": self.total,
            "activation": self.activation,
            "result": self.result,
            "then": [vars(step) for step in self.then],
        }


def is_convolution(layer: Any) -> bool:
    """Whether `work_out_convolution` knows the layer."""
    return type(layer).__name__ == "Conv2D"


def goes_on(chain: Sequence[Step], step: Step) -> bool:
    """Whether a step takes the answer of a chain and changes it number by number."""
    return (
        type(step.layer).__name__ in _NUMBER_BY_NUMBER
        and activation_name(step.layer) != "softmax"
        and len(step.inputs) == 1
        and np.array_equal(step.inputs[0], chain[-1].output)
    )


def work_out_convolution(chain: Sequence[Step]) -> WorkedConvolution:
    """Works out the strongest answer of a convolution that needs no padding.

    Args:
        chain: the convolution, and the steps that `goes_on` said go on with its answer. The
            strongest answer is the largest at its end.

    Raises:
        CannotWorkOut: numbers are not finite, or the layer is of a form that is not known.
    """
    first = chain[0]
    layer = first.layer
    require_known_layout(layer)
    if not all(np.isfinite(step.output).all() for step in chain):
        raise CannotWorkOut(f"'{layer.name}' gives numbers that are not finite.")
    down, across = (
        windows_of(layer, axis, first.inputs[0].shape[axis + 1], first.output.shape[axis + 1])
        for axis in (0, 1)
    )
    row, column, chosen = _strongest(chain, down, across)
    rows, columns = down.indices(row), across.indices(column)
    window = _look(first.inputs[0][0], rows, columns)
    kernel = np.asarray(layer.kernel, dtype=np.float64)
    if kernel.shape[2] != window.shape[2]:  # filters in groups see some of the channels each
        group = chosen // (kernel.shape[3] // layer.groups)
        window = window[..., group * kernel.shape[2] : (group + 1) * kernel.shape[2]]
    products = window * kernel[..., chosen]
    sums = products.sum(axis=(0, 1))
    shown = int(np.argmax(np.abs(sums)))
    bias = float(np.asarray(layer.bias)[chosen]) if layer.use_bias else None
    worked = WorkedConvolution(
        layer=layer.name,
        filter=chosen,
        row=row,
        column=column,
        rows=tuple(rows),
        columns=tuple(columns),
        channel=shown,
        window=window[..., shown],
        weights=kernel[..., shown, chosen],
        products=products[..., shown],
        channel_sums=tuple(sums.tolist()),
        bias=bias,
        total=float(sums.sum() + (bias or 0)),
        activation=activation_name(layer),
        result=float(first.output[0, row, column, chosen]),
        then=tuple(_then(step, (row, column, chosen)) for step in chain[1:]),
    )
    _check(worked, layer, float(np.abs(products).max(initial=1.0)))
    return worked


def _strongest(chain: Sequence[Step], down: Windows, across: Windows) -> tuple[int, int, int]:
    """Returns row, column and filter of the largest answer whose window needs no padding.

    Of several that are equal, such as the sixes of a ReLU6, the one that was largest before.
    """
    rows = down.inside() or list(range(down.count))
    columns = across.inside() or list(range(across.count))
    answers = [step.output[0][np.ix_(rows, columns)] for step in chain]
    before = answers[-2] if len(answers) > 1 else answers[-1]
    largest = answers[-1] == answers[-1].max()
    place = int(np.argmax(np.where(largest, before, -np.inf)))
    row, column, chosen = np.unravel_index(place, largest.shape)
    return rows[row], columns[column], int(chosen)


def _look(picture: Array, rows: list[int], columns: list[int]) -> npt.NDArray[np.float64]:
    """Returns what a window sees, zeros outside of the picture."""
    height, width, channels = picture.shape
    window = np.zeros((len(rows), len(columns), channels))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if 0 <= row < height and 0 <= column < width:
                window[i, j] = picture[row, column]
    return window


def _check(worked: WorkedConvolution, layer: Any, largest: float) -> None:
    """Raises `CannotWorkOut` where our sum is not the layer's answer: it is no plain Conv2D."""
    total = import_keras().ops.convert_to_tensor([[worked.total]], dtype="float32")
    ours = float(np.asarray(layer.activation(total)).item())
    if abs(ours - worked.result) > TOLERANCE * largest:
        raise CannotWorkOut(
            f"'{layer.name}' answers {worked.result:.6g} where its weights give {ours:.6g}: it "
            "does more than a convolution."
        )


def _then(step: Step, place: tuple[int, int, int]) -> Then:
    before, after = float(step.inputs[0][0][place]), float(step.output[0][place])
    return Then(
        name=step.layer.name,
        kind=type(step.layer).__name__,
        how=_how(step.layer, before, place[-1]),
        value=after,
    )


def _how(layer: Any, value: float, channel: int) -> str:
    """Writes down what a layer does to one number."""
    kind = type(layer).__name__
    if kind == "BatchNormalization":
        mean, variance = (
            float(np.asarray(part)[channel]) for part in (layer.moving_mean, layer.moving_variance)
        )
        how = f"({value:.4f} {_signed(-mean)}) / sqrt({variance:.4f} + {layer.epsilon:g})"
        if layer.gamma is not None:
            how += f" x {float(np.asarray(layer.gamma)[channel]):.4f}"
        if layer.beta is not None:
            how += f" {_signed(float(np.asarray(layer.beta)[channel]))}"
        return how
    if kind == "ReLU" and not layer.negative_slope:
        return "negative becomes 0" + (
            f", above {layer.max_value:g} becomes {layer.max_value:g}" if layer.max_value else ""
        )
    name = activation_name(layer)
    return "negative becomes 0" if name == "relu" else kind if name == "linear" else name


def _signed(value: float) -> str:
    """Writes a number that is added: "+ 0.5", "- 0.5"."""
    return f"{'-' if value < 0 else '+'} {abs(value):.4f}"
