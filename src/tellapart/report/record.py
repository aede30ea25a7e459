"""A run as its files tell it: read when asked for, and never trusted to be there or whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart import runs
from tellapart.data.dataset import PARTS
from tellapart.runs import RunFolder
from tellapart.spreadsheet import unquoted, unquoted_row
from tellapart.training.records import read_results


class AbsentError(Exception):
    """There is nothing to show; the message says why, in a sentence."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """`predictions.csv`.

    Attributes:
        names: n names of test pictures, as the file has them.
        actual: (n,) int64, indices into the class names.
        predicted: (n,) int64.
        probability: (n,) float64, of the predicted class, calibrated.
        rows: (n, classes) float64; None where the file has no column a class.
    """

    names: list[str]
    actual: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    rows: npt.NDArray[np.float64] | None

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each name."""
        return {name: row for row, name in enumerate(self.names)}


@dataclass(frozen=True, eq=False)
class RunRecord:
    """What a run folder holds.

    Every property but `info` raises `AbsentError` where its file is not there or damaged.

    Attributes:
        folder: of the run.
        info: `run.json`.
    """

    folder: RunFolder
    info: dict[str, Any]

    @classmethod
    def read(cls, folder: RunFolder) -> RunRecord:
        """Reads `run.json`; the rest when it is asked for.

        Raises:
            RunError: `run.json` is damaged or of a newer format.
        """
        return cls(folder, folder.read_info())

    @property
    def data(self) -> Mapping[str, Any]:
        """What `run.json` says of the pictures."""
        found = self.info.get("data")
        if not isinstance(found, dict):
            raise AbsentError(f"{runs.RUN_JSON} does not say what the run was trained on.")
        return found

    @property
    def recipe(self) -> Mapping[str, Any]:
        """What decided the run."""
        found = self.info.get("recipe")
        if not isinstance(found, dict):
            raise AbsentError(f"{runs.RUN_JSON} does not say how the run was trained.")
        return found

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the confusion matrix."""
        return tuple(self.data["class_names"])

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """`evaluation.json`."""
        return self._object(runs.EVALUATION_JSON)

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """(classes, classes) int64; row: actual class, column: predicted class."""
        found = np.array(self.evaluation["confusion_matrix"], np.int64)
        if found.shape != 2 * (len(self.class_names),):
            raise AbsentError(
                f"The confusion matrix of {runs.EVALUATION_JSON} has shape {found.shape}, and "
                f"there are {len(self.class_names)} classes."
            )
        return found

    @cached_property
    def audit(self) -> dict[str, Any]:
        """`audit.json`."""
        return self._object(runs.AUDIT_JSON)

    @cached_property
    def flow(self) -> dict[str, Any]:
        """`trace.json`, the data flow."""
        return self._object(runs.TRACE_JSON)

    @cached_property
    def prediction_trace(self) -> dict[str, Any]:
        """`prediction_trace.json`, one picture followed through the network."""
        return self._object(runs.PREDICTION_TRACE_JSON)

    @cached_property
    def history(self) -> list[dict[str, float]]:
        """The rows of `results.csv`; none where there were no epochs."""
        try:
            return read_results(self.folder.path / runs.RESULTS_CSV)
        except (OSError, ValueError) as error:
            raise AbsentError(f"{runs.RESULTS_CSV} cannot be read: {error}") from error

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The lines of `events.jsonl`; a last one that was cut short is left out."""
        try:
            with (self.folder.path / runs.EVENTS_JSONL).open(encoding="utf-8") as stream:
                return [dict(json.loads(line)) for line in stream if line.endswith("\n")]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise AbsentError(f"{runs.EVENTS_JSONL} cannot be read: {error}") from error

    @cached_property
    def predictions(self) -> Predictions:
        """`predictions.csv`."""
        path = self.folder.path / runs.PREDICTIONS_CSV
        if not path.is_file():
            raise AbsentError(self._not_there(runs.PREDICTIONS_CSV))
        places = {as_written(name): place for place, name in enumerate(self.class_names)}
        try:
            with path.open(encoding="utf-8", newline="") as stream:
                lines = csv.reader(stream)
                column = {name: place for place, name in enumerate(unquoted_row(next(lines)))}
                rows = [unquoted_row(line) for line in lines]
            path_, actual, said, top = (
                column[name] for name in ("path", "actual", "predicted", "probability")
            )
            own = [column[f"p({name})"] for name in places if f"p({name})" in column]
            shares = [[float(row[place]) for place in own] for row in rows]
            return Predictions(
                [row[path_] for row in rows],
                np.array([places[row[actual]] for row in rows], np.int64),
                np.array([places[row[said]] for row in rows], np.int64),
                np.array([float(row[top]) for row in rows]),
                np.array(shares).reshape(len(rows), len(places))
                if len(own) == len(places)
                else None,
            )
        except (OSError, ValueError, KeyError, IndexError, StopIteration, csv.Error) as error:
            raise AbsentError(f"{runs.PREDICTIONS_CSV} is damaged ({error!r}).") from error

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """(classes, parts) int64: the pictures of each class in each of PARTS, by `split.csv`."""
        path = self.folder.path / runs.SPLIT_CSV
        if not path.is_file():
            raise AbsentError(self._not_there(runs.SPLIT_CSV))
        places = {as_written(name): place for place, name in enumerate(self.class_names)}
        parts = {part: place for place, part in enumerate(map(str, PARTS))}
        counts = np.zeros((len(places), len(parts)), np.int64)
        try:
            with path.open(encoding="utf-8", newline="") as stream:
                lines = csv.reader(stream)
                head = next(lines)
                label, part = head.index("label"), head.index("part")
                for row in lines:
                    counts[places[unquoted(row[label])], parts[row[part]]] += 1
        except (OSError, ValueError, KeyError, IndexError, StopIteration, csv.Error) as error:
            raise AbsentError(f"{runs.SPLIT_CSV} is damaged ({error!r}).") from error
        return counts

    def _object(self, name: str) -> dict[str, Any]:
        path = self.folder.path / name
        if not path.is_file():
            raise AbsentError(self._not_there(name))
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise AbsentError(f"{name} cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise AbsentError(f"{name} is damaged: expected a JSON object.")
        return found

    def _not_there(self, name: str) -> str:
        why = {
            "running": ": the run has not ended yet, or was stopped from outside",
            "stopped": ": the run was stopped before it was written, and can be resumed",
            "interrupted": ": the run was interrupted before it was written",
            "failed": ": the run ended with an error before it was written",
        }.get(str(self.info.get("status")), "")
        return f"There is no {name} in the run folder{why}."


def as_written(name: str) -> str:
    r"""Returns a name as CSV files of a run have it: stray bytes as \udcXX, spelled out."""
    return name.encode("utf-8", "backslashreplace").decode()
