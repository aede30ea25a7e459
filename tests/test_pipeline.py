"""The whole pipeline on small real data: digits, and pictures in folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import tellapart as ta
from tellapart import runs
from tellapart.data import load
from tellapart.errors import DataError
from tellapart.evaluation.calibration import apply_temperature
from tests.small_runs import read_json, rows_of, train_quickly


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> ta.Run:
    """A short run on the digits, shared by the tests that only look at it."""
    folder = tmp_path_factory.mktemp("run") / "digits"
    return ta.train("digits", epochs=12, out=folder, observers=[])


def test_digits_are_learned(digits_run: ta.Run) -> None:
    # A fifth of 1,797 is 359.4; a stratified fifth rounds to 359.
    assert digits_run.evaluation.accuracy.count == 359
    assert digits_run.evaluation.accuracy.value >= 0.96


def test_the_run_folder_is_complete(digits_run: ta.Run) -> None:
    names = {str(path.relative_to(digits_run.path)) for path in digits_run.path.rglob("*.*")}
    assert names == {
        runs.RUN_JSON,
        runs.AUDIT_JSON,
        runs.SPLIT_CSV,
        runs.EVENTS_JSONL,
        runs.RESULTS_CSV,
        runs.MODEL_KERAS,
        runs.CLASSIFIER_ONNX,
        runs.EVALUATION_JSON,
        runs.PREDICTIONS_CSV,
        runs.TRACE_JSON,
        runs.PREDICTION_TRACE_JSON,
        runs.REPORT_HTML,
        runs.MODEL_CARD,
        "plots/augmentation.png",
        "plots/curves.png",
        "plots/confusion.png",
        "plots/samples.png",
        "plots/mistakes.png",
        "plots/reliability.png",
        "plots/unsure.png",
    }


def test_the_files_of_a_run_agree_with_each_other(digits_run: ta.Run) -> None:
    info, evaluation = (
        read_json(digits_run, runs.RUN_JSON),
        read_json(digits_run, "evaluation.json"),
    )
    split, predictions = rows_of(digits_run, "split.csv"), rows_of(digits_run, "predictions.csv")
    assert info["status"] == "finished"
    assert info["accuracy"] == evaluation["accuracy"]
    parts = {part: sum(row["part"] == part for row in split) for part in info["data"]["parts"]}
    assert parts == info["data"]["parts"]
    assert sum(parts.values()) == 1797
    assert {row["path"] for row in predictions} == {
        row["path"] for row in split if row["part"] == "test"
    }
    right = sum(row["actual"] == row["predicted"] for row in predictions)
    assert right / len(predictions) == pytest.approx(evaluation["accuracy"]["value"])
    assert np.trace(evaluation["confusion_matrix"]) == right
    assert len(rows_of(digits_run, "results.csv")) == 12
    lines = (digits_run.path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    kinds = [event["event"] for event in events]
    # What was said before the folder existed is in the record too.
    assert kinds.index("Noted") < kinds.index("RunStarted")
    assert any("since the pictures are 8x8" in event.get("text", "") for event in events)
    assert sum(event["event"] == "EpochEnded" for event in events) == 12
    assert events[-1]["event"] == "RunFinished"


def test_the_classifier_file_repeats_the_predictions_from_raw_pixels(digits_run: ta.Run) -> None:
    classifier = ta.Classifier.load(digits_run.path)
    dataset = load("digits")
    place = {path: index for index, path in enumerate(dataset.paths)}
    for row in rows_of(digits_run, "predictions.csv")[:40]:
        raw = dataset.source.read(place[row["path"]])
        prediction = classifier.predict(raw)
        assert prediction.label == row["predicted"]
        assert prediction.probability == pytest.approx(float(row["probability"]), abs=1e-4)
    assert classifier.provenance["accuracy"] == read_json(digits_run, "evaluation.json")["accuracy"]


def test_pictures_like_nothing_it_was_trained_on_are_unsure(digits_run: ta.Run) -> None:
    from sklearn.datasets import load_sample_image

    classifier = ta.Classifier.load(digits_run.path)
    noise = np.random.default_rng(0).integers(0, 256, (200, 8, 8), np.uint8)
    photo = load_sample_image("flower.jpg")
    patches = [photo[y : y + 60, x : x + 60] for y in range(0, 420, 60) for x in range(0, 600, 60)]
    for strange, share in ((noise, 0.7), (patches, 0.9), ([photo], 1)):
        found = classifier.predict(list(strange))
        assert np.mean([answer.unsure_because == "unknown" for answer in found]) >= share
    dataset = load("digits")
    test = {row["path"] for row in rows_of(digits_run, "split.csv") if row["part"] == "test"}
    known = [dataset.source.read(i) for i, path in enumerate(dataset.paths) if path in test]
    figures = classifier.evaluate("digits", unknown=list(noise)).unknown
    assert figures is not None
    assert figures.auroc.value > 0.95
    assert figures.known_called_unknown.value <= 0.06
    assert len(known) == figures.known_unsure.count == 359


def test_what_is_recorded_of_unsure_is_what_predict_answers(digits_run: ta.Run) -> None:
    dataset = load("digits")
    classifier = ta.Classifier.load(digits_run.path)
    actual = {row["path"]: row["actual"] for row in rows_of(digits_run, "predictions.csv")}
    picked = [i for i, path in enumerate(dataset.paths) if path in actual]
    answers = classifier.predict([dataset.source.read(i) for i in picked])
    right = [a.label == actual[dataset.paths[i]] for a, i in zip(answers, picked, strict=True)]
    answered = [not answer.unsure for answer in answers]
    found = read_json(digits_run, runs.EVALUATION_JSON)
    unsure, novelty = found["unsure"], found["novelty"]
    assert unsure["answered"]["value"] == pytest.approx(np.mean(answered))
    assert unsure["right"]["value"] == pytest.approx(np.mean(np.array(right)[answered]))
    unknown = [answer.unsure_because == "unknown" for answer in answers]
    assert novelty["unknown"]["value"] == pytest.approx(np.mean(unknown))
    assert novelty["unknown"]["count"] == 359
    assert novelty["rule"] == classifier.bundle.novelty
    # The threshold is fitted on the validation pictures that are not called unknown themselves.
    assert novelty["rule"]["fitted_on"] == 288
    assert 280 <= unsure["rule"]["fitted_on"] <= 288
    assert unsure["curve"]["answered"][-1] == pytest.approx(1 - np.mean(unknown))
    parity = read_json(digits_run, runs.RUN_JSON)["parity"]
    assert 0 < parity["max_novelty_difference"] < 0.01


def test_evaluating_on_the_training_data_measures_its_test_part(
    digits_run: ta.Run, tmp_path: Path
) -> None:
    classifier = ta.Classifier.load(digits_run.path)
    again = classifier.evaluate("digits")
    assert again.accuracy == digits_run.evaluation.accuracy
    assert (again.confusion == digits_run.evaluation.confusion).all()
    assert classifier.evaluate("digits", part="all").accuracy.count == 1797
    # The file alone does not know which pictures were kept for the test.
    alone = tmp_path / "alone.onnx"
    alone.write_bytes(classifier.path.read_bytes())
    with pytest.raises(DataError, match="is what .* was trained on, and no split.csv beside it"):
        ta.Classifier.load(alone).evaluate("digits")


def test_the_saved_network_repeats_the_predictions(digits_run: ta.Run) -> None:
    saved = keras.saving.load_model(digits_run.path / runs.MODEL_KERAS)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), np.uint8)
    classifier = ta.Classifier.load(digits_run.path)
    assert np.allclose(
        apply_temperature(saved.predict(pixels, verbose=0), classifier.bundle.temperature),
        classifier.probabilities(pixels),
        atol=1e-5,
    )


def test_one_seed_one_result(tmp_path: Path) -> None:
    def weights(name: str, seed: int) -> list[np.ndarray[Any, Any]]:
        run = train_quickly("digits", tmp_path / name, epochs=2, batch_size=32, seed=seed)
        return list(run.model.get_weights())

    first, again, other = weights("a", 7), weights("b", 7), weights("c", 8)
    assert all((x == y).all() for x, y in zip(first, again, strict=True))
    assert not all((x == y).all() for x, y in zip(first, other, strict=True))


def test_random_labels_give_chance_accuracy(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (1000, 8, 8), np.uint8)
    y = rng.integers(0, 5, 1000)
    run = train_quickly((x, y), tmp_path / "run", epochs=5, batch_size=32)
    assert 1 / 5 in run.evaluation.accuracy
    # The network itself learns the noise by heart where it can: that is why a test part exists.
    assert run.history[-1]["accuracy"] > run.history[0]["accuracy"]


def test_a_folder_of_pictures_end_to_end(colour_folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in colour_folder.rglob("*.png")}
    run = train_quickly(colour_folder, tmp_path / "run", epochs=25)
    assert run.evaluation.class_names == ("blue", "green", "red")
    assert run.evaluation.accuracy.value == 1.0
    Image.new("RGB", (30, 20), (220, 45, 40)).save(tmp_path / "new.png")
    assert ta.Classifier.load(run.path).predict(tmp_path / "new.png").label == "red"
    assert {path: path.read_bytes() for path in colour_folder.rglob("*.png")} == before
