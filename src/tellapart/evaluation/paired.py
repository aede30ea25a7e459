"""Tests and intervals for shares that were measured on the same pictures.

b   pictures that only the first gets right      c   only the second      n   all pictures
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from tellapart.results import Interval

SIGNIFICANT = 0.05
"""A difference that chance makes less often is called real."""

POWER = 0.8
"""How often as many test pictures as are said to be needed would show the difference."""


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of the exact McNemar test: 2 P(X <= min(b, c)), X ~ Bin(b + c, 1/2).

    Returns:
        From 0 to 1; 1 where the answers never differ.
    """
    from scipy.special import bdtr

    fewer, tosses = min(only_first, only_second), only_first + only_second
    return min(1.0, 2 * float(bdtr(fewer, tosses, 0.5))) if tosses else 1.0


def difference_interval(
    only_first: int, only_second: int, count: int, confidence: float = 0.95
) -> Interval:
    """Tango's score interval (Statistics in Medicine 17, 1998) for a difference of accuracies.

    It holds the differences d that a score test does not reject, those with |T(d)| <= z:

        T(d) = (c - b - n d) / sqrt(n (2 q + d (1 - d)))

    where q is the likeliest share of pictures that only the first gets right, given d. At d = 0,
    T is McNemar's (c - b) / sqrt(b + c). Unlike the difference ± z standard errors it keeps its
    promise for few pictures and where the answers never differ.

    Args:
        only_first: b.
        only_second: c.
        count: n, at least 1.
        confidence: how often the interval shall contain the true difference.

    Returns:
        (c - b) / n and its interval, within -1 to 1.
    """
    from scipy.optimize import brentq

    z = NormalDist().inv_cdf((1 + confidence) / 2)
    value = (only_second - only_first) / count

    def beyond(difference: float) -> float:
        return abs(_score(only_first, only_second, count, difference)) - z

    # The statistic falls from +infinity at -1 to -infinity at 1, through 0 at the value.
    edge = 1 - 1e-12
    low = float(brentq(beyond, -edge, value)) if value > -1 else -1.0
    high = float(brentq(beyond, value, edge)) if value < 1 else 1.0
    return Interval(value, low, high, count, confidence)


def _score(only_first: int, only_second: int, count: int, difference: float) -> float:
    """T(d), with the root of the quadratic equation that the likeliest q solves."""
    b, c, n, d = only_first, only_second, count, difference
    slope = -(b + c) + (2 * n - (c - b)) * d
    constant = -b * d * (1 - d)
    q = (math.sqrt(max(slope * slope - 8 * n * constant, 0.0)) - slope) / (4 * n)
    spread = n * (2 * q + d * (1 - d))
    off = c - b - n * d
    return off / math.sqrt(spread) if spread > 0 else math.copysign(math.inf, off) if off else 0.0


def needed_pictures(only_first: int, only_second: int, count: int) -> int | None:
    """How many test pictures would show a difference like this one, in POWER of tests.

        n = (z_a sqrt(s) + z_b sqrt(s - d²))² / d²        s = (b + c) / n,  d = (c - b) / n

    (Connor, 1987, "Sample size for testing differences in proportions for the paired-sample
    design"). Two significant digits: it rests on a difference that is itself uncertain.

    Returns:
        The number, more than `count`; None where there is no difference.
    """
    share, difference = (only_first + only_second) / count, (only_second - only_first) / count
    if not difference:
        return None
    z_a, z_b = NormalDist().inv_cdf(1 - SIGNIFICANT / 2), NormalDist().inv_cdf(POWER)
    root = z_a * math.sqrt(share) + z_b * math.sqrt(max(share - difference**2, 0.0))
    exact = max((root / difference) ** 2, count + 1)
    step: int = 10 ** max(0, math.floor(math.log10(exact)) - 1)
    return math.ceil(exact / step) * step


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p-values for how many tests there are (Holm, 1979).

    The smallest of m is multiplied by m, the next by m - 1, and so on, and none may fall below the
    one before. All those below 0.05 are then real together, with an error in at most 5% of such
    families.
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for done, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - done)))
        adjusted[place] = highest
    return adjusted
