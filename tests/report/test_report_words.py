"""How numbers are written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.report.words import count, duration, figure, percent, size, span


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.9595588, "96.0%"),
        (1.0, "100.0%"),
        (0.99951, ">99.9%"),  # would round to 100.0%, and is not all
        (0.9994, "99.9%"),
        (0.0, "0.0%"),
        (0.0004, "<0.1%"),  # would round to 0.0%, and is not none
        (0.0006, "0.1%"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_percent(share: float | None, words: str) -> None:
    assert percent(share) == words


def test_percent_of_other_digits() -> None:
    assert percent(0.2, 0) == "20%"
    assert percent(0.9999, 0) == ">99%"
    assert percent(0.99999, 2) == ">99.99%"
    assert percent(0.98765, 2) == "98.77%"


@given(st.floats(0, 1))
def test_all_and_none_are_said_of_nothing_else(share: float) -> None:
    assert (percent(share) == "100.0%") == (share == 1)
    assert (percent(share) == "0.0%") == (share == 0)


def test_intervals() -> None:
    assert span({"low": 0.929047, "high": 0.977271}) == "92.9% to 97.7%"
    assert span({"low": None, "high": None}) == "–"
    assert span(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(9.18, "9.2 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (125, "2 min 5 s"),
     (3780, "1 h 3 min"), (None, "–")],
)  # fmt: skip
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_the_rest() -> None:
    assert (size(298_505), size(13_507_089)) == ("299 KB", "13.5 MB")
    assert (count(1, "picture"), count(2000, "picture")) == ("1 picture", "2,000 pictures")
    assert (figure(0.136442), figure(1234.5, 4), figure(math.inf)) == ("0.136", "1234", "–")
