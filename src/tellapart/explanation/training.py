"""The training trace: what happened in each epoch, in words, and the losses as plain text.

    for epoch in training_trace(read_results(run / "results.csv")):
        print(epoch.epoch, epoch.loss, epoch.observation)

An epoch is judged by what came before it, never by what followed: what is shown while training is
what the trace shows afterwards.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

HARDLY = 0.005
"""A change of a loss by a smaller share is called none: the noise of an epoch is often larger."""

JUMPED, LOST = 1.5, 0.05
"""A training loss so many times the last epoch's, with so much less accuracy, has jumped."""

LOWERED = 0.5
"""A learning rate of at most this share of the last epoch's was lowered; an annealed one sinks a
little in each epoch, which is no event."""

ABOVE_GUESSING = 1.2
"""A first accuracy of less than so many times 1/classes is called guessing."""

FIRMLY, CLEARLY = 3, 1.05
"""Overfitting is called that from so many epochs after the lowest validation loss on, and where it
is so many times the lowest; before, it may be noise."""

LOG_SCALE = 100.0
"""Losses whose largest is more than so many times the smallest are drawn on a logarithmic scale."""

LEAST_WIDTH, LEAST_HEIGHT = 20, 4


@dataclass(frozen=True)
class EpochObservation:
    """An epoch's figures and what they say, in a sentence.

    Attributes:
        epoch: from 1.
        loss, accuracy: means over the epoch, while the weights were changing.
        val_loss, val_accuracy: measured after it; None without validation.
        observation: what happened in it, compared with the epochs before.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    observation: str


def training_trace(
    rows: list[dict[str, float]], *, classes: int | None = None
) -> list[EpochObservation]:
    """Says of each epoch what happened.

    Args:
        rows: as `training.records.read_results` returns them, the first epoch first.
        classes: how many there are, to compare the first epoch with guessing; None: not known.
    """
    return [
        EpochObservation(
            epoch=int(row["epoch"]),
            loss=row.get("loss", math.nan),
            accuracy=row.get("accuracy", math.nan),
            val_loss=row.get("val_loss"),
            val_accuracy=row.get("val_accuracy"),
            observation=observe(rows[: number + 1], classes=classes),
        )
        for number, row in enumerate(rows)
    ]


def observe(rows: Sequence[Mapping[str, float]], *, classes: int | None = None) -> str:
    """Returns the observation on the last of the epochs; see `training_trace`."""
    *before, row = rows
    sound = [earlier for earlier in before if not _broken(earlier)]
    if broken := _broken(row):
        still = bool(before) and bool(_broken(before[-1]))
        return f"The {broken} loss is {'still no' if still else 'no longer a'} number."
    if not sound:
        return _first(row, classes)
    last = sound[-1]
    if row["loss"] > JUMPED * last["loss"] and row["accuracy"] < last["accuracy"] - LOST:
        return "Training loss jumped: the updates are too large."
    validated = [earlier for earlier in sound if "val_loss" in earlier]
    if validated and "val_loss" in row:
        said = _with_validation(validated, row)
    else:
        said = _without_validation(last, row)
    rate, rate_before = row.get("learning_rate", math.nan), last.get("learning_rate", math.nan)
    if rate <= LOWERED * rate_before:
        return f"Learning rate lowered to {rate:.2g}. {said}"
    return said


def _broken(row: Mapping[str, float]) -> str:
    """Which loss is no number: "training", "validation" or neither, ""."""
    if not math.isfinite(row.get("loss", math.nan)):
        return "training"
    return "" if math.isfinite(row.get("val_loss", 0.0)) else "validation"


def _first(row: Mapping[str, float], classes: int | None) -> str:
    part = "validation" if "val_accuracy" in row else "training"
    share = row.get("val_accuracy", row.get("accuracy", math.nan))
    if classes is None:
        return f"{share:.0%} right in {part} in the first epoch."
    if share < ABOVE_GUESSING / classes:
        return f"{share:.0%} right in {part}, no better than guessing."
    return f"{share:.0%} right in {part}; guessing has {1 / classes:.0%}."


def _without_validation(last: Mapping[str, float], row: Mapping[str, float]) -> str:
    trained = _change(last["loss"], row["loss"])
    return f"Training loss {_VERBS[trained]}." if trained else "Hardly any change."


def _with_validation(sound: Sequence[Mapping[str, float]], row: Mapping[str, float]) -> str:
    """Each loss against the epoch before, and validation against the best epoch so far."""
    last, best = sound[-1], min(sound, key=lambda earlier: earlier["val_loss"])
    trained = _change(last["loss"], row["loss"])
    held = _change(last["val_loss"], row["val_loss"])
    if not held:
        if not trained:
            return "Hardly any change."
        return f"Training loss {_VERBS[trained]}, validation hardly moved."
    if row["val_loss"] < best["val_loss"]:
        if trained < 0:
            return "Both losses fell: the best epoch so far."
        return "The best epoch so far, by validation alone."
    still = f"epoch {best['epoch']:.0f} is still the best"
    if held < 0:
        return f"Validation loss fell; {still}."
    if trained >= 0:
        return f"{'Both losses' if trained else 'Validation loss'} rose; {still}."
    if not _had_parted(sound):
        return "Validation loss rose: a first sign of overfitting."
    if row["epoch"] - best["epoch"] < FIRMLY or row["val_loss"] < CLEARLY * best["val_loss"]:
        return f"Only training loss fell; {still}."
    return f"Overfitting: validation loss was lowest in epoch {best['epoch']:.0f}."


_VERBS = {-1: "fell", 1: "rose"}


def _had_parted(sound: Sequence[Mapping[str, float]]) -> bool:
    """Whether in an earlier epoch the validation loss rose while the training loss fell."""
    return any(
        _change(last["loss"], row["loss"]) < 0 < _change(last["val_loss"], row["val_loss"])
        for last, row in itertools.pairwise(sound)
    )


def _change(before: float, after: float) -> int:
    """-1: fell, 1: rose, 0: hardly any change."""
    if abs(after - before) <= HARDLY * abs(before):
        return 0
    return 1 if after > before else -1


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
        if low == high:
            low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
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
