"""`tellapart trace`: the three traces, at the command line."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.bundle import read_bundle
from tellapart.classifier import Classifier
from tests.cli.conftest import Run


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which digits were learnt for two epochs: runs/digits-1, and a picture."""
    folder = tmp_path_factory.mktemp("workplace")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TELLAPART_CACHE", str(folder / "cache"))
        from tellapart import train

        train("digits", model="classic-32", epochs=2, observers=[])
    # Of another size and colour mode than the network's 8x8 grey, and half transparent.
    pixels = np.random.default_rng(0).integers(0, 256, (40, 31, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "my picture.png")
    return folder


@pytest.fixture
def here(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workplace)
    return workplace


@pytest.fixture
def copied(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same in a folder that a test may change."""
    shutil.copytree(workplace / "runs", tmp_path / "runs")
    shutil.copy(workplace / "my picture.png", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load_json(run: Run, *arguments: object) -> Any:
    done = run(*arguments, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out, parse_constant=pytest.fail)


# --- Prediction ---------------------------------------------------------------------------------


def test_a_picture_through_a_run(run: Run, copied: Path) -> None:
    done = run("trace", "runs/digits-1", "my picture.png")
    assert done.code == 0
    assert "my picture.png through classic-32" in done.out
    for words in ("zeros after ReLU", "One answer of 'conv_1'", "One window of 'pool_1'"):
        assert words in done.out
    assert "divided by the sum over all 10 classes" in done.out
    assert "the other 5 classes together" in done.out
    written = Path("runs/digits-1/traces/my-picture-1")
    assert f"{written}/trace.json and {written}/trace.png hold all of it" in done.err
    document = json.loads((written / "trace.json").read_text(encoding="utf-8"))
    assert document["picture"]["name"] == "my picture.png"
    with Image.open(written / "trace.png") as page:
        assert page.format == "PNG"
    # The next one has a folder of its own.
    assert run("trace", "runs/digits-1", "my picture.png").code == 0
    assert sorted(path.name for path in written.parent.iterdir()) == [
        "my-picture-1",
        "my-picture-2",
    ]


def test_the_probabilities_are_those_of_the_classifier_file(run: Run, here: Path) -> None:
    found = load_json(run, "trace", "runs/digits-1", "my picture.png")["prediction"]
    predicted = Classifier.load("runs/digits-1").predict("my picture.png")
    traced = {entry["name"]: entry["probability"] for entry in found["answer"]["classes"]}
    expected = dict(zip(predicted.class_names, predicted.probabilities, strict=True))
    assert traced == pytest.approx(expected, abs=1e-5)
    assert found["answer"]["classes"][0]["name"] == predicted.label
    assert not Path("runs/digits-1/traces").exists()  # --json alone writes nothing


def test_trace_and_predict_say_the_same(run: Run, here: Path) -> None:
    """The temperature is in classifier.onnx alone, and `trace` goes by model.keras."""
    traced = load_json(run, "trace", "runs/digits-1", "my picture.png")["prediction"]["answer"]
    (predicted,) = load_json(run, "predict", "runs/digits-1", "my picture.png")["predictions"]
    assert abs(math.log(traced["temperature"])) > 0.05  # there is one to forget
    top = {entry["name"]: entry["probability"] for entry in traced["classes"][:3]}
    assert list(top) == [entry["label"] for entry in predicted["top"]]
    assert list(top.values()) == pytest.approx(
        [entry["probability"] for entry in predicted["top"]], abs=1e-5
    )


def test_out_is_never_overwritten_without_force(run: Run, here: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "trace"
    arguments = ("trace", "runs/digits-1", "my picture.png", "--out", out)
    assert run(*arguments).code == 0
    before = (out / "trace.png").read_bytes()
    (out / "trace.json").write_text("mine", encoding="utf-8")
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert f"{out} holds trace.json and trace.png already. Add --force" in done.err
    assert (out / "trace.json").read_text(encoding="utf-8") == "mine"
    assert run(*arguments, "--force").code == 0
    assert json.loads((out / "trace.json").read_text(encoding="utf-8"))["format_version"] == 1
    assert (out / "trace.png").read_bytes() == before


def test_a_network_by_name_and_a_keras_file(run: Run, here: Path, tmp_path: Path) -> None:
    done = run("trace", "classic-28", "my picture.png", "--classes", "3", "--out", tmp_path)
    assert done.code == 0
    assert "Classes are numbered, and the picture is squashed to size" in done.err
    assert "Nothing has been trained on your pictures: the last layer is random." in done.err
    assert "class 2" in done.out
    assert (tmp_path / "trace.png").exists()
    done = run("trace", "runs/digits-1/model.keras", "my picture.png")
    assert done.code == 0
    assert done.out.count("  class ") == 6  # the heading and five classes
    assert "Nothing has been trained" not in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("runs/digits-1", "my pictures.png"), 2, "There is no picture my pictures.png. Did you "
         "mean 'my picture.png'?"),
        (("runs/digits-1", "runs"), 1, "runs: is not a file"),
        (("runs/digits-1", "runs/digits-1/run.json"), 1, "is not a picture that can be read"),
        (("runs/digits-1", "--out", "x"), 2, "--out and --force go with a picture"),
        (("runs/digits-1", "my picture.png", "--out", "my picture.png"), 2, "is not a folder"),
        (("runs/digits-2", "my picture.png"), 2, "no run folder or file runs/digits-2"),
        (("runs/digits-1", "my picture.png", "--classes", "3"), 2, "is trained, so that its sizes"),
    ],
)  # fmt: skip
def test_wrong_usage(
    run: Run, here: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = run("trace", *arguments)
    assert (done.code, done.out) == (code, "")
    assert message in done.err


def test_weights_that_are_no_numbers(run: Run, copied: Path) -> None:
    from tellapart.models.registry import load_keras_file

    path = Path("runs/digits-1/model.keras")
    model = load_keras_file(path)
    output = model.get_layer("output")
    output.set_weights([np.full_like(weight, np.nan) for weight in output.get_weights()])
    model.save(path)
    done = run("trace", "runs/digits-1", "my picture.png")
    assert done.code == 0
    assert "There are no probabilities." in done.out
    assert "650 of the 650 weights of 'output' are not finite numbers" in done.err
    assert "train again with a lower --learning-rate" in done.err
    # What came before is as it was.
    assert "One answer of 'conv_1'" in done.out


def test_a_run_without_its_classifier_file_says_what_it_sees(run: Run, copied: Path) -> None:
    classifier = Path("runs/digits-1/classifier.onnx")
    names = list(read_bundle(classifier).class_names)
    expected = load_json(run, "trace", "runs/digits-1", "my picture.png")["prediction"]
    classifier.unlink()
    done = run("trace", "runs/digits-1", "my picture.png", "--json")
    assert done.code == 0
    assert "There is no classifier.onnx: size and classes are the recipe's." in done.err
    found = json.loads(done.out)["prediction"]
    assert found["picture"] == expected["picture"]
    assert {entry["name"] for entry in found["answer"]["classes"]} == set(names)
    info = Path("runs/digits-1/run.json")
    content = json.loads(info.read_text(encoding="utf-8"))
    del content["recipe"]["resize"]
    info.write_text(json.dumps(content), encoding="utf-8")
    done = run("trace", "runs/digits-1", "my picture.png")
    assert (done.code, done.out) == (1, "")
    assert "does not say what the network sees of a picture ('resize')" in done.err


def test_names_cannot_steer_the_terminal(run: Run, here: Path, tmp_path: Path) -> None:
    evil = tmp_path / "a\x1b[2Jb.png"
    shutil.copy("my picture.png", evil)
    done = run("trace", "runs/digits-1", evil, "--out", tmp_path / "out")
    assert done.code == 0
    assert "\x1b" not in done.out + done.err
    assert r"a\x1b[2Jb.png through classic-32" in done.out


# --- Training -----------------------------------------------------------------------------------


def test_training_follows_the_data_flow_of_a_run(run: Run, here: Path) -> None:
    done = run("trace", "runs/digits-1", "--images", "7")
    assert done.code == 0
    assert "7x8x8x32" in done.out
    assert "Training, epoch by epoch" in done.out
    assert done.out.index("7x8x8x32") < done.out.index("Training, epoch by epoch")
    found = load_json(run, "trace", "runs/digits-1")
    assert [seen["epoch"] for seen in found["training"]] == [1, 2]
    assert all(seen["observation"] in done.out for seen in found["training"])
    assert found["prediction"] is None
    assert f"{found['training'][0]['loss']:.4f}" in done.out


def test_the_chart_is_ascii_where_stdout_is(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.cli import trace
    from tellapart.training.records import read_results

    rows = read_results(Path("runs/digits-1/results.csv"))

    class Ascii:
        encoding = "ascii"

    monkeypatch.setattr("sys.stdout", Ascii())
    assert trace._chart(rows).isascii()


def test_a_head_has_no_epochs(run: Run, copied: Path) -> None:
    Path("runs/digits-1/results.csv").unlink()
    done = run("trace", "runs/digits-1")
    assert "There is no training trace: no epoch was finished." in done.out
    info = Path("runs/digits-1/run.json")
    content = json.loads(info.read_text(encoding="utf-8"))
    content["recipe"]["transfer"] = True
    info.write_text(json.dumps(content), encoding="utf-8")
    done = run("trace", "runs/digits-1")
    assert done.code == 0
    assert "the head was fitted in one go to the features of a network" in done.out
    assert load_json(run, "trace", "runs/digits-1")["training"] == []


def test_a_name_has_no_training(run: Run) -> None:
    found = load_json(run, "trace", "classic-28", "--images", "2")
    assert (found["training"], found["prediction"]) == (None, None)
    assert found["data_flow"][0]["after"] == [2, 28, 28, 1]
