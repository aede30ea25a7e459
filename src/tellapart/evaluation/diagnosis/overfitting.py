"""Overfitting: the training pictures are learned by heart, and what is learned does not carry over.

Two signs (Goodfellow, Bengio and Courville, 2016, Deep Learning, 5.2 and 7.8): the gap between
training and validation accuracy, and the epoch from which the validation loss rises.
"""

from __future__ import annotations

from tellapart.evaluation.diagnosis.commands import OWN_NETWORK, Remedies, is_classic, train_again
from tellapart.evaluation.diagnosis.curves import Turn, find_turn, held_out
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.finding import Diagnosis, Level, loss, percent, points
from tellapart.evaluation.diagnosis.noise import SIGNIFICANT, difference_error
from tellapart.training.augmentation import choose_augmentation

GAP = 0.05
"""A gap worth a warning, in accuracy. Every network does a little better on what it has seen; below
five points, remedies cost about as much accuracy as they win."""

WITH_A_TURN = 2.0
"""Standard errors that the gap must exceed where the validation loss turned, which was tested for
itself; else it is `SIGNIFICANT`."""

PATIENCE = 3
"""Epochs to wait for a lower validation loss: the usual few, past the noise of one epoch."""


def overfitting(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Compares training with held-out accuracy in the epoch whose weights are kept.

    Fires where the gap is more than sampling explains and either large (a warning) or accompanied
    by a validation loss that turned (a note). Dropout and augmentation lower the training accuracy
    and so the gap: a training with them may be overfitted more than is said, never less.
    """
    row, held = facts.kept, held_out(facts)
    if row is None or held is None:
        return ()
    accuracy, count, part = held
    gap = row["accuracy"] - accuracy
    # Where the best weights are kept, what happened after them does no harm.
    turn = find_turn(facts) if facts.keeps_last else None
    errors = SIGNIFICANT if turn is None else WITH_A_TURN
    luck = errors * difference_error(row["accuracy"], facts.parts["train"], accuracy, count)
    if not gap > luck or (gap < GAP and turn is None):
        return ()
    text = (
        f"In epoch {row['epoch']:.0f} the network was right on "
        f"{percent(row['accuracy'])} of the training pictures and on {percent(accuracy)} of the "
        f"{part} pictures: a gap of {points(gap)}, of which luck explains at most {points(luck)}. "
        f"{_course(facts, turn)}"
    )
    level: Level = "warning" if gap >= GAP else "note"
    return (Diagnosis("overfitting", level, facts.of_epochs(text), _remedies(facts, turn)),)


def _course(facts: TrainingFacts, turn: Turn | None) -> str:
    if turn is not None:
        return (
            f"It began after epoch {turn.epoch}: there the validation loss was lowest, "
            f"{loss(turn.val_loss)}, and rose to {loss(turn.end_val_loss)}, while the training "
            f"loss fell from {loss(turn.loss)} to {loss(turn.end_loss)}."
        )
    if not facts.parts.get("validation"):
        return "Without a validation part it is not known when it began."
    if not facts.keeps_last:
        return "These are the weights of the lowest validation loss; later ones were worse."
    return "The validation loss has not turned so far."


def _remedies(facts: TrainingFacts, turn: Turn | None) -> Remedies:
    recipe = facts.recipe
    stop: dict[str, object] = {"early_stopping": PATIENCE, "restore_best_weights": True}
    remedies = [*_augmentation(facts)]
    if turn is not None:
        words = f"Fewer epochs, up to {turn.epoch}, where the validation loss turned"
        remedies += [
            (words, train_again(facts, epochs=turn.epoch)),
            ("Or stop by itself, and keep the best weights", train_again(facts, **stop)),
        ]
    elif not facts.parts.get("validation"):
        words = "Set a validation part apart, which shows when to stop"
        remedies.append((words, train_again(facts, validation_split=0.2, **stop)))
    if recipe["transfer"]:
        words = "Leave the pretrained network as it is, and fit the head alone"
        return (*remedies, (words, train_again(facts, epochs=None, budget=None)), _more(facts))
    if is_classic(facts):
        words = "Dropout, which the classic networks lack, in a network of your own"
        remedies.append((words, train_again(facts, model=OWN_NETWORK)))
    return (*remedies, _more(facts))


def _augmentation(facts: TrainingFacts) -> Remedies:
    """A step up from what there is; mirroring only where it suits the classes."""
    before = facts.recipe["augment"]
    light, _ = choose_augmentation(facts.class_names)
    strong = "strong,flip=none" if light != "light" else "strong"
    if before == "none":
        words = "Augmentation, which shows each picture a little differently in every epoch"
        return ((words, train_again(facts, augment=light)),)
    if before.startswith("light"):
        return (("Stronger augmentation", train_again(facts, augment=strong)),)
    return ()


def _more(facts: TrainingFacts) -> tuple[str, str]:
    words = f"More pictures (these were {facts.parts['train']:,}); add them and train again"
    return words, train_again(facts)
