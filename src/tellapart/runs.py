"""A run is a folder: training writes it, everything else reads it.

runs/<data>-<n>/
  run.json           recipe, versions, machine, data fingerprint, status
  split.csv          which picture is in which part
  events.jsonl       what happened, a line each
  audit.json         what the audit found of the pictures
  results.csv        a row an epoch
  model.keras        the trained network
  classifier.onnx    the classifier in one file
  evaluation.json    accuracy with interval, per class, confusion matrix, mistakes
  predictions.csv    every test picture: actual, predicted, probabilities
  trace.json         the data flow, layer by layer
  prediction_trace.json  an ordinary test picture, followed through every layer
  report.html        all of it on one page
  MODEL_CARD.md      what it can do and what not, for whoever it is given to
  plots/*.png        curves, confusion matrix, samples
  traces/            pictures followed through the network, where that was asked for
  explanations/      where the network looked, where that was asked for
  classifier-int8.onnx  the classifier in 8-bit integers, where that was asked for
  checkpoints/       what training goes on from; gone once the run is whole
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from tellapart.errors import RunError, did_you_mean
from tellapart.files import flush_folder, write_error, write_json
from tellapart.folder_lock import is_locked, lock_folder
from tellapart.machine import usable_cores

Status = Literal["running", "finished", "interrupted", "failed", "stopped"]

_running: dict[Path, int] = {}
"""Locks of the folders that this process writes a run into."""

RUN_JSON = "run.json"
SPLIT_CSV = "split.csv"
EVENTS_JSONL = "events.jsonl"
RESULTS_CSV = "results.csv"
AUDIT_JSON = "audit.json"
MODEL_KERAS = "model.keras"
CLASSIFIER_ONNX = "classifier.onnx"
EVALUATION_JSON = "evaluation.json"
PREDICTIONS_CSV = "predictions.csv"
TRACE_JSON = "trace.json"
PREDICTION_TRACE_JSON = "prediction_trace.json"
REPORT_HTML = "report.html"
MODEL_CARD = "MODEL_CARD.md"
PLOTS = "plots"
TRACES = "traces"
EXPLANATIONS = "explanations"
CLASSIFIER_INT8 = "classifier-int8.onnx"
CHECKPOINTS = "checkpoints"

FORMAT_VERSION = 1

TRIES, SECONDS_BETWEEN_TRIES = 5, 0.02
"""How often a folder that is locked is tried."""


@dataclass(frozen=True)
class RunFolder:
    """A run's folder. Paths in it come from the constants of this module.

    Attributes:
        path: of the folder.
        made_parent: whether the folder around it was made for it.
    """

    path: Path
    made_parent: bool = field(default=False, repr=False, compare=False)

    @classmethod
    def create(
        cls, name: str, *, out: Path | None = None, parent: Path = Path("runs")
    ) -> RunFolder:
        """Makes a new folder: `out`, or the next free `parent/name-<n>`.

        The number is taken by making the folder, so two processes never share one.

        Raises:
            RunError: `out` exists and is not empty.
            TellapartError: the folder cannot be made.
        """
        try:
            if out is not None:
                check_free(out)
                out.mkdir(parents=True, exist_ok=True)
                return cls(out)
            made_parent = not parent.exists()
            parent.mkdir(parents=True, exist_ok=True)
            return cls(_make_next(parent, _slug(name)), made_parent)
        except OSError as error:
            raise write_error(out or parent, error) from error

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """Opens an existing run folder.

        Raises:
            RunError: there is none at `path`.
        """
        path = Path(path)
        try:
            if (path / RUN_JSON).is_file():
                return cls(path)
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror}.") from error
        siblings = [run.path.name for run in find_runs(path.parent)] if path.parent.is_dir() else []
        what = "has no run.json: it is not a run folder" if path.exists() else "does not exist"
        raise RunError(f"{path} {what}.{did_you_mean(path.name, siblings)}")

    def check_space(self, needed_bytes: int) -> None:
        """Refuses to start what would not fit on the disk in the end; takes the folder back then.

        What a run that is resumed has written before is written anew, in its place.

        Raises:
            RunError: less than `needed_bytes` are free, or taken by the run already.
        """
        free = shutil.disk_usage(self.path).free
        missing = needed_bytes - sum(
            path.stat().st_size for path in self.path.rglob("*") if path.is_file()
        )
        if free < missing:
            self.remove_if_empty()
            raise RunError(
                f"{self.path} has {free / 2**20:,.0f} MiB free, and the run needs "
                f"{missing / 2**20:,.0f} MiB. Free some space, or name another folder "
                "with --out."
            )

    def remove_if_empty(self) -> None:
        """Takes the folder back where nothing could be written into it."""
        with contextlib.suppress(OSError):
            self.path.rmdir()
            if self.made_parent:
                self.path.parent.rmdir()

    def file(self, name: str) -> Path:
        """The path of a file of the run; a folder below the run's is made if need be.

        Never the run's own: where a drive was disconnected, another one would be begun.
        """
        path = self.path / name
        try:
            if path.parent != self.path:
                path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise write_error(path, error) from error
        return path

    def read_info(self) -> dict[str, Any]:
        """Reads `run.json`.

        Raises:
            RunError: it is damaged or of a newer format.
        """
        path = self.path / RUN_JSON
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read: {error}") from error
        version = info.get("format_version") if isinstance(info, dict) else None
        if version != FORMAT_VERSION:
            raise RunError(
                f"{path} has format version {version!r}; this tellapart reads {FORMAT_VERSION}."
            )
        return dict(info)

    def write_info(self, info: dict[str, Any], *, ends: bool = True) -> None:
        """Writes `run.json` atomically.

        While it says "running", the folder is locked by this process, for `is_running`; with
        another status the lock is given up, unless this is not the end of the work.
        """
        running = info.get("status") == "running"
        if running and self.path.absolute() not in _running:
            self.claim()
        try:
            write_json(self.file(RUN_JSON), {"format_version": FORMAT_VERSION} | info)
            flush_folder(self.path)
        finally:
            if ends and not running:
                self.release()

    def claim(self) -> None:
        """Locks the folder for this process, until `release` or the end of the process.

        Raises:
            RunError: a process, another one or this one, is at work in it.
        """
        path = self.path.absolute()
        if path in _running:
            raise self._taken()
        for patience in reversed(range(TRIES)):
            try:
                lock = lock_folder(path)
                break
            except BlockingIOError:  # may be somebody who only looks, for a moment
                if not patience:
                    raise self._taken() from None
                time.sleep(SECONDS_BETWEEN_TRIES)
        if lock is not None:
            _running[path] = lock

    def release(self) -> None:
        """Gives up the lock, where this process holds it."""
        lock = _running.pop(self.path.absolute(), None)
        if lock is not None:
            os.close(lock)

    def withdraw(self, *, made: bool) -> None:
        """Takes `run.json` back, where nothing else was written; and the folder, if it was made."""
        self.release()
        with contextlib.suppress(OSError):
            (self.path / RUN_JSON).unlink(missing_ok=True)
        if made:
            self.remove_if_empty()

    def _taken(self) -> RunError:
        number = None
        with contextlib.suppress(RunError):
            number = self.read_info().get("process")
        who = f"The process {number}" if isinstance(number, int) else "Another process"
        return RunError(
            f"{who} is at work in {self.path}. Wait for its end, or end it first: two of them "
            "cannot train in one folder."
        )

    def is_running(self) -> bool | None:
        """Whether a process is at work in the folder; None where that cannot be known."""
        return is_locked(self.path)


def find_runs(parent: Path) -> list[RunFolder]:
    """The run folders in `parent`, the oldest first."""
    return [RunFolder(path) for _, path in sorted(_runs_by_age(parent))]


def describe_machine() -> dict[str, Any]:
    """What a figure was measured on: system, processor, cores."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor_name(),
        "cores": usable_cores(),
        "python": platform.python_version(),
    }


