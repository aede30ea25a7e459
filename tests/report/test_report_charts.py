"""Charts: what is where, what the words say, and what happens to numbers that are none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tellapart.evaluation.calibration_error import reliability
from tellapart.report.charts.counts import MOST_BARS, class_counts
from tellapart.report.charts.curves import best_epoch, curve_table, curves
from tellapart.report.charts.drawing import Chart, Mark
from tellapart.report.charts.interval import interval_line
from tellapart.report.charts.reliability import lowest, reliability_diagram
from tellapart.report.charts.unsure import curve_points, unsure_curve

EPOCHS = [
    {"epoch": 1.0, "loss": 2.0, "accuracy": 0.25, "val_loss": 1.5, "val_accuracy": 0.5},
    {"epoch": 2.0, "loss": 1.0, "accuracy": 0.5, "val_loss": 1.25, "val_accuracy": 0.75},
    {"epoch": 3.0, "loss": 0.5, "accuracy": 0.875, "val_loss": 1.375, "val_accuracy": 0.75},
]


def of(chart: Chart | str, kind: str, look: str = "") -> list[Mark]:
    assert isinstance(chart, Chart), chart
    marks = [mark for mark in chart.marks if mark.kind == kind]
    return [mark for mark in marks if not look or look in mark.look.split()]


def test_curves() -> None:
    chart = curves(EPOCHS, "accuracy")
    assert isinstance(chart, Chart)
    training, validation = of(chart, "path", "first"), of(chart, "path", "second")
    assert (len(training), len(validation)) == (1, 1)
    assert len(of(chart, "circle", "first")) == len(of(chart, "square", "second")) == 3
    (ring,) = of(chart, "circle", "ring")
    assert ring.words == "best validation: 75.0% in epoch 2"  # the first of equals
    # Epochs 1 to 3 lie between the left end of the plot, 46, and its right end, 420 - 14 = 406.
    assert ring.x == (46 + 406) / 2
    assert chart.description == (
        "Accuracy of training: 25.0% in epoch 1, 87.5% in epoch 3. Accuracy of validation: 50.0% "
        "in epoch 1, 75.0% in epoch 3. Best validation accuracy: 75.0% in epoch 2."
    )
    assert [words for _, words in chart.legend] == ["training", "validation", "best validation"]
    assert chart.note == ""
    assert (best_epoch(EPOCHS, "accuracy"), best_epoch(EPOCHS, "loss")) == (1, 1)


def test_curves_of_many_epochs_have_no_marks() -> None:
    history = [{"epoch": float(n), "loss": 1 / n, "accuracy": 0.5} for n in range(1, 32)]
    chart = curves(history, "loss")
    assert of(chart, "circle", "first") == []
    assert isinstance(chart, Chart)
    assert [words for _, words in chart.legend] == ["training"]  # there was no validation


def test_one_epoch() -> None:
    chart = curves(EPOCHS[:1], "loss")
    assert of(chart, "path") == []
    assert len(of(chart, "circle", "first")) == 1


def test_losses_that_are_no_numbers() -> None:
    history = [EPOCHS[0], EPOCHS[1] | {"loss": math.nan, "val_loss": math.inf}, EPOCHS[2]]
    chart = curves(history, "loss")
    (training,) = of(chart, "path", "first")
    assert training.path.count("M") == 2  # it begins anew behind the gap
    assert isinstance(chart, Chart)
    assert "In 1 epoch the loss of training is not a number" in chart.note
    nothing = [row | {"loss": math.nan, "val_loss": math.nan} for row in EPOCHS]
    assert curves(nothing, "loss") == (
        "There is no curve: in no epoch was the loss a number (NaN or infinite)."
    )


def test_losses_far_apart_are_drawn_by_factors() -> None:
    history = [row | {"loss": 10.0 ** (4 - 2 * row["epoch"]), "val_loss": 1.0} for row in EPOCHS]
    chart = curves(history, "loss")
    assert isinstance(chart, Chart)
    assert chart.y_name == "logarithmic scale"
    first, second, third = of(chart, "circle", "first")
    assert second.y - first.y == pytest.approx(third.y - second.y)  # 100, 1, 0.01


def test_epochs_in_numbers() -> None:
    table = curve_table([EPOCHS[0], {"epoch": 2.0, "loss": math.nan}], ["One.", "Two."])
    assert table.rows[0] == ("1", "2", "25.0%", "1.5", "50.0%", "One.")
    assert table.rows[1] == ("2", "–", "–", "–", "–", "Two.")


def test_the_interval_and_guessing() -> None:
    share = {"value": 0.75, "low": 0.5, "high": 0.875, "confidence": 0.95}
    chart = interval_line(share, guessing=0.25)
    # From 0% at 16 to 100% at 444.
    (bar,) = of(chart, "bar")
    assert (bar.x, bar.width) == (16 + 0.5 * 428, 0.375 * 428)
    (dot,) = of(chart, "circle")
    assert (dot.x, dot.words) == (16 + 0.75 * 428, "measured: 75.0%")
    (guess,) = of(chart, "rule", "guess")
    assert guess.x == 16 + 0.25 * 428
    assert chart.description == (
        "Measured 75.0%, 95% interval 50.0% to 87.5%, on a line from 0% to 100%. Always answering "
        "the most frequent class: 25.0%."
    )
    assert of(interval_line(share, guessing=None), "rule", "guess") == []


def test_reliability() -> None:
    # 20 answers of 0.8, 16 of them right, and 20 of 1.0, all right: the first bin is on the line.
    probabilities = np.array([[0.8, 0.2]] * 20 + [[1.0, 0.0]] * 20)
    labels = np.array([0] * 16 + [1] * 4 + [0] * 20)
    bins = reliability(probabilities, labels)
    assert [round(one.confidence, 9) for one in bins] == [0.8, 1.0]
    assert [one.accuracy.value for one in bins] == [0.8, 1.0]
    assert lowest(bins) == 0.5  # Wilson of 16 in 20 begins at 0.584
    chart = reliability_diagram(bins, low=0.5, title="After", look="first", shape="circle")
    low, high = of(chart, "circle", "first")
    # Both axes go from 0.5 to 1: x from 46 to 326, y from 300 up to 24.
    assert low.x == pytest.approx(46 + 0.6 * 280)
    assert low.y == pytest.approx(300 - 0.6 * 276)
    assert (high.x, high.y) == (326, 24)
    assert low.words == "20 pictures answered with 80.0% on average: 80.0% right"
    assert chart.table is not None
    assert chart.table.rows[0][1:4] == ("80.0%", "20", "80.0%")
    assert (
        "In 2 of the bins the interval of the accuracy holds the probability" in chart.description
    )


def test_unsure() -> None:
    curve = {
        "threshold": [0.9, 0.6],
        "answered": [0.5, 1.0],
        "accuracy": [1.0, 0.75],
        "count": 40,
    }
    points = curve_points(curve)
    assert [(point.right.count, point.right.value) for point in points] == [(20, 1.0), (40, 0.75)]
    unsure: dict[str, Any] = {
        "rule": {"promise": 0.95, "proven": True},
        "answered": {"value": 0.5},
        "right": {"value": 1.0},
    }
    chart = unsure_curve(points, unsure)
    (mark,) = of(chart, "diamond")
    assert mark.words == "the rule: 50.0% answered, 100.0% of these rightly"
    assert mark.x == (46 + 446) / 2
    assert [mark.words for mark in of(chart, "text")] == ["95% promised"]
    assert chart.description == (
        "Of the surest 50.0% of the test pictures 100.0% are right, of the surest 100.0% 75.0%."
    )
    assert chart.table is not None
    assert [row[0] for row in chart.table.rows] == ["50.0%", "100.0%"]


def test_a_rule_that_answers_nothing_has_no_mark() -> None:
    points = curve_points({"threshold": [0.5], "answered": [1.0], "accuracy": [0.5], "count": 8})
    unsure = {
        "rule": {"promise": 0.95, "proven": False},
        "answered": {"value": 0.0},
        "right": {"value": None},
    }
    chart = unsure_curve(points, unsure)
    assert of(chart, "diamond") == []
    assert chart.description.startswith("One point: all pictures have the same top probability")
    assert "95%, not proven" in [mark.words for mark in of(chart, "text")]


def test_bars_of_classes() -> None:
    counts = np.array([[60, 20, 0, 20], [30, 10, 0, 10]])
    chart = class_counts(["ant", "bee"], counts)
    ant, bee = of(chart, "bar", "first")
    assert ant.words == "ant: 60 train"
    assert (ant.width + 1) == pytest.approx(2 * (bee.width + 1))  # 60 and 30, less a gap of 1
    assert of(chart, "bar", "third") == []  # nothing is for calibration
    assert [words for _, words in chart.legend] == ["train", "validation", "test"]
    assert chart.description == "2 classes. Most pictures: ant, 100. Fewest: bee, 50."
    assert chart.table is not None
    assert chart.table.headings == ("class", "train", "validation", "test", "all")
    assert chart.table.rows == [("ant", "60", "20", "20", "100"), ("bee", "30", "10", "10", "50")]


def test_many_classes_are_an_outline() -> None:
    names = [f"class {n}" for n in range(MOST_BARS + 1)]
    counts = np.zeros((len(names), 4), int)
    counts[:, 0] = np.arange(1, len(names) + 1)
    chart = class_counts(names, counts)
    assert of(chart, "bar") == []
    assert len(of(chart, "path", "first")) == 1
    assert chart.table is not None
    assert len(chart.table.rows) == len(names)


def test_long_names_keep_their_end() -> None:
    chart = class_counts(["a traffic sign, 30 km/h", "b"], np.ones((2, 4), int))
    assert "a traffic …gn, 30 km/h" in [mark.words for mark in of(chart, "text")]
