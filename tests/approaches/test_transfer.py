"""A pretrained network's features and a linear head, end to end on small made-up pictures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

import tellapart as ta
from tellapart import runs
from tellapart.approaches.keras_process import KerasProcess
from tellapart.approaches.transfer import feature_measure
from tellapart.data import load
from tellapart.data.audit import SIGNATURES
from tellapart.data.columns import open_column
from tellapart.errors import ModelError, UsageError
from tellapart.evaluation.calibration import apply_temperature
from tellapart.images import ImageSpec
from tellapart.models.backbones import get_backbone
from tellapart.training.events import Event, HeadFitted, Noted, Progressed
from tests.conftest import save_picture

SIZE = (32, 32)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes, rings and checks, 14 of each, with noise; large enough to be taken for photos."""
    root = tmp_path_factory.mktemp("photos") / "shapes"
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:72, :96]
    for number in range(14):
        period, phase = rng.uniform(12, 24), rng.uniform(0, 6)
        shapes = {
            "checks": np.sign(np.sin((x + phase) * 6.3 / period) * np.sin(y * 6.3 / period)),
            "rings": np.sin(np.hypot(x - 48, y - 36) * 6.3 / period + phase),
            "stripes": np.sin((x + 0.3 * y) * 6.3 / period + phase),
        }
        for name, shape in shapes.items():
            colour = rng.uniform(60, 195, 3)
            pixels = colour + 55 * shape[..., np.newaxis] + rng.normal(0, 8, (72, 96, 3))
            (root / name).mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            picture.save(root / name / f"{number:02}.jpg")
    return root


def run(code: str, *arguments: object) -> str:
    """Runs code in a fresh process; returns what it printed."""
    finished = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


TRAIN = """
import json, sys
import tellapart as ta
run = ta.train(sys.argv[1], image_size=(32, 32), out=sys.argv[2], seed=3, observers=[])
print(json.dumps({
    "tensorflow": "tensorflow" in sys.modules,
    "accuracy": run.evaluation.accuracy.value,
    "recipe": run.recipe.to_json(),
}))
"""


