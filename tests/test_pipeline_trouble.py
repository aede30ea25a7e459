"""Runs that are interrupted, fail, or are not begun, and a clock that goes wrong."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tellapart as ta
from tellapart import runs
from tellapart.errors import DataError, ExportError, RunError, TellapartError
from tellapart.training.events import BatchEnded, EpochEnded, Event, TrainingEnded
from tests.small_runs import read_json, rows_of, train_quickly


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


def test_too_little_room_for_the_results_shows_before_training(
    colour_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellapart.session.RECORDS_BYTES", 2**60)
    seen: list[Event] = []
    with pytest.raises(RunError, match="MiB free, and the run needs .* MiB. Free some space"):
        train_quickly(colour_folder, tmp_path / "run", observers=[seen.append])
    assert not [event for event in seen if isinstance(event, EpochEnded)]


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
