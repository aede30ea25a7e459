"""How many pictures each class has, and in which parts they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tellapart.data.dataset import PARTS
from tellapart.report.charts.drawing import Axis, Chart, Mark, Table, area, plot_axes
from tellapart.text import printable

WIDTH = 460.0
_TOTALS, _ROW, _BAR = 50.0, 22.0, 14.0
_CHARACTER = 7.2
"""How wide one is, about; bars begin behind the longest name."""

MOST_BARS = 40
"""With more classes they are drawn as one outline, sorted by size."""

LONGEST_NAME = 22
"""Characters of a class name beside its bar; the table has all of them."""

LOOKS = {"train": "first", "validation": "second", "calibration": "third", "test": "fourth"}


def class_counts(names: Sequence[str], counts: npt.NDArray[np.int64]) -> Chart:
    """Draws a bar for each class, or with many classes the outline of the sorted bars.

    Args:
        names: of the classes, at least one.
        counts: (classes, len(PARTS)) pictures in each part.
    """
    shown = [part for place, part in enumerate(PARTS) if counts[:, place].any()]
    total = counts.sum(axis=1)
    few = len(names) <= MOST_BARS
    marks, height = _bars(names, counts) if few else _outline(total)
    legend = tuple((LOOKS[part], part) for part in shown) if few else ()
    return Chart(
        title="Pictures of each class",
        description=_describe(names, total),
        width=WIDTH,
        height=height,
        marks=tuple(marks),
        legend=legend,
        table=_table(names, counts, shown),
    )


def _bars(names: Sequence[str], counts: npt.NDArray[np.int64]) -> tuple[list[Mark], float]:
    total = counts.sum(axis=1)
    shown = [_short(name) for name in names]
    begin = 12 + _CHARACTER * max(map(len, shown))
    x = Axis(0, max(int(total.max()), 1), begin, WIDTH - _TOTALS)
    marks = []
    for row, name in enumerate(names):
        top = row * _ROW + (_ROW - _BAR) / 2
        base = top + _BAR - 3
        marks.append(Mark("text", "name", begin - 8, base, words=shown[row], anchor="end"))
        before = 0
        for part, number in zip(PARTS, counts[row].tolist(), strict=True):
            if number:
                left, right = x(before), x(before + number)
                words = f"{printable(name)}: {number:,} {part}"
                wide = max(right - left - 1, 0.5)  # a gap tells parts of equal shade apart
                marks.append(Mark("bar", LOOKS[part], left, top, wide, _BAR, words=words))
            before += number
        marks.append(Mark("text", "small", x(before) + 6, base, words=f"{before:,}"))
    return marks, len(names) * _ROW + 4


def _outline(total: npt.NDArray[np.int64]) -> tuple[list[Mark], float]:
    height = 220.0
    ordered = np.sort(total)[::-1].tolist()
    x, y = plot_axes(WIDTH, height, (0.0, float(len(ordered))), (0.0, float(max(ordered[0], 1))))
    steps = [
        (x(place + side), y(number)) for place, number in enumerate(ordered) for side in (0, 1)
    ]
    marks = [Mark("path", "first", path=area(steps, [(x(0), y(0)), (x(len(ordered)), y(0))]))]
    marks += [
        Mark("text", "tick", x(0) - 8, place + 4, words=words, anchor="end")
        for place, words in y.ticks(4, "{:,.0f}".format, whole=True)
    ]
    middle = (x(0) + x(len(ordered))) / 2
    words = f"the {len(ordered):,} classes, the largest first"
    marks.append(Mark("text", "small", middle, height - 14, words=words, anchor="middle"))
    return marks, height


def _short(name: str) -> str:
    """The end is kept too: names such as "sign, 30 km/h" and "sign, 50 km/h" differ there."""
    name = printable(name)
    if len(name) <= LONGEST_NAME:
        return name
    tail = LONGEST_NAME // 2
    return f"{name[: LONGEST_NAME - tail - 1]}…{name[-tail:]}"


def _describe(names: Sequence[str], total: npt.NDArray[np.int64]) -> str:
    most, least = int(total.argmax()), int(total.argmin())
    return (
        f"{len(names):,} classes. Most pictures: {printable(names[most])}, {total[most]:,}. "
        f"Fewest: {printable(names[least])}, {total[least]:,}."
    )


def _table(names: Sequence[str], counts: npt.NDArray[np.int64], shown: Sequence[str]) -> Table:
    columns = [PARTS.index(part) for part in PARTS if part in shown]
    return Table(
        caption="Pictures of each class, by part",
        headings=("class", *(PARTS[place] for place in columns), "all"),
        rows=[
            (
                printable(name),
                *(f"{row[place]:,}" for place in columns),
                f"{sum(row):,}",
            )
            for name, row in zip(names, counts.tolist(), strict=True)
        ],
    )
