"""A run from the making of its folder to its end: train, evaluate, export, draw, record."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart import runs
from tellapart.bundle import Bundle
from tellapart.classifier import NamedPicture
from tellapart.data.dataset import Dataset, Excluded
from tellapart.data.split import Split, write_split_csv
from tellapart.data.store import Store
from tellapart.errors import TellapartError
from tellapart.files import atomic_path, write_error, write_json
from tellapart.models import registry
from tellapart.models.backend import import_keras
from tellapart.results import Evaluation
from tellapart.runs import RunFolder
from tellapart.training import trainer
from tellapart.training.events import (
    UNRECORDED,
    Event,
    Exported,
    Observer,
    Progressed,
    RunFailed,
    RunFinished,
    RunStarted,
)
from tellapart.training.interruption import Interruption
from tellapart.training.recipe import Recipe
from tellapart.training.records import EventLog, ResultsTable, read_results

RECORDS_BYTES = 20 * 2**20
"""Room for everything in a run folder but the weights."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        path: its folder; `Classifier.load(run.path)` loads the classifier.
        evaluation: what was measured on the test part.
        recipe: what decided the run.
        history: a row an epoch, as in `results.csv`.
        model: the trained `keras.Model`, uint8 pixels to probabilities.
        interrupted: whether Ctrl-C ended training before its last epoch.
    """

    path: Path
    evaluation: Evaluation
    recipe: Recipe
    history: list[dict[str, float]] = field(repr=False)
    model: Any = field(repr=False)
    interrupted: bool = False


@dataclass(frozen=True)
class Plan:
    """What was decided before a single picture is decoded."""

    recipe: Recipe
    network: registry.Network
    notes: tuple[str, ...]


class Broadcast:
    """Hands each event to every observer; one that joins later is told what it missed."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = list(observers)
        self._past: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Tells them all."""
        if not isinstance(event, UNRECORDED):
            self._past.append(event)
        for observer in self._observers:
            observer(event)

    def join(self, observer: Observer) -> None:
        """Adds an observer."""
        for event in self._past:
            observer(event)
        self._observers.append(observer)


@dataclass
class Session:
    """A run between the making of its folder and its end."""

    folder: RunFolder
    dataset: Dataset
    store: Store
    parts: Split
    plan: Plan
    excluded: list[Excluded]
    emit: Broadcast
    started: float
    info: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Keeps `run.json` true whatever happens."""
        try:
            self._begin()
            yield
        except BaseException as error:
            status: runs.Status = (
                "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            )
            self._mark_failed(status, None if status == "interrupted" else str(error))
            raise

    def run(self) -> Run:
        """Trains, evaluates, exports, reports."""
        model, recipe = self.plan.network.model, self.plan.recipe
        labels = self.dataset.labels
        interruption = Interruption()
        with interruption.listening():
            history = trainer.fit(
                model, self.store.pixels, labels, self.parts, recipe, self.emit, interruption
            )
            evaluation = self._conclude(model, history)
        return Run(
            self.folder.path,
            evaluation,
            recipe,
            read_results(self.folder.file(runs.RESULTS_CSV)),
            model,
            history.end.reason == "interrupted",
        )

    def _conclude(self, model: Any, history: trainer.History) -> Evaluation:
        """What follows training; Ctrl-C in here must be pressed twice to give the run up."""
        self._save_model(model)
        probabilities = trainer.predict(model, self.store.pixels, self.parts.test)
        evaluation = self._evaluate(probabilities)
        self._export(model, probabilities, evaluation)
        self._trace(model)
        self._plot(probabilities, evaluation)
        self._finish(evaluation, history)
        return evaluation

    def _begin(self) -> None:
        weights = 4 * self.plan.network.model.count_params()
        self.folder.check_space(3 * weights + RECORDS_BYTES)  # model.keras twice over, and ONNX
        sizes = {
            part: len(getattr(self.parts, part))
            for part in ("train", "validation", "calibration", "test")
        }
        self.info = {
            "status": "running",
            "started": runs.now(),
            "recipe": self.plan.recipe.to_json(),
            "data": {
                "name": self.dataset.name,
                "location": self.dataset.location,
                "fingerprint": self.store.fingerprint,
                "key": self.dataset.source.key,
                "class_names": list(self.dataset.class_names),
                "counts": self.dataset.count_by_class(),
                "parts": sizes,
                "ignored": self.dataset.ignored,
                "excluded": [{"path": item.path, "reason": item.reason} for item in self.excluded],
            },
            "machine": runs.describe_machine(),
            "versions": runs.describe_versions(),
            "backend": import_keras().backend.backend(),
        }
        self.folder.write_info(self.info)
        write_split_csv(self.folder.file(runs.SPLIT_CSV), self.dataset, self.parts)
        self.emit.join(EventLog(self.folder.file(runs.EVENTS_JSONL)))
        self.emit.join(ResultsTable(self.folder.file(runs.RESULTS_CSV)))
        self.emit(
            RunStarted(str(self.folder.path), self.dataset.name, sizes, self.plan.recipe.to_json())
        )

    def _save_model(self, model: Any) -> None:
        with atomic_path(self.folder.file(runs.MODEL_KERAS)) as temporary:
            model.save(temporary)

    def _evaluate(self, probabilities: npt.NDArray[np.float32]) -> Evaluation:
        from tellapart.evaluation.metrics import evaluate
        from tellapart.evaluation.predictions import write_predictions_csv

        labels = self.dataset.labels[self.parts.test]
        sources = [self.dataset.paths[i] for i in self.parts.test]
        evaluation = evaluate(
            probabilities, labels, class_names=self.dataset.class_names, sources=sources
        )
        write_json(self.folder.file(runs.EVALUATION_JSON), evaluation.to_json())
        self.info["accuracy"] = evaluation.accuracy.to_json()
        self.folder.write_info(self.info)
        write_predictions_csv(
            self.folder.file(runs.PREDICTIONS_CSV),
            probabilities,
            labels,
            class_names=self.dataset.class_names,
            sources=sources,
        )
        return evaluation

    def _export(
        self, model: Any, probabilities: npt.NDArray[np.float32], evaluation: Evaluation
    ) -> None:
        """Writes `classifier.onnx`, but only once it has proven equal to the network."""
        from tellapart.export.onnx import export_classifier
        from tellapart.export.parity import check_parity

        bundle = Bundle(
            class_names=self.dataset.class_names,
            image_spec=self.plan.recipe.image_spec,
            provenance={
                "data": self.dataset.name,
                "data_fingerprint": self.store.fingerprint,
                "data_key": self.dataset.source.key,
                "model": self.plan.recipe.model,
                "accuracy": evaluation.accuracy.to_json(),
                "created": runs.now(),
                "versions": runs.describe_versions(),
            },
        )
        path = self.folder.file(runs.CLASSIFIER_ONNX)
        candidate = path.with_name("unproven.onnx")
        try:
            export_classifier(model, bundle, candidate)
            parity = check_parity(candidate, self._raw_test_pictures(), probabilities)
            candidate.replace(path)
        except OSError as error:
            raise write_error(path, error) from error
        finally:
            candidate.unlink(missing_ok=True)
        self.info["parity"] = parity.to_json()
        self.emit(Exported(str(path), parity.checked, parity.max_difference))

    def _raw_test_pictures(self) -> Iterator[NamedPicture]:
        total = len(self.parts.test)
        for done, index in enumerate(self.parts.test.tolist(), start=1):
            yield self.dataset.paths[index], partial(self.dataset.source.read, index)
            self.emit(Progressed("checking the export", done, total))

    def _trace(self, model: Any) -> None:
        from tellapart.explanation.flow import data_flow

        stages = data_flow(model, len(self.dataset))
        write_json(
            self.folder.file(runs.TRACE_JSON),
            {"images": len(self.dataset), "data_flow": [stage.to_json() for stage in stages]},
        )

    def _plot(self, probabilities: npt.NDArray[np.float32], evaluation: Evaluation) -> None:
        from tellapart.evaluation import plots, worst_mistakes

        title = f"{self.plan.recipe.model} on {self.dataset.name}"
        test, names = self.parts.test, self.dataset.class_names
        sources = [self.dataset.paths[i] for i in test]
        labels, said = self.dataset.labels[test], probabilities.argmax(axis=1)

        def draw(plot: Any, rows: npt.NDArray[np.int64], name: str, what: str) -> None:
            plot(
                self.store.pixels[test[rows]],
                [names[k] for k in labels[rows]],
                [names[k] for k in said[rows]],
                probabilities.max(axis=1)[rows].tolist(),
                self.folder.file(f"{runs.PLOTS}/{name}.png"),
                title=f"{title}: {what}",
            )

        history = read_results(self.folder.file(runs.RESULTS_CSV))
        plots.plot_curves(history, self.folder.file(f"{runs.PLOTS}/curves.png"), title=title)
        plots.plot_confusion(
            evaluation, self.folder.file(f"{runs.PLOTS}/confusion.png"), title=title
        )
        draw(plots.plot_samples, plots.choose_samples(labels, said), "samples", "test pictures")
        worst = worst_mistakes(probabilities, labels, sources, plots.TILES)
        draw(plots.plot_mistakes, worst, "mistakes", "the most confident mistakes")

    def _finish(self, evaluation: Evaluation, history: trainer.History) -> None:
        seconds = time.monotonic() - self.started
        self.info |= {
            "status": "interrupted" if history.end.reason == "interrupted" else "finished",
            "ended": runs.now(),
            "training": asdict(history.end),
            "seconds": round(seconds, 2),
        }
        self.folder.write_info(self.info)
        self.emit(RunFinished(str(self.folder.path), evaluation.accuracy.to_json(), seconds))

    def _mark_failed(self, status: runs.Status, error: str | None) -> None:
        self.info |= {"status": status, "ended": runs.now(), "error": error}
        try:
            self.folder.write_info(self.info)
            self.emit(RunFailed(error or status))
        except TellapartError:  # the disk is full or gone; the first error is the one to show
            self.folder.remove_if_empty()
