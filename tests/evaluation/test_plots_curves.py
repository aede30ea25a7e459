from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import TellapartError
from tellapart.evaluation.plots import plot_curves
from tellapart.evaluation.plots.curves import draw_curves
from tests.evaluation.pages import assert_readable, read_png, words

Row = dict[str, float]


def history(epochs: int, *, validation: bool = True) -> list[Row]:
    rows = []
    for epoch in range(1, epochs + 1):
        row: Row = {"epoch": epoch, "loss": 2 / epoch, "accuracy": 1 - 0.6 / epoch}
        if validation:
            row |= {"val_loss": 1 + abs(epoch - 3) / 10, "val_accuracy": 0.7 - abs(epoch - 4) / 20}
        rows.append(row)
    return rows


HISTORIES = {
    "one epoch": history(1),
    "three epochs": history(3),
    "fifteen epochs": history(15),
    "two hundred epochs": history(200),
    "without validation": history(5, validation=False),
    "no epoch": [],
    "equal curves": [
        {"epoch": e, "loss": 1, "accuracy": 0.5, "val_loss": 1, "val_accuracy": 0.5} for e in (1, 2)
    ],
    "gone wrong": [
        {"epoch": e, "loss": math.nan, "accuracy": 0.1, "val_loss": math.inf, "val_accuracy": 0.1}
        for e in (1, 2)
    ],
}


@pytest.mark.parametrize("rows", HISTORIES.values(), ids=HISTORIES.keys())
def test_any_history(rows: list[Row], tmp_path: Path) -> None:
    before = copy.deepcopy(rows)
    plot_curves(rows, tmp_path / "curves.png", title="Curves of $x$ 🚀 猫")
    read_png(tmp_path / "curves.png")
    assert str(rows) == str(before)  # as text, in which NaN equals NaN
    assert_readable(draw_curves(rows, "Curves"))


def test_the_best_epochs_are_named() -> None:
    text = " ".join(words(draw_curves(history(8), "Curves")))
    assert "★ best validation: 70.0% at epoch 4" in text  # the highest accuracy
    assert "★ best validation: 1.000 at epoch 3" in text  # the lowest loss


def test_the_first_of_equally_good_epochs_is_best() -> None:
    text = " ".join(words(draw_curves(HISTORIES["equal curves"], "Curves")))
    assert text.count("at epoch 1") == 2


def test_a_value_that_is_not_a_number_is_never_best() -> None:
    rows = history(8)
    rows[3]["val_accuracy"] = math.nan
    rows[2]["val_loss"] = -math.inf
    text = " ".join(words(draw_curves(rows, "Curves")))
    assert "70.0%" not in text
    assert "65.0% at epoch 3" in text
    assert "1.100 at epoch 2" in text


@pytest.mark.parametrize("epochs", [1, 2, 3, 15, 200])
def test_epoch_ticks_are_whole_and_start_at_one(epochs: int) -> None:
    for axes in draw_curves(history(epochs), "Curves").figure.axes:
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks
        assert all(tick == round(tick) and 1 <= tick <= epochs for tick in ticks)


def test_curves_differ_in_more_than_colour() -> None:
    for axes in draw_curves(history(5), "Curves").figure.axes:
        training, validation = axes.lines[:2]
        assert training.get_linestyle() != validation.get_linestyle()
        assert training.get_marker() != validation.get_marker()
        assert {"training", "validation"} <= {text.get_text() for text in axes.texts}


def test_another_history_is_another_picture(tmp_path: Path) -> None:
    one, other = history(5), history(5)
    other[2]["val_loss"] += 0.5
    for name, rows in (("one", one), ("again", one), ("other", other)):
        plot_curves(rows, tmp_path / f"{name}.png", title="Curves")
    pictures = {name: read_png(tmp_path / f"{name}.png") for name in ("one", "again", "other")}
    assert np.array_equal(pictures["one"], pictures["again"])
    assert not np.array_equal(pictures["one"], pictures["other"])


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(TellapartError, match="Cannot write"):
        plot_curves(history(2), tmp_path / "missing" / "curves.png", title="Curves")
