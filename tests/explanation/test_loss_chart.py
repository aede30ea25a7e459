"""The chart of the losses in plain text."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tellapart.explanation.loss_chart import loss_chart
from tests.explanation.histories import INF, NAN, histories, rows

LEAST = 5e-324  # half of it is 0, and so is what is computed with it


@settings(deadline=None, max_examples=200)
@example([{"epoch": 1.0, "loss": LEAST, "accuracy": 0.0}], 72, 14, False)
@example(rows([LEAST, 0.0]), 72, 14, False)
@example(rows([3 * LEAST, 2 * LEAST, LEAST]), 72, 14, False)
@given(histories, st.integers(1, 90), st.integers(1, 20), st.booleans())
def test_a_chart_of_anything_fits(
    history: list[dict[str, float]], width: int, height: int, ascii_only: bool
) -> None:
    text = loss_chart(history, width=width, height=height, ascii_only=ascii_only)
    lines = text.splitlines()
    drawable = any(math.isfinite(row[key]) for row in history for key in ("loss", "val_loss")
                   if key in row)  # fmt: skip
    if not drawable:
        assert text.startswith("No loss chart: ")
        return
    assert max(map(len, lines)) <= max(width, 20)
    assert all(line == line.rstrip() for line in lines)
    assert text.isascii() or not ascii_only
    assert not re.search(r"\bnan\b|\binf\b", text)


def test_a_chart_worked_out_by_hand() -> None:
    # Losses 4 to 0 on lines 0 to 4. The label and the axis take 3 of 20 columns: the epochs are in
    # columns 0, 8 and 16. Training sinks by a quarter of a line per column, from 0, 0.25, 0.5 (to
    # even: line 0) over 0.75, 1, 1.25 (line 1) to 1.5, 1.75, 2, 2.25, 2.5 (line 2), where
    # validation is all the time.
    history = rows([4.0, 2.0, 0.0], [2.0, 2.0, 2.0])
    assert loss_chart(history, width=20, height=5, ascii_only=True).splitlines() == [
        "loss",
        "* training",
        "o validation",
        "@ both",
        "4 |***",
        "  |   ***",
        "  |oooooo@@@@@oooooo",
        "  |           ***",
        "0 |              ***",
        "  +|-------|-------|",
        "   1       2       3",
        "               epoch",
    ]


def test_the_legend_names_the_marks_that_are_there() -> None:
    assert loss_chart(rows([1.0, 0.5])).splitlines()[0] == "loss   • training"
    both = loss_chart(rows([1.0, 0.5], [2.0, 1.5])).splitlines()
    assert both[0] == "loss   • training   ○ validation"
    assert "○" in both[1]  # the largest, 2.0
    assert both[14].endswith("•")  # the smallest, 0.5, in the last epoch


@pytest.mark.parametrize("epochs", [1, 2, 3, 200])
def test_any_number_of_epochs(epochs: int) -> None:
    history = rows([1 / (n + 1) for n in range(epochs)])
    lines = loss_chart(history, width=60).splitlines()
    assert len(lines) == 1 + 14 + 3
    ticks = [int(number) for number in lines[-2].split()]
    assert ticks[0] == 1
    assert ticks[-1] == epochs
    assert lines[-1].split() == ["epoch"]
    if epochs > 1:
        assert lines[1].lstrip().startswith("1 │•")
        assert lines[14].lstrip().startswith(f"{1 / epochs:.3g} │")


def test_what_is_no_number_is_left_out_and_said() -> None:
    history = rows([1.0, NAN, 0.5, 0.4], [INF, INF, 0.9, NAN])
    text = loss_chart(history, width=72)
    assert text.replace("\n", " ").endswith(
        "Left out, being no number: the training loss of epoch 2, the validation loss of 3 epochs "
        "(1 to 4)."
    )
    # Epochs 1 and 3 are not joined: in the columns between there is nothing.
    first = next(line for line in text.splitlines() if line.lstrip().startswith("1 │"))
    assert first.count("•") == 1


def test_nothing_to_draw_is_said() -> None:
    assert loss_chart([]) == "No loss chart: no epoch was finished."
    assert loss_chart(rows([NAN])) == "No loss chart: no loss is a number."


def test_losses_of_very_different_size_are_drawn_on_a_logarithmic_scale() -> None:
    # 1,000, 10 and 0.1: equal steps of a hundredth, so the middle one is on the middle line.
    lines = loss_chart(rows([1000.0, 10.0, 0.1]), width=60, height=9).splitlines()
    assert lines[0].startswith("loss (log scale)")
    labels = [line.split("│")[0].strip() for line in lines[1:10]]
    assert [label for label in labels if label] == ["1e+03", "10", "0.1"]


def test_equal_losses_are_a_straight_line() -> None:
    lines = loss_chart(rows([0.5, 0.5]), width=30, height=5).splitlines()
    assert [line.count("•") > 0 for line in lines[1:6]] == [False, False, True, False, False]
