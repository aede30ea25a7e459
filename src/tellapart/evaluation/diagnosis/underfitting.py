"""Underfitting: even the training pictures are not learned, and more of the same does not help."""

from __future__ import annotations

import math

from tellapart.evaluation.diagnosis.commands import (
    Remedies,
    is_classic,
    train_again,
    transfer_instead,
)
from tellapart.evaluation.diagnosis.curves import find_turn, held_out, still_falls
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.finding import Diagnosis, percent
from tellapart.evaluation.diagnosis.noise import SIGNIFICANT, difference_error, share_error
from tellapart.evaluation.diagnosis.overfitting import GAP
from tellapart.models.fast import FAST, FAST_NARROW, FAST_WIDE
from tellapart.training.transfer_recipe import PHOTO_SIDE

FITTED = 0.9
"""A convolutional network that is large enough and trained for long learns any training pictures,
even with random labels (Zhang et al., 2017): one that ends below nine in ten is held back by its
size, by augmentation or by its learning rate."""

WIDER = {FAST_NARROW: FAST, FAST: FAST_WIDE}
"""The next larger network; with a budget, its length decides which one is trained."""

SETTLED_EPOCHS = 4
"""After fewer epochs nothing can be said of what a network would learn in the end."""


def underfitting(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Fires where both accuracies end low and close together, and the training loss has settled.

    With augmentation the training accuracy is that on changed pictures, and so the higher one of
    both counts.
    """
    row, held = facts.kept, held_out(facts)
    if row is None or held is None or len(facts.history) < SETTLED_EPOCHS:
        return ()
    accuracy, count, part = held
    trained, pictures = row["accuracy"], facts.parts["train"]
    better, of = max((trained, pictures), (accuracy, count))
    luck = SIGNIFICANT * difference_error(trained, pictures, accuracy, count)
    if not better + SIGNIFICANT * share_error(better, of) < FITTED:
        return ()
    losses = [one["loss"] for one in facts.history]
    learns = not all(map(math.isfinite, losses)) or still_falls(losses, facts.lowest_loss)
    if trained - accuracy > max(GAP, luck) or learns or find_turn(facts):
        return ()
    text = (
        f"After {len(facts.history)} epochs the network is right on {percent(trained)} of the "
        f"training pictures and on {percent(accuracy)} of the {part} pictures: it has not learned "
        "what it was shown, and no longer gets better. Its size or the training holds it back, "
        "the pictures as it sees them, or their labels."
    )
    return (Diagnosis("underfitting", "warning", facts.of_epochs(text), _remedies(facts)),)


def _remedies(facts: TrainingFacts) -> Remedies:
    recipe, remedies = facts.recipe, []
    side = max(recipe["image_size"])
    if recipe["augment"] != "none":
        words = "No augmentation, which makes the training pictures harder"
        remedies.append((words, train_again(facts, augment="none")))
    if not recipe["transfer"]:
        if is_classic(facts) and recipe["model"] != "classic-32":
            words = "A network with more convolutions"
            remedies.append((words, train_again(facts, model="classic-32")))
        if recipe["model"] in WIDER and recipe["budget_seconds"] is None:
            words = "A wider network, which takes about three times as long for a picture"
            remedies.append((words, train_again(facts, model=WIDER[recipe["model"]])))
        if side >= PHOTO_SIDE:
            words = "For photos, a network that has learned from a million others"
            remedies.append((words, transfer_instead(facts)))
        words = "A larger network of your own"
        remedies.append((words, train_again(facts, model="mynet.py:build")))
    if recipe["budget_seconds"] is not None:
        words, budget = "More time", f"{2 * recipe['budget_seconds']:g}s"
        remedies.append((words, train_again(facts, budget=budget)))
    return tuple(remedies)
