"""A run from the making of its folder to its end: train, evaluate, export, draw, record."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart import runs
from tellapart.approaches import Approach
from tellapart.broadcast import Broadcast
from tellapart.bundle import Bundle
from tellapart.classifier import NamedPicture
from tellapart.data.dataset import Dataset, Excluded
from tellapart.data.split import Split, write_split_csv
from tellapart.errors import ModelError, TellapartError
from tellapart.evaluation.diagnosis import diagnose, gather_facts
from tellapart.evaluation.overlap import Overlap, measure_overlap
from tellapart.evaluation.trust import Features, Trust, establish_trust
from tellapart.files import remove_unfinished, write_error, write_json
from tellapart.finished_run import Run
from tellapart.results import Evaluation
from tellapart.resumption import Resumption
from tellapart.runs import RunFolder
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.events import (
    Diagnosed,
    EpochEnded,
    Exported,
    Noted,
    Progressed,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    TrainingEnded,
)
from tellapart.training.interruption import Interruption
from tellapart.training.recipe import Recipe
from tellapart.training.records import (
    EventLog,
    ResultsTable,
    read_results,
    take_up_events,
    write_results,
)
from tellapart.training.stopping import Stopped

RECORDS_BYTES = 20 * 2**20
"""Room for everything in a run folder but the weights."""


@dataclass(frozen=True)
class DataFacts:
    """What a run records of its data, beside the data set itself.

    Attributes:
        fingerprint: see `data.store.fingerprint`.
        groups: (n,) int64, equal numbers for copies of one picture.
        excluded: what could not be read.
        audit: what the audit found.
    """

    fingerprint: str
    groups: npt.NDArray[np.int64] = field(repr=False)
    excluded: list[Excluded]
    audit: dict[str, Any]


def how_to_go_on(folder: RunFolder) -> str:
    """The sentence with the command."""
    command = f"tellapart train --resume {shlex.quote(str(folder.path))}"
    return f"What was trained is kept; `{command}` goes on."


@dataclass
class Session:
    """A run between the making of its folder and its end."""

    folder: RunFolder
    dataset: Dataset
    parts: Split
    recipe: Recipe
    approach: Approach
    about_data: DataFacts
    emit: Broadcast
    started: float
    audited: float
    asked: dict[str, Any] | None = None
    source: dict[str, Any] | None = None
    checkpoints: Checkpoints | None = None
    resumption: Resumption | None = None
    info: dict[str, Any] = field(default_factory=dict)
    overlap: Overlap | None = None
    trust: Trust | None = None

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Keeps `run.json` true whatever happens."""
        try:
            self._begin()
            yield
        except BaseException as error:
            status: runs.Status = "failed"
            if isinstance(error, KeyboardInterrupt | Stopped):
                status = "stopped" if isinstance(error, Stopped) else "interrupted"
            self._mark_failed(status, str(error) if status == "failed" else None)
            self._say_how_to_go_on(error)
            raise
        finally:
            self.folder.release()

    @property
    def needed_bytes(self) -> int:
        """Room that the run takes on the disk at most: `RunFolder.check_space`."""
        weights = 4 * self.approach.parameters
        # model.keras twice over, and ONNX; of the checkpoints, one with two moments of Adam.
        return 3 * weights + RECORDS_BYTES + (4 * weights if self.recipe.epochs else 0)

    def run(self) -> Run:
        """Trains, evaluates, exports, reports."""
        interruption = Interruption()
        with interruption.listening():
            with self._stage("training"):
                end = self.approach.fit(self.parts, self.emit, interruption, self.checkpoints)
            evaluation = self._conclude(end)
        return Run(
            self.folder.path,
            evaluation,
            self.recipe,
            read_results(self.folder.file(runs.RESULTS_CSV)),
            end.reason == "interrupted",
            self.overlap,
            self.trust,
            self.approach.model,
        )

    def _conclude(self, end: TrainingEnded) -> Evaluation:
        """What follows training; Ctrl-C in here must be pressed twice to give the run up."""
        with self._stage("calibration"):
            self.approach.save_model(self.folder.file(runs.MODEL_KERAS))
            trust = self._establish_trust()
            followed = self._follow(trust)
        with self._stage("evaluation"):
            evaluation = self._evaluate(trust)
        with self._stage("plots"):  # while Keras may still be at work elsewhere
            self._plot(trust, evaluation)
        with self._stage("export"):
            self._export(trust, evaluation)
        with self._stage("traces"):
            self._trace(followed)
        self._finish(evaluation, end)
        return evaluation

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Notes how long a part of the run took, in seconds."""
        began = time.monotonic()
        yield
        self.info["stages"][name] = round(time.monotonic() - began, 2)

    def _begin(self) -> None:
        sizes = {
            part: len(getattr(self.parts, part))
            for part in ("train", "validation", "calibration", "test")
        }
        decoded = time.monotonic()
        before = {} if self.resumption is None else self.resumption.info
        self.info = {
            "status": "running",
            "process": os.getpid(),
            "started": before.get("started") or runs.now(),
            "resumed": self._resumed(),
            "stages": {
                "audit": round(self.audited - self.started, 2),
                "decoding": round(decoded - self.audited, 2),
            },
            "recipe": self.recipe.to_json(),
            "asked": self.asked,
            "source": self.source,
            "data": {
                "name": self.dataset.name,
                "location": self.dataset.location,
                "fingerprint": self.about_data.fingerprint,
                "key": self.dataset.source.key,
                "class_names": list(self.dataset.class_names),
                "counts": self.dataset.count_by_class(),
                "parts": sizes,
                "ignored": self.dataset.ignored,
                "excluded": [
                    {"path": item.path, "reason": item.reason} for item in self.about_data.excluded
                ],
            },
            "machine": runs.describe_machine(),
            "versions": runs.describe_versions(),
            "backend": self.approach.backend,
        }
        self.folder.write_info(self.info)
        write_json(self.folder.file(runs.AUDIT_JSON), self.about_data.audit)
        write_split_csv(self.folder.file(runs.SPLIT_CSV), self.dataset, self.parts)
        known = self._take_up_records()
        self.emit.join(EventLog(self.folder.file(runs.EVENTS_JSONL), known))
        self.emit.join(ResultsTable(self.folder.file(runs.RESULTS_CSV)))
        self._announce(sizes)

    def _take_up_records(self) -> list[dict[str, Any]]:
        """Leaves in events and results what the checkpoint has seen; returns the events."""
        if self.resumption is None:
            return []
        newest = None if self.checkpoints is None else self.checkpoints.newest
        rows = [] if newest is None else newest.state["history"]
        remove_unfinished(self.folder.path)
        write_results(self.folder.file(runs.RESULTS_CSV), [EpochEnded(**row) for row in rows])
        return take_up_events(self.folder.file(runs.EVENTS_JSONL), len(rows))

    def _resumed(self) -> list[dict[str, Any]]:
        """When the run was resumed, and from where: what was there before, and now."""
        if self.resumption is None:
            return []
        epoch, step = self._position()
        before = self.resumption.info.get("resumed", [])
        differs = self.resumption.differences_of_machine()
        now = {"time": runs.now(), "epoch": epoch, "step": step, "differs": differs}
        return [*before, now]

    def _position(self) -> tuple[int, int]:
        newest = None if self.checkpoints is None else self.checkpoints.newest
        return (0, 0) if newest is None else (newest.epoch, newest.step)

    def _announce(self, sizes: dict[str, int]) -> None:
        self.emit(
            RunStarted(
                str(self.folder.path),
                self.dataset.name,
                sizes,
                self.recipe.to_json(),
                len(self.dataset.class_names),
            )
        )
        if self.resumption is None:
            return
        self.emit(RunResumed(str(self.folder.path), *self._position()))
        for note in () if self.checkpoints is None else self.checkpoints.notes:
            self.emit(Noted(note, "warning"))
        if differs := self.info["resumed"][-1]["differs"]:
            self.emit(
                Noted(
                    f"Not what it was when the run began: {'; '.join(differs)}. Weights may not "
                    "be, bit for bit, what they would be without the interruption.",
                    "warning",
                )
            )

    def _establish_trust(self) -> Trust:
        """Calibrates on pictures that are neither trained nor tested on."""
        unseen = self.approach.unseen(self.parts)
        test = self.approach.see(self.parts.test)
        features = None
        if unseen.features is not None and test.features is not None:
            features = Features(unseen.trained, unseen.features, test.features)
        labels = self.dataset.labels[self.parts.test]
        trust = establish_trust(
            unseen.probabilities,
            unseen.labels,
            unseen.part,
            test.probabilities,
            labels,
            chose=unseen.chose,
            features=features,
        )
        for note in (trust.calibration.notes[0], trust.novelty_note, trust.unsure.note):
            self.emit(Noted(note))
        return trust

    def _evaluate(self, trust: Trust) -> Evaluation:
        from tellapart.evaluation.metrics import evaluate
        from tellapart.evaluation.predictions import write_predictions_csv

        probabilities = trust.probabilities
        labels = self.dataset.labels[self.parts.test]
        sources = [self.dataset.paths[i] for i in self.parts.test]
        evaluation = evaluate(
            probabilities, labels, class_names=self.dataset.class_names, sources=sources
        )
        figures = evaluation.to_json() | trust.to_json()
        write_json(self.folder.file(runs.EVALUATION_JSON), figures)
        self.trust = trust
        self.overlap = measure_overlap(probabilities, labels, self._seen_before())
        write_predictions_csv(
            self.folder.file(runs.PREDICTIONS_CSV),
            probabilities,
            labels,
            class_names=self.dataset.class_names,
            sources=sources,
        )
        return evaluation

    def _seen_before(self) -> npt.NDArray[np.bool_]:
        """Which test pictures have a copy among those that training used: (test,) bool."""
        groups = self.about_data.groups
        used = np.concatenate([self.parts.train, self.parts.validation, self.parts.calibration])
        return np.isin(groups[self.parts.test], groups[used])

    def _export(self, trust: Trust, evaluation: Evaluation) -> None:
        """Writes `classifier.onnx`, but only once it has proven equal to the network."""
        from tellapart.export.parity import check_parity, sample

        novelty = trust.novelty
        bundle = Bundle(
            class_names=self.dataset.class_names,
            image_spec=self.recipe.image_spec,
            temperature=trust.calibration.temperature,
            unsure=trust.unsure.to_json(),
            sets=tuple(rule.to_json() for rule in trust.sets),
            novelty=None if novelty is None else novelty.limit.to_json(),
            provenance={
                "data": self.dataset.name,
                "data_fingerprint": self.about_data.fingerprint,
                "data_key": self.dataset.source.key,
                "model": self.recipe.model,
                "accuracy": evaluation.accuracy.to_json(),
                "created": runs.now(),
                "versions": runs.describe_versions(),
            },
        )
        path = self.folder.file(runs.CLASSIFIER_ONNX)
        candidate = path.with_name("unproven.onnx")
        try:
            self.approach.export(bundle, candidate, None if novelty is None else novelty.model)
            chosen = sample(len(trust.probabilities), self.recipe.image_spec)
            pictures = self._raw_pictures(self.parts.test[chosen])
            scores = None if novelty is None else novelty.scores[chosen]
            parity = check_parity(candidate, pictures, trust.probabilities[chosen], scores)
            self.approach.prove()
            candidate.replace(path)
        except OSError as error:
            raise write_error(path, error) from error
        finally:
            with contextlib.suppress(OSError):  # the first error is the one to show
                candidate.unlink(missing_ok=True)
        self.info["parity"] = parity.to_json()
        self.emit(Exported(str(path), parity.checked, parity.max_difference))

    def _raw_pictures(self, indices: npt.NDArray[np.int64]) -> Iterator[NamedPicture]:
        for done, index in enumerate(indices.tolist(), start=1):
            yield self.dataset.paths[index], partial(self.dataset.source.read, index)
            self.emit(Progressed("checking the export", done, len(indices)))

    def _follow(self, trust: Trust) -> bool:
        """Has an ordinary test picture followed; says whether there is one."""
        from tellapart.report.example import choose_example

        labels = self.dataset.labels[self.parts.test]
        example = choose_example(trust.probabilities, labels)
        if example is not None:
            index = int(self.parts.test[example])
            self.approach.follow(index, trust.calibration.temperature)
        return example is not None

    def _trace(self, followed: bool) -> None:
        images = len(self.dataset)
        stages = self.approach.data_flow()
        write_json(self.folder.file(runs.TRACE_JSON), {"images": images, "data_flow": stages})
        if not followed:
            return
        try:
            found = self.approach.followed()
        except ModelError as error:
            self.emit(Noted(f"No picture was followed through the network: {error}"))
        else:
            write_json(self.folder.file(runs.PREDICTION_TRACE_JSON), found)

    def _plot(self, trust: Trust, evaluation: Evaluation) -> None:
        from tellapart.run_plots import RunPlots

        plots = RunPlots(self.folder, self.dataset, self.parts, self.recipe, self.approach.pixels)
        plots.draw_trust(trust)
        plots.draw(trust.probabilities, evaluation)

    def _finish(self, evaluation: Evaluation, end: TrainingEnded) -> None:
        seconds = time.monotonic() - self.started
        self.info |= {
            "status": "interrupted" if end.reason == "interrupted" else "finished",
            "ended": runs.now(),
            "training": asdict(end),
            "seconds": round(seconds, 2),
            "accuracy": evaluation.accuracy.to_json(),
            "overlap": self.overlap and self.overlap.to_json(),
        }
        self._diagnose(evaluation)
        self.folder.write_info(self.info, ends=False)
        with self._stage("report"):
            self._report()
        self.info["seconds_after_audit"] = round(time.monotonic() - self.audited, 2)
        self.info.pop("process")
        self.folder.write_info(self.info)
        if self.checkpoints is not None:
            self.checkpoints.remove()
        self.emit(RunFinished(str(self.folder.path), evaluation.accuracy.to_json(), seconds))

    def _report(self) -> None:
        """Draws what people read; a run is whole without it."""
        from tellapart.report.model_card import write_model_card
        from tellapart.report.page import write_report
        from tellapart.report.pictures import Pictures

        pictures = Pictures.of(self.dataset, self.approach.pixels, self.parts.test)
        try:
            write_model_card(self.folder)
            write_report(self.folder, pictures)
        except TellapartError as error:
            self.emit(Noted(f"The report could not be written: {error}", "warning"))

    def _report_failure(self) -> None:
        """Draws what there is of a run that failed once it had been trained."""
        if self.folder.file(runs.RESULTS_CSV).is_file():
            from tellapart.report.page import write_report
            from tellapart.report.pictures import NoPictures

            with contextlib.suppress(Exception):  # the first error is the one to show
                write_report(self.folder, NoPictures("The run failed before it had shown any."))

    def _diagnose(self, evaluation: Evaluation | None) -> None:
        """Says in words what went wrong in the training, or could go better."""
        history = read_results(self.folder.file(runs.RESULTS_CSV))
        facts = gather_facts(self.info, history, evaluation.to_json() if evaluation else None)
        found = diagnose(facts)
        self.info["diagnosis"] = [diagnosis.to_json() for diagnosis in found]
        for diagnosis in found:
            self.emit(
                Diagnosed(diagnosis.topic, diagnosis.level, diagnosis.text, diagnosis.remedies)
            )

    def _say_how_to_go_on(self, error: BaseException) -> None:
        """Says so where there is a run to go on with."""
        if not (self.folder.path / runs.RUN_JSON).is_file():
            return
        why = f"{error.signal}: the run stops. " if isinstance(error, Stopped) else ""
        with contextlib.suppress(TellapartError):  # the disk is full or gone
            self.emit(Noted(f"{why}{how_to_go_on(self.folder)}", "warning"))

    def _mark_failed(self, status: runs.Status, error: str | None) -> None:
        self.info |= {"status": status, "ended": runs.now(), "error": error}
        if status == "failed":
            with contextlib.suppress(Exception):  # the first error is the one to show
                self._diagnose(None)
        try:
            self.folder.write_info(self.info)
            if status == "failed":
                self._report_failure()
            self.emit(RunFailed(error or status))
        except TellapartError:  # the disk is full or gone; the first error is the one to show
            self.folder.remove_if_empty()
