"""The sheet of copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.data import load
from tellapart.data.audit import SIGNATURES, audit
from tellapart.data.audit.sheet import draw_pairs, worst_pairs
from tellapart.data.columns import open_column
from tests.data.audit.pictures import jpeg, photo


def test_the_worst_pairs_come_first_and_are_drawn(tmp_path: Path) -> None:
    for number in range(40):
        folder = tmp_path / "data" / ("cat" if number < 20 else "$x_猫")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(jpeg(photo(number)))
    (tmp_path / "data" / "cat" / "copy.jpg").write_bytes(jpeg(photo(4), 30))
    (tmp_path / "data" / "cat" / "other.jpg").write_bytes(jpeg(photo(30)))
    dataset = load(tmp_path / "data")
    found = audit(dataset, open_column(dataset, SIGNATURES))
    labels = [
        {dataset.labels[found.copies.first[k]], dataset.labels[found.copies.second[k]]}
        for k in worst_pairs(found)
    ]
    assert labels == [{0, 1}, {1}]
    assert len(worst_pairs(found, 1)) == 1
    (tmp_path / "data" / "cat" / "copy.jpg").unlink()  # vanished: grey
    assert draw_pairs(found, tmp_path / "sheet.png") == 2
    drawn = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")).reshape(-1, 3)
    assert len(np.unique(drawn, axis=0)) > 100  # photos are on it


def test_a_sheet_without_copies(tmp_path: Path) -> None:
    for number in range(4):
        folder = tmp_path / "data" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(jpeg(photo(number)))
    dataset = load(tmp_path / "data")
    found = audit(dataset, open_column(dataset, SIGNATURES))
    assert draw_pairs(found, tmp_path / "sheet.png") == 0
    assert (tmp_path / "sheet.png").stat().st_size > 0
