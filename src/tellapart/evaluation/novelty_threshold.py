"""From which novelty score on a picture is called unknown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.evaluation.json_fields import COUNT, TEXT, Check, field_problems, is_number
from tellapart.evaluation.novelty import check_finite

KEPT = 0.98
"""With 0.95 more unknown pictures are found out, with 0.99 fewer known ones lost (unknown.md)."""

_CHECKS: dict[str, Check] = {
    "threshold": (lambda value: value is None or is_number(value, -1e30, 1e30), "null or a number"),
    "kept": (lambda value: is_number(value, 0, 1) and 0 < value < 1, "between 0 and 1"),
    "fitted_on": COUNT,
    "note": TEXT,
}


@dataclass(frozen=True)
class NoveltyThreshold:
    """From which score on a picture is like nothing the network was trained on.

    Attributes:
        threshold: scores above it are called unknown; None where there is nothing to go by.
        kept: the share of known pictures that is not.
        fitted_on: how many known pictures.
        note: the same in words.
    """

    threshold: float | None
    kept: float
    fitted_on: int
    note: str

    def is_unknown(self, scores: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.bool_]:
        """Which of (n,) scores are of unknown pictures: (n,) bool."""
        limit = math.inf if self.threshold is None else self.threshold
        unknown: npt.NDArray[np.bool_] = scores > limit
        return unknown

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {
            "threshold": self.threshold,
            "kept": self.kept,
            "fitted_on": self.fitted_on,
            "note": self.note,
        }

    @classmethod
    def from_json(cls, value: Any) -> NoveltyThreshold:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: it is something else; all problems are listed.
        """
        if problems := field_problems(value, _CHECKS):
            raise ValueError("; ".join(problems))
        return cls(**value)


def fit_novelty_threshold(
    scores: npt.NDArray[np.floating[Any]], *, kept: float = KEPT
) -> NoveltyThreshold:
    """Finds the score that a share of known pictures stays below.

    The ceil((n + 1) · kept)-th smallest of n scores, below which a new picture of the known kind
    stays with a probability of at least `kept` (split conformal prediction, Vovk et al., 2005).

    Args:
        scores: (n,) of known pictures that were not trained on; n may be 0.
        kept: above 0 and below 1.

    Raises:
        ModelError: a score is not a finite number.
        ValueError: kept is not between 0 and 1.
    """
    if not 0 < kept < 1:
        raise ValueError(f"kept {kept}: expected above 0 and below 1")
    check_finite("novelty scores", scores)
    count = len(scores)
    if not count:
        note = "There are no known pictures to compare with: no picture is called unknown."
        return NoveltyThreshold(None, kept, 0, note)
    place = math.ceil((count + 1) * kept - 1e-9)
    threshold = float(np.sort(scores)[min(place, count) - 1])
    pictures = f"{count:,} known picture{'s' * (count != 1)}"
    if place <= count:
        note = (
            f"Pictures stranger than {kept:.0%} of the known ones are called unknown, measured on "
            f"{pictures}."
        )
    else:
        needed = math.ceil(kept / (1 - kept) - 1e-9)
        note = (
            f"Pictures stranger than all of {pictures} are called unknown. To keep {kept:.0%} of "
            f"the known pictures for sure, at least {needed:,} are needed, {needed - count:,} more."
        )
    return NoveltyThreshold(threshold, kept, count, note)
