"""The pictures in the folder `plots/` of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tellapart import runs
from tellapart.approaches import Probabilities
from tellapart.data.dataset import Dataset
from tellapart.data.split import Split
from tellapart.data.streaming import PixelRows
from tellapart.evaluation import plots, worst_mistakes
from tellapart.evaluation.calibration import reliability
from tellapart.evaluation.plots.augmented import plot_augmented
from tellapart.evaluation.trust import Trust
from tellapart.results import Evaluation
from tellapart.runs import RunFolder
from tellapart.training.recipe import Recipe
from tellapart.training.records import read_results
from tellapart.training.trainer import make_batches


@dataclass(frozen=True)
class RunPlots:
    """Draws a run's plots, each from what the run has measured."""

    folder: RunFolder
    dataset: Dataset
    parts: Split
    recipe: Recipe
    pixels: PixelRows

    def draw(self, probabilities: Probabilities, evaluation: Evaluation) -> None:
        """Draws the training, the confusion matrix, test pictures and mistakes.

        Args:
            probabilities: of the test part.
            evaluation: on the test part.
        """
        if self.recipe.augment != "none":
            self._draw_augmented()
        history = read_results(self.folder.file(runs.RESULTS_CSV))
        if history:
            plots.plot_curves(history, self._file("curves"), title=self._title)
        plots.plot_confusion(evaluation, self._file("confusion"), title=self._title)
        labels, said = self._labels, probabilities.argmax(axis=1)
        sources = [self.dataset.paths[i] for i in self.parts.test]
        some = plots.choose_samples(labels, said)
        worst = worst_mistakes(probabilities, labels, sources, plots.TILES)
        for plot, rows, name, what in (
            (plots.plot_samples, some, "samples", "test pictures"),
            (plots.plot_mistakes, worst, "mistakes", "the most confident mistakes"),
        ):
            self._draw_pictures(plot, rows, probabilities, name, what)

    def draw_trust(self, trust: Trust) -> None:
        """Draws how far probabilities can be believed, and when the classifier is unsure."""
        calibration = trust.calibration
        plots.plot_reliability(
            reliability(trust.uncalibrated, self._labels),
            reliability(trust.probabilities, self._labels),
            self._file("reliability"),
            title=self._title,
            errors=(calibration.before.error, calibration.after.error),
        )
        plots.plot_unsure(trust.curve, trust.unsure, self._file("unsure"), title=self._title)

    def _draw_pictures(
        self,
        plot: Callable[..., None],
        rows: npt.NDArray[np.int64],
        probabilities: Probabilities,
        name: str,
        what: str,
    ) -> None:
        names, said = self.dataset.class_names, probabilities.argmax(axis=1)
        plot(
            self.pixels[self.parts.test[rows]],
            [names[k] for k in self._labels[rows]],
            [names[k] for k in said[rows]],
            probabilities.max(axis=1)[rows].tolist(),
            self._file(name),
            title=f"{self._title}: {what}",
        )

    def _draw_augmented(self) -> None:
        names = self.dataset.class_names
        train, _ = make_batches(
            self.pixels, self.dataset.labels, self.parts, self.recipe, len(names)
        )
        plot_augmented(
            train,
            names,
            self._file("augmentation"),
            title=f"{self._title}: augmented training pictures",
            subtitle=self.recipe.augment,
        )

    @property
    def _title(self) -> str:
        return f"{self.recipe.model} on {self.dataset.name}"

    @property
    def _labels(self) -> npt.NDArray[np.int64]:
        return self.dataset.labels[self.parts.test]

    def _file(self, name: str) -> Path:
        return self.folder.file(f"{runs.PLOTS}/{name}.png")
