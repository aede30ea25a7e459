"""Pictures that are NumPy arrays already, in memory or in an `.npz` file."""

from __future__ import annotations

import hashlib
import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tellapart.data.classes import check_names, check_number, normalised
from tellapart.data.dataset import PARTS, UNASSIGNED, Dataset, Part
from tellapart.data.listing import LIMITS
from tellapart.data.sizes import measure
from tellapart.data.wording import count, listed
from tellapart.errors import DataError

Array = npt.NDArray[Any]

MAX_BYTES = 32 * 2**30
"""An `.npz` file that declares more is not loaded."""

SHAPES = "(n, height, width) or (n, height, width, channels) with 1, 3 or 4 channels"

_KEYS: tuple[tuple[Part | None, tuple[str, str]], ...] = (
    ("train", ("x_train", "y_train")),
    ("validation", ("x_val", "y_val")),
    ("test", ("x_test", "y_test")),
    (None, ("x", "y")),
    (None, ("images", "labels")),
)


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Pictures in one or several arrays, one array after the other.

    Attributes:
        blocks: each (k, height, width) or (k, height, width, channels) uint8.
        key: sha256 over the types, shapes and pixels.
    """

    blocks: Sequence[npt.NDArray[np.uint8]] = field(repr=False)
    key: str

    def read(self, index: int) -> npt.NDArray[np.uint8]:
        """Returns the pixels of a picture; see `Source.read`."""
        for block in self.blocks:
            if index < len(block):
                pixels: npt.NDArray[np.uint8] = block[index]
                return pixels
            index -= len(block)
        raise IndexError(index)


@dataclass(frozen=True, eq=False)
class Labelled:
    """The pictures and labels of one part, as they come in.

    Attributes:
        x: the pictures, see `SHAPES`.
        y: the labels: (n,) or (n, 1) whole numbers or strings, or (n, classes) one-hot.
        part: None where the source does not say.
        x_name: what errors call the pictures.
        y_name: what errors call the labels.
    """

    x: Any
    y: Any
    part: Part | None = None
    x_name: str = "x"
    y_name: str = "y"


def load_arrays(
    blocks: Sequence[Labelled],
    *,
    class_names: Sequence[str] | None = None,
    name: str = "arrays",
    location: str = "arrays",
    key: str | None = None,
    to_train_on: bool = True,
) -> Dataset:
    """Makes a data set of arrays.

    Classes are sorted by name, with one exception: whole numbers without `class_names` keep
    their numeric order, "2" before "10", so that label i is class i where none is missing.

    Args:
        blocks: the parts.
        class_names: the names of labels 0, 1, ...
        name: see `Dataset`.
        location: see `Dataset`.
        key: the source's key where it is known, to save digesting the pixels.
        to_train_on: see `load`.

    Raises:
        DataError: pictures or labels cannot be understood.
    """
    notes: list[str] = []
    pixels = [_pixels(block, location, notes) for block in blocks]
    names = [
        _names(block, len(x), class_names, location)
        for block, x in zip(blocks, pixels, strict=True)
    ]
    ordered = _ordered(names, class_names, location)
    index = {class_name: label for label, class_name in enumerate(ordered)}
    labels = np.concatenate([_labels(block, index) for block in names])
    source = ArraySource(pixels, key or digest(pixels))
    paths = [
        path for block, x in zip(blocks, pixels, strict=True) for path in _paths(block, len(x))
    ]
    parts = [UNASSIGNED if block.part is None else PARTS.index(block.part) for block in blocks]
    dataset = Dataset(
        name=name,
        location=location,
        class_names=ordered,
        paths=paths,
        labels=labels,
        parts=np.repeat(np.array(parts, dtype=np.int8), [len(x) for x in pixels]),
        source=source,
        sizes=measure(source, paths, location),
        notes=tuple(dict.fromkeys(notes)),
    )
    if to_train_on:
        check_number(dataset.count_by_class(), location)
        _check_trained(blocks, names, location)
    return dataset


def load_npz(
    path: Path,
    name: str,
    location: str,
    *,
    class_names: Sequence[str] | None = None,
    to_train_on: bool = True,
) -> Dataset:
    """Reads an `.npz` file: x_train, y_train and x_test, y_test as Keras has them.

    Also x_val, y_val; without parts x, y or images, labels; and class_names. To evaluate on, any
    of the parts will do.

    Raises:
        DataError: the file is damaged, too large, or lacks these arrays.
    """
    arrays = _read_npz(path)
    if class_names is None and "class_names" in arrays:
        class_names = [str(entry) for entry in arrays["class_names"].ravel()]
    blocks: list[Labelled] = []
    for part, (x, y) in _KEYS:
        if (x in arrays) != (y in arrays):
            missing, present = (y, x) if x in arrays else (x, y)
            raise DataError(f"{path} holds {present} but no {missing}. Save both.")
        if x in arrays and (part is not None or not blocks):
            blocks.append(Labelled(arrays[x], arrays[y], part, x, y))
    if not blocks or (to_train_on and blocks[0].part not in ("train", None)):
        raise DataError(
            f"{path} holds the arrays {listed(sorted(arrays))}: expected x_train and y_train "
            "(with x_val, y_val, x_test, y_test where there are such parts), or x and y."
        )
    return load_arrays(
        blocks, class_names=class_names, name=name, location=location, to_train_on=to_train_on
    )


def digest(blocks: Sequence[Array]) -> str:
    """Returns the sha256 over types, shapes and content of some arrays."""
    total = hashlib.sha256()
    for block in blocks:
        total.update(f"{block.dtype.str} {block.shape}".encode())
        for start in range(0, len(block), 1024):  # a part at a time: it may be memory-mapped
            total.update(np.ascontiguousarray(block[start : start + 1024]).data)
    return total.hexdigest()


def _paths(block: Labelled, number: int) -> list[str]:
    folder = f"{block.part}/" if block.part else ""
    return [f"{folder}{position:06}" for position in range(number)]


def _pixels(block: Labelled, location: str, notes: list[str]) -> npt.NDArray[np.uint8]:
    x: Array = np.asanyarray(block.x)
    what = f"{location}: {block.x_name} has the shape {x.shape} and type {x.dtype}"
    if x.ndim == 4 and x.shape[3] not in (1, 3, 4) and x.shape[1] in (1, 3, 4):
        raise DataError(
            f"{what}: the channels seem to come first. Put them last, with "
            f"{block.x_name}.transpose(0, 2, 3, 1)."
        )
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] not in (1, 3, 4)):
        raise DataError(f"{what}: expected {SHAPES}.")
    if 0 in x.shape:
        raise DataError(f"{what}: there is not a single {'pixel' if len(x) else 'picture'}.")
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind != "f":
        raise DataError(
            f"{what}: expected uint8 (0 to 255) or floating point (0 to 1). If the values are "
            f'0 to 255, convert them with {block.x_name}.astype("uint8").'
        )
    low, high = float(x.min()), float(x.max())
    if math.isnan(low) or math.isnan(high):
        raise DataError(f"{what}: some values are not a number (NaN). Remove or repair them.")
    if low < 0 or high > 1:
        raise DataError(
            f"{what} and values from {low:g} to {high:g}: floating-point pixels are expected "
            f"from 0 to 1. Scale them, or give the original uint8 pixels."
        )
    notes.append("Floating-point pixels 0 to 1 scaled to 0 to 255 and rounded.")
    scaled = [np.rint(x[start : start + 1024] * 255.0) for start in range(0, len(x), 1024)]
    return np.concatenate([part.astype(np.uint8) for part in scaled])


def _names(block: Labelled, number: int, class_names: Sequence[str] | None, location: str) -> Array:
    """Returns the labels as (n,) int64, or as (n,) strings where they are names already."""
    y: Array = np.asanyarray(block.y)
    what = f"{location}: {block.y_name} has the shape {y.shape} and type {y.dtype}"
    if len(y.shape) == 0 or len(y) != number:
        found = len(y) if y.ndim else 1
        raise DataError(
            f"{location}: {block.x_name} has {count(number, 'picture')} and {block.y_name} has "
            f"{count(found, 'label')}. Give a label for each picture."
        )
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    elif y.ndim == 2:
        if y.dtype.kind not in "biuf" or not (
            ((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all()
        ):
            raise DataError(
                f"{what}: expected one label a picture, (n,), or one-hot rows with exactly one 1."
            )
        if class_names is not None and len(class_names) != y.shape[1]:
            raise DataError(
                f"{what}: {count(y.shape[1], 'column')} for "
                f"{count(len(class_names), 'class name')}. Give a name for each column."
            )
        y = y.argmax(1)
    if y.ndim != 1:
        raise DataError(f"{what}: expected (n,), (n, 1), or one-hot (n, classes).")
    if y.dtype.kind == "O" and all(isinstance(entry, str) for entry in y):
        y = y.astype(np.str_)
    if y.dtype.kind == "U":
        return y
    if y.dtype.kind == "f" and np.isfinite(y).all() and (y == np.rint(y)).all():
        y = y.astype(np.int64)
    if y.dtype.kind not in "iu":
        raise DataError(f"{what}: expected whole numbers, strings, or one-hot rows.")
    y = y.astype(np.int64)
    if class_names is not None and not (y.min() >= 0 and y.max() < len(class_names)):
        raise DataError(
            f"{location}: {block.y_name} holds labels from {y.min()} to {y.max()}, but there are "
            f"{count(len(class_names), 'class name')}. Expected labels from 0 to "
            f"{len(class_names) - 1}."
        )
    if class_names is not None:
        names: Array = np.array([normalised(str(entry)) for entry in class_names], dtype=np.str_)
        return names[y]
    return y


def _ordered(
    names: Sequence[Array], class_names: Sequence[str] | None, location: str
) -> tuple[str, ...]:
    kinds = {block.dtype.kind for block in names}
    if len(kinds) > 1:
        raise DataError(f"{location}: some labels are names and some are numbers. Use one kind.")
    if class_names is not None:
        given = [normalised(str(entry)) for entry in class_names]
        if len(set(given)) < len(given):
            doubled = sorted({entry for entry in given if given.count(entry) > 1})
            raise DataError(f"{location}: class_names holds {listed(doubled)} more than once.")
    ordered = [str(entry) for entry in np.unique(np.concatenate(names))]
    check_names(ordered, location)
    return tuple(ordered) if kinds == {"i"} else tuple(sorted(ordered))


def _labels(names: Array, index: dict[str, int]) -> npt.NDArray[np.int64]:
    used, inverse = np.unique(names, return_inverse=True)
    return np.array([index[str(entry)] for entry in used], dtype=np.int64)[inverse]


def _check_trained(blocks: Sequence[Labelled], names: Sequence[Array], location: str) -> None:
    trained: set[Any] = set()
    held_out: set[Any] = set()
    for block, labels in zip(blocks, names, strict=True):
        (trained if block.part in ("train", None) else held_out).update(np.unique(labels).tolist())
    if missing := sorted(held_out - trained):
        raise DataError(
            f"{location}: no pictures to train on of {listed([str(name) for name in missing])}, "
            "but there are some to validate or test on. Add some, or leave the class out."
        )


def _read_npz(path: Path) -> dict[str, Array]:
    known = {name for _, pair in _KEYS for name in pair} | {"class_names"}
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename.removesuffix(".npy") for info in archive.infolist()]
            _check_growth(path, archive)
            for info in archive.infolist():
                if info.filename.removesuffix(".npy") in known:
                    with archive.open(info) as stream:
                        _check_header(path, info, stream)
        with np.load(path, allow_pickle=False) as arrays:
            loaded = {name: arrays[name] for name in names if name in known}
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, EOFError, KeyError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is damaged, or not an .npz file ({error}). Save it again."
        ) from error
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory. Give a folder of pictures.") from error
    return loaded or dict.fromkeys(names, np.empty(0))


def _check_growth(path: Path, archive: zipfile.ZipFile) -> None:
    total, packed = sum(info.file_size for info in archive.infolist()), path.stat().st_size
    if total > LIMITS.ratio_from_bytes and total > LIMITS.ratio * packed:
        raise DataError(
            f"{path} looks like a decompression bomb: {packed:,} bytes grow more than "
            f"{LIMITS.ratio:g} times. Save it with numpy.savez, which does not compress, if you "
            "trust it."
        )


def _check_header(path: Path, info: zipfile.ZipInfo, stream: IO[bytes]) -> None:
    """Checks what an array claims to be before any memory is set aside for it."""
    version = np.lib.format.read_magic(stream)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise DataError(
            f"{path}: {info.filename} holds Python objects, which could run code when they are "
            "loaded. Save plain numbers or strings."
        )
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > MAX_BYTES:
        raise DataError(
            f"{path}: {info.filename} claims {claimed:,} bytes, more than the {MAX_BYTES:,} that "
            "are loaded at most. Give a folder of pictures."
        )
    if claimed > info.file_size:
        raise ValueError(f"{info.filename} claims more than it holds")
