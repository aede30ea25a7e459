"""A name in a CSV is no formula, and comes back exactly."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.spreadsheet import quoted, quoted_row, unquoted, unquoted_row

TRIGGERS = "=+-@\t\r\n＝＋－＠"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("-5.jpg", "'-5.jpg"),
        ("@eaDir/1.jpg", "'@eaDir/1.jpg"),
        ("+1", "'+1"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("＝1", "'＝1"),
        ("'=1+1", "''=1+1"),
        ("a;=1+1", "a;'=1+1"),
        ("a\n=1+1", "a\n'=1+1"),
        ("it's", "it's"),
        ("'quoted'", "'quoted'"),
        ("cat/1-2.jpg", "cat/1-2.jpg"),
        ("a=b", "a=b"),
        ("a;b", "a;b"),
        ("", ""),
    ],
)
def test_by_hand(name: str, cell: str) -> None:
    assert quoted(name) == cell
    assert unquoted(cell) == name


@given(st.text(st.sampled_from(TRIGGERS + "';,a\" ") | st.characters()))
def test_any_name_comes_back(name: str) -> None:
    assert unquoted(quoted(name)) == name
    assert unquoted(unquoted(quoted(quoted(name)))) == name


@given(st.text(st.sampled_from(TRIGGERS + "';a")))
def test_no_part_of_it_begins_a_formula(name: str) -> None:
    """Wherever a spreadsheet cuts, unless it cuts a run of line ends in two."""
    for part in quoted(name).split(";"):
        assert not part.startswith(tuple(TRIGGERS))


@given(st.lists(st.text(), min_size=1))
def test_rows_come_back_through_csv(names: list[str]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(quoted_row(names))
    (row,) = csv.reader(io.StringIO(text.getvalue(), newline=""), strict=True)
    assert unquoted_row(row) == names


def test_numbers_are_left_alone() -> None:
    assert unquoted_row(["-0.5", "1e-05", "+3"]) == ["-0.5", "1e-05", "+3"]
