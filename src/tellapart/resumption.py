"""Going on with a run that did not come to its end: what was asked then, and what differs now.

`run.json` knows the data, the options and the versions; `split.csv` who trains and who tests.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tellapart import runs
from tellapart.data.dataset import PARTS, Dataset
from tellapart.data.split import Split, read_split_rows
from tellapart.data.wording import SHOWN, bullets, count
from tellapart.errors import RunError, UsageError
from tellapart.models.registry import describe
from tellapart.runs import RunFolder

CHANGEABLE = (
    "augment",
    "batch_size",
    "budget",
    "class_weight",
    "early_stopping",
    "epochs",
    "label_smoothing",
    "learning_rate",
    "restore_best_weights",
    "schedule",
    "test_time_augmentation",
)
"""Options with which training can go on from where it was. Others make another network or split."""

DECIDING_VERSIONS = ("tellapart", "keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy")
DECIDING_MACHINE = ("machine", "processor", "cores")


@dataclass(frozen=True)
class Request:
    """What a caller asks of a training.

    Attributes:
        data: anything that `load` takes.
        recipe: its name.
        model: a name, a file, a function or a `keras.Model`; None: what fits.
        keep_validation: see `pipeline.train`.
        labels: a CSV that corrects labels.
        budget_seconds: None: none.
        backend: of Keras.
        options: fields of `Recipe` that were set.
        asked: all of it by name, for `run.json`.
    """

    data: Any
    recipe: str = "auto"
    model: Any = None
    keep_validation: bool = False
    labels: Path | None = None
    budget_seconds: float | None = None
    backend: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)

    def source(self) -> dict[str, Any]:
        """Where data and model can be found again; see docs/files.md."""
        return {
            "data": _as_text(self.data),
            "model": _as_text(self.model),
            "folder": str(Path.cwd()),
            "digests": _digests(self.model, self.labels, self.options.get("weights")),
        }


@dataclass(frozen=True, eq=False)
class Resumption:
    """A run folder in which a run is to go on, locked for this process.

    Attributes:
        folder: of the run.
        info: its `run.json`, as the process before left it.
        allow_changes: whether data and options may differ.
    """

    folder: RunFolder
    info: dict[str, Any] = field(repr=False)
    allow_changes: bool = False

    @classmethod
    def open(cls, path: Path | str, *, allow_changes: bool = False) -> Resumption:
        """Takes the folder.

        Raises:
            RunError: there is none, a process is at work in it, the run is whole, or it is of a
                tellapart that could not resume.
        """
        folder = RunFolder.open(path)
        folder.claim()
        try:
            info = folder.read_info()
            _check_resumable(folder, info)
        except BaseException:
            folder.release()
            raise
        return cls(folder, info, allow_changes)

    @property
    def had_begun(self) -> bool:
        """Whether the recipe was settled and the pictures divided."""
        return "data" in self.info and (self.folder.path / runs.SPLIT_CSV).is_file()

    def request(
        self, data: Any = None, model: Any = None, changes: Mapping[str, Any] | None = None
    ) -> Request:
        """What is asked now: what was asked then, but for changes.

        Args:
            data: where it is now; None: where it was.
            model: a model that `run.json` cannot name; None: the one that was named.
            changes: options by name, as `ta.train` takes them.

        Raises:
            RunError: something differs from what was asked then, and must not.
            UsageError: data or model must be given.
        """
        asked, source = self.info["asked"], self.info["source"]
        given = {name: value for name, value in (changes or {}).items() if value is not None}
        options = self._options()
        now = {**options, **given}
        different = [
            name for name in sorted(given) if _plain(given[name]) != _plain(options.get(name))
        ]
        differs = [
            f"{name} was {_shown(options.get(name))}, and is {_shown(now[name])} now"
            for name in different
        ]
        request = Request(
            self._again("data", data, "the data it was trained on"),
            asked.get("recipe", "auto"),
            self._model(model),
            bool(asked.get("keep_validation")),
            self._path(asked.get("labels")),
            now.pop("budget", None),
            asked.get("backend"),
            now | ({"weights": str(self._path(now["weights"]))} if now.get("weights") else {}),
            asked | {name: _as_asked(name, given[name]) for name in different},
        )
        if model is not None and source.get("model") is not None:
            named = describe(model)
            if named != asked.get("model"):
                different.append("model")
                differs.append(f"model was {asked.get('model')!r}, and is {named!r} now")
        files = _changed_files(source.get("digests", {}), request.source()["digests"])
        self._refuse_changes(different, [*differs, *files])
        return request

    def check_data(self, dataset: Dataset, fingerprint: str) -> list[str]:
        """Compares the data with what the run was begun with.

        Returns:
            What differs, in words.

        Raises:
            RunError: it does, and must not; or the classes are others.
        """
        before = self.info.get("data")
        if not isinstance(before, dict):
            return []
        if list(before.get("class_names", [])) != list(dataset.class_names):
            raise RunError(
                f"{dataset.location} has the classes {', '.join(dataset.class_names)}, and the run "
                f"{self.folder.path} was begun with {', '.join(before.get('class_names', []))}: "
                "that is another network. Train anew."
            )
        if before.get("fingerprint") == fingerprint:
            return []
        differences = self._differences(dataset)
        if not self.allow_changes:
            raise RunError(
                f"{dataset.location} is not what the run {self.folder.path} was begun with:"
                f"{bullets(differences)}\nPut back what was there; train anew; or go on with "
                "--allow-changes: new pictures are left out, the others stay in their parts."
            )
        return differences

    def parts(self, dataset: Dataset, seed: int) -> Split | None:
        """The parts as they were, of the pictures that are still there; None: not drawn yet."""
        if not self.had_begun:
            return None
        rows = read_split_rows(self.folder.path / runs.SPLIT_CSV)
        part_of = {row.path: row.part for row in rows}
        found = [part_of.get(_written(path)) for path in dataset.paths]
        train, validation, calibration, test = (
            np.flatnonzero([own == part for own in found]).astype(np.int64) for part in PARTS
        )
        return Split(train, validation, calibration, test, seed)

    def differences_of_machine(self) -> list[str]:
        """What else decides the last bit of a weight, and is not what it was."""
        pairs = [
            (self.info.get("versions"), runs.describe_versions(), DECIDING_VERSIONS),
            (self.info.get("machine"), runs.describe_machine(), DECIDING_MACHINE),
        ]
        found = []
        for before, now, names in pairs:
            if not isinstance(before, dict):
                continue
            for name in names:
                old, new = before.get(name), now.get(name)
                if old != new:
                    found.append(f"{name} was {old or 'not there'}, and is {new or 'not there'}")
        return found

    def _options(self) -> dict[str, Any]:
        """The options as they were settled; before that, as they were asked for."""
        asked = dict(self.info["asked"])
        for name in ("recipe", "model", "keep_validation", "labels", "backend"):
            asked.pop(name, None)
        if isinstance(asked.get("budget"), str):
            asked["budget"] = float(asked["budget"].removesuffix("s"))
        recipe = self.info.get("recipe")
        if self.had_begun and isinstance(recipe, dict):
            settled = {
                name: value
                for name, value in recipe.items()
                if name not in ("name", "model", "transfer", "budget_seconds") and value is not None
            }
            asked = {**settled, "budget": recipe.get("budget_seconds")}
        asked["image_size"] = asked.get("image_size") and tuple(asked["image_size"])
        return {name: value for name, value in asked.items() if value is not None}

    def _model(self, given: Any) -> Any:
        asked, source = self.info["asked"], self.info["source"]
        if given is not None:
            return given
        if "model" not in asked:  # what fitted
            return self.info["recipe"]["model"] if self.had_begun else None
        text = source.get("model")
        if text is None:
            return self._again("model", given, "the model")
        file, colon, function = text.partition(".py:")
        if colon:
            return f"{self._path(file + '.py')}:{function}"
        return str(self._path(text)) if text.endswith(".keras") else text

    def _again(self, name: str, given: Any, what: str) -> Any:
        """What is given now, or what `run.json` names."""
        if given is not None:
            return given
        text = self.info["source"].get(name)
        if text is None:
            raise UsageError(
                f"{self.folder.path / runs.RUN_JSON} cannot name {what}, which was no file and no "
                f"name: give it again, as in ta.resume({str(self.folder.path)!r}, {name}=...)."
            )
        return str(self._path(text))

    def _path(self, text: str | None) -> Any:
        """A path as it was given, from the folder in which it was given."""
        if text is None:
            return None
        folder = Path(self.info["source"].get("folder", "."))
        elsewhere = folder / text
        return elsewhere if folder != Path.cwd() and elsewhere.exists() else Path(text)

    def _refuse_changes(self, names: Sequence[str], lines: Sequence[str]) -> None:
        if not lines:
            return
        impossible = [name for name in names if name not in CHANGEABLE]
        if self.allow_changes and not impossible:
            return
        remedy = (
            f"Training cannot go on with another {', '.join(impossible)}: train anew."
            if impossible
            else "Leave that out or put it back; or go on with --allow-changes; or train anew."
        )
        raise RunError(
            f"The run {self.folder.path} was begun with something else:{bullets(lines)}\n{remedy}"
        )

    def _differences(self, dataset: Dataset) -> list[str]:
        """How the pictures differ from those of `split.csv`, in words."""
        if not self.had_begun:
            return ["pictures, labels or names are others"]
        before = {row.path: row.label for row in self._rows()}
        excluded = {item.get("path") for item in self.info["data"].get("excluded", [])}
        now = {
            _written(path): dataset.class_names[label]
            for path, label in zip(dataset.paths, dataset.labels.tolist(), strict=True)
        }
        found = {
            "new": [path for path in now if path not in before and path not in excluded],
            "gone": [path for path in before if path not in now],
            "under another label": [
                path for path, label in before.items() if now.get(path, label) != label
            ],
        }
        lines = [
            f"{count(len(paths), 'picture')} {'is' if len(paths) == 1 else 'are'} {how}: "
            + ", ".join(paths[:SHOWN])
            + (", ..." if len(paths) > SHOWN else "")
            for how, paths in found.items()
            if paths
        ]
        return lines or ["pictures of the same names have other content"]

    def _rows(self) -> Any:
        return read_split_rows(self.folder.path / runs.SPLIT_CSV)


def is_whole(info: Mapping[str, Any]) -> bool:
    """Whether nothing is left to do: it was measured, and its report was drawn."""
    ended = info.get("status") in ("finished", "interrupted")
    return ended and "accuracy" in info and "seconds_after_audit" in info


def _check_resumable(folder: RunFolder, info: Mapping[str, Any]) -> None:
    if not is_whole(info):
        if isinstance(info.get("source"), dict) and isinstance(info.get("asked"), dict):
            return
        raise RunError(
            f"{folder.path / runs.RUN_JSON} does not say what was asked: the run is of a tellapart "
            "that could not resume. Train anew."
        )
    # Its process may have been killed between its last word and that.
    shutil.rmtree(folder.path / runs.CHECKPOINTS, ignore_errors=True)
    how = "is finished"
    if info["status"] == "interrupted":
        done = info.get("training", {}).get("epochs_done")
        how = f"was ended early with Ctrl-C, after {done} epochs, and is whole"
    raise RunError(
        f"The run {folder.path} {how}: there is nothing to resume. Its test pictures were looked "
        "at, so that it does not go on; train anew, with more --epochs if that is what you want."
    )


def _digests(model: Any, *files: Any) -> dict[str, str]:
    """sha256 of the files that decide a run beside the pictures, by name."""
    paths = [Path(str(file)) for file in files if file is not None]
    text = _as_text(model)
    if text is not None and ".py:" in text:
        paths.append(Path(text.partition(".py:")[0] + ".py"))
    elif text is not None and text.endswith(".keras"):
        paths.append(Path(text))
    return {path.name: _digest(path) for path in paths if path.is_file()}


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _changed_files(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [
        f"{name} is not the file that it was" for name in now if before.get(name, "") != now[name]
    ]


def _as_asked(name: str, value: Any) -> Any:
    return f"{value:g}s" if name == "budget" else value


def _as_text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | Path) else None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)


def _written(name: str) -> str:
    """A name as `split.csv` has it."""
    return name.encode("utf-8", "backslashreplace").decode()
