"""What happens in a run, as values: training emits them, observers do something with them.

Training knows no terminal, no file and no web page. Whoever wants to follow passes a function
that takes an event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class RunStarted:
    """The run folder exists and holds `run.json`.

    Attributes:
        parts: pictures in each.
        recipe: its fields by name.
        classes: how many there are; None: not told.
    """

    path: str
    data: str
    parts: dict[str, int]
    recipe: dict[str, Any]
    classes: int | None = None


@dataclass(frozen=True)
class RunResumed:
    """A run that did not come to its end goes on.

    Attributes:
        epoch: complete epochs, of which nothing is repeated.
        step: updates of the next one, of which nothing is repeated either.
    """

    path: str
    epoch: int
    step: int


@dataclass(frozen=True)
class Noted:
    """Something the user should know, in a sentence."""

    text: str
    level: Literal["note", "warning"] = "note"


@dataclass(frozen=True)
class Progressed:
    """A stage other than training has come so far; many of these, so they are not kept."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class BatchEnded:
    """Some updates were made; many of these, so they are not kept.

    Attributes:
        epoch: the current one, from 1.
        step: updates made in this epoch.
        loss, accuracy: mean over this epoch so far.
        images_per_second: in this epoch so far.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    images_per_second: float


@dataclass(frozen=True)
class EpochEnded:
    """An epoch and its validation are over: a row of `results.csv`.

    Attributes:
        epoch: from 1.
        loss, accuracy: means over the epoch, while the weights were changing.
        val_loss, val_accuracy: measured after it; None without validation pictures.
        learning_rate: of the last update.
        seconds: training and validation of this epoch.
        images_per_second: training alone.
    """

    epoch: int
    epochs: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class HeadFitted:
    """The linear head on a pretrained network's features is found.

    Attributes:
        pictures: that it was fitted to.
        strength: of the regularisation, chosen by cross-validation; see `models.head`.
        cross_validated_accuracy: of the training pictures; None where there are too few of them.
        val_accuracy: of the validation part; None without one.
        seconds: for the features and the head.
    """

    pictures: int
    strength: float
    cross_validated_accuracy: float | None
    val_accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class TrainingEnded:
    """No more updates will be made.

    Attributes:
        reason: all epochs done, stopped early, or interrupted by the user.
        epochs_done: complete epochs.
        best_epoch: the epoch whose weights are kept, from 1; None: the last ones.
        seconds: from the first update on.
    """

    reason: Literal["finished", "stopped early", "interrupted"]
    epochs_done: int
    best_epoch: int | None
    seconds: float


@dataclass(frozen=True)
class Exported:
    """The classifier file is written and agrees with the network.

    Attributes:
        checked: pictures predicted both ways, from their raw files.
        max_difference: the largest difference between two probabilities.
    """

    path: str
    checked: int
    max_difference: float


@dataclass(frozen=True)
class Diagnosed:
    """Something went wrong in the training, or could go better: an `evaluation.diagnosis`.

    Attributes:
        topic: a short name for programs: "overfitting", "chance level", ...
        level: a warning where results suffer from it.
        text: what was seen, with its numbers.
        remedies: pairs of what to do, in words, and the command that does it.
    """

    topic: str
    level: Literal["note", "warning"]
    text: str
    remedies: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RunFinished:
    """All files of the run are written."""

    path: str
    accuracy: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class RunFailed:
    """The run ended with an error."""

    error: str


Event = (
    RunStarted
    | RunResumed
    | Noted
    | Progressed
    | BatchEnded
    | EpochEnded
    | HeadFitted
    | TrainingEnded
    | Exported
    | Diagnosed
    | RunFinished
    | RunFailed
)

Observer = Callable[[Event], None]

UNRECORDED = (Progressed, BatchEnded)


def to_json(event: Event) -> dict[str, Any]:
    """Returns the event's name and fields."""
    return {"event": type(event).__name__, **asdict(event)}
