"""How well a score tells two kinds of pictures apart: the area under the ROC curve."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.results import Interval

Scores = npt.NDArray[np.floating[Any]]


def auroc(known: Scores, unknown: Scores, *, confidence: float = 0.95) -> Interval:
    """The chance that an unknown picture scores higher than a known one; a tie counts half.

    With the score interval of Newcombe (2006, "Confidence intervals for an effect size measure
    based on the Mann-Whitney statistic", part 2, method 5), which stays inside 0..1: all areas A
    that differ from what was found by no more than z standard deviations, as they would be if A
    were the true one (Hanley & McNeil, 1982):

        variance   A (1 - A) (1 + k ((1 - A) / (2 - A) + A / (1 + A))) / (m n)
        k          (m + n) / 2 - 1

    Args:
        known: (m,) finite scores.
        unknown: (n,) finite scores.
        confidence: of the interval.

    Returns:
        The area; `count` is m + n, and 0 where either kind is missing.
    """
    m, n = len(known), len(unknown)
    if not m or not n:
        return Interval(math.nan, 0.0, 1.0, 0, confidence)
    ranked = np.sort(known)
    below = np.searchsorted(ranked, unknown, "left") + np.searchsorted(ranked, unknown, "right")
    area = float(below.sum()) / (2 * m * n)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    low = _farthest(area, 0.0, m, n, z)
    return Interval(area, low, _farthest(area, 1.0, m, n, z), m + n, confidence)


def _farthest(area: float, end: float, m: int, n: int, z: float) -> float:
    """The area nearest to `end` from which the one that was found is no more than z deviations."""
    near, far = area, end
    for _ in range(60):
        middle = (near + far) / 2
        inside = (middle - area) ** 2 <= z * z * _variance(middle, m, n)
        near, far = (middle, far) if inside else (near, middle)
    return near


def _variance(area: float, m: int, n: int) -> float:
    k = (m + n) / 2 - 1
    spread = (1 - area) / (2 - area) + area / (1 + area)
    return area * (1 - area) * (1 + k * spread) / (m * n)
