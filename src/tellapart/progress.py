"""An observer that shows a run in the terminal, on stderr.

Notes and bars; each epoch's figures and what they say; the losses as a chart when training ends;
and what was found wrong, with the command that helps.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from tellapart.evaluation.diagnosis.finding import AGAIN
from tellapart.explanation.loss_chart import loss_chart
from tellapart.explanation.training import observe
from tellapart.text import printable
from tellapart.training.events import (
    BatchEnded,
    Diagnosed,
    EpochEnded,
    Event,
    Exported,
    HeadFitted,
    Noted,
    Progressed,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    TrainingEnded,
)

CHART_WIDTH = 72
"""Wider says no more, and a log is read at any width."""


class TerminalProgress:
    """Shows events as they come: bars on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._gone = False
        self._bar: Progress | None = None
        self._stage = ""
        self._task: Any = None
        self._classes: int | None = None
        self._epochs: list[dict[str, float]] = []

    def __call__(self, event: Event) -> None:
        """Shows one event; a terminal that is gone ends no run."""
        if self._gone:
            return
        try:
            self._show(event)
        except OSError:
            self._gone = True

    def _show(self, event: Event) -> None:
        match event:
            case Noted():
                style = "yellow" if event.level == "warning" else "dim"
                self._say(event.text, style)
            case Progressed():
                self._advance(event.stage, event.stage, event.done, event.total, "")
            case RunStarted():
                self._start(event)
            case RunResumed():
                self._say(_where_from(event))
            case BatchEnded():
                self._advance_epoch(event)
            case EpochEnded():
                self._show_epoch(event)
            case HeadFitted():
                self._end_bar()
                self._say(describe_head(event))
            case TrainingEnded():
                self._end_training(event)
            case Exported():
                self._end_bar()
                self._say(
                    f"The classifier file agrees with the network on {event.checked:,} raw test "
                    f"pictures (largest difference {event.max_difference:.1g}).",
                    "dim",
                )
            case Diagnosed():
                self._end_bar()
                self._show_diagnosis(event)
            case RunFinished() | RunFailed():
                self._end_bar()

    def _start(self, event: RunStarted) -> None:
        self._end_bar()
        self._classes = event.classes
        parts = ", ".join(f"{count:,} {part}" for part, count in event.parts.items() if count)
        height, width = event.recipe["image_size"]
        self._say(
            f"Training {event.recipe['model']} on {event.data}: {parts} pictures of "
            f"{height}x{width}, {_how_long(event.recipe)}."
        )

    def _advance_epoch(self, event: BatchEnded) -> None:
        # One bar for all epochs, so that the time left is that of the whole training.
        self._advance(
            "training",
            f"epoch {event.epoch}/{event.epochs}",
            (event.epoch - 1) * event.steps + event.step,
            event.epochs * event.steps,
            f"loss {event.loss:.4f}  accuracy {event.accuracy:.3f}  "
            f"{event.images_per_second:,.0f} images/s",
        )

    def _advance(self, stage: str, title: str, done: int, total: int, figures: str) -> None:
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            return  # neither can take a line back
        if stage != self._stage or self._bar is None:
            self._end_bar()
            self._stage = stage
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(compact=True),
                console=self.console,
                transient=True,
            )
            self._task = self._bar.add_task(title, total=total, figures=figures)
            self._bar.start()
        # With a budget, how many epochs fit becomes clear only on the way.
        self._bar.update(
            self._task, total=total, description=title, completed=done, figures=figures
        )

    def _show_epoch(self, event: EpochEnded) -> None:
        row = {name: value for name, value in asdict(event).items() if value is not None}
        self._epochs.append(row)
        # Who joins in the middle knows no best epoch so far.
        from_the_start = self._epochs[0]["epoch"] == 1
        seen = observe(self._epochs, classes=self._classes) if from_the_start else ""
        pieces = [_figures(event), _speed(event), seen]
        for line in _lay_out(pieces, self.console.width if self.console.is_terminal else None):
            self._say(line)

    def _show_chart(self) -> None:
        if len(self._epochs) < 2:
            return
        width = min(CHART_WIDTH, self.console.width) if self.console.is_terminal else CHART_WIDTH
        chart = loss_chart(self._epochs, width=width)
        if not _can_show(chart, self.console.encoding):
            chart = loss_chart(self._epochs, width=width, ascii_only=True)
        self._say(f"\n{chart}\n")

    def _show_diagnosis(self, event: Diagnosed) -> None:
        title = event.topic[:1].upper() + event.topic[1:]
        self._say(f"\n{title}. {event.text}", "yellow" if event.level == "warning" else "")
        for words, command in event.remedies:
            if words.endswith(AGAIN):  # the command is the one that was just given
                self._say(f"  {words}.")
                continue
            self._say(f"  {words}:")
            # Never broken in two: it is there to be copied.
            self.console.print(f"    {printable(command)}", soft_wrap=True, markup=False)

    def _end_training(self, event: TrainingEnded) -> None:
        self._end_bar()
        self._show_chart()
        if event.reason == "interrupted":
            kept = (
                f"the weights of epoch {event.best_epoch} are kept, the best so far"
                if event.best_epoch
                else "the last weights are kept"
            )
            self._say(f"Stopped by Ctrl-C; {kept}. Finishing the run.", "yellow")
        elif event.best_epoch:
            self._say(f"The weights of epoch {event.best_epoch} are kept, the best by validation.")

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._stage = ""

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(
            escape(printable(text, keep="\n")),
            style=style or None,
            soft_wrap=not self.console.is_terminal,
        )


