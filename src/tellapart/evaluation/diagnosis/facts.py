"""What the rules may know of a training: from memory, or from the files of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart import runs
from tellapart.errors import RunError
from tellapart.results import Interval, wilson_interval
from tellapart.runs import RunFolder
from tellapart.training.records import read_results


@dataclass(frozen=True, eq=False)
class TrainingFacts:
    """What is known of a training, whether it ended well or not.

    Attributes:
        data: what the user named: a path, a catalog name, "arrays".
        class_names: K of them.
        recipe: the fields of `Recipe`, as `Recipe.to_json` returns them.
        parts: pictures in "train", "validation", "calibration" and "test".
        counts: (K,) pictures of each class, over all parts.
        history: the rows of `results.csv`; empty for a head on frozen features.
        confusion: (K, K) int64 of the test part, row: actual class, column: predicted class; None
            where nothing was measured.
        overlap: `copies` and `accuracy_without`, as `Overlap.to_json`; None where there are none.
        reason: how training ended: "finished", "stopped early", "interrupted"; None: with an error.
        best_epoch: whose weights are kept; None: the last ones.
        asked: the arguments of `ta.train` as they were given, by name, without `data`; None where
            that is not known.
    """

    data: str
    class_names: tuple[str, ...]
    recipe: Mapping[str, Any]
    parts: Mapping[str, int]
    counts: tuple[int, ...]
    history: tuple[Mapping[str, float], ...] = ()
    confusion: npt.NDArray[np.int64] | None = field(default=None, repr=False)
    overlap: Mapping[str, Any] | None = None
    reason: str | None = "finished"
    best_epoch: int | None = None
    asked: Mapping[str, Any] | None = None

    @property
    def classes(self) -> int:
        """How many there are."""
        return len(self.class_names)

    @property
    def kept(self) -> Mapping[str, float] | None:
        """The row of the epoch whose weights are kept; None without epochs."""
        if not self.history:
            return None
        rows = (row for row in self.history if row["epoch"] == self.best_epoch)
        return next(rows, self.history[-1])

    @property
    def keeps_last(self) -> bool:
        """Whether the weights are those of the last epoch."""
        return self.kept is not None and self.kept is self.history[-1]

    @cached_property
    def accuracy(self) -> Interval | None:
        """On the test part; None where it was not measured."""
        if self.confusion is None:
            return None
        return wilson_interval(int(self.confusion.trace()), int(self.confusion.sum()))

    @property
    def chance_loss(self) -> float:
        """The loss of giving all K classes the same probability: ln K, smoothed labels or not."""
        return math.log(max(self.classes, 2))

    @property
    def lowest_loss(self) -> float:
        """The loss of a network that is always right, in nats: above 0 with smoothed labels.

        With smoothing s the label's own class has the share a = 1 - s + s/K and every other one
        b = s/K; the least cross-entropy is their entropy, -a·ln a - (K-1)·b·ln b.
        """
        smoothing = float(self.recipe.get("label_smoothing") or 0)
        if not smoothing:
            return 0.0
        other = smoothing / self.classes
        own = 1 - smoothing + other
        return -own * math.log(own) - (self.classes - 1) * other * math.log(other)

    @property
    def outside_test(self) -> npt.NDArray[np.int64]:
        """(K,) pictures of each class that training could learn from, validation included."""
        counts = np.array(self.counts, np.int64)
        if self.confusion is None:
            return counts
        left: npt.NDArray[np.int64] = np.maximum(counts - self.confusion.sum(axis=1), 0)
        return left

    def of_epochs(self, text: str) -> str:
        """Returns a text about epochs, saying so where they are of fine-tuning alone."""
        if not self.recipe.get("transfer"):
            return text
        return f"While fine-tuning, {text[:1].lower()}{text[1:]}"


def facts_from_run(folder: RunFolder) -> TrainingFacts:
    """Reads a run's facts from its files; what is not there, such as after an error, is left out.

    Raises:
        RunError: `run.json` or `evaluation.json` cannot be read, or the run ended before its
            data were known.
    """
    info = folder.read_info()
    path = folder.path / runs.EVALUATION_JSON
    evaluation = None
    if path.exists():
        try:
            evaluation = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read: {error}") from error
    try:
        return gather_facts(info, read_results(folder.path / runs.RESULTS_CSV), evaluation)
    except KeyError as error:
        raise RunError(
            f"{folder.path / runs.RUN_JSON} has no {error}: the run ended before it knew its data. "
            "Train again."
        ) from error


def gather_facts(
    info: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    evaluation: Mapping[str, Any] | None,
) -> TrainingFacts:
    """Picks the facts out of what a run has in memory or in its files.

    Args:
        info: what `run.json` holds, `training` included where training has ended.
        history: the rows of `results.csv`.
        evaluation: what `evaluation.json` holds, `Evaluation.to_json()`; None: nothing measured.

    Raises:
        KeyError: `info` lacks `recipe` or `data`.
    """
    data = info["data"]
    training = info.get("training") or {}
    return TrainingFacts(
        data=data["location"],
        class_names=tuple(data["class_names"]),
        recipe=info["recipe"],
        parts=data["parts"],
        counts=tuple(data["counts"][name] for name in data["class_names"]),
        history=tuple(history),
        confusion=None
        if evaluation is None
        else np.array(evaluation["confusion_matrix"], np.int64),
        overlap=info.get("overlap"),
        reason=training.get("reason"),
        best_epoch=training.get("best_epoch"),
        asked=info.get("asked"),
    )
