"""Checkpoints: files that hold all that training needs to go on as if nothing had happened.

checkpoints/000041.npz    the last but one
checkpoints/000042.npz    the newest: one that cannot be read is named, and the other one taken

A file holds arrays in groups (weights, optimizer, ...) and a state in JSON. Nothing in it is
pickled, and nothing is believed before sizes, types and the checksum over all of it are right.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import RunError, TellapartError, UsageError
from tellapart.files import flush_folder, write_error, write_with
from tellapart.training.stopping import Stopping

FORMAT_VERSION = 1

KEPT = 2
"""So many of the newest checkpoints are kept."""

SECONDS_VARIABLE = "TELLAPART_CHECKPOINT_SECONDS"
"""An environment variable: seconds between two checkpoints, whatever they cost."""

MOST_STATE_BYTES = 2**26
"""Of JSON: a row for each epoch, and a little more."""

MOST_ARRAYS = 100_000

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where training was.

    Attributes:
        epoch: complete epochs.
        step: updates made in the epoch that follows them.
        state: all that is not an array; JSON, in which numbers may be infinite or NaN.
        arrays: in groups, each in an order of its own.
    """

    epoch: int
    step: int
    state: dict[str, Any]
    arrays: dict[str, list[Array]] = field(repr=False)


class DamagedCheckpointError(RunError):
    """A checkpoint that is not what was written."""


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint so that it is whole or not there, also after a power cut.

    Raises:
        TellapartError: it could not be written: no space, no permission, ...
    """
    groups = {
        name: [np.asarray(array, order="C") for array in arrays]
        for name, arrays in checkpoint.arrays.items()
    }
    head = {
        "format_version": FORMAT_VERSION,
        "epoch": checkpoint.epoch,
        "step": checkpoint.step,
        "arrays": {
            name: [{"shape": array.shape, "dtype": array.dtype.name} for array in arrays]
            for name, arrays in groups.items()
        },
        "state": checkpoint.state,
    }
    text = json.dumps(head).encode()
    members = {"head": np.frombuffer(text, np.uint8)}
    for name, arrays in groups.items():
        for number, array in enumerate(arrays):
            members[f"{name}-{number}"] = _as_numbers(array)
    members["sha256"] = np.frombuffer(_digest(members), np.uint8)
    write_with(path, lambda stream: np.savez(stream, **members))  # type: ignore[arg-type]
    flush_folder(path.parent)


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads what `write_checkpoint` wrote.

    Memory stays below the size of the file.

    Raises:
        DamagedCheckpointError: it is not what was written.
        RunError: it is of a newer format, or cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _read_members(archive)
        return _understand(members, path)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:  # the file may be as it should
        raise RunError(f"{path} cannot be read: there is not enough memory.") from error
    except (
        ValueError, KeyError, TypeError, AttributeError, EOFError, RuntimeError,
        RecursionError, NotImplementedError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        reason = str(error).strip("'.")
        raise DamagedCheckpointError(f"{path} is no whole checkpoint: {reason}.") from error


class Checkpoints:
    """The checkpoints of a run, numbered as they come.

    Attributes:
        newest: the newest one that can be read, when this was made; None: there is none.
        notes: names those that are damaged.
        stopping: asked while training whether the process is to end.
        every_seconds: between two checkpoints, where SECONDS_VARIABLE says so.
        began: by the clock, when what a budget counts began; earlier, where a run is resumed.
    """

    def __init__(self, folder: Path, stopping: Stopping | None = None) -> None:
        """Reads the newest one.

        Raises:
            RunError: it is of a newer format, or the system does not let it be read.
            UsageError: SECONDS_VARIABLE is no number of seconds.
        """
        self._folder = folder
        self.stopping = stopping or Stopping()
        self.every_seconds = _asked_interval()
        self.began = time.monotonic()
        self.newest: Checkpoint | None = None
        self.notes: list[str] = []
        for path in reversed(self._paths()):
            try:
                self.newest = read_checkpoint(path)
                break
            except DamagedCheckpointError as error:
                self.notes.append(f"{error} It is left out; the one before it is taken.")
                with contextlib.suppress(OSError):  # or it would count among those that are kept
                    path.unlink()

    def write(self, checkpoint: Checkpoint) -> None:
        """Adds a checkpoint, and removes all but the newest ones.

        Raises:
            TellapartError: it could not be written. Those that are there are untouched.
        """
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise write_error(self._folder, error) from error
        before = self._paths()
        number = int(before[-1].stem) + 1 if before else 1
        write_checkpoint(self._folder / f"{number:06}.npz", checkpoint)
        for path in before[: 1 - KEPT]:
            with contextlib.suppress(OSError):
                path.unlink()

    def remove(self) -> None:
        """Removes them all: the run is whole."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _paths(self) -> list[Path]:
        """The oldest first."""
        try:
            found = [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
        except OSError:
            return []
        return sorted(found, key=lambda path: int(path.stem))


def _asked_interval() -> float | None:
    text = os.environ.get(SECONDS_VARIABLE)
    if text is None:
        return None
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise UsageError(f"{SECONDS_VARIABLE} is {text!r}: expected seconds, such as 60 or 0.")
    return float(text)


_NAME = re.compile(r"\d{6,9}\.npz")


def check_fits(
    what: str, arrays: Sequence[Array], expected: Sequence[tuple[tuple[int, ...], str]]
) -> None:
    """Makes sure that arrays of a checkpoint are for the network at hand.

    Raises:
        RunError: number, shape or type differ.
    """
    found = [(array.shape, array.dtype.name) for array in arrays]
    if found == list(expected):
        return
    if len(found) != len(expected):
        differs = f"{len(found)} arrays of the {what}, and the network has {len(expected)}"
    else:
        ours, theirs = next(
            pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1]
        )
        differs = f"an array of the {what} of {ours[0]} {ours[1]}, the network {theirs[0]} "
        differs += theirs[1]
    raise RunError(
        f"The checkpoint has {differs}: it is of another network. Train anew, with --out or "
        "without it."
    )


