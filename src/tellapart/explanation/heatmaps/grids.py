"""Maps as small grids of numbers, and how they become as large as a picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tellapart.errors import ModelError

Heat = npt.NDArray[np.float32]
"""Maps, (..., height, width) float32, 0 to 1; 1 where a map is strongest."""

Floats = npt.NDArray[np.floating]


def cell_centres(cells: int, side: int) -> Floats:
    """Where the middles of `cells` equal cells lie on a side, in pixels from its start."""
    return (np.arange(cells) + 0.5) * side / cells


def enlarge(grids: Floats, rows: Floats, columns: Floats, size: tuple[int, int]) -> Floats:
    """Makes a grid as large as a picture, smoothly: without the edges of linear interpolation.

    Args:
        grids: (..., len(rows), len(columns)).
        rows: where the grid's rows lie, in pixels from the top, rising in equal steps.
        columns: where its columns lie, in pixels from the left.
        size: height and width to make, in pixels, whose own middles lie at 0.5, 1.5, ...

    Returns:
        (..., height, width); beyond the outermost points as at these.
    """
    height, width = size
    down = spline_weights(np.arange(height) + 0.5, rows)
    across = spline_weights(np.arange(width) + 0.5, columns)
    return np.asarray(down @ grids @ across.T)


def spline_weights(wanted: Floats, known: Floats) -> Floats:
    """(len(wanted), len(known)): quadratic B-spline, each row with the sum 1.

    At distance d of a point, in steps: 3/4 - d² up to 1/2, (3/2 - d)² / 2 up to 3/2, then 0.
    """
    if len(known) == 1:
        return np.ones((len(wanted), 1))
    step = (known[-1] - known[0]) / (len(known) - 1)
    inside = np.clip(wanted, known[0], known[-1])
    distance = np.abs(inside[:, np.newaxis] - known) / step
    weights = np.where(distance <= 0.5, 0.75 - distance**2, np.maximum(1.5 - distance, 0) ** 2 / 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def linear_weights(wanted: Floats, known: Floats) -> Floats:
    """(len(wanted), len(known)): linear interpolation, beyond the ends as there."""
    return np.stack([np.interp(wanted, known, row) for row in np.eye(len(known))], axis=1)


def normalise(maps: Floats, *, least: float = 0.0) -> Heat:
    """Leaves out what is negative and makes the largest value of each map 1.

    Args:
        maps: (..., height, width).
        least: a map whose largest value is not above it is 0 everywhere: it shows rounding.

    Raises:
        ModelError: there are numbers in it that are not finite.
    """
    refuse_not_finite(maps)
    positive = np.maximum(maps, 0)
    peaks = positive.max(axis=(-2, -1), keepdims=True, initial=0)
    return np.asarray(positive / np.where(peaks > least, peaks, np.inf), np.float32)


def refuse_not_finite(values: npt.NDArray[np.floating]) -> None:
    """Says why there can be no map of a network that gives no numbers.

    Raises:
        ModelError: a value is NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise ModelError(
            "The network answers with NaN or infinity instead of numbers, so there is no map to "
            "draw. Its weights are damaged or its training failed: train it again, with a lower "
            "learning rate."
        )
