"""Two classes that are really one: the network tells them apart no better than a coin."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tellapart.evaluation.diagnosis.commands import Remedies, train_again
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.finding import Diagnosis, percent
from tellapart.evaluation.diagnosis.noise import share_error

ALIKE = 0.7
"""Told apart correctly so often at most, where a coin has 0.5: the upper end of a 95% interval must
lie below, so that few pictures prove nothing (two classes of 14 each are about the least)."""

TOGETHER = 0.5
"""At least half of their pictures must be taken for one of the two: where everything is mistaken
for everything, it is not these two that are alike."""

BOTH_WAYS = 0.1
"""At least a tenth of either must be taken for the other. Where all of one go to the other and none
come back, that class is neglected, which has other remedies."""

TWO_SIDED = 1.96
"""Standard errors either way that make a 95% interval."""

MOST = 3
"""So many pairs are told, the most confused first."""


@dataclass(frozen=True)
class _Pair:
    """Two classes' own part of the confusion matrix.

    Attributes:
        a, b: which classes.
        of_a, of_b: pictures of either that are taken for one of the two.
        a_for_b, b_for_a: those of them that are taken for the other.
    """

    a: int
    b: int
    of_a: int
    of_b: int
    a_for_b: int
    b_for_a: int

    @property
    def apart(self) -> float:
        """How often the two are told apart correctly: 0.5 for a coin."""
        return 1 - (self.a_for_b / self.of_a + self.b_for_a / self.of_b) / 2

    @property
    def error(self) -> float:
        """The standard error of `apart`."""
        of_a = share_error(self.a_for_b / self.of_a, self.of_a)
        return math.hypot(of_a, share_error(self.b_for_a / self.of_b, self.of_b)) / 2


def classes_alike(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Looks at each pair's own 2x2 part of the confusion matrix.

    Of the pictures of A and B that are taken for A or B, r_A and r_B are taken for their own class;
    the pair is told apart correctly (r_A + r_B) / 2 of the time, with the standard error
    sqrt(e_A² + e_B²) / 2. That mean does not depend on how many pictures either has.
    """
    if facts.confusion is None or len(facts.history) == 1:  # one epoch tells hardly any apart
        return ()
    found = sorted(_alike(facts.confusion), key=lambda pair: -(pair.a_for_b + pair.b_for_a))
    return tuple(_describe(facts, pair) for pair in found[:MOST])


def _alike(cells: npt.NDArray[np.int64]) -> Iterator[_Pair]:
    totals = cells.sum(axis=1)
    often = (cells > 0) & (cells >= BOTH_WAYS * cells.diagonal()[:, None])
    # 200 classes have 19,900 pairs, and few of them are mixed up both ways.
    for a, b in np.argwhere(np.triu(often & often.T, 1)).tolist():
        (right_a, a_for_b), (b_for_a, right_b) = cells[np.ix_([a, b], [a, b])].tolist()
        pair = _Pair(a, b, right_a + a_for_b, right_b + b_for_a, a_for_b, b_for_a)
        together = pair.of_a + pair.of_b >= TOGETHER * (totals[a] + totals[b])
        both_ways = a_for_b >= BOTH_WAYS * pair.of_a and b_for_a >= BOTH_WAYS * pair.of_b
        if together and both_ways and pair.apart + TWO_SIDED * pair.error < ALIKE:
            yield pair


def _describe(facts: TrainingFacts, pair: _Pair) -> Diagnosis:
    one, other = facts.class_names[pair.a], facts.class_names[pair.b]
    text = (
        f"'{one}' and '{other}' are told apart {percent(pair.apart)} of the time, where a coin "
        f"has 50%: {pair.a_for_b:,} of {pair.of_a:,} pictures of '{one}' are taken for '{other}', "
        f"and {pair.b_for_a:,} of {pair.of_b:,} the other way round. Either they are one class "
        "under two names, or what sets them apart cannot be seen at this size."
    )
    return Diagnosis("two classes alike", "warning", text, _remedies(facts, one, other))


def _remedies(facts: TrainingFacts, one: str, other: str) -> Remedies:
    words = f"If they are one, put the pictures of '{one}' and '{other}' into one class"
    remedies = [(words, train_again(facts))]
    if not facts.recipe["transfer"]:
        height, width = facts.recipe["image_size"]
        words = "If they differ in detail, larger pictures"
        larger = train_again(facts, image_size=(2 * height, 2 * width))
        remedies.append((words, larger))
    return tuple(remedies)
