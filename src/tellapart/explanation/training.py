"""The training trace: what happened in each epoch, in words.

    for epoch in training_trace(read_results(run / "results.csv")):
        print(epoch.epoch, epoch.loss, epoch.observation)

An epoch is judged by what came before it, never by what followed: what is shown while training is
what the trace shows afterwards.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
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
