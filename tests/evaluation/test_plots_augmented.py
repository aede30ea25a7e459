from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.evaluation.plots.augmented import draw_augmented, plot_augmented, spread
from tellapart.training.augmentation import parse_augmentation
from tellapart.training.batches import Batches
from tests.evaluation.pages import assert_readable, read_png, words


def batches(count: int, shape: tuple[int, int, int], how: str = "strong,cutmix") -> Batches:
    # Coarse patterns: photos, too, have neighbouring pixels that are alike.
    coarse = np.random.default_rng(0).integers(0, 256, (count, 4, 4, shape[2]), np.uint8)
    rows, columns = (np.arange(side) * 4 // side for side in shape[:2])
    pixels = coarse[:, rows][:, :, columns]
    return Batches(
        pixels,
        np.arange(count) % 3,
        np.arange(count)[::-1].copy(),
        4,
        classes=3,
        seed=0,
        augmentation=parse_augmentation(how),
    )


@pytest.mark.parametrize("count", [1, 3, 30])
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (64, 48, 3), (96, 96, 3), (20, 100, 3)])
def test_any_pictures(count: int, shape: tuple[int, int, int], tmp_path: Path) -> None:
    path = tmp_path / "augmentation.png"
    names = ("cat", "$x$ 🚀 猫", "a name of forty letters, all of them, so")
    plot_augmented(batches(count, shape), names, path, title="T", subtitle="strong")
    read_png(path)


def test_the_sheet_shows_what_training_sees(tmp_path: Path) -> None:
    train = batches(1, (4, 4, 1), "flip,shift=0.5")
    plot_augmented(train, ("a", "b", "c"), tmp_path / "sheet.png", title="", subtitle="")
    page = read_png(tmp_path / "sheet.png")
    top = round((0.3 + 0.62 + 0.28) * 150)
    for column, picture in enumerate([train.pixels[0], *(train.seen(0, e) for e in range(6))]):
        # 4 pixels are enlarged to 192; 192/150 + 0.08 inches apart, and 0.24 after the first
        left = round((0.3 + column * (192 / 150 + 0.08) + (column > 0) * 0.24) * 150)
        expected = picture.repeat(48, axis=0).repeat(48, axis=1).repeat(3, axis=2)
        assert np.array_equal(page[top : top + 192, left : left + 192], expected)


def sheet(**changes: Any) -> Any:
    arguments: dict[str, Any] = {
        "images": np.zeros((2, 8, 8, 1), np.uint8),
        "augmented": np.zeros((2, 3, 8, 8, 1), np.uint8),
        "class_names": ["cat", "dog"],
        "epochs": [1, 2, 30],
        "title": "Title",
        "subtitle": "flip",
    }
    return draw_augmented(**(arguments | changes))


def test_words() -> None:
    page = sheet()
    assert_readable(page)
    assert [word.split(": ", 1)[1] for word in words(page)] == [
        "Title", "flip", "as it is", "epoch 1", "epoch 2", "epoch 30", "cat", "dog",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": ["cat"]},
        {"epochs": [1]},
        {"images": np.zeros((0, 8, 8, 1), np.uint8)},
        {"images": np.zeros((2, 9, 8, 1), np.uint8)},
    ],
)
def test_lengths_that_do_not_fit(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected one name and one row a picture"):
        sheet(**changes)


def test_examples_are_spread_over_the_classes() -> None:
    labels = np.array([0, 1, 2] * 20)
    assert sorted(labels[spread(labels, 6)].tolist()) == [0, 0, 1, 1, 2, 2]
    assert sorted(spread(labels[:4], 6).tolist()) == [0, 1, 2, 3]
    assert len(spread(labels[:1], 6)) == 1
