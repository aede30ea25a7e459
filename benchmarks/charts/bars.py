"""Pages of horizontal bars: what was measured, and from lowest to highest."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from matplotlib.axes import Axes

from charts.marks import shown
from tellapart.evaluation.plots import style
from tellapart.evaluation.plots.text import font

Bar = tuple[str, str, list[float], str]
"""Words, colour, what the runs gave, and more words."""


def bars_page(
    title: str, subtitle: str, panels: Sequence[tuple[str, str, list[Bar]]]
) -> style.Page:
    """A page of horizontal bars, a panel below the other, each with a scale of its own.

    Args:
        title: of the page.
        subtitle: the line below it.
        panels: a title, a unit, and bars.
    """
    height, gap, left, right = 0.27, 0.55, 2.85, 1.95
    heights = [height * len(bars) for _, _, bars in panels]
    page = style.Page(8.2, 1.05 + sum(heights) + gap * len(panels), title, subtitle)
    top = 1.2
    for (name, unit, bars), own in zip(panels, heights, strict=True):
        page.text(style.MARGIN, top - 0.24, name, size=style.LABEL, bold=True)
        page.text(left, top - 0.22, unit, size=style.SMALL, colour=style.FAINT)
        axes = page.axes(left, top, page.width - left - right, own)
        draw_bars(axes, bars)
        top += own + gap
    return page


def draw_bars(axes: Axes, bars: list[Bar]) -> None:
    most = max(max(values) for _, _, values, _ in bars)
    axes.set_xlim(0, most)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks(range(len(bars)), [words for words, _, _, _ in bars])
    for place, (_, colour, values, more) in enumerate(bars):
        middle = statistics.median(values)
        axes.barh(place, middle, 0.7, color=colour)
        if len(values) > 1:
            axes.plot([min(values), max(values)], [place] * 2, color=style.INK, linewidth=1.2,
                      clip_on=False)  # fmt: skip
        words = shown(middle) + (f"  {more}" if more else "")
        axes.annotate(words, (max(middle, *values) if len(values) > 1 else middle, place),
                      xytext=(5, 0), textcoords="offset points", verticalalignment="center",
                      font=font(style.SMALL), color=style.INK, annotation_clip=False)  # fmt: skip
