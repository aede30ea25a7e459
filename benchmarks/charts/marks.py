"""What all charts are marked with: colours, names of axes, numbers in words."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from tellapart.evaluation.plots import style
from tellapart.evaluation.plots.text import font, width

GREEN, ORANGE, SKY, PURPLE = "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
"""With those of `style`, the colours of Okabe and Ito."""


def shown(value: float) -> str:
    """A number with two or three digits that count, and all of those before the point."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.3g}"


def key(page: style.Page, left: float, top: float, words: str, colour: str, marker: str) -> float:
    """Explains a marker on the page; returns where the next explanation begins."""
    axes = page.axes(left, top - 0.03, 0.15, 0.15)
    axes.set_axis_off()
    axes.plot([0], [0], marker, color=colour, markersize=7)
    page.text(left + 0.22, top - 0.02, words)
    return left + 0.55 + width(words, style.SMALL)


def label(axis: Any, words: str) -> None:
    axis.set_label_text(words, font=font(style.SMALL), color=style.FAINT)


def grid(axes: Axes) -> None:
    axes.grid(color=style.GRID, linewidth=0.8)
    axes.set_axisbelow(True)
