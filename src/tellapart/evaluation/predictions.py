"""`predictions.csv`: what was predicted for every test picture, a row each.

path,actual,predicted,correct,probability,p(cat),p(dog)
cat/1.png,cat,dog,false,0.75,0.25,0.75
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from tellapart.evaluation.metrics import Labels, Probabilities, check_labels, check_probabilities
from tellapart.files import atomic_path
from tellapart.spreadsheet import quoted, quoted_row

MAX_CLASS_COLUMNS = 100
"""With more classes than this the file would be mostly zeros: it has no column per class then."""

_CHUNK = 1024


def prediction_rows(
    probabilities: Probabilities,
    labels: Labels,
    class_names: Sequence[str],
    sources: Sequence[str],
) -> Iterator[list[str]]:
    """Yields the cells of `predictions.csv`, the header first.

    Args:
        probabilities: (n, classes) floats.
        labels: (n,) integers, the actual classes.
        class_names: in the order of the columns of `probabilities`.
        sources: n names, one a picture.

    Yields:
        path, actual, predicted, correct (true or false), probability (of the predicted class, 6
        significant digits) and, for at most MAX_CLASS_COLUMNS classes, `p(<class>)` of each. Names
        are quoted where a spreadsheet would take them for formulas: see `spreadsheet`.

    Raises:
        ModelError: the probabilities do not fit the classes, or are none.
        DataError: labels or sources do not fit the probabilities.
    """
    check_probabilities(probabilities, len(class_names))
    check_labels(labels, sources, count=len(probabilities), classes=len(class_names))
    detailed = len(class_names) <= MAX_CLASS_COLUMNS
    header = ["path", "actual", "predicted", "correct", "probability"]
    yield [*header, *(quoted(f"p({name})") for name in class_names if detailed)]
    for start in range(0, len(labels), _CHUNK):
        rows = probabilities[start : start + _CHUNK]
        answers = zip(
            sources[start : start + _CHUNK],
            labels[start : start + _CHUNK].tolist(),
            rows.argmax(axis=1).tolist(),
            rows.tolist(),
            strict=True,
        )
        for source, actual, predicted, row in answers:
            yield [
                *quoted_row((source, class_names[actual], class_names[predicted])),
                "true" if actual == predicted else "false",
                format(row[predicted], ".6g"),
                *(format(p, ".6g") for p in row if detailed),
            ]


def write_predictions_csv(
    path: Path,
    probabilities: Probabilities,
    labels: Labels,
    class_names: Sequence[str],
    sources: Sequence[str],
) -> None:
    r"""Writes `prediction_rows` atomically, row by row, as UTF-8.

    File names that are not valid Unicode are written with their stray bytes as \udcXX.

    Raises:
        TellapartError: see `prediction_rows`; or the file cannot be written.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows(prediction_rows(probabilities, labels, class_names, sources))
