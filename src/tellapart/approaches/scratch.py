"""From scratch: all weights are learned from the pictures at hand, through Keras's `fit`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.approaches import Probabilities, Unseen
from tellapart.bundle import Bundle
from tellapart.data.dataset import Dataset
from tellapart.data.split import Split
from tellapart.data.streaming import PixelRows
from tellapart.evaluation.calibration import FittedPart
from tellapart.files import atomic_path
from tellapart.models.backend import import_keras
from tellapart.models.registry import Twin
from tellapart.training import trainer
from tellapart.training.events import Observer, TrainingEnded
from tellapart.training.interruption import Interruption
from tellapart.training.recipe import Recipe

FINISHING_SECONDS = 5.0
"""What follows training takes so long, and longer with the number of test pictures: the export,
its proof, plots."""


PREPARED_ON = 3_000
"""So many training pictures at most tell a network what it must know before it is trained."""


class FromScratch:
    """A `keras.Model` and the pictures that it learns from.

    Attributes:
        model: (batch, height, width, channels) uint8 to (batch, classes) probabilities. Where it
            has a twin, that is trained, and the model gets its weights.
    """

    def __init__(
        self,
        model: Any,
        recipe: Recipe,
        dataset: Dataset,
        pixels: PixelRows,
        deadline: float | None = None,
        twin: Twin | None = None,
    ) -> None:
        self.model = model
        self._twin = twin
        self._recipe = recipe
        self._dataset = dataset
        self._pixels = pixels
        self._deadline = deadline

    @property
    def pixels(self) -> PixelRows:
        """The store's."""
        return self._pixels

    @property
    def parameters(self) -> int:
        """Of the model, trained or not."""
        return int(self.model.count_params())

    @property
    def backend(self) -> str:
        """The one that Keras runs on."""
        return str(import_keras().backend.backend())

    def fit(self, parts: Split, emit: Observer, interruption: Interruption) -> TrainingEnded:
        """Trains; see `trainer.fit`."""
        trained = self.model
        if self._twin is not None:
            sample = parts.train[
                np.linspace(0, len(parts.train) - 1, min(len(parts.train), PREPARED_ON)).astype(
                    np.int64
                )
            ]
            self._twin.prepare(self.pixels[sample])
            trained = self._twin.model
        history = trainer.fit(
            trained,
            self.pixels,
            self._dataset.labels,
            parts,
            self._recipe,
            emit,
            interruption,
            deadline=self._training_deadline(parts),
        )
        if trained is not self.model:
            self.model.set_weights(trained.get_weights())
        return history.end

    def _training_deadline(self, parts: Split) -> float | None:
        """When training must end for the whole run to end in time."""
        if self._deadline is None:
            return None
        some = parts.train[: trainer.PREDICTION_BATCH]
        trainer.predict(self.model, self.pixels, some)  # the first time compiles it
        began = time.monotonic()
        trainer.predict(self.model, self.pixels, some)
        seconds = (time.monotonic() - began) / len(some)
        # Each test picture is predicted, and most once more from its raw file, to prove the export.
        return self._deadline - FINISHING_SECONDS - 3 * seconds * len(parts.test)

    def predict(self, indices: npt.NDArray[np.int64]) -> Probabilities:
        """See `Approach`."""
        return trainer.predict(self.model, self.pixels, indices)

    def unseen(self, parts: Split) -> Unseen:
        """The calibration part, or else the validation part, which training only watched."""
        part: FittedPart = "calibration part" if len(parts.calibration) else "validation part"
        indices = parts.calibration if len(parts.calibration) else parts.validation
        return Unseen(self.predict(indices), self._dataset.labels[indices], part)

    def save_model(self, path: Path) -> None:
        """See `Approach`."""
        with atomic_path(path) as temporary:
            self.model.save(temporary)

    def export(self, bundle: Bundle, path: Path) -> None:
        """See `Approach`."""
        from tellapart.export.onnx import export_classifier

        export_classifier(self.model, bundle, path)

    def prove(self) -> None:
        """See `Approach`: the model in memory that predicts is the one that was written."""

    def data_flow(self) -> list[dict[str, Any]]:
        """See `Approach`."""
        from tellapart.explanation.flow import data_flow

        return [stage.to_json() for stage in data_flow(self.model, len(self._dataset))]

    def close(self) -> None:
        """Nothing is held elsewhere."""
