"""A class that is never predicted, although there are pictures of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tellapart.data.wording import SHOWN, count
from tellapart.evaluation.diagnosis.commands import Remedies, train_again
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.finding import Diagnosis
from tellapart.training.class_weights import WARRANTED

LEAST_PICTURES = 5
"""A class that is recognised half of the time is missed five times running in 3% of cases
(0.5 to the power of 5); with fewer test pictures its absence tells little."""


def class_never_predicted(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Fires on classes with test pictures that no test picture is taken for."""
    if facts.confusion is None:
        return ()
    actual, predicted = facts.confusion.sum(axis=1), facts.confusion.sum(axis=0)
    missing = np.flatnonzero((predicted == 0) & (actual >= LEAST_PICTURES)).tolist()
    if not missing:
        return ()
    told = [_describe(facts, k, facts.confusion[k]) for k in missing[:SHOWN]]
    rest = f"; and {len(missing) - SHOWN:,} more" if len(missing) > SHOWN else ""
    text = (
        f"{count(len(missing), 'class is', 'classes are')} never predicted: "
        f"{'; '.join(told)}{rest}."
    )
    return (Diagnosis("class never predicted", "warning", text, _remedies(facts, missing)),)


def _describe(facts: TrainingFacts, k: int, row: npt.NDArray[np.int64]) -> str:
    other = int(row.argmax())
    return (
        f"'{facts.class_names[k]}' ({facts.outside_test[k]:,} pictures to learn from; "
        f"{row[other]:,} of its {row.sum():,} test pictures are taken for "
        f"'{facts.class_names[other]}')"
    )


def _remedies(facts: TrainingFacts, missing: list[int]) -> Remedies:
    remedies = []
    counts = facts.outside_test
    rare = counts[missing] * WARRANTED <= counts.max()
    if rare.any() and facts.recipe["class_weight"] != "balanced":
        words = "Let pictures of rare classes count more"
        remedies.append((words, train_again(facts, class_weight="balanced")))
    if facts.history and not rare.all():
        words = "Train for longer, as the class is not rare"
        remedies.append((words, train_again(facts, epochs=2 * len(facts.history))))
    words = "More pictures of that class, or none of it; change the data and train again"
    return (*remedies, (words, train_again(facts)))
