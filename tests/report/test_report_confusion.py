"""Which pictures of a cell are in the page, and the matrix as a picture."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import Predictions, RunRecord
from tellapart.report.sections import confusion as section
from tellapart.report.sections.confusion import (
    MISTAKES_SHOWN,
    MOST_CLASSES,
    RIGHT_SHOWN,
    choose,
    confusion,
    encode,
    in_turns,
    matrix_picture,
    most_confused,
)
from tests.report.made_runs import make_run


def predictions(rows: list[tuple[int, int, float]]) -> Predictions:
    """Pictures named a, b, c, ... with actual class, predicted class and probability."""
    return Predictions(
        [chr(ord("a") + place) for place in range(len(rows))],
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        np.array([row[2] for row in rows]),
        None,
    )


def test_the_surest_mistakes_and_the_least_sure_right_answers() -> None:
    found = predictions(
        [(0, 0, 0.9), (0, 1, 0.6), (0, 0, 0.5), (0, 1, 0.8), (1, 1, 0.7), (0, 0, 0.7)]
    )
    assert choose(found, [(0, 0), (0, 1)]) == {(0, 0): ["c", "f", "a"], (0, 1): ["d", "b"]}


def test_a_cell_shows_so_many() -> None:
    found = predictions([(0, 1, 0.5)] * 20 + [(0, 0, 0.5)] * 20)
    chosen = choose(found, [(0, 1), (0, 0)])
    assert (len(chosen[0, 1]), len(chosen[0, 0])) == (MISTAKES_SHOWN, RIGHT_SHOWN) == (12, 6)


def test_every_cell_has_its_first_before_any_has_its_second() -> None:
    chosen = {(0, 0): ["a", "b"], (0, 1): ["c", "d", "e"], (1, 1): ["f"], (1, 0): []}
    assert in_turns(chosen) == ["c", "a", "f", "d", "b", "e"]


def test_the_page_has_room_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    names = list("abcdefghi")
    pictures = Pictures(rows, {name: place for place, name in enumerate(names)})
    assert list(encode([*names, "unknown"], pictures)) == names
    monkeypatch.setattr(section, "MOST_PICTURES", 4)
    assert list(encode(names, pictures)) == names[:4]
    one = len(encode(names[:1], pictures)["a"].uri)
    monkeypatch.setattr(section, "ROOM_BYTES", 2 * one)
    assert len(encode(names, pictures)) in (2, 3)  # noise is about as large each time


def test_the_most_frequent_mix_ups() -> None:
    matrix = np.array([[9, 2, 1], [1, 1, 0], [0, 2, 50]])
    # Two of 2 each: the larger share of 12 against 52 comes first; so with those of 1.
    assert most_confused(matrix, 9) == [(0, 1), (2, 1), (1, 0), (0, 2)]
    assert most_confused(matrix, 1) == [(0, 1)]
    assert most_confused(np.diag([3, 4]), 5) == []


def opened(uri: str) -> Any:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_the_matrix_as_a_picture() -> None:
    matrix = np.zeros((40, 40), int)
    matrix[0, 0], matrix[1, 3], matrix[1, 1] = 10, 1, 3
    pixels = opened(matrix_picture(matrix))
    assert pixels.shape == (40, 40, 4)
    assert np.argwhere(pixels[..., 3]).tolist() == [[0, 0], [1, 1], [1, 3]]
    # Opacity 40 + 215 · share, of a mistake its square root: all, three in four, root of a quarter.
    assert pixels[0, 0, 3] == 255
    assert pixels[1, 1, 3] == round(40 + 215 * 0.75)
    assert pixels[1, 3, 3] == round(40 + 215 * 0.5)
    assert pixels[0, 0, 2] > pixels[0, 0, 0]  # blue
    assert pixels[1, 3, 0] > pixels[1, 3, 2]  # orange


def test_a_large_matrix_is_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section, "MATRIX_SIDE", 20)
    matrix = np.zeros((50, 50), int)
    matrix[49, 0] = 1
    pixels = opened(matrix_picture(matrix))
    assert pixels.shape == (17, 17, 4)  # three by three together
    assert np.argwhere(pixels[..., 3]).tolist() == [[16, 0]]


def test_up_to_thirty_classes_are_a_table(tmp_path: Path) -> None:
    for classes in (MOST_CLASSES, MOST_CLASSES + 1):
        names = [f"class {n:02}" for n in range(classes)]
        made = make_run(tmp_path / str(classes), class_names=names, counts=[2] * classes)
        found = confusion(RunRecord.read(made.folder), made.pictures)
        table = classes <= MOST_CLASSES
        assert bool(found["rows"]) == table
        assert (found["picture"] is None) == table


def test_piles_hold_what_the_matrix_counts(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run")
    record = RunRecord.read(made.folder)
    found = confusion(record, made.pictures)
    matrix = record.confusion
    assert sum(pile.count for pile in found["piles"]) == matrix.sum() == 48
    for pile in found["piles"]:
        most = RIGHT_SHOWN if pile.right else MISTAKES_SHOWN
        assert len(pile.shown) == min(pile.count, most)
        for shown in pile.shown:
            row = made.names.index(shown.name)
            assert record.class_names[made.labels[row]] == pile.actual
            assert shown.thumbnail is not None
    assert found["why_not"] == ""


def test_without_pictures_names_are_shown(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run")
    found = confusion(RunRecord.read(made.folder), NoPictures("The folder is gone."))
    assert found["why_not"] == "The folder is gone."
    shown = [shown for pile in found["piles"] for shown in pile.shown]
    assert shown
    assert all(one.thumbnail is None for one in shown)


def test_a_picture_that_has_gone_meanwhile_is_said(tmp_path: Path) -> None:
    from tellapart.errors import DataError

    class Gone:
        shape = (48, 6, 8, 3)

        def __len__(self) -> int:
            return 48

        def __getitem__(self, rows: object) -> object:
            raise DataError("cat/1.png: no such file. It could be read before.")

    made = make_run(tmp_path / "run")
    pictures = Pictures(Gone(), made.pictures.places)
    found = confusion(RunRecord.read(made.folder), pictures)
    assert found["why_not"] == "cat/1.png: no such file. It could be read before."
    assert found["piles"]
