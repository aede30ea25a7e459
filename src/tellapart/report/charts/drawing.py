"""What charts are made of: axes that turn values into places, and marks at those places.

A chart is drawn in units of its view box, about CSS pixels; `templates/report/charts.html.j2` turns
it into SVG. Marks have classes for colours, never colours: light, dark and print differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

LEFT, TOP, RIGHT, BOTTOM = 46.0, 24.0, 14.0, 40.0
"""Room around the plot, for the numbers and names of the axes."""


@dataclass(frozen=True)
class Axis:
    """From values to places along an axis.

    Attributes:
        low: the value at `start`.
        high: the value at `end`; above `low`.
        start: a place in the view box.
        end: likewise; y axes end above where they start.
        logarithmic: whether equal factors are equal distances.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Returns the place of a value; what lies outside is put on the rim."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(max(value, self.low))
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int, write: Callable[[float], str], *, whole: bool = False) -> Ticks:
        """Returns places and words of about `count` round values.

        Args:
            count: how many, about.
            write: value to words.
            whole: whether only whole numbers are to be named.
        """
        values = (
            log_values(self.low, self.high)
            if self.logarithmic
            else round_values(self.low, self.high, count, whole=whole)
        )
        return tuple((self(value), write(value)) for value in values)


Ticks = tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Mark:
    """One shape.

    Attributes:
        kind: "path", "circle", "square", "diamond", "rule", "bar" or "text".
        look: classes of the style sheet.
        x: of its middle; of a bar or rule, its left end.
        y: likewise; of a bar or rule, its upper end.
        width: of a bar; of a rule, how far it goes to the right.
        height: of a bar; of a rule, how far it goes down.
        path: of a path, as SVG writes it.
        words: of a text; of other marks what is shown where the mouse is over it.
        anchor: of a text: "start", "middle" or "end".
    """

    kind: str
    look: str
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    path: str = ""
    words: str = ""
    anchor: str = "start"


@dataclass(frozen=True)
class Table:
    """The numbers of a chart, for those who cannot see it and those who want them.

    Attributes:
        caption: what they are.
        headings: of the columns; the first names the rows.
        rows: cells as words.
        note: below it, such as which rows are left out.
        words: headings of columns that hold sentences, not numbers.
    """

    caption: str
    headings: tuple[str, ...]
    rows: Sequence[Sequence[str]] = field(repr=False)
    note: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A chart, its words and its numbers.

    Attributes:
        title: above it.
        description: what is to be seen in it, in sentences; for those who cannot.
        width: of the view box.
        height: of the view box.
        marks: from back to front.
        x_name, y_name: of the axes; "" for none.
        x_ticks, y_ticks: places and words.
        legend: look of a swatch and its words.
        table: the numbers.
        note: a sentence below the chart; "" for none.
    """

    title: str
    description: str
    width: float
    height: float
    marks: tuple[Mark, ...] = field(repr=False)
    x_name: str = ""
    y_name: str = ""
    x_ticks: Ticks = ()
    y_ticks: Ticks = ()
    legend: tuple[tuple[str, str], ...] = ()
    table: Table | None = None
    note: str = ""

    @property
    def left(self) -> float:
        """Where the plot begins."""
        return LEFT

    @property
    def right(self) -> float:
        """Where the plot ends."""
        return self.width - RIGHT

    @property
    def top(self) -> float:
        """Where the plot begins."""
        return TOP

    @property
    def bottom(self) -> float:
        """Where the plot ends."""
        return self.height - BOTTOM


def plot_axes(
    width: float,
    height: float,
    x: tuple[float, float],
    y: tuple[float, float],
    *,
    logarithmic: bool = False,
) -> tuple[Axis, Axis]:
    """Returns the axes of a plot in a view box; `logarithmic` is y."""
    return (
        Axis(*_apart(*x), LEFT, width - RIGHT),
        Axis(*_apart(*y), height - BOTTOM, TOP, logarithmic),
    )


def line(points: Iterable[tuple[float, float]], look: str) -> Mark:
    """A line through the points; one that is not finite leaves a gap."""
    path, pen = [], "M"
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y)):
            pen = "M"
            continue
        path.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return Mark("path", look, path="".join(path))


def area(upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]]) -> str:
    """The path around what lies between two lines."""
    around = [*upper, *reversed(lower)]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in around) + "Z" if around else ""


def round_values(low: float, high: float, count: int, *, whole: bool = False) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two values, about `count` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.999)
    if whole:
        step = max(1.0, step)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def percent_tick(share: float) -> str:
    """Returns "50%", "99.5%"."""
    return f"{100 * share:.4g}%"


def log_values(low: float, high: float) -> list[float]:
    """Powers of ten between two values, and 2 and 5 times them where these are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    few = len(powers) <= 4
    values = [10.0**power * times for power in powers for times in ((1, 2, 5) if few else (1,))]
    return [value for value in values if low * 0.999 <= value <= high * 1.001]


def _apart(low: float, high: float) -> tuple[float, float]:
    """Two values that are equal have an axis of some length around them."""
    return (low, high) if high > low else (low - 0.5, low + 0.5)
