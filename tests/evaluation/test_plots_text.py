from __future__ import annotations

import pytest

from tellapart.evaluation.plots.style import Page
from tellapart.evaluation.plots.text import fit, printable, width
from tests.evaluation.pages import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Übung, кот, γάτα", "Übung, кот, γάτα"),
        ("$x$ costs 5$", "$x$ costs 5$"),
        ("go 🚀", "go :rocket:"),
        ("two\nlines\tof", "two lines of"),
        ("bad\udcffbyte", "bad\\udcffbyte"),
        ("\U000f0000", "\\U000f0000"),  # private use: no font has it
        ("", ""),
    ],
)
def test_printable(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_width_grows_with_size_and_letters() -> None:
    # The advance of DejaVu Sans's "M" is 1767 of 2048 units: at 72 points, an em is an inch.
    assert width("M", 72) == pytest.approx(1767 / 2048, abs=1e-3)
    assert width("MM", 36) == pytest.approx(width("M", 72))
    assert width("M", 72, bold=True) > width("M", 72)


def test_width_is_what_is_drawn() -> None:
    page = Page(8, 2, "", "")
    page.text(1, 1, "traffic sign, 30 km/h", size=9)
    (box,) = words(page).values()
    assert box.width / 150 == pytest.approx(width("traffic sign, 30 km/h", 9), rel=0.05)


def test_fit_keeps_both_ends() -> None:
    name = "a very long name of a traffic sign, 30 km/h"
    short = fit(name, 1.5, 9)
    head, tail = short.split("…")
    assert name.startswith(head)
    assert name.endswith(tail)
    assert width(short, 9) <= 1.5
    # one letter more would not fit
    assert width(short + "m", 9) > 1.5
    assert fit(name, 9, 9) == name
    assert fit(name, 0, 9) == "…"


def test_dollar_signs_are_drawn_as_they_are() -> None:
    page = Page(8, 2, "$a_1$ and $b^2$", "")
    (box,) = words(page).values()
    assert box.width / 150 == pytest.approx(width("$a_1$ and $b^2$", 13, bold=True), rel=0.05)
