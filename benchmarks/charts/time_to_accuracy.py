"""Test accuracy, and the seconds that it took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from charts.marks import GREEN, ORANGE, SKY, grid, key, label
from common import Table, read_csv
from tellapart.evaluation.plots import style

CONTENDERS = {
    "plain keras": ("plain Keras", style.VERMILLION, "s"),
    "plain keras, oneDNN": ("with oneDNN", ORANGE, "s"),
    "plain pytorch": ("plain PyTorch", GREEN, "D"),
    "short": ("tellapart, a short budget", SKY, "^"),
    "equal time": ("in Keras's time", style.BLUE, "o"),
    "tellapart": ("photos", style.BLUE, "s"),
}

SHOWN_ACCURACIES = (
    0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.6, 0.7, 0.97, 0.93, 0.85, 0.75, 0.3, 0.4,
)  # fmt: skip
"""Marks of an axis; the first ones matter most, where there is no room for all."""

COLUMN, ROW = 3.75, 2.9
"""Inches from one panel of a page to the next."""


def draw_time_to_accuracy(results: Path) -> style.Page | None:
    """Test accuracy against the seconds of the whole command, a point a run."""
    names = ("cifar10", "mnist", "fashion-mnist", "flowers17")
    tables = {name: results / f"time_to_accuracy_{name}.csv" for name in names}
    tables = {name: table for name, table in tables.items() if table.exists()}
    if not tables:
        return None
    rows = -(-len(tables) // 2)
    page = style.Page(
        2 * COLUMN + 0.3, ROW * rows + 1.15, "Test accuracy and what it took",
        "whole commands, a point a run; up is right more often, left is sooner",
    )  # fmt: skip
    present: list[str] = []
    for place, (name, table) in enumerate(tables.items()):
        left, top = 0.8 + COLUMN * (place % 2), 1.6 + ROW * (place // 2)
        page.text(left, top - 0.25, name, size=style.LABEL, bold=True)
        axes = page.axes(left, top, COLUMN - 0.95, ROW - 0.95)
        runs = read_csv(table)
        draw_runs(axes, runs)
        curve = table.with_stem(f"{table.stem}_epochs")
        epochs = read_csv(curve) if curve.exists() else []
        draw_epochs(axes, epochs)
        finish_accuracy(axes, [*runs, *epochs])
        present += [row["who"] for row in runs]
    left = style.MARGIN
    for who in (who for who in CONTENDERS if who in present):
        words, colour, marker = CONTENDERS[who]
        left = key(page, left, 0.9, words, colour, marker)
    return page


def draw_runs(axes: Axes, runs: Table) -> None:
    for who in dict.fromkeys(row["who"] for row in runs):
        own = [row for row in runs if row["who"] == who]
        seconds, accuracies = (
            [float(row[column]) for row in own] for column in ("seconds", "test_accuracy")
        )
        _, colour, marker = CONTENDERS[who]
        axes.plot(
            seconds, accuracies, marker, color=colour, markersize=7.5, markeredgecolor="white",
            clip_on=False, zorder=5,
        )  # fmt: skip


def draw_epochs(axes: Axes, epochs: Table) -> None:
    """The accuracy after each epoch of the script."""
    for seed in dict.fromkeys(row["seed"] for row in epochs):
        own = [row for row in epochs if row["seed"] == seed]
        seconds, accuracies = (
            [float(row[column]) for row in own] for column in ("seconds", "test_accuracy")
        )
        axes.plot(seconds, accuracies, ".-", color=style.VERMILLION, linewidth=1, markersize=4)


def finish_accuracy(axes: Axes, rows: Table) -> None:
    """An axis on which halving the errors is the same step everywhere."""
    axes.set_yscale("function", functions=(_of_errors, _of_errors_back))
    accuracies = [float(row["test_accuracy"]) for row in rows]
    lowest = max(0.0, 1 - 1.35 * (1 - min(accuracies)))
    highest = 1 - (1 - max(accuracies)) / 1.35
    axes.set_ylim(lowest, highest)
    axes.set_xlim(0, 1.06 * max(float(row["seconds"]) for row in rows))
    axes.yaxis.set_major_locator(FixedLocator(marks(lowest, highest)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))
    label(axes.xaxis, "seconds, whole command")
    grid(axes)


def marks(lowest: float, highest: float) -> list[float]:
    """The accuracies that are written beside an axis, no two too close to be read."""
    apart = float(_of_errors(highest) - _of_errors(lowest)) / 11
    found: list[float] = []
    for accuracy in SHOWN_ACCURACIES:
        if lowest <= accuracy <= highest and all(
            abs(_of_errors(accuracy) - _of_errors(other)) >= apart for other in found
        ):
            found.append(accuracy)
    return sorted(found)


def _of_errors(accuracy: Any) -> Any:
    return -np.log(np.maximum(1 - np.asarray(accuracy), 1e-6))


def _of_errors_back(value: Any) -> Any:
    return 1 - np.exp(-np.asarray(value))