def describe_versions() -> dict[str, str]:
    """Versions of what decides a result, of those that are installed."""
    packages = (
        "tellapart", "keras", "tensorflow", "tensorflow-cpu", "jax", "torch",
        "numpy", "pillow", "onnx", "onnxruntime", "tf2onnx",
    )  # fmt: skip
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def now() -> str:
    """The time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_free(out: Path) -> None:
    """Checks that a run may be written to `out`.

    Raises:
        RunError: it exists and is not an empty folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(
            f"{out} exists already and is not an empty folder. Nothing is overwritten: name "
            "another folder with --out, or leave --out away to get the next free one."
        )


def _make_next(parent: Path, name: str) -> Path:
    taken = (re.fullmatch(re.escape(name) + r"-(\d+)", entry.name) for entry in parent.iterdir())
    number = 1 + max((int(match[1]) for match in taken if match), default=0)
    while True:
        path = parent / f"{name}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _slug(name: str) -> str:
    """A name that is safe as a folder's on every system, in any script."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "run"


def _runs_by_age(parent: Path) -> Iterator[tuple[float, Path]]:
    for entry in parent.iterdir():
        info = entry / RUN_JSON
        with contextlib.suppress(OSError):  # one that cannot be read does not hide the others
            if info.is_file():
                yield info.stat().st_mtime, entry


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        match = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text(errors="replace"))
        if match:
            return match[1]
    return platform.processor() or "unknown"
