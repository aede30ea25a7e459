"""Suffixes that a picture and its companions share."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from tellapart.collection.suffixes import cut, free_names, suffixed

UNIT = ["a.jpg", "a.xmp", "a.jpg.xmp"]


def test_all_of_a_unit_get_the_same_suffix() -> None:
    assert suffixed(UNIT, "a", 1) == UNIT
    assert suffixed(UNIT, "a", 2) == ["a (2).jpg", "a (2).xmp", "a (2).jpg.xmp"]


def test_one_name_that_is_taken_is_enough() -> None:
    taken = {"a.xmp", "a (2).jpg.xmp"}
    assert free_names(UNIT, "a", taken.__contains__) == (
        ["a (3).jpg", "a (3).xmp", "a (3).jpg.xmp"],
        3,
    )


def test_a_long_name_is_cut_and_not_its_ending() -> None:
    (name,) = suffixed(["x" * 251 + ".jpg"], "x" * 251, 12)
    assert name == "x" * 246 + " (12).jpg"
    assert len(name) == 255


@given(st.text(min_size=1, max_size=200), st.integers(2, 10**6))
def test_no_name_is_too_long(stem: str, number: int) -> None:
    stem = cut(stem, 255 - len(".jpg.xmp"))
    for name in suffixed([f"{stem}.jpg", f"{stem}.jpg.xmp"], stem, number):
        assert len(name.encode("utf-8", "surrogatepass")) <= 255
        assert f"({number})" in name


def test_whole_characters_are_cut() -> None:
    assert cut("a猫猫", 5) == "a猫"
    assert os.fsencode(cut("a猫猫", 7)) == os.fsencode("a猫猫")
