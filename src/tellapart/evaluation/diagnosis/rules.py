"""All rules, in the order of importance, and which of them explains which."""

from __future__ import annotations

from collections.abc import Callable

from tellapart.evaluation.diagnosis.chance import chance_level
from tellapart.evaluation.diagnosis.class_never_predicted import class_never_predicted
from tellapart.evaluation.diagnosis.classes_alike import classes_alike
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.finding import Diagnosis
from tellapart.evaluation.diagnosis.imbalance import imbalance_ignored
from tellapart.evaluation.diagnosis.improving import still_improving
from tellapart.evaluation.diagnosis.overfitting import overfitting
from tellapart.evaluation.diagnosis.rate import learning_rate_too_high, learning_rate_too_low
from tellapart.evaluation.diagnosis.small_test import small_test_part
from tellapart.evaluation.diagnosis.too_good import too_good
from tellapart.evaluation.diagnosis.underfitting import underfitting

Rule = Callable[[TrainingFacts], tuple[Diagnosis, ...]]

RULES: tuple[Rule, ...] = (
    learning_rate_too_high,
    too_good,
    learning_rate_too_low,
    chance_level,
    overfitting,
    underfitting,
    imbalance_ignored,
    class_never_predicted,
    classes_alike,
    still_improving,
    small_test_part,
)
"""What makes the figures meaningless comes first, then what costs the most accuracy."""

_UNTRAINED = {
    "chance level", "underfitting", "still improving", "imbalance ignored",
    "class never predicted", "two classes alike",
}  # fmt: skip

EXPLAINS: dict[str, set[str]] = {
    "learning rate too high": _UNTRAINED | {"learning rate too low", "overfitting"},
    "learning rate too low": _UNTRAINED,
    "imbalance ignored": {"chance level"},
    "chance level": {
        "overfitting", "underfitting", "class never predicted", "two classes alike",
        "still improving", "test part too small",
    },
    "still improving": {"underfitting"},
}  # fmt: skip
"""One cause, one diagnosis: a topic that was found silences those that follow from it."""


def diagnose(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Says what went wrong, or could go better, in a training.

    Args:
        facts: what is known of it; see `facts_from_run` and `gather_facts`.

    Returns:
        What was found, warnings before notes, the most important first; nothing where all is well.
        Reads no file and changes nothing: the same facts give the same words.
    """
    found = [diagnosis for rule in RULES for diagnosis in rule(facts)]
    topics = {diagnosis.topic for diagnosis in found}
    # What is itself explained explains nothing.
    causes = topics - {topic for cause in topics for topic in EXPLAINS.get(cause, ())}
    explained = {topic for cause in causes for topic in EXPLAINS.get(cause, ())}
    told = [diagnosis for diagnosis in found if diagnosis.topic not in explained]
    return tuple(sorted(told, key=lambda diagnosis: diagnosis.level != "warning"))
