"""Runs at the edges, through every command: a figure, or a sentence that says why there is none.

Two runs: of two classes, with a network whose answers are all equal and one picture to calibrate
on; and of 200 classes, one of which the test part lacks.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

import tellapart as ta
from tellapart.errors import ModelError
from tellapart.models.backend import import_keras
from tellapart.report.model_card import model_card
from tellapart.runs import RunFolder
from tests.cli.conftest import Run
from tests.conftest import save_picture
from tests.report.card_numbers import unsourced
from tests.tiny_classifier import make_bundle, make_model, save_classifier

CLASSES, ABSENT = 200, 7

NO_NUMBER = re.compile(r"\b(nan|NaN|inf|None)\b")


def undecided(input_shape: tuple[int, int, int], classes: int) -> Any:
    """A network that gives every class the same score, and hardly learns."""
    keras = import_keras()
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Conv2D(2, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes, kernel_initializer="zeros"),
        ]
    )


def broken(input_shape: tuple[int, int, int], classes: int) -> Any:
    """A network whose weights are no numbers."""
    model = undecided(input_shape, classes)
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """two.csv and many.npz, and what was trained on them: two/ and many/."""
    folder = tmp_path_factory.mktemp("odd")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TELLAPART_CACHE", str(folder / "cache"))
        two = write_two_classes(folder)
        ta.train(two, model=undecided, learning_rate=1e-30, epochs=2, out="two", observers=[])
        ta.train(write_many_classes(folder), epochs=1, out="many", observers=[])
    return folder


def write_two_classes(folder: Path) -> Path:
    parts = ["train"] * 5 + ["validation"] * 2 + ["test"] * 3
    rows = []
    for label, colour in {"red": (210, 50, 40), "blue": (40, 60, 200)}.items():
        for number, part in enumerate(parts):
            name = f"pictures/{label}/{number}.png"
            save_picture(folder / name, colour)
            rows.append((name, label, "calibration" if (label, number) == ("red", 9) else part))
    path = folder / "two.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("path", "label", "part"), *rows])
    return path


def write_many_classes(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    trained, tested = np.repeat(np.arange(CLASSES), 4), np.delete(np.arange(CLASSES), ABSENT)
    pixels = rng.integers(0, 256, (len(trained) + len(tested), 12, 12, 3), dtype=np.uint8)
    path = folder / "many.npz"
    np.savez(
        path,
        x_train=pixels[: len(trained)],
        y_train=trained,
        x_test=pixels[len(trained) :],
        y_test=tested,
    )
    return path


@pytest.fixture
def here(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("TELLAPART_CACHE", str(workplace / "cache"))
    return workplace


def load_json(run: Run, *arguments: object) -> Any:
    done = run(*arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out, parse_constant=pytest.fail)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)


RUNS = {"two": "two.csv", "many": "many.npz"}


# --- What the run says of itself ----------------------------------------------------------------


def test_one_calibration_picture_and_equal_answers(here: Path) -> None:
    found = read_json(here / "two" / "evaluation.json")
    assert found["calibration"]["temperature"] == 1  # no temperature changes 0.5 and 0.5
    about, effect = found["calibration"]["notes"]
    assert "fitted on 1 picture of the calibration part" in about
    assert effect == "The test part has 5 pictures, too few to measure a calibration error."
    assert found["calibration"]["after"]["error"] is None
    rule = found["unsure"]["rule"]
    assert not rule["proven"]
    assert rule["note"].startswith("Not proven: ")
    assert "1 picture is too few to prove it" in rule["note"]
    assert found["unsure"]["right"]["value"] is None  # nothing is answered
    assert all(f"{1} picture is too few" in sets["note"] for sets in found["sets"])
    assert found["loss"] == pytest.approx(np.log(2))
    never = found["classes"][1]
    assert (never["name"], never["predicted"], never["precision"]) == ("red", 0, None)


def test_a_class_without_test_pictures(here: Path) -> None:
    found = read_json(here / "many" / "evaluation.json")
    absent = found["classes"][ABSENT]
    assert (absent["name"], absent["count"]) == (str(ABSENT), 0)
    assert absent["recall"] is None
    assert absent["recall_interval"] is None
    assert sum(score["count"] for score in found["classes"]) == CLASSES - 1
    notes = (here / "many" / "events.jsonl").read_text(encoding="utf-8")
    assert f"No test pictures of '{ABSENT}': nothing is measured there." in notes


@pytest.mark.parametrize("name", RUNS)
def test_files_plots_and_diagnosis(name: str, here: Path) -> None:
    for file in ("run.json", "evaluation.json", "audit.json", "trace.json"):
        read_json(here / name / file)
    for plot in ("confusion", "curves", "reliability", "samples", "unsure"):
        with Image.open(here / name / "plots" / f"{plot}.png") as page:
            assert page.format == "PNG"
    topics = [found["topic"] for found in read_json(here / name / "run.json")["diagnosis"]]
    assert {"two": "learning rate too low", "many": "chance level"}[name] in topics


@pytest.mark.parametrize("name", RUNS)
def test_the_model_card(name: str, here: Path) -> None:
    folder = RunFolder(here / name)
    card = model_card(folder)
    assert unsourced(card, folder) == []
    assert not NO_NUMBER.search(card)
    absent = f"the test part has none of their pictures:** {ABSENT}."
    assert (absent in card) is (name == "many")


# --- Every command ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RUNS)
def test_evaluate(name: str, run: Run, here: Path) -> None:
    done = run("evaluate", name, RUNS[name])
    assert done.code == 0
    assert not NO_NUMBER.search(done.out)
    found = load_json(run, "evaluate", name, RUNS[name])
    assert found["accuracy"] == read_json(here / name / "evaluation.json")["accuracy"]


def test_evaluate_on_a_folder_of_some_of_the_classes(run: Run, here: Path) -> None:
    for label in ("0", "1"):
        save_picture(here / "some" / label / "one.png", (90, 90, 90))
    found = load_json(run, "evaluate", "many", "some")
    counts = [score["count"] for score in found["classes"]]
    assert counts == [1, 1] + [0] * (CLASSES - 2)
    assert {score["recall"] for score in found["classes"][2:]} == {None}
    assert not NO_NUMBER.search(run("evaluate", "many", "some").out)
    shutil.copytree(here / "some" / "0", here / "one" / "0", dirs_exist_ok=True)
    done = run("evaluate", "many", "one")
    assert done.code == 0
    assert f"There are no pictures of {CLASSES - 1} of the {CLASSES} classes: '1', " in done.err
    assert f" and {CLASSES - 11} more. The figures are of the others alone" in done.err


@pytest.mark.parametrize("name", RUNS)
def test_compare(name: str, run: Run, here: Path) -> None:
    copied = here / f"{name}-again"
    shutil.copytree(here / name, copied, dirs_exist_ok=True)
    done = run("compare", name, copied)
    assert done.code == 0
    assert "Both are right on the same pictures: there is no difference." in done.out
    assert not NO_NUMBER.search(done.out)
    load_json(run, "compare", name, copied)
    done = run("compare", "two", "many")
    assert done.code == 1
    assert "measured on different test parts, and a comparison would say nothing" in done.err


@pytest.mark.parametrize("name", RUNS)
def test_trace_of_the_training(name: str, run: Run, here: Path) -> None:
    done = run("trace", name)
    assert done.code == 0
    assert not NO_NUMBER.search(done.out)
    load_json(run, "trace", name)


Pictures = dict[str, Callable[[Path], None]]


def of_mode(mode: str) -> Callable[[Path], None]:
    """Writes a picture of 31x40 pixels in a colour mode."""
    rng = np.random.default_rng(0)

    def save(path: Path) -> None:
        if mode in ("I;16", "F"):
            grey = rng.integers(0, 65536, (40, 31), dtype=np.uint16)
            Image.fromarray(grey if mode == "I;16" else grey.astype(np.float32)).save(path)
        else:
            pixels = rng.integers(0, 256, (40, 31, 3), dtype=np.uint8)
            Image.fromarray(pixels).convert(mode).save(path)

    return save


def of_size(width: int, height: int) -> Callable[[Path], None]:
    """Writes a picture of that size."""
    return lambda path: Image.new("RGB", (width, height), (90, 160, 30)).save(path)


PICTURES: Pictures = {
    "bilevel.png": of_mode("1"),
    "grey.png": of_mode("L"),
    "grey-alpha.png": of_mode("LA"),
    "palette.png": of_mode("P"),
    "alpha.png": of_mode("RGBA"),
    "cmyk.jpg": of_mode("CMYK"),
    "sixteen.png": of_mode("I;16"),
    "pixel.png": of_size(1, 1),
    "line.png": of_size(400, 1),
    "pole.png": of_size(1, 400),
    "large.png": of_size(1500, 1000),
}


@pytest.mark.parametrize("name", RUNS)
def test_pictures_of_any_size_and_mode(name: str, run: Run, here: Path) -> None:
    for file, save in PICTURES.items():
        save(here / file)
    answers = load_json(run, "predict", name, *PICTURES)["predictions"]
    predicted = {answer["source"]: answer for answer in answers}
    explained = load_json(run, "explain", name, *PICTURES)["pictures"]
    for file, explanation in zip(PICTURES, explained, strict=True):
        traced = load_json(run, "trace", name, file)["prediction"]["answer"]["classes"][0]
        said = predicted[file]
        assert traced["probability"] == pytest.approx(said["probability"], abs=1e-5), file
        assert explanation["probability"] == pytest.approx(said["probability"], abs=1e-5), file
        assert len(explanation["maps"]) == 2, file


def test_a_picture_that_cannot_be_shown_says_why(run: Run, here: Path) -> None:
    of_mode("F")(here / "floats.tiff")
    why = "holds floating-point pixels; save it with 8 or 16 bits a channel"
    for command in ("predict", "explain", "trace"):
        done = run(command, "two", "floats.tiff")
        assert done.code == 1
        assert why in done.out + done.err


# --- Weights that are no numbers ----------------------------------------------------------------


def test_training_a_network_whose_weights_are_no_numbers(here: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(ModelError, match="its weights have become NaN or infinite"):
        ta.train("two.csv", model=broken, epochs=1, out=out, observers=[])
    assert read_json(out / "run.json")["status"] == "failed"
    assert not (out / "classifier.onnx").exists()
    card = model_card(RunFolder(out))
    assert "**Its accuracy was not measured.** There is no evaluation.json" in card


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain"])
def test_a_classifier_whose_weights_are_no_numbers(
    command: str, run: Run, here: Path, tmp_path: Path
) -> None:
    model = make_model(class_names=("blue", "red"))
    (weights,) = (tensor for tensor in model.graph.initializer if tensor.name == "weights")
    nothing = np.full_like(numpy_helper.to_array(weights), np.nan)
    weights.CopyFrom(numpy_helper.from_array(nothing, "weights"))
    from tellapart.bundle import attach

    attach(model, make_bundle(class_names=("blue", "red")))
    path = save_classifier(tmp_path / "classifier.onnx")
    onnx.save(model, path)
    target = "pictures" if command == "evaluate" else "pictures/blue/0.png"
    done = run(command, path, target)
    assert (done.code, done.out) == (1, "")
    assert "does not give probabilities that sum to 1" in done.err
    assert not list(tmp_path.glob("explanations"))


def test_tracing_a_network_whose_weights_are_no_numbers(
    run: Run, here: Path, tmp_path: Path
) -> None:
    shutil.copytree(here / "two", tmp_path / "run")
    broken((10, 12, 3), 2).save(tmp_path / "run" / "model.keras")
    done = run("trace", tmp_path / "run", "pictures/red/0.png", "--out", tmp_path / "trace")
    assert done.code == 0
    assert re.search(r"6 of the 6 weights of 'dense\w*' are not finite numbers", done.err)
    assert "So there are no probabilities" in done.err
    assert done.out.endswith("There are no probabilities.\n")
    assert not NO_NUMBER.search(done.out)
    answer = load_json(run, "trace", tmp_path / "run", "pictures/red/0.png")["prediction"]["answer"]
    assert [entry["probability"] for entry in answer["classes"]] == [None, None]
