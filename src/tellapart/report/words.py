"""How the report writes numbers: never 100% or 0% for what is not, never a number for none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NONE = "–"


def percent(share: float | None, digits: int = 1) -> str:
    """Returns "96.0%"; ">99.9%" and "<0.1%" for what is not quite all or none."""
    if share is None or not math.isfinite(share):
        return NONE
    smallest = 10.0**-digits
    if share > 0 and 100 * share < smallest / 2:
        return f"<{smallest:.{digits}f}%"
    if share < 1 and 100 * share >= 100 - smallest / 2:
        return f">{100 - smallest:.{digits}f}%"
    return f"{100 * share:.{digits}f}%"


def span(interval: Mapping[str, Any] | None) -> str:
    """Returns "92.9% to 97.7%" of an interval as the files have it."""
    if interval is None or interval["low"] is None:
        return NONE
    return f"{percent(interval['low'])} to {percent(interval['high'])}"


def figure(value: float | None, digits: int = 3) -> str:
    """Returns a number with so many significant digits, such as "0.123" or "1.21e-05"."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:.{digits}g}"


def duration(seconds: float | None) -> str:
    """Returns "9.2 s", "2 min 5 s" or "1 h 3 min"."""
    if seconds is None:
        return NONE
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """Returns a number of bytes as "298 KB" or "13.5 MB", of 1000 bytes and 1000 KB."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{math.ceil(count / 1e3):,} KB"


def count(number: int, noun: str, plural: str = "") -> str:
    """Returns "1 picture" or "2,000 pictures"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
