"""Test pictures that training has seen a copy of, and the accuracy without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.results import Interval, wilson_interval


@dataclass(frozen=True)
class Overlap:
    """How much a test part shares with what the network was trained on.

    Attributes:
        copies: test pictures with a copy among the pictures that training used.
        accuracy_without: on the other test pictures.
    """

    copies: int
    accuracy_without: Interval

    def __str__(self) -> str:
        one = self.copies == 1
        pictures = (
            "1 test picture has a copy" if one else f"{self.copies:,} test pictures have copies"
        )
        accuracy = str(self.accuracy_without) if self.accuracy_without.count else "not known"
        return (
            f"{pictures} in the training data; without {'it' if one else 'them'} the accuracy is "
            f"{accuracy}"
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {"copies": self.copies, "accuracy_without": self.accuracy_without.to_json()}


def measure_overlap(
    probabilities: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    seen: npt.NDArray[np.bool_],
) -> Overlap | None:
    """Measures the accuracy on the test pictures that are new.

    Args:
        probabilities: (n, classes) of the test part.
        labels: (n,).
        seen: (n,), which of them have a copy in the training data.

    Returns:
        None where no picture has.
    """
    if not seen.any():
        return None
    right = (probabilities.argmax(axis=1) == labels)[~seen]
    return Overlap(int(seen.sum()), wilson_interval(int(right.sum()), len(right)))
