"""Learning curves: accuracy and loss of training and validation, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tellapart.evaluation.plots.style import (
    BLUE,
    EMPTY,
    FAINT,
    GRID,
    HEADER,
    INK,
    LABEL,
    MARGIN,
    SMALL,
    VERMILLION,
    Page,
)
from tellapart.evaluation.plots.text import font

_PANEL_WIDTH, _PANEL_HEIGHT = 3.85, 2.75
_LEFT, _RIGHT = 0.55, 0.85  # room for a panel's numbers and for the names of its curves
_MARKED_EPOCHS = 30
_LABEL_GAP = 0.18  # inches between the names of two curves


@dataclass(frozen=True)
class _Curve:
    name: str
    prefix: str
    colour: str
    dashes: str
    marker: str


_CURVES = (
    _Curve("training", "", BLUE, "-", "o"),
    _Curve("validation", "val_", VERMILLION, "--", "s"),
)


def plot_curves(history: Sequence[Mapping[str, float]], path: Path, *, title: str) -> None:
    """Draws accuracy and loss side by side, training against validation.

    Each panel marks its own best validation epoch: the highest accuracy, the lowest loss (the
    first, where several are equal). A value that is missing, NaN or infinite leaves a gap.

    Args:
        history: the rows of `results.csv`: epoch (from 1), loss, accuracy, and val_loss and
            val_accuracy where there was validation. May be empty.
        path: the PNG to write.
        title: one line; shortened in the middle if it is too long.

    Raises:
        TellapartError: the file cannot be written.
    """
    draw_curves(history, title).save(path)


def draw_curves(history: Sequence[Mapping[str, float]], title: str) -> Page:
    """Lays out the page of `plot_curves`."""
    full = _LEFT + _PANEL_WIDTH + _RIGHT
    count = len(history)
    page = Page(
        2 * full + 2 * MARGIN - 0.1,
        MARGIN + HEADER + 0.5 + _PANEL_HEIGHT + 0.65,
        title,
        f"{count} epoch{'s' * (count != 1)}" if count else "no epoch was finished",
    )
    for column, metric in enumerate(("accuracy", "loss")):
        left, top = MARGIN + _LEFT + column * full, MARGIN + HEADER
        best = _best(history, metric)
        page.text(left, top, metric.capitalize(), size=LABEL, bold=True)
        page.text(left, top + 0.21, _headline(history, metric, best), colour=FAINT)
        axes = page.axes(left, top + 0.5, _PANEL_WIDTH, _PANEL_HEIGHT)
        ends = _draw_curves(axes, history, metric)
        if best is not None:
            _mark(axes, history[best]["epoch"], history[best][f"val_{metric}"])
        _dress(axes, _values(history, "epoch"), metric)
        _name_curves(axes, ends)
    return page


def _best(history: Sequence[Mapping[str, float]], metric: str) -> int | None:
    """Returns the row with the best validation value, None where there is none."""
    values = _values(history, f"val_{metric}")
    if not np.isfinite(values).any():
        return None
    return int(np.nanargmax(values) if metric == "accuracy" else np.nanargmin(values))


def _headline(history: Sequence[Mapping[str, float]], metric: str, best: int | None) -> str:
    if best is not None:
        value = history[best][f"val_{metric}"]
        shown = f"{value:.1%}" if metric == "accuracy" else f"{value:.3f}"
        return f"★ best validation: {shown} at epoch {history[best]['epoch']:.0f}"
    if any(f"val_{metric}" in row for row in history):
        return "no epoch has a validation value that is a number"
    return "without validation data" if history else ""


def _draw_curves(
    axes: Axes, history: Sequence[Mapping[str, float]], metric: str
) -> list[tuple[float, _Curve]]:
    """Draws both curves and returns the last value of each that has one."""
    ends = []
    for curve in _CURVES:
        values = _values(history, curve.prefix + metric)
        known = np.flatnonzero(np.isfinite(values))
        if not len(known):
            continue
        axes.plot(
            _values(history, "epoch"),
            values,
            curve.dashes,
            color=curve.colour,
            linewidth=2,
            marker=curve.marker if len(history) <= _MARKED_EPOCHS else "",
            markersize=5,
        )
        ends.append((float(values[known[-1]]), curve))
    return ends


def _mark(axes: Axes, epoch: float, value: float) -> None:
    axes.axvline(epoch, color=FAINT, linewidth=1, linestyle=":", zorder=1)
    axes.plot(epoch, value, "*", markersize=16, color=INK, markeredgecolor="white", zorder=5)


def _dress(axes: Axes, epochs: npt.NDArray[np.float64], metric: str) -> None:
    axes.set_xlabel("epoch", font=font(SMALL), color=INK)
    if not axes.lines:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_facecolor(EMPTY)
        axes.text(
            0.5,
            0.5,
            "nothing to draw",
            transform=axes.transAxes,
            font=font(SMALL),
            color=FAINT,
            horizontalalignment="center",
        )
        return
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    if metric == "accuracy":
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
    pad = max(0.1, 0.02 * (epochs[-1] - epochs[0]))
    axes.set_xlim(epochs[0] - min(pad, 0.5), epochs[-1] + pad)  # there is no epoch 0


def _name_curves(axes: Axes, ends: list[tuple[float, _Curve]]) -> None:
    """Writes each curve's name beside its end, at least a line's height apart."""
    low, high = axes.get_ylim()
    places = [(value - low) / (high - low) for value, _ in ends]
    if len(places) == 2:
        # Both move equally far, so that a name stays as near to its curve as it can.
        push = max(0.0, _LABEL_GAP / _PANEL_HEIGHT - abs(places[0] - places[1])) / 2
        up = 0 if places[0] > places[1] else 1
        places[up] += push
        places[1 - up] -= push
    for place, (_, curve) in zip(places, ends, strict=True):
        axes.text(
            1 + 0.06 / _PANEL_WIDTH,
            place,
            curve.name,
            transform=axes.transAxes,
            font=font(SMALL, bold=True),
            color=curve.colour,
            verticalalignment="center",
        )


def _values(history: Sequence[Mapping[str, float]], key: str) -> npt.NDArray[np.float64]:
    """Returns (epochs,) float64, NaN where a row has no finite value."""
    values = np.array([row.get(key, math.nan) for row in history], dtype=np.float64)
    values[~np.isfinite(values)] = math.nan
    return values
