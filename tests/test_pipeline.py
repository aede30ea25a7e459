"""The whole pipeline on small real data: digits, and pictures in folders."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import tellapart as ta
from tellapart import runs
from tellapart.data import load
from tellapart.errors import DataError, ExportError, RunError, TellapartError
from tellapart.evaluation.calibration import apply_temperature
from tellapart.training.events import (
    BatchEnded,
    EpochEnded,
    Event,
    Noted,
    TrainingEnded,
)
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


def test_a_bad_picture_is_left_out_and_listed(colour_folder: Path, tmp_path: Path) -> None:
    (colour_folder / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    noted: list[Event] = []
    run = train_quickly(colour_folder, tmp_path / "run", observers=[noted.append])
    excluded = read_json(run, runs.RUN_JSON)["data"]["excluded"]
    assert [item["path"] for item in excluded] == ["red/broken.jpg"]
    warnings = [event.text for event in noted if isinstance(event, Noted)]
    assert any("1 of 37 pictures cannot be read" in text for text in warnings)
    assert "red/broken.jpg" not in {row["path"] for row in rows_of(run, "split.csv") if row["part"]}


def test_a_users_own_model(colour_folder: Path, tmp_path: Path) -> None:
    def tiny(input_shape: tuple[int, int, int], classes: int) -> Any:
        return keras.Sequential(
            [
                keras.Input(input_shape),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dropout(0.1),
                keras.layers.Dense(classes),
            ],
            name="tiny",
        )

    run = train_quickly(colour_folder, tmp_path / "run", model=tiny, epochs=60, learning_rate=0.05)
    assert run.recipe.model == "tiny"
    assert run.evaluation.accuracy.value == 1.0
    assert ta.Classifier.load(run.path).class_names == ("blue", "green", "red")


class Strange(keras.layers.Dense):  # type: ignore[misc]
    """Says something else than a Dense layer with its weights would."""

    def call(self, inputs: Any) -> Any:
        return super().call(2 * inputs)


@pytest.mark.parametrize(
    "last",
    [
        [Strange(3, activation="softmax")],
        [keras.layers.Dense(3), keras.layers.LayerNormalization(), keras.layers.Softmax()],
    ],
)
def test_a_network_that_cannot_be_cut_open_has_no_score_for_unknown_pictures(
    last: list[Any], colour_folder: Path, tmp_path: Path
) -> None:
    own = keras.Sequential([keras.Input((5, 7, 3)), keras.layers.Flatten(), *last])
    noted: list[Event] = []
    run = train_quickly(colour_folder, tmp_path / "run", model=own, observers=[noted.append])
    notes = [event.text for event in noted if isinstance(event, Noted)]
    (about,) = [text for text in notes if text.startswith("Pictures like nothing it was trained")]
    assert "must be made of connected layers and end in a Dense layer with softmax" in about
    assert read_json(run, runs.EVALUATION_JSON)["novelty"] == {
        "rule": None, "unknown": None, "note": about,
    }  # fmt: skip
    classifier = ta.Classifier.load(run.path)
    assert classifier.bundle.novelty is None
    assert classifier.predict(np.zeros((9, 9, 3), np.uint8)).novelty is None
    assert read_json(run, runs.RUN_JSON)["parity"]["max_novelty_difference"] is None


def test_a_models_own_input_size_is_kept(colour_folder: Path, tmp_path: Path) -> None:
    own = keras.Sequential([keras.Input((5, 7, 3)), keras.layers.Flatten()])
    own.add(keras.layers.Dense(3, activation="softmax"))
    run = train_quickly(colour_folder, tmp_path / "run", model=own)
    assert ta.Classifier.load(run.path).image_spec.shape == (5, 7, 3)


def test_ctrl_c_keeps_the_best_weights_and_finishes_the_run(tmp_path: Path) -> None:
    seen: list[Event] = []

    def interrupt(event: Event) -> None:
        seen.append(event)
        if isinstance(event, BatchEnded) and event.epoch >= 3:
            os.kill(os.getpid(), signal.SIGINT)

    run = ta.train("digits", epochs=500, batch_size=8, observers=[interrupt], out=tmp_path / "run")
    end = next(event for event in seen if isinstance(event, TrainingEnded))
    epochs = [event for event in seen if isinstance(event, EpochEnded)]
    assert end.reason == "interrupted"
    assert end.epochs_done < 20
    # Kept are the weights of the epoch with the lowest validation loss.
    best = min(epochs, key=lambda event: event.val_loss or 9)
    assert end.best_epoch == best.epoch
    assert run.interrupted
    info = read_json(run, runs.RUN_JSON)
    assert info["status"] == info["training"]["reason"] == "interrupted"
    assert info["training"]["epochs_done"] == end.epochs_done
    assert run.evaluation.accuracy.value > 0.5
    assert ta.Classifier.load(run.path).predict(np.zeros((8, 8), np.uint8)).label


def test_early_stopping_and_best_weights(colour_folder: Path, tmp_path: Path) -> None:
    seen: list[Event] = []
    run = train_quickly(
        colour_folder,
        tmp_path / "run",
        epochs=300,
        early_stopping=2,
        restore_best_weights=True,
        learning_rate=0.05,  # so high that the validation loss soon stops to fall
        observers=[seen.append],
    )
    end = next(event for event in seen if isinstance(event, TrainingEnded))
    losses = [row["val_loss"] for row in run.history]
    assert end.reason == "stopped early"
    assert len(losses) < 300
    assert end.best_epoch == 1 + int(np.argmin(losses))
    # Keras stops after `patience` epochs without a better one.
    assert len(losses) == end.best_epoch + 2
    # The run says that its calibration pictures are those that chose.
    note = read_json(run, runs.EVALUATION_JSON)["calibration"]["notes"][0]
    assert "These pictures also decided which weights are kept" in note
    assert note in [event.text for event in seen if isinstance(event, Noted)]


def test_validation_that_only_watched_has_not_chosen(colour_folder: Path, tmp_path: Path) -> None:
    run = train_quickly(colour_folder, tmp_path / "run", early_stopping=300)
    note = read_json(run, runs.EVALUATION_JSON)["calibration"]["notes"][0]
    assert "of the validation part" in note
    assert "decided which weights are kept" not in note


def test_an_export_that_disagrees_fails(
    colour_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.export import onnx as onnx_export

    convert = onnx_export.convert

    def convert_wrongly(model: Any, file: Path) -> Any:
        kept = model.get_weights()
        model.set_weights([weight + 0.05 for weight in kept])
        converted = convert(model, file)
        model.set_weights(kept)
        return converted

    monkeypatch.setattr(onnx_export, "convert", convert_wrongly)
    with pytest.raises(ExportError, match="disagrees with the trained network"):
        train_quickly(colour_folder, tmp_path / "run")
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["status"] == "failed"
    assert "disagrees with the trained network" in info["error"]
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert "classifier.onnx" not in left
    assert not {name for name in left if "unproven" in name or "tmp" in name}
    assert "model.keras" in left  # the trained weights are kept
    page = (tmp_path / "run" / "report.html").read_text()
    assert "disagrees with the trained network" in page


def test_a_loss_that_explodes_is_named(colour_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TellapartError, match="not a number"):
        train_quickly(
            colour_folder, tmp_path / "run", optimizer="sgd", learning_rate=1e30, epochs=4
        )
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_nothing_is_made_when_the_input_is_bad(tmp_path: Path, colour_folder: Path) -> None:
    with pytest.raises(DataError):
        train_quickly(tmp_path / "absent", tmp_path / "run")
    with pytest.raises(TellapartError, match="is too deep"):
        train_quickly(colour_folder, tmp_path / "run", model="classic-64", image_size=(6, 6))
    with pytest.raises(TellapartError, match="Keras knows no optimizer 'adamm'"):
        train_quickly(colour_folder, tmp_path / "run", optimizer="adamm")
    with pytest.raises(TellapartError, match="Unknown option 'epoch'"):
        train_quickly(colour_folder, tmp_path / "run", epoch=3)
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("keep")
    with pytest.raises(RunError, match="Nothing is overwritten"):
        train_quickly(colour_folder, tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_the_val_part_becomes_the_test_part_and_the_output_says_so(
    colour_folder: Path, tmp_path: Path
) -> None:
    root = tmp_path / "parts"
    (root / "val").mkdir(parents=True)
    colour_folder.rename(root / "train")
    for name in ("blue", "green", "red"):
        (root / "val" / name).mkdir()
        for number in range(3):
            (root / "train" / name / f"{number:02}.png").rename(
                root / "val" / name / f"{number}.png"
            )
    noted: list[Event] = []
    run = train_quickly(root, tmp_path / "run", observers=[noted.append])
    assert run.evaluation.accuracy.count == 9
    assert any("--keep-validation" in e.text for e in noted if isinstance(e, Noted))
    kept = train_quickly(root, tmp_path / "kept", keep_validation=True)
    parts = read_json(kept, runs.RUN_JSON)["data"]["parts"]
    assert parts["validation"] == 9
    assert parts["test"] == 5  # a fifth of 27 is 5.4


def test_too_little_room_for_the_results_shows_before_training(
    colour_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellapart.session.RECORDS_BYTES", 2**60)
    seen: list[Event] = []
    with pytest.raises(RunError, match="MiB free, and the run needs .* MiB. Free some space"):
        train_quickly(colour_folder, tmp_path / "run", observers=[seen.append])
    assert not [event for event in seen if isinstance(event, EpochEnded)]


def test_ctrl_c_while_finishing_must_be_pressed_twice(colour_folder: Path, tmp_path: Path) -> None:
    def interrupt(times: int) -> Any:
        def on_event(event: Event) -> None:
            if isinstance(event, TrainingEnded):
                for _ in range(times):
                    os.kill(os.getpid(), signal.SIGINT)

        return on_event

    run = train_quickly(colour_folder, tmp_path / "once", observers=[interrupt(1)])
    assert read_json(run, runs.RUN_JSON)["status"] == "finished"
    with pytest.raises(KeyboardInterrupt):
        train_quickly(colour_folder, tmp_path / "twice", observers=[interrupt(2)])
    info = json.loads((tmp_path / "twice" / "run.json").read_text())
    assert info["status"] == "interrupted"
    assert "accuracy" not in info  # which would say that the run is whole
    assert info["error"] is None


def test_accuracy_without_the_pictures_that_training_knows(
    colour_folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for number, file in enumerate(sorted(colour_folder.rglob("*.png"))):
        part = "test" if number % 4 == 0 else "train"
        target = data / part / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    # Two test pictures are also there to train on, one of them saved anew.
    (data / "test" / "blue" / "known.png").write_bytes(
        (data / "train" / "blue" / "01.png").read_bytes()
    )
    picture = Image.open(data / "train" / "red" / "01.png")
    picture.save(data / "test" / "red" / "known.bmp")
    events: list[Event] = []
    run = train_quickly(data, tmp_path / "run", observers=[events.append])
    assert run.overlap is not None
    assert run.overlap.copies == 2
    assert run.overlap.accuracy_without.count == run.evaluation.accuracy.count - 2 == 9
    assert read_json(run, "run.json")["overlap"]["copies"] == 2
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert any("2 of 11 test pictures have a copy in the training part" in text for text in notes)
    kinds = {pair["kind"] for pair in read_json(run, "audit.json")["pairs"]}
    assert kinds == {"identical file", "same pixels"}


def test_copies_are_on_one_side_of_the_split(colour_folder: Path, tmp_path: Path) -> None:
    for number in range(6):
        content = (colour_folder / "green" / f"{number:02}.png").read_bytes()
        (colour_folder / "green" / f"again-{number}.png").write_bytes(content)
    run = train_quickly(colour_folder, tmp_path / "run", seed=5)
    parts = {row["path"]: row["part"] for row in rows_of(run, "split.csv")}
    assert len(parts) == 42
    for number in range(6):
        assert parts[f"green/{number:02}.png"] == parts[f"green/again-{number}.png"]
    assert run.overlap is None


def test_streaming_gives_the_same_network(
    colour_folder: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = train_quickly(colour_folder, tmp_path / "kept", epochs=2)
    ta_cache = [path.name.partition("-")[0] for path in own_cache.iterdir()]
    assert "pixels" in ta_cache
    monkeypatch.setenv("TELLAPART_STORE_LIMIT", "1kB")
    events: list[Event] = []
    streamed = train_quickly(
        colour_folder, tmp_path / "streamed", epochs=2, observers=[events.append]
    )
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert any("they are decoded anew in each epoch" in text for text in notes)
    for one, other in zip(kept.model.get_weights(), streamed.model.get_weights(), strict=True):
        assert np.array_equal(one, other)
    assert kept.evaluation.to_json() == streamed.evaluation.to_json()


def test_a_store_limit_that_is_no_size(
    colour_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLAPART_STORE_LIMIT", "a lot")
    with pytest.raises(TellapartError, match=r"TELLAPART_STORE_LIMIT=a lot: expected a size such"):
        train_quickly(colour_folder, tmp_path / "run")


def test_a_clock_that_is_set_back(colour_folder: Path, tmp_path: Path) -> None:
    """By an hour at each look at it."""
    now = itertools.count(time.time(), -3600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: next(now))
        patch.setenv("TELLAPART_CHECKPOINT_SECONDS", "0")
        run = train_quickly(colour_folder, tmp_path / "run")
    info = read_json(run, runs.RUN_JSON)
    assert info["status"] == "finished"
    assert next(now) < time.time() - 3600, "somebody has looked at it"
    assert min(info["stages"].values()) >= 0
    assert min(float(row["seconds"]) for row in rows_of(run, runs.RESULTS_CSV)) > 0
    assert info["training"]["seconds"] > 0


def test_corrected_labels_are_trained_on_and_recorded(colour_folder: Path, tmp_path: Path) -> None:
    (colour_folder / "red" / "03.png").rename(colour_folder / "blue" / "red-one.png")
    corrections = tmp_path / "corrections.csv"
    corrections.write_text("path,label\nblue/red-one.png,red\n", encoding="utf-8")
    run = train_quickly(colour_folder, tmp_path / "run", epochs=1, labels=corrections)
    info = json.loads((run.path / runs.RUN_JSON).read_text(encoding="utf-8"))
    assert info["data"]["counts"] == {"blue": 12, "green": 12, "red": 12}
    assert info["asked"]["labels"] == str(corrections)
    rows = (run.path / runs.SPLIT_CSV).read_text(encoding="utf-8").splitlines()
    assert any(row.startswith("blue/red-one.png,red,") for row in rows)
    assert (colour_folder / "blue" / "red-one.png").exists()
