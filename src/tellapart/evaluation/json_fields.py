"""What keeps decoded JSON from being a value that was written: a field missing, odd or wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Check = tuple[Callable[[Any], bool], str]
"""Whether a field's value fits, and what is expected of it, in words."""


def is_number(value: Any, low: float, high: float) -> bool:
    """Whether JSON's value is a number from `low` to `high`; true and false are none."""
    return type(value) in (int, float) and low <= value <= high


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


SHARE: Check = (lambda value: is_number(value, 0, 1), "0 to 1")
COUNT: Check = (_is_count, "a whole number from 0")
TEXT: Check = (lambda value: isinstance(value, str), "text")


def field_problems(value: Any, checks: Mapping[str, Check]) -> list[str]:
    """Returns everything that is wrong with an object; nothing where all is well.

    Args:
        value: decoded JSON.
        checks: of each field that must be there; no other may be.
    """
    if not isinstance(value, dict):
        return [f"{value!r}"[:80] + ": expected an object"]
    problems = [f"{key!r}: unknown field" for key in value if key not in checks]
    problems += [f"{key}: missing" for key in checks if key not in value]
    return problems + [
        f"{key}: {value[key]!r}"[:80] + f": expected {expected}"
        for key, (fits, expected) in checks.items()
        if key in value and not fits(value[key])
    ]
