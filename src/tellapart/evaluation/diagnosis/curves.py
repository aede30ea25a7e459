"""What the curves of `results.csv` do: where validation turned, which values are numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.noise import SIGNIFICANT, share_error, wiggle

TURNED_EPOCHS = 2
"""The lowest validation loss must lie so many epochs back: one worse epoch is often luck."""

TURNED_RISE = 0.1
"""It must have risen by this share since (of what label smoothing leaves above 0): less is hardly
worth a shorter training, even where it is more than noise."""

TAIL = 3
"""The end of a curve is the mean of so many epochs, or of all since the turn."""

RECENT, LEAST_RECENT = 0.25, 3
"""The last quarter of the epochs shows where it goes, and at least three of them."""

IMPROVED = 0.05
"""A loss that is falling has fallen by this share in them (of what label smoothing leaves above 0):
so much again, by going on for as long, is worth having."""


@dataclass(frozen=True)
class Turn:
    """Where the validation loss was lowest, and what became of both losses since.

    Attributes:
        epoch: of the lowest validation loss, from 1.
        val_loss, loss: of that epoch.
        end_val_loss, end_loss: of the last epochs.
    """

    epoch: int
    val_loss: float
    loss: float
    end_val_loss: float
    end_loss: float


def find_turn(facts: TrainingFacts) -> Turn | None:
    """Finds the epoch from which the validation loss rose while the training loss went on falling.

    Returns:
        None where it did not, where the rise may be noise, or without validation.
    """
    rows = [row for row in facts.history if both_losses(row)]
    if not rows:
        return None
    losses = np.array([row["loss"] for row in rows])
    val_losses = np.array([row["val_loss"] for row in rows])
    lowest = int(val_losses.argmin())
    since = len(rows) - 1 - lowest
    if since < TURNED_EPOCHS:
        return None
    tail = min(TAIL, since)
    turn = Turn(
        epoch=int(rows[lowest]["epoch"]),
        val_loss=float(val_losses[lowest]),
        loss=float(losses[lowest]),
        end_val_loss=float(val_losses[-tail:].mean()),
        end_loss=float(losses[-tail:].mean()),
    )
    above = turn.val_loss - facts.lowest_loss
    enough = max(TURNED_RISE * above, SIGNIFICANT * wiggle(val_losses.tolist()))
    rose = turn.end_val_loss - turn.val_loss > enough
    return turn if rose and turn.end_loss < turn.loss else None


def still_falls(values: Sequence[float], floor: float) -> int:
    """Whether a loss was falling at the end, by more than its own noise.

    A line is fitted to the last quarter of the epochs.

    Args:
        values: finite losses, one an epoch.
        floor: the lowest loss there can be.

    Returns:
        How many epochs were looked at; 0 where it was not, or is not the lowest by then.
    """
    recent = min(len(values), max(LEAST_RECENT, math.ceil(RECENT * len(values))))
    if recent < 2:
        return 0
    slope = float(np.polyfit(np.arange(recent), values[-recent:], 1)[0])
    fell = -slope * (recent - 1)
    least = max(IMPROVED * (values[-1] - floor), 2 * wiggle(values))
    at_the_end = min(values[-2:]) <= min(values)
    return recent if at_the_end and fell > least else 0


def both_losses(row: Mapping[str, float]) -> bool:
    """Whether an epoch has both losses, as finite numbers."""
    return all(math.isfinite(row.get(key, math.nan)) for key in ("loss", "val_loss"))


def has_room(accuracy: float, count: int) -> bool:
    """Whether enough is wrong that an improvement could be told from luck on `count` pictures."""
    return 1 - accuracy > 2 * share_error(accuracy, count)


def held_out(facts: TrainingFacts) -> tuple[float, int, str] | None:
    """The accuracy on pictures that were not trained on, how many, and what they are called.

    Those of the validation part, of the epoch whose weights are kept, or else the test part's.
    """
    row, count = facts.kept, facts.parts.get("validation", 0)
    if row is not None and count and math.isfinite(row.get("val_accuracy", math.nan)):
        return row["val_accuracy"], count, "validation"
    if facts.accuracy is not None and facts.accuracy.count:
        return facts.accuracy.value, facts.accuracy.count, "test"
    return None
