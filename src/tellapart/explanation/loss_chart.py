"""Training and validation loss over the epochs as plain text, for any terminal and any log."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

LOG_SCALE = 100.0
"""Losses whose largest is more than so many times the smallest are drawn on a logarithmic scale."""

LEAST_WIDTH, LEAST_HEIGHT = 20, 4


@dataclass(frozen=True)
class _Marks:
    training: str
    validation: str
    both: str
    side: str
    corner: str
    floor: str
    tick: str


_UNICODE = _Marks("•", "○", "●", "│", "└", "─", "┬")
_ASCII = _Marks("*", "o", "@", "|", "+", "-", "|")

Curve = list[tuple[int, float]]
"""Epochs and losses that are numbers."""


def loss_chart(
    rows: list[dict[str, float]], *, width: int = 72, height: int = 14, ascii_only: bool = False
) -> str:
    """Draws training and validation loss over the epochs, for any terminal and any log.

    Neighbouring epochs are joined by a line of marks; what is no number is left out, and the text
    below says so. No colours, no trailing blanks, no last line break.

    Args:
        rows: as `training.records.read_results` returns them.
        width: of the text, in characters, at least 20.
        height: of the chart without title and axis, in lines, at least 4.
        ascii_only: for terminals that have nothing else.

    Returns:
        Lines of at most `width` characters; a sentence where there is nothing to draw.
    """
    marks = _ASCII if ascii_only else _UNICODE
    width, height = max(width, LEAST_WIDTH), max(height, LEAST_HEIGHT)
    training, validation = _curve(rows, "loss"), _curve(rows, "val_loss")
    values = [value for _, value in training + validation]
    if not values:
        why = "no loss is a number" if rows else "no epoch was finished"
        return f"No loss chart: {why}."
    scale = _Scale.of(values, height)
    labels = {line: f"{scale.value(line):.3g}" for line in _labelled(height)}
    margin = max(map(len, labels.values()))
    epochs = [int(row["epoch"]) for row in rows]
    grid = _Grid(width - margin - 2, height, epochs[0], epochs[-1])
    cells = _merge(grid.trace(training, scale), grid.trace(validation, scale), marks)
    body = [
        f"{labels.get(line, ''):>{margin}} {marks.side}"
        + "".join(cells.get((line, column), " ") for column in range(grid.width))
        for line in range(height)
    ]
    title = [
        "loss (log scale)" if scale.logarithmic else "loss",
        *([f"{marks.training} training"] if training else []),
        *([f"{marks.validation} validation"] if validation else []),
        *([f"{marks.both} both"] if marks.both in cells.values() else []),
    ]
    lines = [
        *_wrap("   ".join(title), width),
        *body,
        *grid.axis(margin, marks),
        *_wrap(_left_out(rows), width),
    ]
    return "\n".join(line.rstrip() for line in lines)


def _curve(rows: Sequence[Mapping[str, float]], key: str) -> Curve:
    return [(int(row["epoch"]), row[key]) for row in rows if math.isfinite(row.get(key, math.nan))]


def _left_out(rows: Sequence[Mapping[str, float]]) -> str:
    """A sentence on the losses that are no numbers; empty without any."""
    said = []
    for key, name in (("loss", "training"), ("val_loss", "validation")):
        epochs = [int(row["epoch"]) for row in rows if not math.isfinite(row.get(key, 0.0))]
        if epochs:
            span = f"epoch {epochs[0]}"
            if len(epochs) > 1:
                span = f"{len(epochs)} epochs ({epochs[0]} to {epochs[-1]})"
            said.append(f"the {name} loss of {span}")
    return f"Left out, being no number: {', '.join(said)}." if said else ""


def _wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width`; a title breaks between its entries, a sentence between words."""
    if len(text) <= width:
        return [text] if text else []
    if "   " in text:
        return text.split("   ")
    return textwrap.wrap(text, width)


def _labelled(height: int) -> set[int]:
    """The lines that get a number: top, bottom, and about every fourth between."""
    gaps = max(1, round((height - 1) / 4))
    return {round(k * (height - 1) / gaps) for k in range(gaps + 1)}