@pytest.fixture(scope="module")
def finished(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("run") / "shapes"
    return {"folder": folder, **json.loads(run(TRAIN, photos, folder))}


def test_auto_transfers_where_pictures_are_photos(finished: dict[str, Any]) -> None:
    recipe = finished["recipe"]
    assert (recipe["transfer"], recipe["model"]) == (True, "efficientnet-lite0")
    assert (recipe["epochs"], recipe["validation_split"]) == (0, 0.0)
    assert finished["accuracy"] >= 0.8  # of three classes


def test_tensorflow_runs_elsewhere(finished: dict[str, Any]) -> None:
    assert finished["tensorflow"] is False


def test_the_run_folder_is_complete(finished: dict[str, Any]) -> None:
    folder = finished["folder"]
    names = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert names == {
        runs.RUN_JSON, runs.SPLIT_CSV, runs.AUDIT_JSON, runs.EVENTS_JSONL, runs.MODEL_KERAS,
        runs.CLASSIFIER_ONNX, runs.EVALUATION_JSON, runs.PREDICTIONS_CSV, runs.TRACE_JSON,
        runs.PREDICTION_TRACE_JSON, runs.REPORT_HTML, runs.MODEL_CARD,
        "plots/confusion.png", "plots/samples.png", "plots/mistakes.png",
        "plots/reliability.png", "plots/unsure.png",
    }  # fmt: skip
    info = json.loads((folder / runs.RUN_JSON).read_text())
    assert info["status"] == "finished"
    # Of 42 pictures a fifth is 8.4.
    assert info["data"]["parts"] == {"train": 34, "validation": 0, "calibration": 0, "test": 8}
    assert info["parity"]["checked"] == 8
    assert info["parity"]["max_difference"] < 1e-4
    events = [json.loads(line) for line in (folder / runs.EVENTS_JSONL).read_text().splitlines()]
    (head,) = [event for event in events if event["event"] == "HeadFitted"]
    assert head["pictures"] == 34
    assert 0.5 <= head["cross_validated_accuracy"] <= 1
    stages = json.loads((folder / runs.TRACE_JSON).read_text())["data_flow"]
    assert stages[0]["after"] == [42, 32, 32, 3]
    assert stages[-1]["after"] == [42, 3]


def test_the_keras_file_and_the_classifier_file_are_one_function(
    finished: dict[str, Any], photos: Path
) -> None:
    import keras

    from tellapart.images import decode

    classifier = ta.Classifier.load(finished["folder"])
    files = sorted(photos.glob("*/0[0-3].jpg"))
    pixels = np.stack([decode(file, classifier.image_spec) for file in files])
    model = keras.saving.load_model(finished["folder"] / runs.MODEL_KERAS, compile=False)
    assert model.input_shape == (None, 32, 32, 3)
    calibrated = apply_temperature(model.predict(pixels, verbose=0), classifier.bundle.temperature)
    assert np.abs(calibrated - classifier.probabilities(pixels)).max() < 1e-4
    said = [answer.probabilities for answer in classifier.predict(files)]
    assert np.abs(np.array(said) - classifier.probabilities(pixels)).max() < 1e-5


def test_pictures_like_nothing_it_was_trained_on(finished: dict[str, Any], photos: Path) -> None:
    classifier = ta.Classifier.load(finished["folder"])
    rule = json.loads((finished["folder"] / runs.EVALUATION_JSON).read_text())["novelty"]["rule"]
    assert classifier.bundle.novelty == rule
    # Judged by the pictures that cross-validation held out: all 34.
    assert rule["fitted_on"] == 34
    # So few and so small pictures tell little, but a photo is another thing.
    flower = classifier.predict(load_sample_image("flower.jpg"))
    assert flower.unsure_because == "unknown"
    known = classifier.predict(sorted(photos.glob("*/*.jpg")))
    assert np.mean([answer.unsure_because == "unknown" for answer in known]) < 0.1
    parity = json.loads((finished["folder"] / runs.RUN_JSON).read_text())["parity"]
    assert 0 < parity["max_novelty_difference"] < 0.01


def train(data: Path, out: Path, **options: Any) -> tuple[ta.Run, list[Event]]:
    events: list[Event] = []
    settings: dict[str, Any] = {"image_size": SIZE, "recipe": "transfer"}
    return ta.train(data, out=out, observers=[events.append], **(settings | options)), events


def test_features_of_old_pictures_are_kept(photos: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for file in sorted(photos.rglob("*.jpg")):
        (data / file.parent.name).mkdir(parents=True, exist_ok=True)
        (data / file.parent.name / file.name).write_bytes(file.read_bytes())
    first, _ = train(data, tmp_path / "first", seed=1)
    again, events = train(data, tmp_path / "again", seed=1)
    assert not [e for e in events if isinstance(e, Progressed) and e.stage == "features"]
    assert again.evaluation.to_json() == first.evaluation.to_json()
    assert isinstance(again.model.get_weights()[0], np.ndarray)
    for one, other in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_pictures_that_vanish_after_the_audit_are_left_out(photos: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(photos, data)
    open_column(load(data), SIGNATURES)
    events: list[Event] = []

    def remove(event: Event) -> None:
        (data / "rings" / "03.jpg").unlink(missing_ok=True)
        events.append(event)

    run = ta.train(
        data, out=tmp_path / "run", recipe="transfer", image_size=(33, 33), observers=[remove]
    )
    info = json.loads((run.path / runs.RUN_JSON).read_text())
    gone = {"path": "rings/03.jpg", "reason": "no such file or directory"}
    assert info["data"]["excluded"] == [gone]
    assert sum(info["data"]["parts"].values()) == 3 * 14 - 1
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert any(text.startswith("1 picture could be read a moment ago") for text in notes)


def test_features_that_were_made_until_ctrl_c_are_kept(photos: Path, tmp_path: Path) -> None:
    events: list[Event] = []

    def interrupt(event: Event) -> None:
        events.append(event)
        if isinstance(event, Progressed) and event.stage == "features":
            raise KeyboardInterrupt

    settings: dict[str, Any] = {"image_size": (34, 34), "recipe": "transfer"}
    with pytest.raises(KeyboardInterrupt):
        ta.train(photos, out=tmp_path / "first", observers=[interrupt], **settings)
    (note,) = [e.text for e in events if isinstance(e, Noted) and "is kept" in e.text]
    assert note == "What was made of the pictures is kept: the next run goes on from there."
    assert not (tmp_path / "first").exists()
    backbone = get_backbone("efficientnet-lite0")
    measure = feature_measure(backbone, ImageSpec(34, 34, resize="crop"))
    assert open_column(load(photos), measure).computed == 0  # one chunk holds all 42 pictures


def test_grey_pictures_for_a_pretrained_network(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^1 channels: a pretrained network looks at 3, and grey"):
        train(photos, tmp_path / "run", channels=1)
    assert not (tmp_path / "run").exists()


def test_fine_tuning_keeps_what_validation_prefers(photos: Path, tmp_path: Path) -> None:
    run, events = train(photos, tmp_path / "run", epochs=1, learning_rate=1e-5)
    notes = [event.text for event in events if isinstance(event, Noted)]
    (verdict,) = [text for text in notes if "validation accuracy and" in text]
    assert verdict.startswith(("Fine-tuning helped: ", "Fine-tuning did not help ("))
    # The head alone is calibrated by cross-validation, a fine-tuned network by what chose it.
    chosen = "validation part" if "helped: " in verdict else "in cross-validation"
    (about,) = [text for text in notes if text.startswith("Temperature ")]
    assert f"{chosen}: " in about
    assert ("decided which weights are kept" in about) is ("helped: " in verdict)
    assert len(run.history) == 1
    (head,) = [event for event in events if isinstance(event, HeadFitted)]
    assert head.val_accuracy is not None
    info = json.loads((run.path / runs.RUN_JSON).read_text())
    assert info["parity"]["max_difference"] < 1e-4
    assert (run.path / "plots" / "curves.png").is_file()


def test_a_disastrous_fine_tuning_is_not_kept(photos: Path, tmp_path: Path) -> None:
    run, events = train(photos, tmp_path / "run", epochs=1, learning_rate=10.0)
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert any("Fine-tuning did not help" in text for text in notes)
    assert run.evaluation.accuracy.value >= 0.8


def test_recipe_and_model_must_agree(colour_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"recipe classic trains from scratch, and efficientnet-"):
        ta.train(colour_folder, recipe="classic", model="efficientnet-lite0", out=tmp_path / "r")
    with pytest.raises(UsageError, match=r"needs a pretrained network, and 'classic-28' is not"):
        ta.train(colour_folder, recipe="transfer", model="classic-28", out=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_a_picture_too_small_for_the_network(colour_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot look at pictures of 16x16: expected at least 32"):
        train(colour_folder, tmp_path / "run", image_size=(16, 16))


def test_two_pictures_a_class(tmp_path: Path) -> None:
    for name, colour in (("blue", (40, 60, 200)), ("red", (210, 50, 40))):
        for number in range(2):
            save_picture(tmp_path / "data" / name / f"{number}.png", colour, (40, 40))
    run, events = train(tmp_path / "data", tmp_path / "run")
    assert run.evaluation.accuracy.count == 2
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert any("Too few pictures a class to choose the penalty" in text for text in notes)


def test_what_keras_cannot_do_is_said(tmp_path: Path) -> None:
    process = KerasProcess("efficientnet-lite0", (16, 16), 2)
    try:
        with pytest.raises(ModelError, match=r"Keras could not do its part: .* at least 32 pixels"):
            process.result()
    finally:
        process.close()


def test_a_process_that_dies_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    process = KerasProcess("efficientnet-lite0", SIZE, 2)
    try:
        with pytest.raises(
            ModelError, match=r"Keras could not do its part: its process ended with 1"
        ):
            process.result()
    finally:
        process.close()


@pytest.mark.skipif(os.name == "nt", reason="processes have no signals there")
def test_a_process_that_is_killed_is_said() -> None:
    process = KerasProcess("efficientnet-lite0", SIZE, 2)
    try:
        process._process.kill()
        with pytest.raises(ModelError, match=r"was ended by SIGKILL, from outside\. If .* memory"):
            process.result()
    finally:
        process.close()
