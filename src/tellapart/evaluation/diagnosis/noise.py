"""How far a figure may be off by luck alone: the errors that the rules compare with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

SIGNIFICANT = 3.0
"""Standard errors from which a difference is taken to be real: by luck once in 700 runs (one side
of the normal distribution), so that eleven rules raise a false alarm in fewer than 2% of them."""


def share_error(share: float, count: int) -> float:
    """The standard error of a share of `count` pictures; infinite for none.

        p' = (p·n + 1) / (n + 2),   error = sqrt(p'(1-p') / n)

    With the one success and one failure that are added (Laplace's rule of succession), it does not
    become 0 where all or none are right.
    """
    if not count:
        return math.inf
    shrunk = (share * count + 1) / (count + 2)
    return math.sqrt(shrunk * (1 - shrunk) / count)


def difference_error(one: float, of_one: int, other: float, of_other: int) -> float:
    """The standard error of the difference of two shares of different pictures."""
    return math.hypot(share_error(one, of_one), share_error(other, of_other))


def wiggle(values: Sequence[float]) -> float:
    """The standard deviation of a curve's epochs around its own smooth course; 0 below 5 epochs.

    Third differences cancel a trend and its bend; those of independent noise have sqrt(20) times
    its standard deviation. Their median, times 1.4826 for a normal distribution, is not moved by a
    few jumps (noise from differences: Gasser, Sroka and Jennen-Steinmetz, 1986).
    """
    if len(values) < 5:
        return 0.0
    differences = np.abs(np.diff(np.asarray(values, float), n=3))
    return float(1.4826 * np.median(differences) / math.sqrt(20))
