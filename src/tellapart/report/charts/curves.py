"""Learning curves: training against validation, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from tellapart.report.charts.drawing import Axis, Chart, Mark, Table, line, percent_tick, plot_axes
from tellapart.report.words import count, figure, percent

Metric = Literal["accuracy", "loss"]

WIDTH, HEIGHT = 420.0, 280.0

MARKED_EPOCHS = 30
"""Up to so many epochs each has a mark of its own."""

LOG_SCALE = 100.0
"""Losses whose largest is more than so many times the smallest are drawn on a logarithmic scale."""

_KINDS = (("training", "", "first", "circle"), ("validation", "val_", "second", "square"))

History = Sequence[Mapping[str, float]]


def curves(history: History, metric: Metric) -> Chart | str:
    """Draws one metric of training and validation; a value that is no number leaves a gap.

    Args:
        history: the rows of `results.csv`, at least one.
        metric: which column.

    Returns:
        The chart; a sentence where no epoch has a number to show.
    """
    series = {
        name: [row.get(prefix + metric, math.nan) for row in history]
        for name, prefix, _, _ in _KINDS
    }
    known = [value for values in series.values() for value in values if math.isfinite(value)]
    if not known:
        return f"There is no curve: in no epoch was the {metric} a number (NaN or infinite)."
    epochs = [row["epoch"] for row in history]
    logarithmic = metric == "loss" and 0 < LOG_SCALE * min(known) < max(known)
    x, y = plot_axes(
        WIDTH, HEIGHT, (epochs[0], epochs[-1]), _range(known, metric), logarithmic=logarithmic
    )
    marks: list[Mark] = []
    for name, _, look, shape in _KINDS:
        marks += _marks(name, list(zip(epochs, series[name], strict=True)), (x, y), look, shape)
    best = best_epoch(history, metric)
    if best is not None:
        value = series["validation"][best]
        words = f"best validation: {_write(metric)(value)} in epoch {epochs[best]:.0f}"
        marks.append(Mark("circle", "ring", x(epochs[best]), y(value), words=words))
    return Chart(
        title=metric.capitalize(),
        description=_describe(history, series, metric),
        width=WIDTH,
        height=HEIGHT,
        marks=tuple(marks),
        x_name="epoch",
        y_name="logarithmic scale" if logarithmic else "",
        x_ticks=x.ticks(6, lambda value: f"{value:.0f}", whole=True),
        y_ticks=y.ticks(5, _tick(metric)),
        legend=_legend(series, best is not None),
        note=_gaps(series, metric),
    )


def best_epoch(history: History, metric: Metric) -> int | None:
    """The row with the best validation value, the first of equals; None where there is none."""
    values = [row.get(f"val_{metric}", math.nan) for row in history]
    known = [row for row, value in enumerate(values) if math.isfinite(value)]
    sign = -1 if metric == "accuracy" else 1
    return min(known, key=lambda row: sign * values[row], default=None)


def curve_table(history: History, observations: Sequence[str]) -> Table:
    """All epochs in numbers, with what was observed in each."""
    return Table(
        caption="Epoch by epoch",
        headings=(
            "epoch",
            "loss",
            "accuracy",
            "validation loss",
            "validation accuracy",
            "what happened",
        ),
        rows=[
            (
                f"{row['epoch']:.0f}",
                figure(row.get("loss"), 4),
                percent(row.get("accuracy")),
                figure(row.get("val_loss"), 4),
                percent(row.get("val_accuracy")),
                seen,
            )
            for row, seen in zip(history, observations, strict=True)
        ],
        words=("what happened",),
    )


def _marks(
    name: str, values: list[tuple[float, float]], axes: tuple[Axis, Axis], look: str, shape: str
) -> list[Mark]:
    x, y = axes
    known = [(epoch, value) for epoch, value in values if math.isfinite(value)]
    points = [(x(epoch), y(value) if math.isfinite(value) else value) for epoch, value in values]
    marks = [line(points, f"line {look}")] if len(known) > 1 else []
    if len(values) <= MARKED_EPOCHS or len(known) == 1:
        marks += [
            Mark(shape, look, x(epoch), y(value), words=f"{name}, epoch {epoch:.0f}: {value:.4g}")
            for epoch, value in known
        ]
    return marks


def _range(known: Sequence[float], metric: Metric) -> tuple[float, float]:
    low, high = min(known), max(known)
    if metric == "accuracy":
        room = max((high - low) * 0.06, 0.01)
        return max(0.0, low - room), min(1.0, high + room)
    if 0 < LOG_SCALE * low < high:
        return low / 1.2, high * 1.2
    return max(0.0, low - 0.06 * (high - low)) if low >= 0 else low, high + 0.06 * (high - low)


def _write(metric: Metric) -> Callable[[float], str]:
    return percent if metric == "accuracy" else figure


def _tick(metric: Metric) -> Callable[[float], str]:
    return percent_tick if metric == "accuracy" else "{:.4g}".format


def _legend(series: Mapping[str, list[float]], best: bool) -> tuple[tuple[str, str], ...]:
    shown = [
        (f"line {look} {shape}", name)
        for name, _, look, shape in _KINDS
        if any(map(math.isfinite, series[name]))
    ]
    return (*shown, ("ring", "best validation")) if best else tuple(shown)


def _describe(history: History, series: Mapping[str, list[float]], metric: Metric) -> str:
    """Says from where to where each curve goes, and where validation is best."""
    write = _write(metric)
    sentences = []
    for name, values in series.items():
        known = [
            (row["epoch"], value)
            for row, value in zip(history, values, strict=True)
            if math.isfinite(value)
        ]
        if known:
            (first, begins), (last, ends) = known[0], known[-1]
            sentences.append(
                f"{metric} of {name}: {write(begins)} in epoch {first:.0f}, {write(ends)} in "
                f"epoch {last:.0f}."
            )
    best = best_epoch(history, metric)
    if best is not None:
        row = history[best]
        value = write(row[f"val_{metric}"])
        sentences.append(f"Best validation {metric}: {value} in epoch {row['epoch']:.0f}.")
    return " ".join(sentence[:1].upper() + sentence[1:] for sentence in sentences)


def _gaps(series: Mapping[str, list[float]], metric: Metric) -> str:
    """Says where numbers are missing that should be there."""
    sentences = []
    for name, values in series.items():
        bad = sum(not math.isfinite(value) for value in values)
        if 0 < bad < len(values) or (bad and name == "training"):
            sentences.append(
                f"In {count(bad, 'epoch')} the {metric} of {name} is not a number (NaN or "
                "infinite), or was not measured: there the curve has a gap."
            )
    return " ".join(sentences)
