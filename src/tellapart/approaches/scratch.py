"""From scratch: all weights are learned from the pictures at hand, through Keras's `fit`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.approaches import Seen, Unseen
from tellapart.bundle import Bundle
from tellapart.data.dataset import Dataset
from tellapart.data.split import Split
from tellapart.data.streaming import PixelRows
from tellapart.evaluation.calibration import FittedPart
from tellapart.evaluation.novelty import AXES, PICTURES_PER_AXIS, NoveltyModel, thin
from tellapart.export.parity import TOLERANCE, sample
from tellapart.files import atomic_path
from tellapart.models.backend import DEFAULT_BACKEND, import_keras
from tellapart.models.head.problem import softmax
from tellapart.models.penultimate import follow, penultimate
from tellapart.models.registry import Twin
from tellapart.models.speed import python_slowness
from tellapart.tensorflow_variables import missed_note
from tellapart.training import trainer
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.events import Noted, Observer, TrainingEnded
from tellapart.training.interruption import Interruption
from tellapart.training.recipe import Recipe

FINISHING_SECONDS = 2.2
FINISHING_SECONDS_PER_WEIGHT = 3e-7
FINISHING_SECONDS_PER_TEST_PICTURE = 1.2e-4
"""What follows training takes so long beside the network's looks at pictures, where
`python_slowness` is 1: the export, its proof, plots, the report. Measured with 10,000 test
pictures: 2.5 s (MNIST, Fashion-MNIST) and 2.9 s (CIFAR-10); with 359 (digits): 1.7 s. Half a second
more at the least is reckoned with: the machine may get busier."""

LOOKS_OF_HEAT_MAPS = 2_400
"""The report has two maps of each of 12 mistakes, made of 200 answers of the network."""

SHORT_SECONDS = 4.5
"""With less time than that to compile and train, a budget may be exceeded. With CIFAR-10, 0.8 s
went to timing the validation, 1.5 to the first update and 0.4 to a validation, and training gets
1.5 at the least (`Deadline`). The first update has come half a second sooner since."""

LEARNED_FROM = AXES * PICTURES_PER_AXIS
"""What known pictures look like is learned from so many of the training part: the network has to
look at each, and thousands tell unknown pictures no better (docs/unknown.md)."""

OPENED_ON = 8
"""So many pictures prove that a network that was cut open says what it said."""

PREPARED_ON = 3_000
"""So many training pictures at most tell a network what it must know before it is trained."""


class FromScratch:
    """A `keras.Model` and the pictures that it learns from.

    Attributes:
        model: (batch, height, width, channels) uint8 to (batch, classes) probabilities. Where it
            has a twin, that is trained, and the model gets its weights.
        chosen_by_validation: whether the validation part decided which weights are kept.
    """

    def __init__(
        self,
        model: Any,
        recipe: Recipe,
        dataset: Dataset,
        pixels: PixelRows,
        deadline: float | None = None,
        twin: Twin | None = None,
        training_ends: float | None = None,
    ) -> None:
        """Args are, at last: when the run must end, or when training must."""
        self.model = model
        self._twin = twin
        self._recipe = recipe
        self._dataset = dataset
        self._pixels = pixels
        self._deadline, self._training_ends = deadline, training_ends
        self._followed: tuple[int, float] | None = None
        self.chosen_by_validation = False
        # The network that gives features and logits; None where there is none, or it is not to be
        # believed.
        self._opened: Any = None

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

    def fit(
        self,
        parts: Split,
        emit: Observer,
        interruption: Interruption,
        checkpoints: Checkpoints | None = None,
    ) -> TrainingEnded:
        """Trains; see `trainer.fit`."""
        if self.backend == DEFAULT_BACKEND and (missed := missed_note()):
            emit(Noted(missed, "warning"))
        self._opened = penultimate(self.model)
        trained = self.model
        if self._twin is not None:
            self._twin.prepare(self.pixels[thin(parts.train, PREPARED_ON)])
            trained = self._twin.model
        history = trainer.fit(
            trained,
            self.pixels,
            self._dataset.labels,
            parts,
            self._recipe,
            emit,
            interruption,
            checkpoints=checkpoints,
            deadline=self._training_ends or self._training_deadline(parts, emit),
        )
        if trained is not self.model:
            self.model.set_weights(trained.get_weights())
        end = history.end
        self.chosen_by_validation = end.best_epoch is not None or end.reason == "stopped early"
        if self._opened is not None:
            follow(self._opened, self.model)
            if not self._opened_agrees(thin(parts.train, OPENED_ON)):
                self._opened = None
        return end

    def _training_deadline(self, parts: Split, emit: Observer) -> float | None:
        """When training must end for the whole run to end in time."""
        if self._deadline is None:
            return None
        some = parts.train[: trainer.prediction_batch(self.pixels)]
        self.see(some)  # the first time compiles it
        began = time.monotonic()
        self.see(some)
        seconds = (time.monotonic() - began) / len(some)
        # Test pictures are predicted, and some once more from their raw files: that is the proof.
        proven = len(sample(len(parts.test), self._recipe.image_spec))
        unseen = len(parts.calibration) or len(parts.validation)
        looks = len(parts.test) + proven + unseen + min(LEARNED_FROM, len(parts.train))
        looks += LOOKS_OF_HEAT_MAPS
        beside = (
            FINISHING_SECONDS
            + FINISHING_SECONDS_PER_WEIGHT * self.parameters
            + FINISHING_SECONDS_PER_TEST_PICTURE * len(parts.test)
        )
        finishing = python_slowness() * beside + seconds * looks
        ends = self._deadline - finishing
        if ends - time.monotonic() < SHORT_SECONDS:
            emit(
                Noted(
                    "The budget is short and may be exceeded: some training is done in any case, "
                    f"and what follows takes about {finishing:.0f} s.",
                    "warning",
                )
            )
        return ends

    def _opened_agrees(self, some: npt.NDArray[np.int64]) -> bool:
        """Whether the network that was cut open says what the whole one says."""
        pixels = self.pixels[some]
        _, logits = self._opened(pixels, training=False)
        expected = np.asarray(self.model(pixels, training=False))
        with np.errstate(invalid="ignore"):  # of weights that are NaN
            difference = np.abs(softmax(np.asarray(logits)) - expected).max()
        return bool(difference <= TOLERANCE)

    def see(self, indices: npt.NDArray[np.int64]) -> Seen:
        """See `Approach`."""
        if self._opened is None:
            return Seen(trainer.predict(self.model, self.pixels, indices))
        features, logits = (
            np.empty((len(indices), width), np.float32) for _, width in self._opened.output_shape
        )
        batch = trainer.prediction_batch(self.pixels)
        for start in range(0, len(indices), batch):
            rows = slice(start, start + batch)
            pixels = self.pixels[indices[rows]]
            features[rows], logits[rows] = map(np.asarray, self._opened.predict_on_batch(pixels))
        return Seen(softmax(logits), features)

    def unseen(self, parts: Split) -> Unseen:
        """The calibration part, or else the validation part, which set no weights."""
        own = bool(len(parts.calibration))
        part: FittedPart = "calibration part" if own else "validation part"
        indices = parts.calibration if own else parts.validation
        chose = self.chosen_by_validation and not own
        seen = self.see(indices)
        trained = None
        if seen.features is not None:
            trained = self.see(thin(parts.train, LEARNED_FROM)).features
        labels = self._dataset.labels[indices]
        return Unseen(seen.probabilities, labels, part, chose, seen.features, trained)

    def save_model(self, path: Path) -> None:
        """See `Approach`."""
        with atomic_path(path) as temporary:
            self.model.save(temporary)

    def export(self, bundle: Bundle, path: Path, novelty: NoveltyModel | None) -> None:
        """See `Approach`."""
        from tellapart.export.onnx import export_classifier

        export_classifier(self.model if novelty is None else self._opened, bundle, path, novelty)

    def prove(self) -> None:
        """See `Approach`: the model in memory that predicts is the one that was written."""

    def follow(self, index: int, temperature: float) -> None:
        """See `Approach`: the model is in memory, and asked when the trace is."""
        self._followed = (index, temperature)

    def followed(self) -> dict[str, Any]:
        """See `Approach`."""
        from tellapart.explanation.prediction import prediction_trace

        if self._followed is None:
            raise RuntimeError("a trace is asked for before a picture was named")
        index, temperature = self._followed
        found = prediction_trace(
            self.model,
            np.asarray(self.pixels[index]),
            self._dataset.class_names,
            picture=self._dataset.paths[index],
            temperature=temperature,
        )
        return found.to_json()

    def data_flow(self) -> list[dict[str, Any]]:
        """See `Approach`."""
        from tellapart.explanation.flow import data_flow

        return [stage.to_json() for stage in data_flow(self.model, len(self._dataset))]

    def close(self) -> None:
        """Nothing is held elsewhere."""
