"""One window of one pooling layer, worked out so that it can be checked by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tellapart.explanation.prediction.worked_window import (
    CannotWorkOut,
    require_known_layout,
    windows_of,
)
from tellapart.explanation.walk import Step

MAX_WINDOW = 400
"""The most numbers that are worth checking by hand."""


@dataclass(frozen=True, eq=False)
class WorkedPooling:
    """result = the largest, or the mean, of the window. Positions and channels count from 0.

    Attributes:
        layer: its name.
        takes: "largest" or "mean".
        channel: which channel; each is pooled by itself.
        row, column: of the answer.
        rows, columns: of the input that the window looks at.
        window: (pool height, pool width).
        result: the layer's answer, as the network gave it.
    """

    layer: str
    takes: Literal["largest", "mean"]
    channel: int
    row: int
    column: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    window: npt.NDArray[np.float64]
    result: float

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name, arrays as lists of rows."""
        return vars(self) | {
            "rows": list(self.rows),
            "columns": list(self.columns),
            "window": self.window.tolist(),
        }


def is_pooling(layer: Any) -> bool:
    """Whether a layer pools windows."""
    return type(layer).__name__ in ("MaxPooling2D", "AveragePooling2D")


def is_global_pooling(layer: Any) -> bool:
    """Whether a layer pools each channel whole."""
    return type(layer).__name__ in ("GlobalMaxPooling2D", "GlobalAveragePooling2D")


def work_out_pooling(step: Step) -> WorkedPooling:
    """Works out the largest answer of a pooling layer that needs no padding.

    Args:
        step: one for which `is_pooling` or `is_global_pooling` is true.

    Raises:
        CannotWorkOut: numbers are not finite, the window is large, or all windows are padded.
    """
    layer = step.layer
    if not np.isfinite(step.inputs[0]).all():
        raise CannotWorkOut(f"'{layer.name}' is given numbers that are not finite.")
    picture = step.inputs[0][0].astype(np.float64)
    if is_global_pooling(layer):
        answers = step.output.reshape(1, 1, -1)
        rows, columns = list(range(picture.shape[0])), list(range(picture.shape[1]))
        row, column, channel = 0, 0, int(np.argmax(answers))
    else:
        require_known_layout(layer)
        answers = step.output[0]
        down, across = (
            windows_of(layer, axis, picture.shape[axis], answers.shape[axis]) for axis in (0, 1)
        )
        if not down.inside() or not across.inside():
            raise CannotWorkOut(f"'{layer.name}' has no window without padding.")
        within = answers[np.ix_(down.inside(), across.inside())]
        place = np.unravel_index(int(np.argmax(within)), within.shape)
        row, column, channel = down.inside()[place[0]], across.inside()[place[1]], int(place[2])
        rows, columns = down.indices(row), across.indices(column)
    if len(rows) * len(columns) > MAX_WINDOW:
        raise CannotWorkOut(
            f"'{layer.name}' pools {len(rows) * len(columns):,} numbers, too many to check by hand."
        )
    return WorkedPooling(
        layer=layer.name,
        takes="largest" if "Max" in type(layer).__name__ else "mean",
        channel=channel,
        row=row,
        column=column,
        rows=tuple(rows),
        columns=tuple(columns),
        window=picture[np.ix_(rows, columns, [channel])][..., 0],
        result=float(answers[row, column, channel]),
    )
