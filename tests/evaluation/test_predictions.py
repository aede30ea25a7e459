from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import DataError, ModelError
from tellapart.evaluation import prediction_rows, write_predictions_csv

P = np.array([[0.75, 0.25], [0.125, 0.875], [1 / 3, 2 / 3]], dtype=np.float64)
LABELS = np.array([0, 0, 1])
NAMES = ["cat", 'dog, "big"']
SOURCES = ["cat/1.png", "cat/ü 猫.png", "line\nbreak.png"]


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_rows_survive_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions_csv(path, P, LABELS, NAMES, SOURCES)
    assert read(path) == [
        ["path", "actual", "predicted", "correct", "probability", "p(cat)", 'p(dog, "big")'],
        ["cat/1.png", "cat", "cat", "true", "0.75", "0.75", "0.25"],
        ["cat/ü 猫.png", "cat", 'dog, "big"', "false", "0.875", "0.125", "0.875"],
        ["line\nbreak.png", *['dog, "big"'] * 2, "true", "0.666667", "0.333333", "0.666667"],
    ]


@pytest.mark.parametrize(("classes", "columns"), [(100, 105), (101, 5)])
def test_a_column_per_class_up_to_a_hundred(classes: int, columns: int) -> None:
    names = [f"c{i}" for i in range(classes)]
    p = np.eye(classes, dtype=np.float32)
    rows = list(prediction_rows(p, np.arange(classes), names, names))
    assert {len(row) for row in rows} == {columns}
    assert len(rows) == classes + 1
    assert all(row[3] == "true" and row[4] == "1" for row in rows[1:])


def test_more_rows_than_a_chunk(tmp_path: Path) -> None:
    n = 2500
    p = np.repeat(P[:1], n, axis=0)
    path = tmp_path / "predictions.csv"
    write_predictions_csv(path, p, np.arange(n) % 2, NAMES, [str(i) for i in range(n)])
    rows = read(path)[1:]
    assert [row[0] for row in rows] == [str(i) for i in range(n)]
    assert [row[3] for row in rows] == ["true", "false"] * (n // 2)


def test_no_pictures_leave_the_header(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions_csv(path, P[:0], LABELS[:0], NAMES, [])
    assert len(read(path)) == 1


def test_a_file_name_that_is_not_unicode(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions_csv(path, P[:1], LABELS[:1], NAMES, ["bad\udcff.png"])
    assert read(path)[1][0] == "bad\\udcff.png"


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("before")
    with pytest.raises(DataError, match="2 sources for 3 predictions"):
        write_predictions_csv(path, P, LABELS, NAMES, SOURCES[:2])
    with pytest.raises(ModelError, match="not a number"):
        write_predictions_csv(path, P * np.nan, LABELS, NAMES, SOURCES)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
