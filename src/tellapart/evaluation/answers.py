"""What two runs answered on the same test pictures, or why they cannot be compared."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.data.wording import bullets, count
from tellapart.errors import RunError
from tellapart.runs import PREDICTIONS_CSV, RunFolder
from tellapart.spreadsheet import unquoted_row


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of one run on its test part.

    Attributes:
        path: the run's folder.
        info: what its `run.json` says.
        actual: path of each test picture to its actual class.
        predicted: and to the class that was predicted.
    """

    path: Path
    info: dict[str, Any] = field(repr=False)
    actual: dict[str, str] = field(repr=False)
    predicted: dict[str, str] = field(repr=False)

    @classmethod
    def read(cls, path: str | Path) -> Answers:
        """Reads a run.

        Raises:
            RunError: there is no run, it has no predictions, or a file is damaged.
        """
        folder = RunFolder.open(path)
        info = folder.read_info()
        file = folder.path / PREDICTIONS_CSV
        if not file.is_file():
            raise RunError(
                f"{folder.path} has no {PREDICTIONS_CSV} (status: {info.get('status')}): it was "
                "not measured on its test part. Name a run that is finished."
            )
        actual, predicted = _read(file)
        return cls(folder.path, info, actual, predicted)

    @property
    def data(self) -> dict[str, Any]:
        """What `run.json` says of the data."""
        return dict(self.info.get("data", {}))

    @property
    def split(self) -> dict[str, Any]:
        """What decided its test part, beside the pictures; None where nothing was asked."""
        recipe, asked = self.info.get("recipe") or {}, self.info.get("asked") or {}
        decided = {name: recipe.get(name) for name in ("seed", "test_split", "budget_seconds")}
        return decided | {name: asked.get(name) for name in ("keep_validation", "labels")}


@dataclass(frozen=True, eq=False)
class SameTest:
    """Which of the same n test pictures each of two runs gets right.

    Attributes:
        first: (n,) bool.
        second: (n,) bool.
        labels: (n,) int64, into `class_names`.
        class_names: in the order of the data.
    """

    first: npt.NDArray[np.bool_]
    second: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int64]
    class_names: tuple[str, ...]


def pair_answers(first: Answers, second: Answers) -> SameTest:
    """Lines up the answers of two runs, picture by picture.

    Raises:
        RunError: they were not measured on the same pictures under the same labels; all that
            differs is named, and how to train so that they can be compared.
    """
    differences = list(_differences(first, second))
    if differences:
        raise RunError(
            f"{first.path} and {second.path} were measured on different test parts, and a "
            f"comparison would say nothing.{bullets(differences)}\n{_remedy(first, second)}"
        )
    paths = list(first.actual)
    names = first.data.get("class_names") or sorted(set(first.actual.values()))
    index = {name: label for label, name in enumerate(names)}
    try:
        labels = np.array([index[first.actual[path]] for path in paths], np.int64)
    except KeyError as error:
        raise RunError(
            f"{first.path / PREDICTIONS_CSV} names the class {error}, which run.json does not "
            "know. One of the files was changed."
        ) from error
    return SameTest(_right(first, paths), _right(second, paths), labels, tuple(names))


def _right(answers: Answers, paths: list[str]) -> npt.NDArray[np.bool_]:
    return np.array([answers.predicted[path] == answers.actual[path] for path in paths])


def _differences(first: Answers, second: Answers) -> Iterator[str]:
    one, other = first.actual, second.actual
    own, theirs = (str(run.data.get("fingerprint")) for run in (first, second))
    if own != theirs:
        yield (
            f"the data: {first.data.get('location')} (fingerprint {own[:12]}) and "
            f"{second.data.get('location')} (fingerprint {theirs[:12]}); pictures or labels "
            "differ"
        )
    shared = one.keys() & other.keys()
    if len(shared) < max(len(one), len(other)):
        yield (
            f"the test pictures: {len(one):,} and {len(other):,}, of which {len(shared):,} are in "
            "both"
        )
    relabelled = sorted(path for path in shared if one[path] != other[path])
    if relabelled:
        path = relabelled[0]
        yield (
            f"the labels of {count(len(relabelled), 'test picture')}: '{path}' is "
            f"'{one[path]}' and '{other[path]}'"
        )
    if own != theirs or one.keys() != other.keys():
        for option, value in first.split.items():
            if value != second.split[option]:
                yield f"{option}: {_said(value)} and {_said(second.split[option])}"


def _said(value: Any) -> str:
    return "none" if value is None else str(value)


def _remedy(first: Answers, second: Answers) -> str:
    """The command that trains on the same split, as far as the run tells."""
    split, location = first.split, first.data.get("location")
    if location in (None, "arrays"):
        return f"Train again on the same data with seed={split['seed']}."
    words = ["tellapart", "train", str(location), "--seed", str(split["seed"])]
    if split["test_split"] != second.split["test_split"]:
        words += ["--test-split", str(split["test_split"])]
    if split["labels"]:
        words += ["--labels", str(split["labels"])]
    if split["keep_validation"]:
        words.append("--keep-validation")
    return (
        "Train the second one on the same pictures and the same split, and compare again: "
        f"{shlex.join(words)}"
    )


def _read(file: Path) -> tuple[dict[str, str], dict[str, str]]:
    actual: dict[str, str] = {}
    predicted: dict[str, str] = {}
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, restval="", strict=True):
                path, own, said = unquoted_row((row["path"], row["actual"], row["predicted"]))
                actual[path], predicted[path] = own, said
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise RunError(
            f"{file} cannot be read ({type(error).__name__}: {error}). Expected a line for each "
            "test picture, with the columns path, actual and predicted."
        ) from error
    if not actual:
        raise RunError(f"{file} names no pictures: there is nothing to compare.")
    return actual, predicted
