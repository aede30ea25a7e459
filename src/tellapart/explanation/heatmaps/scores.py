"""What covering a part of a picture changes: the log-odds of a class, ln(p / (1 - p)).

Unlike the probability p, they do not stand still near 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tellapart.explanation.heatmaps.grids import Floats, refuse_not_finite
from tellapart.images import Pixels

Classes = npt.NDArray[np.int64]
"""(n, k) int64: the k classes that are to be explained in each of n pictures."""

Predict = Callable[[Pixels], npt.NDArray[np.floating]]
"""(n, height, width, channels) uint8 to (n, classes) probabilities."""

LEAST_PROBABILITY = 1e-12
"""A smaller one counts as this one, so that its logarithm is a number."""

LEAST_CHANGE = 1e-3
"""A smaller change of log-odds counts as none; a network's own rounding makes 1e-5 or so."""

BATCH_SIZE = 64


def log_odds(probabilities: npt.NDArray[np.floating], classes: npt.NDArray[np.int64]) -> Floats:
    """ln(p / (1 - p)) of some classes in each row.

    Args:
        probabilities: (n, classes), rows that sum to 1.
        classes: (k,) int64.

    Returns:
        (n, k).

    Raises:
        ModelError: a probability is not a number.
    """
    refuse_not_finite(probabilities)
    rows = np.asarray(probabilities, np.float64)
    found = []
    for own in classes:
        # The sum of the others, not 1 - p: near 1, float32 has no digits left for the difference.
        others = rows[:, :own].sum(axis=1) + rows[:, own + 1 :].sum(axis=1)
        found.append(_logarithm(rows[:, own]) - _logarithm(others))
    return np.stack(found, axis=1)


def _logarithm(values: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(values, LEAST_PROBABILITY)))
