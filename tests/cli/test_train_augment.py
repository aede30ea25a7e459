"""`tellapart train` with augmentation, class weights and a budget."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from tests.cli.conftest import Run
from tests.conftest import save_picture


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Uneven classes, 24 red pictures and 6 blue ones, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for name, colour, count in (("red", (210, 50, 40), 24), ("blue", (40, 60, 200), 6)):
        for number in range(count):
            save_picture(Path("photos", name, f"{number:02}.png"), colour)
    return Path("photos")


def train(run: Run, *options: str) -> tuple[dict[str, object], str]:
    """Returns the recipe that was used, and what was said."""
    options = ("--epochs", "1", "--model", "classic-28", "--out", "run", "--json", *options)
    done = run("train", "photos", *options)
    assert done.code == 0, done.err
    return json.loads(done.out)["recipe"], " ".join(done.err.split())


def operations(graph: Path) -> list[str]:
    return sorted(node.op_type for node in onnx.load(str(graph)).graph.node)


def test_augmentation_is_not_in_the_classifier_file(run: Run, photos: Path) -> None:
    recipe, _ = train(run, "--augment", "strong,mixup", "--class-weight", "none")
    assert recipe["augment"] == "strong,mixup"
    augmented = operations(Path("run/classifier.onnx"))
    Path("run").rename("with")
    train(run, "--augment", "none", "--class-weight", "none")
    assert augmented == operations(Path("run/classifier.onnx"))


def test_auto_says_what_it_does_about_uneven_classes(run: Run, photos: Path) -> None:
    recipe, said = train(run)
    assert recipe["class_weight"] == "balanced"
    assert "24 pictures of 'red', 6 of 'blue'. In training each of the latter counts" in said
    assert "about 4.0 times as much" in said
    assert recipe["augment"] == "light"
    assert "mirrored and shifted a little" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--augment", "flp"), "unknown operation 'flp' (did you mean 'flip'?), expected flip"),
        (("--augment", "rotate=999"), "rotate is '999', expected degrees from 0 to 180"),
        (("--class-weight", "some"), "'some' is not one of 'auto', 'balanced', 'none'"),
        (("--budget", "soon"), "Budget 'soon': expected a time from 1s to 30 days"),
    ],
)
def test_wrong_usage(run: Run, photos: Path, options: tuple[str, ...], words: str) -> None:
    done = run("train", "photos", "--out", "run", *options)
    assert done.code == 2
    assert words in " ".join(done.err.replace("│", " ").split())
    assert not Path("run").exists()