@dataclass(frozen=True)
class _Scale:
    """From losses to lines, the largest on line 0."""

    low: float
    high: float
    height: int
    logarithmic: bool

    @classmethod
    def of(cls, values: Sequence[float], height: int) -> _Scale:
        low, high = min(values), max(values)
        logarithmic = low > 0 and high / low > LOG_SCALE
        if logarithmic:
            low, high = math.log(low), math.log(high)
        if not high / 2 - low / 2 > 0:  # equal, or as good as: half of the least number is 0
            low, high = low - (abs(low) / 2 or 0.5), high + (abs(high) / 2 or 0.5)
        return cls(low, high, height, logarithmic)

    def line(self, value: float) -> float:
        value = math.log(value) if self.logarithmic else value
        # Halved, because the difference of two huge losses may not be a number any more.
        share = (self.high / 2 - value / 2) / (self.high / 2 - self.low / 2)
        return share * (self.height - 1)

    def value(self, line: int) -> float:
        share = line / (self.height - 1)
        value = (1 - share) * self.high + share * self.low
        return math.exp(value) if self.logarithmic else value


@dataclass(frozen=True)
class _Grid:
    """From epochs to columns."""

    width: int
    height: int
    first: int
    last: int

    def column(self, epoch: float) -> int:
        if self.first == self.last:
            return self.width // 2
        return round((epoch - self.first) / (self.last - self.first) * (self.width - 1))

    def trace(self, curve: Curve, scale: _Scale) -> set[tuple[int, int]]:
        """The (line, column) of a curve; not joined over an epoch that is left out."""
        cells = {(round(scale.line(value)), self.column(epoch)) for epoch, value in curve}
        for (one, before), (other, after) in itertools.pairwise(curve):
            if other == one + 1:
                start = self.column(one), scale.line(before)
                cells.update(_join(start, (self.column(other), scale.line(after))))
        return cells

    def axis(self, margin: int, marks: _Marks) -> list[str]:
        """The line under the chart with its ticks, and the epochs below them."""
        line, numbers = [marks.floor] * self.width, [" "] * (self.width + 1)
        free = 0  # the first column that no number takes yet
        last = str(self.last)
        for epoch in self._ticks():
            text, column = str(epoch), self.column(epoch)
            start = min(column, self.width - len(text))
            crowds_last = epoch != self.last and start + len(text) > self.width - len(last) - 1
            if start < free or crowds_last:
                continue
            line[column] = marks.tick
            numbers[start : start + len(text)] = text
            free = start + len(text) + 1
        below = "".join(numbers).rstrip()
        blank = " " * (margin + 2)
        return [
            f"{' ' * margin} {marks.corner}{''.join(line)}",
            f"{blank}{below}",
            f"{blank}{'epoch':>{self.width}}" if self.width >= len("epoch") else "",
        ]

    def _ticks(self) -> Iterator[int]:
        """The first and the last epoch, and round numbers between."""
        most = max(1, self.width // 8)
        steps = (digit * 10**power for power in range(10) for digit in (1, 2, 5))
        step = next(step for step in steps if (self.last - self.first) / step <= most)
        yield self.first
        yield from (e for e in range(self.first + 1, self.last) if e % step == 0)
        if self.last > self.first:
            yield self.last


def _join(start: tuple[int, float], end: tuple[int, float]) -> Iterator[tuple[int, int]]:
    """The cells of a straight line, with no gaps where it is steep."""
    (x, y), (x_end, y_end) = start, end
    steps = max(x_end - x, math.ceil(abs(y_end - y)), 1)
    for k in range(steps + 1):
        share = k / steps
        yield round(y + share * (y_end - y)), round(x + share * (x_end - x))


def _merge(
    training: set[tuple[int, int]], validation: set[tuple[int, int]], marks: _Marks
) -> dict[tuple[int, int], str]:
    cells = dict.fromkeys(training, marks.training) | dict.fromkeys(validation, marks.validation)
    return cells | dict.fromkeys(training & validation, marks.both)
