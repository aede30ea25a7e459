"""Still improving: training ended while the loss on new pictures was falling."""

from __future__ import annotations

import math

import numpy as np

from tellapart.data.wording import count
from tellapart.evaluation.diagnosis.commands import Remedies, train_again
from tellapart.evaluation.diagnosis.curves import both_losses, has_room, held_out, still_falls
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.finding import Diagnosis, loss
from tellapart.evaluation.diagnosis.overfitting import PATIENCE

ANNEALED_EPOCHS = 5
"""A budget lowers the learning rate to 0, which ends any fall: the curve then tells nothing, unless
so few epochs fitted into it that more are needed whatever it looks like."""


def still_improving(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Looks at the end of the validation loss, or else of the training loss.

    Silent where early stopping saw no progress, where the lowest loss is not at the end, where the
    fall is within the curve's own noise, and where so little is wrong that nobody could measure
    a gain.
    """
    held = held_out(facts)
    annealed = facts.recipe["budget_seconds"] is not None and len(facts.history) > ANNEALED_EPOCHS
    if (
        not facts.history
        or held is None
        or not has_room(*held[:2])
        or annealed
        or facts.reason == "stopped early"
    ):
        return ()
    if len(facts.history) == 1:
        return _after_one_epoch(facts)
    key = "val_loss" if facts.parts.get("validation") else "loss"
    values = np.array([row.get(key, math.nan) for row in facts.history])
    if not np.isfinite(values).all():
        return ()
    recent = still_falls(values.tolist(), facts.lowest_loss)
    if not recent:
        return ()
    name = "validation" if key == "val_loss" else "training"
    text = (
        f"{_end(facts)} the {name} loss was still falling: from {loss(values[-recent])} to "
        f"{loss(values[-1])} in the last {recent} of {len(values)} epochs."
    )
    return (Diagnosis("still improving", "note", text, _remedies(facts)),)


def _after_one_epoch(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """One epoch has no course; but its mean loss is that of its middle, and validation its end."""
    (row,) = facts.history
    if not both_losses(row) or not row["val_loss"] < row["loss"]:
        return ()
    text = (
        f"{_end(facts)} the loss was still falling: {loss(row['loss'])} on average over the only "
        f"epoch, and {loss(row['val_loss'])} on the validation pictures at its end."
    )
    return (Diagnosis("still improving", "note", text, _remedies(facts)),)


def _end(facts: TrainingFacts) -> str:
    done, planned = len(facts.history), facts.recipe["epochs"]
    if facts.reason == "interrupted":
        return facts.of_epochs(f"When Ctrl-C ended training in epoch {done} of {planned},")
    if facts.recipe["budget_seconds"] is not None:
        return facts.of_epochs(f"When the budget was used up, after {count(done, 'epoch')},")
    return facts.of_epochs(f"When training ended, after epoch {done},")


def _remedies(facts: TrainingFacts) -> Remedies:
    if facts.recipe["budget_seconds"] is not None:
        longer = f"{2 * facts.recipe['budget_seconds']:g}s"
        return (("A larger budget", train_again(facts, budget=longer)),)
    done = len(facts.history)
    if facts.reason == "interrupted" and done < facts.recipe["epochs"]:
        return (("Let it run to its end", train_again(facts)),)
    remedies = [("Twice as many epochs", train_again(facts, epochs=2 * done))]
    if facts.parts.get("validation"):
        words = "Or many epochs, with a stop where it no longer helps"
        stop = train_again(
            facts, epochs=max(20, 4 * done), early_stopping=PATIENCE, restore_best_weights=True
        )
        remedies.append((words, stop))
    return tuple(remedies)
