"""Pictures named by a CSV file of path and label, and part where it says so."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from tellapart.data.classes import check_names, check_number, normalised
from tellapart.data.dataset import PARTS, UNASSIGNED, Dataset
from tellapart.data.folder import FolderSource, change_key, change_of
from tellapart.data.layout import PART_NAMES
from tellapart.data.sizes import measure
from tellapart.data.wording import bullets, count, listed, printable
from tellapart.errors import DataError
from tellapart.images import EXTENSIONS

MAX_BYTES = 2**30

_COLUMNS = {
    "path": ("path", "file", "filename", "image"),
    "label": ("label", "class", "category"),
    "part": ("part", "split", "subset"),
}
_PARTS = {**PART_NAMES, "calibration": "calibration"}

EXPECTED = """Expected a line for each picture, and a first line that names the columns:
  path,label
  pictures/1.jpg,cat
  pictures/2.jpg,dog
A third column, part, may say train, validation or test."""


@dataclass(frozen=True)
class _Row:
    line: int
    path: str
    label: str
    part: str


def load_csv(path: Path, name: str, location: str, *, to_train_on: bool = True) -> Dataset:
    """Reads a CSV; paths in it are relative to its folder.

    Columns are separated by commas, semicolons or tabs, and named path (or file, filename,
    image), label (or class, category) and part (or split, subset; may be missing). Without such
    a first line the first two columns are path and label. `to_train_on` is that of `load`.

    Raises:
        DataError: the file cannot be understood, or names pictures that are not there.
    """
    rows, notes = _distinct(_read(path), path)
    _check_rows(rows, path)
    rows.sort(key=lambda row: row.path)
    names = [row.path for row in rows]
    source = FolderSource(path.parent.absolute(), names, _key(path, names))
    class_names = tuple(sorted({row.label for row in rows}))
    index = {class_name: label for label, class_name in enumerate(class_names)}
    labels = np.array([index[row.label] for row in rows], dtype=np.int64)
    check_names(class_names, location)
    parts = [PARTS.index(_PARTS[row.part]) if row.part else UNASSIGNED for row in rows]
    paths = [printable(PurePath(row.path).as_posix()) for row in rows]
    dataset = Dataset(
        name=name,
        location=location,
        class_names=class_names,
        paths=paths,
        labels=labels,
        parts=np.array(parts, dtype=np.int8),
        source=source,
        sizes=measure(source, paths, location),
        notes=tuple(notes),
    )
    if to_train_on:
        check_number(dataset.count_by_class(), location)
        _check_trained(dataset)
    return dataset


def _read(path: Path) -> list[_Row]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} is larger than {MAX_BYTES:,} bytes. Split it.")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.start}). Save it as CSV UTF-8."
        ) from error
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    delimiter = _delimiter(text.partition("\n")[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        cells = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}.\n{EXPECTED}") from error
    if not cells:
        raise DataError(f"{path} is empty.\n{EXPECTED}")
    columns = _find_columns(path, cells[0][1])
    first = 0 if columns is None else 1
    return _to_rows(path, cells[first:], columns or {"path": 0, "label": 1})


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _find_columns(path: Path, header: list[str]) -> dict[str, int] | None:
    """Returns the position of each column, or None where the first line is a picture already."""
    names = [cell.lower() for cell in header]
    found = {
        column: next(names.index(name) for name in known if name in names)
        for column, known in _COLUMNS.items()
        if set(known) & set(names)
    }
    if {"path", "label"} <= found.keys():
        return found
    if len(header) >= 2 and PurePath(header[0]).suffix.lower() in EXTENSIONS:
        return None
    raise DataError(
        f"{path} has the columns {listed(header)}: no {' and no '.join(_missing(found))}.\n"
        f"{EXPECTED}"
    )


def _missing(found: dict[str, int]) -> list[str]:
    return [f"'{column}'" for column in ("path", "label") if column not in found]


def _to_rows(
    path: Path, cells: Sequence[tuple[int, list[str]]], columns: dict[str, int]
) -> list[_Row]:
    rows, short, no_part = [], [], []
    for line, row in cells:
        values = {name: row[at] if at < len(row) else "" for name, at in columns.items()}
        part = values.get("part", "").lower()
        if not values["path"] or not values["label"]:
            short.append(f"line {line}: {'no path' if not values['path'] else 'no label'}")
        elif part and part not in _PARTS:
            no_part.append(f"line {line}: '{values['part']}'")
        else:
            rows.append(_Row(line, values["path"], normalised(values["label"]), part))
    if short:
        raise DataError(
            f"{path}: {count(len(short), 'line')} without path or label:{bullets(short)}"
        )
    if no_part:
        raise DataError(
            f"{path}: expected train, validation or test as part; found{bullets(no_part)}"
        )
    if not rows:
        raise DataError(f"{path} names no pictures.\n{EXPECTED}")
    return rows


def _distinct(rows: list[_Row], path: Path) -> tuple[list[_Row], list[str]]:
    """Drops lines that say the same again.

    Raises:
        DataError: two lines say different things of one picture.
    """
    first: dict[str, _Row] = {}
    clashes = []
    for row in rows:
        known = first.setdefault(PurePath(row.path).as_posix(), row)
        if (known.label, known.part) != (row.label, row.part):
            clashes.append(
                f"{row.path}: {_said(known)} in line {known.line}, {_said(row)} in line {row.line}"
            )
    if clashes:
        raise DataError(
            f"{path} says different things of {count(len(clashes), 'picture')}:{bullets(clashes)}\n"
            "Keep one line for each picture."
        )
    again = len(rows) - len(first)
    notes = [f"{count(again, 'line')} that named a picture again ignored."] if again else []
    return list(first.values()), notes


def _said(row: _Row) -> str:
    return f"'{row.label}'" + (f" ({row.part})" if row.part else "")


def _check_rows(rows: Sequence[_Row], path: Path) -> None:
    missing = [
        f"line {row.line}: {row.path}" for row in rows if not _is_file(path.parent / row.path)
    ]
    if missing:
        raise DataError(
            f"{path} names {count(len(missing), 'file')} that cannot be found:{bullets(missing)}\n"
            f"Paths are relative to the folder of the CSV, {path.parent.absolute()}."
        )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _key(path: Path, names: Sequence[str]) -> str:
    changes = [change_of((path.parent / name).stat()) for name in names]
    return change_key(path.parent, names, changes)


def _check_trained(dataset: Dataset) -> None:
    held_out = (dataset.parts == PARTS.index("test")) | (dataset.parts == PARTS.index("validation"))
    trained = set(dataset.labels[~held_out].tolist())
    missing = [name for label, name in enumerate(dataset.class_names) if label not in trained]
    if missing:
        raise DataError(
            f"{dataset.location}: no pictures to train on of {listed(missing)}, but there are "
            "some to validate or test on. Add some, or leave the class out."
        )
