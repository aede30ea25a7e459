"""Fine-tuning: after the head, the backbone's upper layers are trained too, if that helps.

The head comes first, so that its random beginnings do not spoil the pretrained weights (Kumar et
al., 2022, "Fine-Tuning can Distort Pretrained Features"); batch normalisations stay as they are.
What validation prefers is kept: the fine-tuned network, or the head alone, which is then fitted
to the validation pictures too.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.approaches import Approach, Probabilities, Seen, Unseen
from tellapart.approaches.scratch import LEARNED_FROM, FromScratch
from tellapart.approaches.transfer import FeatureHead
from tellapart.bundle import Bundle
from tellapart.data.dataset import Dataset
from tellapart.data.split import Split
from tellapart.data.streaming import PixelRows
from tellapart.evaluation.novelty import NoveltyModel
from tellapart.models.backbones import Backbone
from tellapart.training import trainer
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.events import Noted, Observer, TrainingEnded
from tellapart.training.interruption import Interruption
from tellapart.training.recipe import Recipe

FROZEN_SHARE = 0.6
"""So much of the backbone's layers, from the picture on, stays as it is."""

FINISHING_SECONDS = 10.0
FINISHING_BUILDS = 2.0
"""What comes after fine-tuning takes so long, or so many times as long as it took to build the
network, beside what the network has to look at: conversion, proof, plots. Measured on two cores:
7 s, where building takes 4."""

LEAST_SECONDS = 20.0
"""With less time than that for it, fine-tuning is not begun."""


class FineTuning:
    """A head on frozen features, and then a network whose upper layers were trained with it."""

    backend = "tensorflow"

    def __init__(
        self,
        frozen: FeatureHead,
        backbone: Backbone,
        recipe: Recipe,
        dataset: Dataset,
        deadline: float | None = None,
    ) -> None:
        self._frozen = frozen
        self._backbone = backbone
        self._recipe = recipe
        self._dataset = dataset
        self._deadline = deadline
        self._kept: Approach = frozen

    @property
    def model(self) -> Any:
        """See `Approach`."""
        return self._kept.model

    @property
    def pixels(self) -> PixelRows:
        """See `Approach`."""
        return self._frozen.pixels

    @property
    def parameters(self) -> int:
        """See `Approach`."""
        return self._frozen.parameters

    def fit(
        self,
        parts: Split,
        emit: Observer,
        interruption: Interruption,
        checkpoints: Checkpoints | None = None,
    ) -> TrainingEnded:
        """Fits the head, then trains on from there; keeps what validation prefers."""
        began = time.monotonic()
        end = self._frozen.fit(parts, emit, interruption)
        begun = checkpoints is not None and checkpoints.newest is not None
        # Looked at twice: building the network to measure it takes seconds too.
        building = time.monotonic()
        model = self._unfrozen() if begun or self._has_time(FINISHING_SECONDS) else None
        finishing = max(FINISHING_SECONDS, FINISHING_BUILDS * (time.monotonic() - building))
        finishing += 0.0 if model is None else self._seconds_to_test(model, parts)
        if model is None or not (begun or self._has_time(finishing)):
            emit(Noted("No time is left for fine-tuning: the head on frozen features is kept."))
            self._fit_head_to_all(parts)
            return end
        emit(Noted("Fine-tuning the upper layers of the network."))
        ends = None if self._deadline is None else self._deadline - finishing
        tuned = FromScratch(model, self._recipe, self._dataset, self.pixels, training_ends=ends)
        end = tuned.fit(parts, emit, interruption, checkpoints)
        self._keep_the_better(tuned, parts, emit)
        return replace(end, seconds=time.monotonic() - began)

    def see(self, indices: npt.NDArray[np.int64]) -> Seen:
        """See `Approach`."""
        return self._kept.see(indices)

    def unseen(self, parts: Split) -> Unseen:
        """See `Approach`."""
        return self._kept.unseen(parts)

    def save_model(self, path: Path) -> None:
        """See `Approach`."""
        self._kept.save_model(path)

    def export(self, bundle: Bundle, path: Path, novelty: NoveltyModel | None) -> None:
        """See `Approach`."""
        self._kept.export(bundle, path, novelty)

    def prove(self) -> None:
        """See `Approach`."""
        self._kept.prove()

    def follow(self, index: int, temperature: float) -> None:
        """See `Approach`."""
        self._kept.follow(index, temperature)

    def followed(self) -> dict[str, Any]:
        """See `Approach`."""
        return self._kept.followed()

    def data_flow(self) -> list[dict[str, Any]]:
        """See `Approach`."""
        return self._kept.data_flow()

    def close(self) -> None:
        """See `Approach`."""
        self._frozen.close()

    def _has_time(self, reserved: float) -> bool:
        left = np.inf if self._deadline is None else self._deadline - time.monotonic()
        return bool(left - reserved >= LEAST_SECONDS)

    def _seconds_to_test(self, model: Any, parts: Split) -> float:
        """How long the network will take for what follows, by a part of the training part."""
        if self._deadline is None:
            return 0.0
        some = parts.train[: trainer.prediction_batch(self.pixels)]
        trainer.predict(model, self.pixels, some)  # the first time compiles it
        began = time.monotonic()
        trainer.predict(model, self.pixels, some)
        # Validation pictures are looked at twice: to compare, and to calibrate by.
        learned = min(LEARNED_FROM, len(parts.train))
        looks = len(parts.test) + 2 * len(parts.validation) + learned
        return (time.monotonic() - began) * looks / len(some)

    def _unfrozen(self) -> Any:
        """Builds the network with the head, its upper layers ready to be trained."""
        from tellapart.models.backbones.transfer import build_transfer_model
        from tellapart.models.backend import import_keras

        keras = import_keras()
        keras.utils.set_random_seed(self._recipe.seed)
        model = build_transfer_model(
            self._backbone,
            self._recipe.image_size,
            len(self._dataset.class_names),
            head=self._frozen.head,
        )
        layers = list(model._flatten_layers(include_self=False))
        for number, layer in enumerate(layers):
            is_norm = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = number >= FROZEN_SHARE * len(layers) and not is_norm
        return model

    def _keep_the_better(self, tuned: FromScratch, parts: Split, emit: Observer) -> None:
        labels = self._dataset.labels[parts.validation]
        before = _judge(self._frozen.see(parts.validation).probabilities, labels)
        after = _judge(tuned.see(parts.validation).probabilities, labels)
        figures = (
            f"{after[0]:.3f} validation accuracy and {-after[1]:.3f} loss, {before[0]:.3f} and "
            f"{-before[1]:.3f} before"
        )
        # Few pictures validate: accuracy alone may rise by luck, so the log loss must fall as well.
        if after[0] >= before[0] and after[1] > before[1]:
            emit(Noted(f"Fine-tuning helped: {figures}."))
            self._kept = tuned
            tuned.chosen_by_validation = True
            return
        emit(Noted(f"Fine-tuning did not help ({figures}): the head on frozen features is kept."))
        self._fit_head_to_all(parts)

    def _fit_head_to_all(self, parts: Split) -> None:
        """Fits the head to the validation pictures too: there is nothing left to choose."""
        self._frozen.fit_head(np.union1d(parts.train, parts.validation))


def _judge(probabilities: Probabilities, labels: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Accuracy, and minus the mean log loss."""
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    likelihood = probabilities[np.arange(len(labels)), labels]
    return accuracy, float(np.log(np.maximum(likelihood, 1e-7)).mean())
