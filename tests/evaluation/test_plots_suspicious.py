"""The sheet of suspicious labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tellapart.data import load
from tellapart.evaluation.plots.suspicious import MOST, draw_suspicious, plot_suspicious
from tellapart.evaluation.suspicious import Suspicion
from tests.conftest import save_picture
from tests.evaluation.pages import assert_readable, read_png, words


def folder(tmp_path: Path, *names: str) -> Path:
    for number in range(60):
        name = names[number % len(names)]
        size = (300, 120) if number % 3 else (9, 14)
        save_picture(tmp_path / "data" / name / f"{number:02}.png", (250, 20, 20), size)
    return tmp_path / "data"


def test_it_shows_the_given_and_the_suggested_label(tmp_path: Path) -> None:
    long = "a very long name of a class that does not fit below a picture"
    dataset = load(folder(tmp_path, "cat", "$x_猫", long))
    (tmp_path / "data" / dataset.paths[1]).unlink()  # vanished: grey
    suspicions = [Suspicion(index, index % 3, (index + 1) % 3, 0.01) for index in range(50)]
    page = draw_suspicious(dataset, suspicions)
    assert_readable(page)
    said = " ".join(words(page))
    assert "36 of 50, the most suspicious first" in said
    assert "labelled cat" in said
    assert "rather cat?" in said
    assert dataset.paths[35][-7:] in said
    assert dataset.paths[36][-7:] not in said
    assert plot_suspicious(dataset, suspicions, tmp_path / "sheet.png") == MOST == 36
    pixels = read_png(tmp_path / "sheet.png").astype(int)
    reddish = (pixels[..., 0] > 200) & (pixels[..., 1] < 60) & (pixels[..., 2] < 60)
    assert reddish.sum() > 100_000  # 35 pictures of 192 by 77 or 123 pixels are on it


def test_a_sheet_without_any(tmp_path: Path) -> None:
    dataset = load(folder(tmp_path, "cat", "dog"))
    assert "none was found" in " ".join(words(draw_suspicious(dataset, [])))
    assert plot_suspicious(dataset, [], tmp_path / "sheet.png") == 0
    assert np.ptp(read_png(tmp_path / "sheet.png")) > 0
