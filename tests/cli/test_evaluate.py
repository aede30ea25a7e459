"""`tellapart evaluate`, with a classifier that knows the colours of `colour_folder`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.cli.test_predict import CLI
from tests.conftest import save_picture
from tests.test_classifier import run_python
from tests.tiny_classifier import save_classifier


@pytest.fixture
def mixed(colour_folder: Path) -> Path:
    """`colour_folder` with 3 of its 12 blue pictures called red."""
    for number in range(3):
        source = colour_folder / "blue" / f"{number:02}.png"
        source.rename(colour_folder / "red" / f"was-blue-{number}.png")
    return colour_folder


def test_the_report(run: Run, here: Path, mixed: Path) -> None:
    done = run("evaluate", "run", mixed)
    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines() if line.strip()]
    # 33 of 36; the interval of Wilson by hand: centre 0.8781, half width 0.0962.
    assert done.out.startswith("Accuracy 0.917 (95% interval 0.782 to 0.971) on 36 pictures; loss ")
    # Recall 12 of 15 in red, all in the others: (0.8 + 1 + 1) / 3. Price and Bonett, K = 3:
    # p = 9.667/10.333, 12.667/13.333, 12.667/16.333, their mean 0.8870; variances 0.00647, 0.00385,
    # 0.01135, so half = 1.959964 / 3 · sqrt(0.02167) = 0.0962.
    assert "Balanced accuracy 0.933 (95% interval 0.791 to 0.983): the mean of" in done.out
    assert ["Class", "Pictures", "Predicted", "Precision", "Recall", "F1"] in lines
    rows = [" ".join(line) for line in lines]
    # Wilson: 9 of 12 is 0.468 to 0.911, 9 of 9 is 0.701 to 1, 12 of 12 0.757, 12 of 15 0.548 to
    # 0.930. F1 of blue: J = 9 / 12, so 2 · 0.468 / 1.468 to 2 · 0.911 / 1.911.
    assert "blue 9 12 0.750 (0.47 to 0.91) 1.000 (0.70 to 1.00) 0.857 (0.64 to 0.95)" in rows
    assert "green 12 12 1.000 (0.76 to 1.00) 1.000 (0.76 to 1.00) 1.000 (0.86 to 1.00)" in rows
    assert "red 15 12 1.000 (0.76 to 1.00) 0.800 (0.55 to 0.93) 0.889 (0.71 to 0.96)" in rows
    assert ["Most", "confused"] in lines
    assert lines[-1] == ["red", "blue", "3"]


def test_no_mistake_shows_no_confusion(run: Run, here: Path, colour_folder: Path) -> None:
    done = run("evaluate", "run", colour_folder)
    assert done.out.startswith("Accuracy 1.000")
    assert "confused" not in done.out


def test_json(run: Run, here: Path, mixed: Path) -> None:
    done = run("evaluate", "run", mixed, "--json")
    found = json.loads(done.out)
    assert found["classifier"] == "run/classifier.onnx"
    assert found["data"] == str(mixed)
    assert found["accuracy"]["value"] == pytest.approx(33 / 36)
    assert found["balanced_accuracy_interval"]["value"] == found["balanced_accuracy"]
    assert found["classes"][0]["precision_interval"]["low"] == pytest.approx(0.468, abs=1e-3)
    assert found["confusion_matrix"] == [[9, 0, 0], [0, 12, 0], [3, 0, 12]]


@pytest.fixture
def telling(here: Path) -> Path:
    """A run that calls unknown what is brighter than 1.5 colours; see tests/tiny_classifier.py."""
    save_classifier(here / "telling" / "classifier.onnx", novelty={"threshold": 1.5})
    Image.new("RGB", (20, 10), (255, 255, 255)).save(here / "white.png")
    return here / "telling"


def test_unknown_pictures(run: Run, here: Path, colour_folder: Path, telling: Path) -> None:
    done = run("evaluate", telling, colour_folder, "--unknown", "white.png", "--unknown", "photos")
    assert done.code == 0
    assert done.out.startswith("Accuracy 1.000 (95% interval 0.904 to 1.000) on 36 pictures")
    # White is the brightest of all, and so called unknown; three pure colours have 1 and an
    # answer, and so have known pictures: blue (40, 60, 200) and red (210, 50, 40) have 300 / 255,
    # green (50, 190, 60) too, give or take some noise: all above the pure ones.
    text = done.out[done.out.index("Unknown pictures") :]
    lines = [line.split("(")[0].split() for line in text.splitlines() if line.strip()]
    assert lines == [
        ["Unknown", "pictures:", "4,", "AUROC", "0.250"],
        ["called", "unknown", "0.250"],
        ["unsure", "0.250"],
        ["Known", "pictures:", "36"],
        ["called", "unknown", "0.000"],
        ["unsure", "0.000"],
    ]
    assert "photos/broken.jpg: is" in done.err


def test_unknown_pictures_as_json(run: Run, here: Path, colour_folder: Path, telling: Path) -> None:
    options = ("--unknown", "white.png", "--json")
    found = json.loads(run("evaluate", telling, colour_folder, *options).out)["unknown"]
    assert found["auroc"]["value"] == found["called_unknown"]["value"] == 1
    assert found["unsure"]["count"] == 1
    assert found["known_unsure"] == found["known_called_unknown"]
    assert found["known_unsure"]["count"] == 36
    assert "unknown" not in json.loads(run("evaluate", telling, colour_folder, "--json").out)


def test_unknown_pictures_that_cannot_be_measured(
    run: Run, here: Path, colour_folder: Path, telling: Path
) -> None:
    done = run("evaluate", telling, colour_folder, "--unknown", "phtos")
    assert (done.code, done.out) == (1, "")
    assert "No such picture or folder: phtos. Did you mean 'photos'?" in done.err
    done = run("evaluate", "run", colour_folder, "--unknown", "white.png")
    assert (done.code, done.out) == (2, "")
    assert "run/classifier.onnx has no score for unknown pictures." in done.err


def test_unreadable_pictures_are_counted_and_named(
    run: Run, here: Path, colour_folder: Path
) -> None:
    for number in range(11):
        (colour_folder / "red" / f"broken-{number:02}.png").write_bytes(b"\x89PNG\r\n\x1a\n no")
    done = run("evaluate", "run", colour_folder)
    assert done.code == 0
    assert "on 36 pictures" in done.out
    assert "11 pictures could not be read and are not counted:" in done.err
    assert "red/broken-00.png: is not a picture that can be read" in done.err
    assert "... and 1 more; --json lists all." in done.err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_class_names_that_the_terminal_cannot_show(here: Path, encoding: str) -> None:
    save_classifier(here / "cat" / "classifier.onnx", class_names=("green", "猫"))
    for name in ("green", "猫"):
        save_picture(here / "data" / name / "1.png", (0, 250, 0))
    command = [sys.executable, "-m", "tellapart", "evaluate", "cat", "data"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    table = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment).stdout
    assert ("猫" if encoding == "utf-8" else "\\u732b") in table.decode(encoding)
    document = subprocess.run(
        [*command, "--json"], stdout=subprocess.PIPE, check=True, env=environment
    ).stdout
    assert json.loads(document.decode(encoding))["class_names"] == ["green", "猫"]


def test_a_part(run: Run, here: Path, colour_folder: Path) -> None:
    split = here / "split"
    split.mkdir()
    colour_folder.rename(split / "train")
    done = run("evaluate", "run", split / "train", "--part", "test")
    assert done.code == 1
    assert "has no test part; it has no parts" in done.err
    done = run("evaluate", "run", split / "train", "--part", "tests")
    assert done.code == 2
    assert "Invalid value for '--part'" in done.err


def test_unknown_classes(run: Run, here: Path, colour_folder: Path) -> None:
    (colour_folder / "red").rename(colour_folder / "crimson")
    done = run("evaluate", "run", colour_folder)
    assert (done.code, done.out) == (1, "")
    assert "has classes that run/classifier.onnx does not know: 'crimson'." in done.err


def test_tensorflow_and_keras_are_never_imported(here: Path, colour_folder: Path) -> None:
    code = """
    from tellapart.cli import main
    try:
        main(['evaluate', 'run', sys.argv[1]])
    except SystemExit:
        pass
    print({"tensorflow", "keras", "onnx", "sklearn", "matplotlib"} & set(sys.modules))
    """
    assert run_python(code, colour_folder, allowed=CLI).endswith("\nset()\n")


def test_a_single_class(run: Run, here: Path, mixed: Path) -> None:
    """12 red pictures and 3 blue ones under that name: a right class, and no other."""
    shutil.copytree(mixed / "red", here / "alone" / "red")
    done = run("evaluate", "run", here / "alone")
    assert done.code == 0
    assert done.out.startswith("Accuracy 0.800 (95% interval 0.548 to 0.930) on 15 pictures")
    rows = [" ".join(line.split()) for line in done.out.splitlines() if line.strip()]
    assert "red 15 12 1.000 (0.76 to 1.00) 0.800 (0.55 to 0.93) 0.889 (0.71 to 0.96)" in rows
    assert rows[-1] == "red blue 3"
    assert not [row for row in rows if row.startswith(("blue", "green"))]
    said = "There are no pictures of 2 of the 3 classes: 'blue', 'green'. The figures are of the"
    assert said in " ".join(done.err.split())
    # In JSON every class is there, and what was not measured is null.
    found = json.loads(run("evaluate", "run", here / "alone", "--json").out)
    assert [score["count"] for score in found["classes"]] == [0, 0, 15]
    assert [score["recall"] for score in found["classes"]] == [None, None, pytest.approx(0.8)]
    assert found["balanced_accuracy"] == pytest.approx(0.8)


def test_all_classes_are_there_and_nothing_is_noted(
    run: Run, here: Path, colour_folder: Path
) -> None:
    assert "no pictures of" not in run("evaluate", "run", colour_folder).err


def test_parts_without_training_pictures(run: Run, here: Path, colour_folder: Path) -> None:
    """Somebody's test/ and val/, the test part with a class that the others lack."""
    colour_folder.joinpath("red").rename(here / "red")
    split = here / "split"
    split.mkdir()
    shutil.copytree(colour_folder, split / "val")
    colour_folder.rename(split / "test")
    (here / "red").rename(split / "test" / "red")
    done = run("evaluate", "run", split)
    assert (done.code, done.err) == (0, "")
    assert "on 36 pictures" in done.out
    done = run("evaluate", "run", split, "--part", "validation")
    assert "on 24 pictures" in done.out
    assert "There are no pictures of 1 of the 3 classes: 'red'." in done.err