def _understand(members: dict[str, Array], path: Path) -> Checkpoint:
    expected = members.pop("sha256", np.empty(0, np.uint8)).tobytes()
    if expected != _digest(members):
        raise ValueError("its checksum is not that of its content")
    head = json.loads(members.pop("head").tobytes())
    version = head.get("format_version")
    if version != FORMAT_VERSION:
        raise RunError(
            f"{path} has format version {version!r}; this tellapart reads {FORMAT_VERSION}. "
            "Go on with the tellapart that wrote it, or train anew."
        )
    arrays = {
        name: [
            _take(members, f"{name}-{number}", about["shape"], about["dtype"])
            for number, about in enumerate(abouts)
        ]
        for name, abouts in head["arrays"].items()
    }
    if members:
        raise ValueError(f"it holds '{next(iter(members))}', which nothing tells of")
    return Checkpoint(int(head["epoch"]), int(head["step"]), dict(head["state"]), arrays)


def _read_members(archive: zipfile.ZipFile) -> dict[str, Array]:
    infos = archive.infolist()
    if len(infos) > MOST_ARRAYS:
        raise ValueError(f"it holds {len(infos):,} arrays; at most {MOST_ARRAYS:,} are read")
    members = {}
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED:  # so that none is larger than the file
            raise ValueError(f"'{info.filename}' is compressed")
        if info.filename == "head.npy" and info.file_size > MOST_STATE_BYTES:
            raise ValueError(f"its state has {info.file_size:,} bytes")
        with archive.open(info) as stream:
            members[info.filename.removesuffix(".npy")] = _read_array(stream, info)
    return members


def _read_array(stream: Any, info: zipfile.ZipInfo) -> Array:
    version = np.lib.format.read_magic(stream)
    readers: Mapping[Any, Callable[..., Any]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, fortran, dtype = readers[version](stream)
    if dtype.hasobject or dtype.kind not in "biufc" or fortran:
        raise ValueError(f"'{info.filename}' holds {dtype}, which are no plain numbers")
    content = stream.read()
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"'{info.filename}' has {len(content):,} bytes for shape {shape}")
    return np.frombuffer(content, dtype).reshape(shape)


def _take(members: dict[str, Array], name: str, shape: list[int], dtype: str) -> Array:
    array = members.pop(name)
    kind = _dtype(dtype)
    if array.dtype != _number_type(kind) or array.shape != tuple(shape):
        raise ValueError(f"'{name}' is {array.shape} {array.dtype}, not {tuple(shape)} {dtype}")
    return array.view(kind)


def _as_numbers(array: Array) -> Array:
    """The same bytes in a type that NumPy's file format knows: it has no bfloat16."""
    if array.dtype.hasobject:
        raise TellapartError(f"An array of {array.dtype} cannot be kept in a checkpoint.")
    return array.view(_number_type(array.dtype))


def _number_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype.kind in "biufc" else np.dtype(f"uint{8 * dtype.itemsize}")


def _dtype(name: str) -> np.dtype[Any]:
    if name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        import ml_dtypes

        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return found
    return np.dtype(name)


def _digest(members: Mapping[str, Array]) -> bytes:
    """sha256 over names, types, shapes and content."""
    digest = hashlib.sha256()
    for name, array in sorted(members.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\0".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.digest()
