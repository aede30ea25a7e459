"""The price of being sure: accuracy against the share of pictures that is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.report.charts.drawing import (
    Axis,
    Chart,
    Mark,
    Table,
    area,
    line,
    percent_tick,
    plot_axes,
)
from tellapart.report.words import percent
from tellapart.results import Interval, wilson_interval

WIDTH, HEIGHT = 460.0, 300.0

STEADY = 30
"""Intervals of fewer pictures than that are as wide as the page, and need not be seen whole."""

TABLE_ROWS = 20


@dataclass(frozen=True)
class Point:
    """The surest pictures, down to a threshold.

    Attributes:
        threshold: the top probability from which on is answered.
        answered: the share of the pictures that is.
        right: the share of right answers among these, with its 95% Wilson interval.
    """

    threshold: float
    answered: float
    right: Interval


def curve_points(curve: Mapping[str, Any]) -> list[Point]:
    """Reads `unsure.curve` of `evaluation.json`."""
    points = []
    for threshold, answered, accuracy in zip(
        curve["threshold"], curve["answered"], curve["accuracy"], strict=True
    ):
        pictures = round(answered * curve["count"])
        points.append(
            Point(threshold, answered, wilson_interval(round(accuracy * pictures), pictures))
        )
    return points


def unsure_curve(points: Sequence[Point], unsure: Mapping[str, Any]) -> Chart:
    """Draws the curve with its 95% interval, the promise, and what the rule answers.

    Args:
        points: at least one.
        unsure: of `evaluation.json`: `rule`, `answered` and `right`.
    """
    x, y = plot_axes(WIDTH, HEIGHT, (0.0, 1.0), _range(points, unsure["rule"]["promise"]))
    upper = [(x(point.answered), y(point.right.high)) for point in points]
    lower = [(x(point.answered), y(point.right.low)) for point in points]
    through = [(x(point.answered), y(point.right.value)) for point in points]
    marks = [Mark("path", "band", path=area(upper, lower)), *_promise(unsure["rule"], x, y)]
    marks.append(line(through, "line first"))
    if len(points) < 10:
        marks += [Mark("circle", "first", *place) for place in through]
    answered, right = unsure["answered"]["value"], unsure["right"]["value"]
    marked = right is not None
    if marked:
        words = f"the rule: {percent(answered)} answered, {percent(right)} of these rightly"
        marks.append(Mark("diamond", "chosen", x(answered), y(right), words=words))
    legend = [("line first", "right among the answered"), ("band", "95% interval"),
              ("line promise", "the promise")]  # fmt: skip
    if marked:
        legend.append(("chosen diamond", "what the rule answers"))
    return Chart(
        title="Accuracy against the share answered",
        description=_describe(points),
        width=WIDTH,
        height=HEIGHT,
        marks=tuple(marks),
        x_name="share of the test pictures answered, the surest first",
        y_name="right among them",
        x_ticks=x.ticks(5, percent_tick),
        y_ticks=y.ticks(5, percent_tick),
        legend=tuple(legend),
        table=_table(points),
    )


def _range(points: Sequence[Point], promise: float) -> tuple[float, float]:
    last = points[-1].right.count
    steady = [point.right.low for point in points if point.right.count >= min(STEADY, last)]
    lowest = min(*(point.right.value for point in points), *steady, promise)
    return max(0.0, lowest - 0.05 * (1 - lowest) - 0.002), 1.0


def _promise(rule: Mapping[str, Any], x: Axis, y: Axis) -> list[Mark]:
    height = y(rule["promise"])
    words = percent_tick(rule["promise"]) + (" promised" if rule["proven"] else ", not proven")
    return [
        line([(x(0), height), (x(1), height)], "line promise"),
        Mark("text", "small promised", x(0) + 4, height - 5, words=words),
    ]


def _describe(points: Sequence[Point]) -> str:
    last = points[-1]
    if len(points) == 1:
        return (
            f"One point: all pictures have the same top probability, {percent(last.threshold)}, so "
            f"either all are answered or none; {percent(last.right.value)} of them rightly."
        )
    half = min(points, key=lambda point: abs(point.answered - 0.5))
    return (
        f"Of the surest {percent(half.answered)} of the test pictures {percent(half.right.value)} "
        f"are right, of the surest {percent(last.answered)} {percent(last.right.value)}."
    )


def _table(points: Sequence[Point]) -> Table:
    """About TABLE_ROWS points, evenly over the share answered."""
    shown: list[Point] = []
    for number in range(1, TABLE_ROWS + 1):
        nearest = min(points, key=lambda point: abs(point.answered - number / TABLE_ROWS))
        if nearest not in shown:
            shown.append(nearest)
    left_out = len(points) - len(shown)
    return Table(
        caption="The curve in numbers",
        headings=("answered", "from a probability of", "right among them", "95% interval"),
        rows=[
            (
                percent(point.answered),
                percent(point.threshold, 2),
                percent(point.right.value),
                f"{percent(point.right.low)} to {percent(point.right.high)}",
            )
            for point in shown
        ],
        note=f"{left_out:,} points in between are in evaluation.json." if left_out else "",
    )
