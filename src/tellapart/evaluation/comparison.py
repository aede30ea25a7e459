"""Whether one classifier is better than another, measured on the same test pictures.

On the same pictures most answers agree and say nothing about the difference. What counts are the
pictures that only one of the two gets right:

    b   only the first          c   only the second          n   test pictures

If both were equally good, b of b + c would be a toss of coins (McNemar, 1947). The exact test adds
up the tosses that are at least as lopsided; the interval of the difference (c - b) / n is that of
Tango (1998), the score interval for paired shares. Both are in `paired`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.evaluation.metrics import Labels
from tellapart.evaluation.paired import (
    SIGNIFICANT,
    difference_interval,
    holm,
    mcnemar,
    needed_pictures,
)
from tellapart.results import Interval, wilson_interval

Right = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClassChange:
    """How the recall of one class differs.

    Attributes:
        name: of the class.
        count: its test pictures.
        first_right: how many of them the first classifier recognises.
        second_right: how many the second does.
        only_first: how many only the first does.
        only_second: how many only the second does.
        p_value: of the exact McNemar test on this class alone.
        adjusted_p_value: for as many tests as there are classes (Holm, 1979).
    """

    name: str
    count: int
    first_right: int
    second_right: int
    only_first: int
    only_second: int
    p_value: float
    adjusted_p_value: float

    @property
    def real(self) -> bool:
        """Whether the change is too large for chance, in view of how many classes were tried."""
        return self.adjusted_p_value < SIGNIFICANT

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name, and whether it is real."""
        return vars(self) | {"real": self.real}


@dataclass(frozen=True)
class Comparison:
    """Two classifiers on the same test pictures.

    Attributes:
        first: accuracy of the first, with interval.
        second: accuracy of the second, with interval.
        difference: the second's accuracy less the first's, -1 to 1, with Tango's interval.
        both: pictures that both get right.
        only_first: pictures that only the first gets right.
        only_second: pictures that only the second gets right.
        neither: pictures that both get wrong.
        p_value: how often a difference at least as large comes about by chance between equals.
        needed: test pictures that would show a difference of this size four times out of five;
            None where it is real already, or there is none.
        classes: all classes that have test pictures, in their order.
    """

    first: Interval
    second: Interval
    difference: Interval
    both: int
    only_first: int
    only_second: int
    neither: int
    p_value: float
    needed: int | None
    classes: tuple[ClassChange, ...]

    @property
    def real(self) -> bool:
        """Whether the difference is too large for chance."""
        return self.p_value < SIGNIFICANT

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name, and whether the difference is real."""
        return {
            "first": self.first.to_json(),
            "second": self.second.to_json(),
            "difference": self.difference.to_json(),
            "both": self.both,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "neither": self.neither,
            "p_value": self.p_value,
            "real": self.real,
            "needed_pictures": self.needed,
            "classes": [change.to_json() for change in self.classes],
        }


def compare(first: Right, second: Right, labels: Labels, class_names: Sequence[str]) -> Comparison:
    """Compares two classifiers by which test pictures each gets right.

    Args:
        first: (n,) bool, whether the first classifier is right.
        second: (n,) bool, of the second, for the same pictures in the same order.
        labels: (n,) integers, the actual classes.
        class_names: what the labels index.

    Raises:
        ValueError: the lengths differ, or there are no pictures.
    """
    if not len(first) == len(second) == len(labels) or not len(labels):
        raise ValueError(
            f"{len(first)} and {len(second)} answers for {len(labels)} pictures: expected as many "
            "of each, and at least one"
        )
    count = len(labels)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    p_value = mcnemar(only_first, only_second)
    return Comparison(
        first=wilson_interval(int(first.sum()), count),
        second=wilson_interval(int(second.sum()), count),
        difference=difference_interval(only_first, only_second, count),
        both=int((first & second).sum()),
        only_first=only_first,
        only_second=only_second,
        neither=int((~first & ~second).sum()),
        p_value=p_value,
        needed=None if p_value < SIGNIFICANT else needed_pictures(only_first, only_second, count),
        classes=_class_changes(first, second, labels, class_names),
    )


def _class_changes(
    first: Right, second: Right, labels: Labels, class_names: Sequence[str]
) -> tuple[ClassChange, ...]:
    present = np.unique(labels).tolist()
    rows = []
    for label in present:
        own = labels == label
        one, other = first[own], second[own]
        only_first, only_second = int((one & ~other).sum()), int((other & ~one).sum())
        rows.append((int(own.sum()), int(one.sum()), int(other.sum()), only_first, only_second))
    p_values = [mcnemar(row[3], row[4]) for row in rows]
    adjusted = holm(p_values)
    return tuple(
        ClassChange(class_names[label], *row, p_value, adjusted_p_value)
        for label, row, p_value, adjusted_p_value in zip(
            present, rows, p_values, adjusted, strict=True
        )
    )
