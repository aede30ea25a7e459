"""What `train` returns: where a run's files are, and what they say."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tellapart import runs
from tellapart.evaluation.overlap import Overlap
from tellapart.evaluation.trust import Trust
from tellapart.results import Evaluation
from tellapart.training.recipe import Recipe


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        path: its folder; `Classifier.load(run.path)` loads the classifier.
        evaluation: what was measured on the test part.
        recipe: what decided the run.
        history: a row an epoch, as in `results.csv`.
        interrupted: whether Ctrl-C ended training before its last epoch.
        overlap: test pictures that training has seen a copy of; None where there are none.
        trust: how the probabilities were calibrated, and when the classifier is unsure.
    """

    path: Path
    evaluation: Evaluation
    recipe: Recipe
    history: list[dict[str, float]] = field(repr=False)
    interrupted: bool = False
    overlap: Overlap | None = None
    trust: Trust | None = field(default=None, repr=False)
    _model: Any = field(default=None, repr=False)

    @cached_property
    def model(self) -> Any:
        """The trained `keras.Model`, uint8 pixels to probabilities."""
        if self._model is not None:
            return self._model
        from tellapart.models.registry import load_keras_file

        return load_keras_file(self.path / runs.MODEL_KERAS)
