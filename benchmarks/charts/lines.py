"""Pages of lines: seconds against a number, both on scales of powers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from charts.marks import label, shown
from tellapart.evaluation.plots import style
from tellapart.evaluation.plots.text import font

Line = tuple[str, str, str, list[tuple[int, list[float]]]]
"""Words, colour, marker, and by size what the runs gave."""


def lines_page(title: str, panels: Sequence[tuple[str, list[Line]]], counted: str) -> style.Page:
    """A page of seconds against a number, both on scales of powers; medians, lowest to highest."""
    wide, high = 3.0, 3.3
    across = wide + 2.5
    page = style.Page(
        0.85 + across * len(panels), high + 1.85, title,
        "medians, lowest to highest; along grey lines, time grows as the number",
    )  # fmt: skip
    for place, (name, lines) in enumerate(panels):
        left = 0.85 + across * place
        if name:
            page.text(left, 0.95, name, size=style.LABEL, bold=True)
        axes = page.axes(left, 1.2, wide, high)
        draw_lines(axes, lines)
        label(axes.xaxis, counted)
        label(axes.yaxis, "seconds")
    return page


def draw_lines(axes: Axes, lines: list[Line]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = sorted({size for _, _, _, points in lines for size, _ in points})
    ends = []
    for words, colour, marker, points in lines:
        middles = [statistics.median(values) for _, values in points]
        own = [size for size, _ in points]
        axes.plot(own, middles, marker=marker, color=colour, linewidth=1.8, markersize=5,
                  markeredgecolor="white", clip_on=False, zorder=4)  # fmt: skip
        for size, values in points:
            axes.plot([size] * 2, [min(values), max(values)], color=colour, linewidth=1.2)
        ends.append((middles[-1], words, colour))
    lowest, highest = axes.get_ylim()
    for times in 4.0 ** np.arange(-12, 12):
        axes.plot(sizes, [times * size / sizes[0] for size in sizes], color=style.GRID,
                  linewidth=0.8, zorder=1)  # fmt: skip
    axes.set_ylim(lowest, highest)
    axes.set_xlim(sizes[0] / 1.05, sizes[-1] * 1.05)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    name_ends(axes, sizes[-1], ends)


def name_ends(axes: Axes, size: int, ends: list[tuple[float, str, str]]) -> None:
    """Writes the names of lines beside their ends, far enough apart to be read."""
    lowest, highest = np.log(axes.get_ylim())
    apart, place = (highest - lowest) / 17, -np.inf
    for seconds, words, colour in sorted(ends):
        place = max(np.log(seconds), place + apart)
        axes.annotate(
            f"{words}  {shown(seconds)} s",
            (size, seconds),
            xytext=(1.1, (place - lowest) / (highest - lowest)),
            textcoords="axes fraction",
            verticalalignment="center",
            font=font(style.SMALL),
            color=style.INK,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": colour, "linewidth": 0.8, "relpos": (0, 0.5),
                "shrinkA": 2, "shrinkB": 4,
            },
        )  # fmt: skip
