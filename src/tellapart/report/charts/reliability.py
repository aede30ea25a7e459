"""Reliability diagram: how sure the answers are against how often they are right."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tellapart.evaluation.calibration_error import ReliabilityBin
from tellapart.report.charts.drawing import (
    Chart,
    Mark,
    Table,
    line,
    percent_tick,
    plot_axes,
)
from tellapart.report.words import percent

SIDE = 340.0


def reliability_diagram(
    bins: Sequence[ReliabilityBin], *, low: float, title: str, look: str, shape: str
) -> Chart:
    """Draws a point for each bin, with the 95% interval of its accuracy (DeGroot & Fienberg, 1983).

    Args:
        bins: of `reliability`, at least one.
        low: where both axes begin; see `lowest`.
        title: above the chart.
        look: "first" or "second".
        shape: "circle" or "square".
    """
    x, y = plot_axes(SIDE, SIDE, (low, 1.0), (low, 1.0))
    marks = [line([(x(low), y(low)), (x(1), y(1))], "line even")]
    for one in bins:
        low, high = y(one.accuracy.low), y(one.accuracy.high)
        marks.append(Mark("rule", f"whisker {look}", x(one.confidence), high, height=low - high))
    marks += [
        Mark(shape, look, x(one.confidence), y(one.accuracy.value), words=_in_words(one))
        for one in bins
    ]
    return Chart(
        title=title,
        description=_describe(bins),
        width=SIDE,
        height=SIDE,
        marks=tuple(marks),
        x_name="how sure: mean top probability",
        y_name="right answers",
        x_ticks=x.ticks(5, percent_tick),
        y_ticks=y.ticks(5, percent_tick),
        table=_table(bins, title),
    )


def lowest(bins: Sequence[ReliabilityBin]) -> float:
    """The tenth below everything there is to see: most probabilities are near 1."""
    values = [min(one.confidence, one.accuracy.low) for one in bins]
    return min(math.floor(10 * min(values)) / 10, 0.9)


def _in_words(one: ReliabilityBin) -> str:
    return (
        f"{one.accuracy.count:,} pictures answered with {percent(one.confidence)} on average: "
        f"{percent(one.accuracy.value)} right"
    )


def _describe(bins: Sequence[ReliabilityBin]) -> str:
    pictures = sum(one.accuracy.count for one in bins)
    too_sure = sum(one.confidence > one.accuracy.high for one in bins)
    too_unsure = sum(one.confidence < one.accuracy.low for one in bins)
    fits = len(bins) - too_sure - too_unsure
    return (
        f"{pictures:,} test pictures in {len(bins)} bins, from {percent(bins[0].confidence)} to "
        f"{percent(bins[-1].confidence)} mean top probability. In {fits} of the bins the interval "
        f"of the accuracy holds the probability; {too_sure} are too sure, {too_unsure} not sure "
        "enough."
    )


def _table(bins: Sequence[ReliabilityBin], title: str) -> Table:
    return Table(
        caption=f"{title}: the bins in numbers",
        headings=("probabilities", "mean", "pictures", "right", "95% interval"),
        rows=[
            (
                f"{percent(one.lowest)} to {percent(one.highest)}",
                percent(one.confidence),
                f"{one.accuracy.count:,}",
                percent(one.accuracy.value),
                f"{percent(one.accuracy.low)} to {percent(one.accuracy.high)}",
            )
            for one in bins
        ],
    )
