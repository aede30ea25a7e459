"""Transfer: a pretrained network's features, computed once, and a linear head on them.

A network that has seen a million photos tells new classes apart by a weighted sum of its features
(Donahue et al., 2014, "DeCAF"; Kornblith et al., 2019, "Do Better ImageNet Models Transfer
Better?"). The features of each picture are a column in the cache; TensorFlow is not needed to
find the head, and starts beside the work.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.approaches import Seen, Unseen
from tellapart.approaches.keras_process import KerasProcess
from tellapart.bundle import Bundle
from tellapart.data.columns import open_column
from tellapart.data.dataset import Dataset
from tellapart.data.measure import Measure
from tellapart.data.split import Split
from tellapart.data.streaming import PixelRows, StreamedPixels
from tellapart.decoding import pixel_maker
from tellapart.errors import ExportError
from tellapart.evaluation.novelty import NoveltyModel, thin
from tellapart.export.parity import TOLERANCE, sample_evenly
from tellapart.files import write_with
from tellapart.images import ImageSpec
from tellapart.models.backbones import Backbone
from tellapart.models.backbones.engine import FeatureExtractor
from tellapart.models.head import Head, fit_head
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.class_weights import class_weights, count_classes
from tellapart.training.events import HeadFitted, Noted, Observer, Progressed, TrainingEnded
from tellapart.training.interruption import Interruption
from tellapart.training.recipe import Recipe

PROVEN_ON = 8
"""So many test pictures are predicted in Keras too: a network that is put together wrongly shows on
the first. The classifier file has to prove itself on more."""


class FeatureHead:
    """A frozen backbone, and the head that is fitted to the pictures at hand."""

    model = None
    backend = "tensorflow"

    def __init__(
        self,
        backbone: Backbone,
        recipe: Recipe,
        dataset: Dataset,
        groups: npt.NDArray[np.int64],
        failures: Mapping[int, str],
    ) -> None:
        self._backbone = backbone
        self._recipe = recipe
        self._dataset = dataset
        self._groups = groups
        self._keras = KerasProcess(
            backbone.name, recipe.image_size, len(dataset.class_names), recipe.weights
        )
        self._keras.data_flow(len(dataset))
        self._pixels = StreamedPixels(dataset, recipe.image_spec, failures)
        self._features: npt.NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._features_seconds = 0.0
        self._head: Head | None = None
        self._fitted_to: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._proven_on: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._stages: list[dict[str, Any]] | None = None

    @property
    def pixels(self) -> PixelRows:
        """Decoded when asked for: of most pictures only the features are needed."""
        return self._pixels

    @property
    def parameters(self) -> int:
        """Backbone and head."""
        return self._backbone.parameters + (self._backbone.features + 1) * len(
            self._dataset.class_names
        )

    def compute_features(self, emit: Observer) -> dict[int, str]:
        """Computes the features of all pictures, or finds them in the cache.

        Returns:
            Index to reason, of the pictures that cannot be decoded: there may be more of them by
            now than the audit has found.
        """
        began = time.monotonic()
        measure = feature_measure(self._backbone, self._recipe.image_spec)
        column = open_column(
            self._dataset,
            measure,
            on_progress=lambda done, total: emit(Progressed("features", done, total)),
        )
        self._features = np.asarray(column.rows)
        self._features_seconds = time.monotonic() - began
        return column.failures

    def fit(
        self,
        parts: Split,
        emit: Observer,
        interruption: Interruption,
        checkpoints: Checkpoints | None = None,
    ) -> TrainingEnded:
        """Fits the head to the training part: from the beginning, since that is soon done."""
        began = time.monotonic()
        self._proven_on = parts.test[sample_evenly(len(parts.test), PROVEN_ON)]
        self.fit_head(parts.train)
        seconds = time.monotonic() - began + self._features_seconds
        emit(
            HeadFitted(
                pictures=len(parts.train),
                strength=self.head.strength,
                cross_validated_accuracy=self.head.accuracy,
                val_accuracy=self._accuracy(parts.validation),
                seconds=seconds,
            )
        )
        if self.head.accuracy is None:
            emit(Noted(self.head.note))
        return TrainingEnded("finished", 0, None, seconds)

    def fit_head(self, train: npt.NDArray[np.int64]) -> None:
        """Fits the head to those pictures, whose features are known."""
        from threadpoolctl import threadpool_limits

        self._fitted_to = train
        labels, classes = self._dataset.labels[train], len(self._dataset.class_names)
        weights = None
        if self._recipe.class_weight == "balanced":
            weights = dict(enumerate(class_weights(count_classes(labels, classes)).tolist()))
        # While TensorFlow starts on one core, two BLAS threads wait for each other: one is six
        # times as fast.
        with threadpool_limits(1, user_api="blas"):
            self._head = fit_head(
                self._features[train],
                labels,
                classes=classes,
                groups=self._groups[train],
                class_weight=weights,
                seed=self._recipe.seed,
            )

    def see(self, indices: npt.NDArray[np.int64]) -> Seen:
        """The head on the features."""
        features = self._features[indices]
        return Seen(self.head.probabilities(features), features)

    def unseen(self, parts: Split) -> Unseen:
        """The calibration part, or else what cross-validation held out of the training part."""
        labels = self._dataset.labels
        if len(parts.calibration):
            rows, seen = parts.calibration, self.see(parts.calibration)
            trained = self._features[thin(self._fitted_to)]
            return Unseen(
                seen.probabilities,
                labels[rows],
                "calibration part",
                features=seen.features,
                trained=trained,
            )
        held_out = self.head.held_out
        if held_out is None:
            none = np.empty((0, len(self._dataset.class_names)), np.float32)
            return Unseen(none, labels[:0], "cross-validation")
        rows = self._fitted_to[held_out.indices]
        return Unseen(
            held_out.probabilities,
            labels[rows],
            "cross-validation",
            features=self._features[rows],
        )

    def save_model(self, path: Path) -> None:
        """Has Keras put backbone and head together, and begin with the proof."""
        self._keras.save(self.head, path)
        self._keras.predict(self.pixels[self._proven_on])

    def export(self, bundle: Bundle, path: Path, novelty: NoveltyModel | None) -> None:
        """Puts the backbone's graph and the head together."""
        from tellapart.export.compose import compose

        graph = self._backbone.onnx(self._recipe.image_size)
        content = compose(graph, self.head, bundle, novelty)
        write_with(path, lambda stream: stream.write(content))

    def prove(self) -> None:
        """Waits for what Keras makes of some test pictures, and compares it with `see`."""
        self._built()
        self._keras.result()  # saved
        rows = np.load(self._keras.result(), allow_pickle=False)
        difference = float(np.abs(rows - self.see(self._proven_on).probabilities).max())
        if not difference <= TOLERANCE:
            raise ExportError(
                f"The network in Keras and the features it was trained on disagree by "
                f"{difference:.2g} in a probability; at most {TOLERANCE:g} is allowed. Remove "
                "the kept features with `tellapart cache --clear` and train again; if that does "
                "not help, please report it."
            )

    def follow(self, index: int, temperature: float) -> None:
        """Has Keras follow the picture, after the proof."""
        self._keras.follow(
            np.asarray(self.pixels[index]),
            self._dataset.class_names,
            self._dataset.paths[index],
            temperature,
        )

    def followed(self) -> dict[str, Any]:
        """Waits for what Keras made of it."""
        path = Path(self._keras.result())
        return dict(json.loads(path.read_text(encoding="utf-8")))

    def data_flow(self) -> list[dict[str, Any]]:
        """Keras's view of the network."""
        return self._built()

    def _built(self) -> list[dict[str, Any]]:
        """Waits for the network; returns its data-flow trace."""
        if self._stages is None:
            self._keras.result()
            self._stages = json.loads(Path(self._keras.result()).read_text(encoding="utf-8"))
        return self._stages

    def close(self) -> None:
        """Ends the process that Keras runs in."""
        self._keras.close()

    @property
    def head(self) -> Head:
        """What `fit` found."""
        if self._head is None:
            raise RuntimeError("the head is asked for before it was fitted")
        return self._head

    def _accuracy(self, indices: npt.NDArray[np.int64]) -> float | None:
        if not len(indices):
            return None
        said = self.see(indices).probabilities.argmax(axis=1)
        return float((said == self._dataset.labels[indices]).mean())


def feature_measure(backbone: Backbone, spec: ImageSpec) -> Measure:
    """What makes a picture's features: decoded in processes, computed by the fastest engine."""
    extractor: list[FeatureExtractor] = []  # made when the first picture is new

    def features(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if not extractor:
            extractor.append(FeatureExtractor(backbone, (spec.height, spec.width)))
        return extractor[0].features(pictures)

    about = {"backbone": backbone.key, "spec": spec.to_json()}
    shape = (backbone.features,)
    return Measure("features", about, shape, np.float32, pixel_maker(spec), features)
