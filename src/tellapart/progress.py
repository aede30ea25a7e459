"""An observer that shows a run in the terminal: notes, bars and a line an epoch, on stderr."""

from __future__ import annotations

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

from tellapart.training.events import (
    BatchEnded,
    EpochEnded,
    Event,
    Exported,
    HeadFitted,
    Noted,
    Progressed,
    RunFailed,
    RunFinished,
    RunStarted,
    TrainingEnded,
)


class TerminalProgress:
    """Shows events as they come: bars on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._stage = ""
        self._task: Any = None

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        match event:
            case Noted():
                style = "yellow" if event.level == "warning" else "dim"
                self._say(event.text, style)
            case Progressed():
                self._advance(event.stage, event.stage, event.done, event.total, "")
            case RunStarted():
                self._start(event)
            case BatchEnded():
                self._advance_epoch(event)
            case EpochEnded():
                self._say(describe_epoch(event))
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
            case RunFinished() | RunFailed():
                self._end_bar()

    def _start(self, event: RunStarted) -> None:
        self._end_bar()
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

    def _end_training(self, event: TrainingEnded) -> None:
        self._end_bar()
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
            escape(text), style=style or None, soft_wrap=not self.console.is_terminal
        )


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
    width = len(str(event.epochs))
    text = (
        f"epoch {event.epoch:>{width}}/{event.epochs}  loss {event.loss:.4f}  "
        f"accuracy {event.accuracy:.3f}"
    )
    if event.val_loss is not None and event.val_accuracy is not None:
        text += f"  val_loss {event.val_loss:.4f}  val_accuracy {event.val_accuracy:.3f}"
    return f"{text}  {event.images_per_second:,.0f} images/s  {event.seconds:.1f} s"
