"""Corrected labels: a CSV that a person has edited, in place of what the data says.

    path,label,suggested,score
    tulip/0012.jpg,tulip,crocus,0.004

`tellapart check DATA --labels-out FILE` writes it; what counts when it is read is `path` and
`label`. The data itself stays as it is.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tellapart.data.classes import normalised
from tellapart.data.dataset import Dataset
from tellapart.data.wording import SHOWN, bullets, count, listed
from tellapart.errors import DataError, did_you_mean
from tellapart.files import write_text
from tellapart.spreadsheet import quoted_row, unquoted

COLUMNS = ("path", "label", "suggested", "score")

MAX_BYTES = 2**28


@dataclass(frozen=True)
class _Row:
    line: int
    path: str
    label: str


def relabel(dataset: Dataset, path: str | Path) -> Dataset:
    """Returns the data set with labels taken from a CSV; pictures not named there keep theirs.

    Columns are separated by commas, semicolons or tabs and named in the first line, among them
    path and label. The text is UTF-8, or UTF-16 with a byte order mark. Its fingerprint follows
    the labels. The key of its source does not: the pictures are the same, so what is kept of
    them is, and a classifier still knows which of them it was trained on.

    Args:
        dataset: the pictures; classes stay as they are.
        path: the CSV.

    Raises:
        DataError: the file cannot be read, names pictures or classes that are not there, says
            two things of one picture, or leaves a class without any; all of it is listed.
    """
    path = Path(path)
    rows = list(_unquoted(_read(path)))
    problems = list(_problems(rows, dataset))
    if problems:
        raise DataError(
            f"{path} does not fit {dataset.location}: {count(len(problems), 'problem')}."
            f"{bullets(problems)}\nExpected paths as `tellapart check --labels-out` writes them, "
            f"and labels among {listed(dataset.class_names)}."
        )
    places = {name: index for index, name in enumerate(dataset.paths)}
    classes = {name: label for label, name in enumerate(dataset.class_names)}
    labels = dataset.labels.copy()
    for row in rows:
        labels[places[row.path]] = classes[row.label]
    _check_classes_remain(path, dataset, labels.tolist())
    changed = int((labels != dataset.labels).sum())
    same = len({row.path for row in rows}) - changed
    note = f"{count(changed, 'label is', 'labels are')} taken from {path}" + (
        f"; {same:,} in it {'is' if same == 1 else 'are'} as in the data." if same else "."
    )
    return replace(dataset, labels=labels, notes=(*dataset.notes, note))


def write_labels(path: Path, rows: Iterable[tuple[str, str, str, float]]) -> None:
    """Writes (path, label, suggested, score) rows to be corrected in a spreadsheet, atomically.

    A name that a spreadsheet would take for a formula gets an apostrophe in front, which `relabel`
    takes away again.

    Raises:
        TellapartError: the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")  # so that names with either are quoted
    writer.writerow(COLUMNS)
    for name, label, suggested, score in rows:
        writer.writerow([*quoted_row((name, label, suggested)), f"{score:.3g}"])
    write_text(path, text.getvalue())


def _unquoted(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Takes the apostrophes away; nothing that is read is ever computed."""
    for row in rows:
        yield _Row(row.line, unquoted(row.path), normalised(unquoted(row.label).strip()))


def _problems(rows: Sequence[_Row], dataset: Dataset) -> Iterator[str]:
    """Yields everything that keeps the rows from being used, in the order of the file."""
    paths, classes = set(dataset.paths), list(dataset.class_names)
    known = set(classes)
    first: dict[str, _Row] = {}
    hints = 0
    for row in rows:
        if row.path not in paths:
            yield f"line {row.line}: there is no picture '{row.path}'"
        if not row.label:
            yield f"line {row.line}: '{row.path}' has no label; delete the line to keep the old one"
        elif row.label not in known:
            hint = did_you_mean(row.label, classes) if hints < SHOWN else ""
            hints += 1
            yield f"line {row.line}: there is no class '{row.label}'.{hint}"
        before = first.setdefault(row.path, row)
        if before.label != row.label:
            yield (
                f"line {row.line}: '{row.path}' is '{row.label}' here, and '{before.label}' in "
                f"line {before.line}"
            )


def _check_classes_remain(path: Path, dataset: Dataset, labels: list[int]) -> None:
    used = set(labels)
    gone = [name for label, name in enumerate(dataset.class_names) if label not in used]
    if gone:
        raise DataError(
            f"{path} leaves no picture in {listed(gone)}. Leave some there, or take the class out "
            "of the data."
        )


def _read(path: Path) -> list[_Row]:
    text = _text(path)
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: {error}. Expected CSV, its first line path,label."
        ) from error
    names = [cell.strip().lower() for cell in lines[0][1]] if lines else []
    if not {"path", "label"} <= set(names):
        found = f"has the columns {listed(names)}" if names else "is empty"
        raise DataError(
            f"{path} {found}: expected a first line with path and label, as `tellapart check "
            "--labels-out` writes it."
        )
    at = names.index("path"), names.index("label")
    padded = ((line, [*cells, *[""] * len(names)]) for line, cells in lines[1:])
    return [_Row(line, cells[at[0]], cells[at[1]]) for line, cells in padded]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"Cannot read {path}: {reason}.") from error
    if len(content) > MAX_BYTES:
        raise DataError(
            f"{path} has more than {MAX_BYTES:,} bytes, the most that a list of labels may have. "
            "Name the CSV with the corrected labels."
        )
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.start}). Save it as CSV UTF-8."
        ) from error
