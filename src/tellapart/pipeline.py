"""From a folder of pictures to a classifier: the stages, in order, each visible.

load -> choose -> build -> decode -> split -> train -> evaluate -> export -> report
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from tellapart import runs
from tellapart.bundle import Bundle
from tellapart.classifier import NamedPicture
from tellapart.data import load
from tellapart.data.dataset import Dataset, Excluded
from tellapart.data.split import Split, split, write_split_csv
from tellapart.data.store import Store, open_store
from tellapart.errors import DataError, TellapartError
from tellapart.files import write_error, write_json
from tellapart.images import Interpolation, Resize
from tellapart.models import registry
from tellapart.models.backend import import_keras
from tellapart.results import Evaluation
from tellapart.runs import RunFolder
from tellapart.training.events import (
    Event,
    Exported,
    Noted,
    Observer,
    Progressed,
    RunFailed,
    RunFinished,
    RunStarted,
)
from tellapart.training.recipe import Loss, Recipe, choose_recipe
from tellapart.training.records import EventLog, ResultsTable, read_results


class RecipeOptions(TypedDict, total=False):
    """The fields of `Recipe` that a caller may set; see there what they mean."""

    image_size: tuple[int, int] | None
    channels: int | None
    epochs: int | None
    batch_size: int | None
    validation_split: float | None
    test_split: float | None
    loss: Loss | None
    optimizer: str | None
    learning_rate: float | None
    label_smoothing: float | None
    early_stopping: int | None
    restore_best_weights: bool | None
    resize: Resize | None
    interpolation: Interpolation | None
    rescale: float | None
    seed: int | None


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


def train(
    data: Any,
    *,
    recipe: str = "auto",
    model: registry.Model | None = None,
    out: str | Path | None = None,
    keep_validation: bool = False,
    backend: str | None = None,
    observers: Sequence[Observer] | None = None,
    **options: Unpack[RecipeOptions],
) -> Run:
    """Trains a classifier and measures it: the whole pipeline.

    Args:
        data: a folder, an archive, a `.npz`, a CSV, a catalog name, `(x, y)` arrays or a
            `Dataset`; see `load`.
        recipe: "auto" fits the data; "classic" is the textbook's, to the letter.
        model: a network's name, a `keras.Model` (trained in place), a function of
            `(input_shape, classes)` that builds one, a `.keras` file or "file.py:function".
            The last is code, and is run.
        out: the run's folder, new or empty; None: the next free `runs/<data>-<n>`.
        keep_validation: the source's own validation part stays that, even where there is no
            test part; one is then split off the training part.
        backend: of Keras: "tensorflow", "jax" or "torch".
        observers: called with each event; None shows progress in the terminal.
        **options: fields of `Recipe`.

    Returns:
        The finished run. Ctrl-C while training ends it early, and the run is still whole.

    Raises:
        DataError: the pictures cannot be trained on.
        ModelError: the network does not fit them.
        UsageError: an option cannot be used.
        ExportError: the classifier file disagrees with the network.
        RunError: `out` is taken.
    """
    started = time.monotonic()
    emit = _Broadcast(_default_observers() if observers is None else observers)
    dataset = load(data)
    plan = _plan(dataset, recipe, model, backend, options)
    for note in (*dataset.notes, *plan.notes):
        emit(Noted(note))
    store = open_store(
        dataset,
        plan.recipe.image_spec,
        on_progress=lambda done, total: emit(Progressed("decoding", done, total)),
    )
    _say_what_was_kept(store, emit)
    excluded = _excluded(dataset, store)
    _say_what_is_left_out(dataset, excluded, emit)
    parts = split(
        dataset,
        test_split=plan.recipe.test_split,
        validation_split=plan.recipe.validation_split,
        seed=plan.recipe.seed,
        validation_is_test=False if keep_validation else None,
        exclude=store.failures,
    )
    for note in parts.notes:
        emit(Noted(note))
    folder = RunFolder.create(dataset.name, out=Path(out) if out else None)
    session = _Session(folder, dataset, store, parts, plan, excluded, emit, started)
    with session.recorded():
        return session.run()


@dataclass(frozen=True)
class _Plan:
    """What was decided before a single picture is decoded."""

    recipe: Recipe
    network: registry.Network
    notes: tuple[str, ...]


def _plan(
    dataset: Dataset,
    recipe_name: str,
    model: registry.Model | None,
    backend: str | None,
    options: Mapping[str, Any],
) -> _Plan:
    import_keras(backend)
    resolved = registry.resolve(model) if model is not None else None
    recipe, why = choose_recipe(
        dataset,
        recipe_name,
        input_shape=None if resolved is None else registry.fixed_input_shape(resolved),
        options={**options, "model": None if model is None else registry.describe(model)},
    )
    from tellapart.training.trainer import set_seed

    set_seed(recipe.seed)
    network = registry.build(
        recipe.model if resolved is None else resolved,
        recipe.image_spec.shape,
        len(dataset.class_names),
        rescale=recipe.rescale,
    )
    return _Plan(recipe, network, (why, *network.notes))


def _say_what_was_kept(store: Store, emit: Observer) -> None:
    verb = "found" if store.was_cached else "kept"
    emit(
        Noted(
            f"Decoded pictures {verb} in {store.folder} ({store.bytes / 2**20:,.1f} MiB; "
            "`tellapart cache --clear` frees it)."
        )
    )


def _excluded(dataset: Dataset, store: Store) -> list[Excluded]:
    """What cannot be read; it stays where it is, unchanged."""
    undecodable = sorted(store.failures.items())
    return [*dataset.excluded, *(Excluded(dataset.paths[i], why) for i, why in undecodable)]


def _say_what_is_left_out(dataset: Dataset, excluded: list[Excluded], emit: Observer) -> None:
    if not excluded:
        return
    if len(excluded) == len(dataset) + len(dataset.excluded):
        raise DataError(
            f"None of the {len(dataset):,} pictures of {dataset.location} can be read. The first: "
            f"{excluded[0].path}: {excluded[0].reason}."
        )
    shown = "".join(f"\n  {item.path}: {item.reason}" for item in excluded[:10])
    more = f"\n  and {len(excluded) - 10:,} more, listed in run.json" if len(excluded) > 10 else ""
    total = len(dataset) + len(dataset.excluded)
    emit(
        Noted(
            f"{len(excluded):,} of {total:,} pictures cannot be read and are left out:"
            f"{shown}{more}",
            level="warning",
        )
    )


@dataclass
class _Session:
    """A run between the making of its folder and its end."""

    folder: RunFolder
    dataset: Dataset
    store: Store
    parts: Split
    plan: _Plan
    excluded: list[Excluded]
    emit: _Broadcast
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
            self._mark_failed(status, str(error) or type(error).__name__)
            raise

    def run(self) -> Run:
        """Trains, evaluates, exports, reports."""
        from tellapart.training import trainer

        model, recipe = self.plan.network.model, self.plan.recipe
        labels = self.dataset.labels
        history = trainer.fit(model, self.store.pixels, labels, self.parts, recipe, self.emit)
        self._save_model(model)
        probabilities = trainer.predict(model, self.store.pixels, self.parts.test)
        evaluation = self._evaluate(probabilities)
        self._export(model, probabilities, evaluation)
        self._trace(model)
        self._plot(probabilities, evaluation)
        interrupted = history.end.reason == "interrupted"
        self._finish(evaluation, history.end.reason, interrupted=interrupted)
        return Run(
            self.folder.path,
            evaluation,
            recipe,
            read_results(self.folder.file(runs.RESULTS_CSV)),
            model,
            interrupted,
        )

    def _begin(self) -> None:
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
        self.emit.observers += (
            EventLog(self.folder.file(runs.EVENTS_JSONL)),
            ResultsTable(self.folder.file(runs.RESULTS_CSV)),
        )
        self.emit(
            RunStarted(str(self.folder.path), self.dataset.name, sizes, self.plan.recipe.to_json())
        )

    def _save_model(self, model: Any) -> None:
        from tellapart.files import atomic_path

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

    def _finish(self, evaluation: Evaluation, reason: str, *, interrupted: bool) -> None:
        seconds = time.monotonic() - self.started
        accuracy = evaluation.accuracy.to_json()
        self.info |= {
            "status": "interrupted" if interrupted else "finished",
            "ended": runs.now(),
            "training_ended": reason,
            "seconds": round(seconds, 2),
            "accuracy": accuracy,
        }
        self.folder.write_info(self.info)
        self.emit(RunFinished(str(self.folder.path), accuracy, seconds))

    def _mark_failed(self, status: runs.Status, error: str) -> None:
        self.info |= {"status": status, "ended": runs.now(), "error": error}
        try:
            self.folder.write_info(self.info)
            self.emit(RunFailed(error))
        except TellapartError:
            return  # the disk is full or gone; the first error is the one to show


class _Broadcast:
    """Hands each event to every observer."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self.observers = tuple(observers)

    def __call__(self, event: Event) -> None:
        for observer in self.observers:
            observer(event)


def _default_observers() -> list[Observer]:
    from tellapart.progress import TerminalProgress

    return [TerminalProgress()]