def _where_from(event: RunResumed) -> str:
    if not event.epoch and not event.step:
        return f"{event.path} is resumed from the beginning: no checkpoint had been written yet."
    done = f"{event.epoch} epoch{'s' * (event.epoch != 1)}"
    steps = f" and {event.step:,} updates" if event.step else ""
    return f"{event.path} is resumed after {done}{steps}."


def _how_long(recipe: dict[str, Any]) -> str:
    early = "Ctrl-C ends training early and keeps the result"
    batches = f"in batches of {recipe['batch_size']}. {early}"
    if recipe["budget_seconds"] is not None:
        return f"within {recipe['budget_seconds']:,.0f} s"
    if recipe["epochs"] == 0:
        return "a linear head on its features"
    return f"{recipe['epochs']} epoch{'s' * (recipe['epochs'] != 1)} {batches}"


def describe_head(event: HeadFitted) -> str:
    """One line with the head's figures."""
    text = f"Head fitted to the features of {event.pictures:,} pictures in {event.seconds:.1f} s"
    if event.cross_validated_accuracy is not None:
        text += f"  cross-validated accuracy {event.cross_validated_accuracy:.3f}"
    if event.val_accuracy is not None:
        text += f"  val_accuracy {event.val_accuracy:.3f}"
    return text


def describe_epoch(event: EpochEnded) -> str:
    """One line with an epoch's figures."""
    return f"{_figures(event)}  {_speed(event)}"


def _figures(event: EpochEnded) -> str:
    width = len(str(event.epochs))
    text = (
        f"epoch {event.epoch:>{width}}/{event.epochs}  loss {event.loss:.4f}  "
        f"accuracy {event.accuracy:.3f}"
    )
    if event.val_loss is not None and event.val_accuracy is not None:
        text += f"  val_loss {event.val_loss:.4f}  val_accuracy {event.val_accuracy:.3f}"
    return text


def _speed(event: EpochEnded) -> str:
    return f"{event.images_per_second:,.0f} images/s  {event.seconds:.1f} s"


def _lay_out(pieces: list[str], width: int | None) -> list[str]:
    """Joins pieces to lines that fit the width; what follows the first line is indented."""
    lines = [pieces[0]]
    for piece in filter(None, pieces[1:]):
        if width is None or len(f"{lines[-1]}  {piece}") <= width:
            lines[-1] += f"  {piece}"
        else:
            lines.append(f"  {piece}")
    return lines


def _can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
