"""Imbalance ignored: the rare classes are given up for the frequent ones."""

from __future__ import annotations

import numpy as np

from tellapart.data.wording import listed
from tellapart.evaluation.diagnosis.commands import train_again
from tellapart.evaluation.diagnosis.facts import TrainingFacts
from tellapart.evaluation.diagnosis.finding import Diagnosis, percent
from tellapart.evaluation.diagnosis.noise import SIGNIFICANT, difference_error
from tellapart.training.class_weights import WARRANTED, imbalance

GIVEN_UP = 0.1
"""By so much must the rare classes be recognised less often: their share of the pictures alone does
no harm, and a few points may be their own difficulty."""


def imbalance_ignored(facts: TrainingFacts) -> tuple[Diagnosis, ...]:
    """Compares the recall of the rare classes with that of the others.

    A class is rare that has at most a third (`class_weights.WARRANTED`) of the largest one's
    pictures. Fires without class weights, where rare classes are recognised less often beyond luck
    and named less often than they occur: their pictures go to the frequent ones.
    """
    counts = facts.outside_test
    weighed = facts.recipe["class_weight"] == "balanced"
    if facts.confusion is None or weighed or imbalance(counts) < WARRANTED:
        return ()
    rare = counts * WARRANTED <= counts.max()
    actual, right = facts.confusion.sum(axis=1), facts.confusion.diagonal()
    of_rare, of_others = int(actual[rare].sum()), int(actual[~rare].sum())
    if not of_rare or not of_others:
        return ()
    rare_recall = right[rare].sum() / of_rare
    other_recall = right[~rare].sum() / of_others
    lost = other_recall - rare_recall
    luck = SIGNIFICANT * difference_error(rare_recall, of_rare, other_recall, of_others)
    named = int(facts.confusion.sum(axis=0)[rare].sum())
    if not lost > max(GIVEN_UP, luck) or named >= of_rare:
        return ()
    names = [facts.class_names[k] for k in np.flatnonzero(rare)]
    text = (
        f"Of the test pictures of the rare classes ({listed(names)}) {percent(rare_recall)} are "
        f"right, and {percent(other_recall)} of the others. The largest class has {counts.max():,} "
        f"pictures to learn from, the smallest {counts[counts > 0].min():,}; the rare ones make up "
        f"{of_rare:,} of the {of_rare + of_others:,} test pictures, and the network says so of "
        f"{named:,}."
    )
    weights = train_again(facts, class_weight="balanced")
    remedies = (
        ("Let pictures of rare classes count more", weights),
        ("More pictures of the rare classes; add them and train again", train_again(facts)),
    )
    return (Diagnosis("imbalance ignored", "warning", text, remedies),)
