"""Label checks: which pictures are judged, by what, and that nothing is computed twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.approaches import label_check
from tellapart.approaches.label_check import check_labels
from tellapart.approaches.transfer import feature_measure
from tellapart.data import load
from tellapart.data.columns import is_kept
from tellapart.models.backbones import get_backbone
from tests.conftest import save_picture


def test_positions_are_those_of_the_data_set(colour_folder: Path) -> None:
    """With two pictures left out before it, the wrong label is still found at its own place."""
    (colour_folder / "blue" / "07.png").rename(colour_folder / "red" / "06b.png")
    dataset = load(colour_folder)
    seen: list[int] = []
    checked = check_labels(
        dataset, exclude=[0, 3], on_progress=lambda done, total: seen.append(done)
    )
    assert checked.rows()[0][:3] == ("red/06b.png", "red", "blue")
    assert len(checked.judged) == 34
    assert {0, 3}.isdisjoint(checked.judged.tolist())
    assert seen[-1] == 36
    assert "34 labels judged" in checked.note
    assert "2 pictures could not be judged." in checked.note


def test_copies_do_not_vouch_for_each_other(colour_folder: Path) -> None:
    """Three copies of a blue picture among the red ones: told apart only where they are known."""
    blue = colour_folder / "blue" / "07.png"
    for number in range(3):
        (colour_folder / "red" / f"copy{number}.png").write_bytes(blue.read_bytes())
    dataset = load(colour_folder)
    names = [f"red/copy{number}.png" for number in range(3)]
    groups = np.arange(len(dataset))
    copies = [dataset.paths.index(name) for name in names]
    groups[copies] = copies[0]
    checked = check_labels(dataset, groups=groups)
    assert {path for path, *_ in checked.rows()} == set(names)


def test_photos_share_the_features_of_a_transfer(tmp_path: Path) -> None:
    for number in range(8):
        save_picture(tmp_path / "data" / "ab"[number % 2] / f"{number}.png", (9, 9, 9), (90, 80))
    dataset = load(tmp_path / "data")
    recipe = label_check._recipe(dataset)
    assert recipe.image_size == (224, 224)
    check_labels(dataset)
    assert is_kept(dataset, feature_measure(get_backbone(recipe.model), recipe.image_spec))


@pytest.mark.parametrize("pictures", [1, 2])
def test_too_few(colour_folder: Path, pictures: int) -> None:
    for path in colour_folder.glob("*/*.png"):
        if int(path.stem) >= pictures:
            path.unlink()
    checked = check_labels(load(colour_folder))
    assert checked.suspicions == ()
    assert len(checked.judged) == 0
    assert "too few pictures a class to judge their labels" in checked.note
    assert checked.to_json()["labels"] == []
