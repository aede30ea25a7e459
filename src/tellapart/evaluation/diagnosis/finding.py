"""One thing that was found, and the words that numbers are given in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["warning", "note"]

Topic = Literal[
    "learning rate too high", "too good", "learning rate too low", "chance level", "overfitting",
    "underfitting", "imbalance ignored", "class never predicted", "two classes alike",
    "still improving", "test part too small",
]  # fmt: skip


AGAIN = "train again"
"""The words of a remedy end so where its command is that of the training itself, unchanged."""


@dataclass(frozen=True)
class Diagnosis:
    """One thing to know about a training.

    Attributes:
        topic: a short name for programs.
        level: "warning": results suffer from it. "note": good to know.
        text: what was seen, with its numbers, and the epoch at which it began.
        remedies: pairs of what to do, in words, and the command that does it. A command is a whole
            line; for data or networks that only Python has, it is a call of `ta.train`.
    """

    topic: Topic
    level: Level
    text: str
    remedies: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name; a remedy is an object with `words` and `command`."""
        return vars(self) | {
            "remedies": [{"words": words, "command": line} for words, line in self.remedies]
        }


def percent(share: float) -> str:
    """Returns "91.0%"."""
    return f"{share:.1%}"


def points(share: float) -> str:
    """Returns a difference of two shares as "24.9 points"."""
    return f"{100 * share:.1f} points"


def loss(value: float) -> str:
    """Returns a loss to three significant digits."""
    return f"{value:.3g}"
