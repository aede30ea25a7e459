"""Every problem of an object is named, and nothing else is."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tellapart.evaluation.json_fields import COUNT, SHARE, TEXT, field_problems

CHECKS = {"share": SHARE, "count": COUNT, "text": TEXT}
GOOD = {"share": 0.5, "count": 3, "text": ""}


@pytest.mark.parametrize(
    "value", [GOOD, GOOD | {"share": 0}, GOOD | {"share": 1.0}, GOOD | {"count": 2**63 - 1}]
)
def test_what_fits(value: dict[str, Any]) -> None:
    assert field_problems(value, CHECKS) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"share": 1.01}, "share: 1.01: expected 0 to 1"),
        ({"share": -1}, "share: -1: expected 0 to 1"),
        ({"share": True}, "share: True: expected 0 to 1"),
        ({"share": math.nan}, "share: nan: expected 0 to 1"),
        ({"share": None}, "share: None: expected 0 to 1"),
        ({"count": -1}, "count: -1: expected a whole number from 0"),
        ({"count": 2**63}, f"count: {2**63}: expected a whole number from 0"),
        ({"count": 3.0}, "count: 3.0: expected a whole number from 0"),
        ({"text": 3}, "text: 3: expected text"),
    ],
)
def test_a_field_of_the_wrong_kind(change: dict[str, Any], words: str) -> None:
    assert field_problems(GOOD | change, CHECKS) == [words]


def test_all_problems_are_named_together() -> None:
    assert field_problems({"more": 1, "share": 2}, CHECKS) == [
        "'more': unknown field",
        "count: missing",
        "text: missing",
        "share: 2: expected 0 to 1",
    ]
    assert field_problems([1], CHECKS) == ["[1]: expected an object"]


def test_a_hostile_value_does_not_fill_the_screen() -> None:
    (problem,) = field_problems(GOOD | {"text": ["x" * 1000]}, CHECKS)
    assert len(problem) < 120
