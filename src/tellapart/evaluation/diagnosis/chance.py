"""Chance level: the answers have nothing to do with the pictures."""

from __future__ import annotations

import math

from tellapart.evaluation.diagnosis.commands import Remedies, check_data, train_again
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.finding import Diagnosis, percent

ABOVE_CHANCE = 2.0
"""Standard errors by which an accuracy must exceed chance to be more than that: by luck once in 44
times. Lower than elsewhere, since silence is the false claim here."""

BY_HEART = 0.5
"""Training pictures of which more are right are learned, though the test part is guessed."""


def chance_level(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Compares the accuracy with that of answers drawn without looking (Cohen, 1960).

        p_e = sum over classes of share(actual) · share(predicted)

    For even classes that is 1/K; for a network that always names one class it is that class's
    share, and equals its accuracy. Fires where the accuracy is not above it beyond luck, and where
    there are enough pictures to rule out that it is half as good as being right.
    """
    if facts.confusion is None or facts.accuracy is None or not facts.accuracy.count:
        return ()
    count, accuracy = facts.accuracy.count, facts.accuracy
    actual, predicted = facts.confusion.sum(axis=1) / count, facts.confusion.sum(axis=0) / count
    chance = float(actual @ predicted)
    error = math.sqrt(chance * (1 - chance) / count)
    if accuracy.value > chance + ABOVE_CHANCE * error or accuracy.high >= (1 + chance) / 2:
        return ()
    text = (
        f"{percent(accuracy.value)} of the {count:,} test pictures are right (95% interval "
        f"{percent(accuracy.low)} to {percent(accuracy.high)}), and answers drawn without looking "
        f"would get {percent(chance)}: the network has found nothing that tells the classes apart "
        f"in new pictures. {_why(facts)}"
    )
    return (Diagnosis("chance level", "warning", text, _remedies(facts)),)


def _why(facts: TrainingFacts) -> str:
    row = facts.kept
    if row is None:
        return "Perhaps the labels do not follow from the pictures."
    trained = percent(row["accuracy"])
    if row["accuracy"] > BY_HEART:
        return (
            f"It has learned its training pictures ({trained} are right) by heart: the labels do "
            "not follow from the pictures, as if they were mixed up."
        )
    return (
        f"Of its own training pictures {trained} are right: it has not learned those either. "
        "Perhaps the labels do not follow from the pictures, or the training was too short."
    )


def _remedies(facts: TrainingFacts) -> Remedies:
    remedies = list(check_data(facts))
    row = facts.kept
    if row is not None and row["accuracy"] <= BY_HEART:
        words = "Train for longer"
        remedies.append((words, train_again(facts, epochs=max(20, 4 * len(facts.history)))))
    words = "Correct the labels, and train again"
    return (*remedies, (words, train_again(facts)))
