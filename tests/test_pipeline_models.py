"""Models of one's own, and which weights of a training are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tellapart as ta
from tellapart import runs
from tellapart.training.events import Event, Noted, TrainingEnded
from tests.small_runs import read_json, train_quickly


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
