"""One share with its interval on a line from 0% to 100%, and what guessing would reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.report.charts.drawing import Axis, Chart, Mark, percent_tick
from tellapart.report.words import percent, span

WIDTH, HEIGHT = 460.0, 74.0
_START, _END, _MIDDLE, _FLOOR = 16.0, 444.0, 34.0, 50.0


def interval_line(share: Mapping[str, Any], *, guessing: float | None) -> Chart:
    """Draws a measured share.

    Args:
        share: `value`, `low`, `high`, `confidence`, all known.
        guessing: the share that always answering the most frequent class would reach.
    """
    x = Axis(0.0, 1.0, _START, _END)
    value, low, high = share["value"], share["low"], share["high"]
    named = f"{share['confidence']:.0%} interval"
    marks = [
        Mark("rule", "axis", _START, _FLOOR, width=_END - _START),
        Mark("bar", "range", x(low), _MIDDLE - 8, width=max(x(high) - x(low), 1.5), height=16),
        Mark("circle", "value", x(value), _MIDDLE, words=f"measured: {percent(value)}"),
    ]
    words = f"Measured {percent(value)}, {named} {span(share)}, on a line from 0% to 100%."
    if guessing is not None:
        marks.insert(1, Mark("rule", "guess", x(guessing), _FLOOR - 24, height=24))
        # Beside the line on the side away from the interval, so that neither covers the other.
        left = guessing > value
        aside, anchor = (6, "start") if left else (-6, "end")
        if not left and guessing < 0.3:
            aside, anchor = 6, "start"
        marks.append(
            Mark("text", "small", x(guessing) + aside, _FLOOR - 28, words="guessing", anchor=anchor)
        )
        words += f" Always answering the most frequent class: {percent(guessing)}."
    return Chart(
        title="",
        description=words,
        width=WIDTH,
        height=HEIGHT,
        marks=(*marks, *_scale(x)),
    )


def _scale(x: Axis) -> list[Mark]:
    marks = []
    for tenth in range(0, 11, 2):
        place = x(tenth / 10)
        marks.append(Mark("rule", "axis", place, _FLOOR, height=5))
        marks.append(
            Mark(
                "text",
                "tick",
                place,
                _FLOOR + 18,
                words=percent_tick(tenth / 10),
                anchor="middle",
            )
        )
    return marks
