"""Runs that were cut off go on: what may differ, what may not, and who may go on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tellapart as ta
from tellapart import runs
from tellapart.errors import RunError, UsageError
from tellapart.runs import RunFolder
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.events import EpochEnded, Event, Noted, RunResumed, TrainingEnded
from tellapart.training.records import read_results
from tellapart.training.stopping import Stopped
from tests.conftest import save_picture

OPTIONS: dict[str, Any] = {
    "recipe": "classic",
    "model": "classic-32",
    "image_size": (12, 10),
    "batch_size": 8,
    "epochs": 4,
}


class CutOffError(Exception):
    """As if the process were gone."""


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CHECKPOINT_SECONDS", "0")


def cut_off_after(epoch: int) -> Any:
    def on_event(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == epoch:
            raise CutOffError

    return on_event


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, and a run that is gone when it has reported its third epoch, not yet kept."""
    folder = tmp_path_factory.mktemp("once")
    for name, colour in (("blue", (40, 60, 200)), ("green", (50, 190, 60)), ("red", (210, 50, 40))):
        for number in range(12):
            save_picture(folder / "colours" / name / f"{number:02}.png", colour)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CHECKPOINT_SECONDS", "0")
        patch.chdir(folder)
        with pytest.raises(CutOffError):
            ta.train("colours", out="run", observers=[cut_off_after(3)], **OPTIONS)
    return folder


@pytest.fixture
def cut_off(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That run, of pictures in the folder "colours" beside it."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    info = info_of(tmp_path / "run")
    info["source"]["folder"] = str(tmp_path)
    (tmp_path / "run" / runs.RUN_JSON).write_text(json.dumps(info))
    return tmp_path / "run"


def info_of(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / runs.RUN_JSON).read_text()))


def events_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / runs.EVENTS_JSONL).read_text().splitlines()]


def test_it_ends_as_one_that_was_never_cut_off(cut_off: Path, tmp_path: Path) -> None:
    straight = ta.train("colours", out=tmp_path / "straight", observers=[], **OPTIONS)
    seen: list[Event] = []
    (cut_off / ".evaluation.0123abcd.tmp.json").write_text("half")
    with (cut_off / runs.EVENTS_JSONL).open("a") as stream:
        stream.write('{"event": "EpochEn')  # what a killed process may leave
    run = ta.resume(cut_off, observers=[seen.append])
    resumed = next(event for event in seen if isinstance(event, RunResumed))
    assert (resumed.epoch, resumed.step) == (2, 3)  # all of the third epoch but its validation
    for ours, theirs in zip(straight.model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [row["val_loss"] for row in straight.history] == [row["val_loss"] for row in run.history]
    for name in (runs.EVALUATION_JSON, runs.PREDICTIONS_CSV, runs.SPLIT_CSV):
        assert (straight.path / name).read_bytes() == (run.path / name).read_bytes()
    names = [event["event"] for event in events_of(cut_off)]
    for name in ("RunStarted", "RunResumed", "TrainingEnded", "RunFinished"):
        assert names.count(name) == 1
    assert names.count("EpochEnded") == 4
    info = info_of(cut_off)
    assert info["status"] == "finished"
    assert info["resumed"] == [
        {"time": info["resumed"][0]["time"], "epoch": 2, "step": 3, "differs": []}
    ]
    assert "process" not in info
    assert "error" not in info
    assert not (cut_off / runs.CHECKPOINTS).exists()
    assert not list(cut_off.glob(".*"))
    assert "cut off and resumed 1 time" in (cut_off / runs.REPORT_HTML).read_text()
    assert "cut off and resumed 1 time." in (cut_off / runs.MODEL_CARD).read_text()


@pytest.mark.slow
def test_after_training_nothing_is_trained_again(colour_folder: Path, tmp_path: Path) -> None:
    def cut_off(event: Event) -> None:
        if isinstance(event, TrainingEnded):
            raise CutOffError

    with pytest.raises(CutOffError):
        ta.train(colour_folder, out=tmp_path / "run", observers=[cut_off], **OPTIONS)
    seen: list[Event] = []
    run = ta.resume(tmp_path / "run", observers=[seen.append])
    assert not [event for event in seen if isinstance(event, EpochEnded)]
    assert len(run.history) == 4


@pytest.mark.slow
def test_the_second_time_too(cut_off: Path) -> None:
    with pytest.raises(CutOffError):
        ta.resume(cut_off, observers=[cut_off_after(4)])
    ta.resume(cut_off, observers=[])
    info = info_of(cut_off)
    assert [(item["epoch"], item["step"]) for item in info["resumed"]] == [(2, 3), (3, 3)]
    assert [row["epoch"] for row in read_results(cut_off / runs.RESULTS_CSV)] == [1, 2, 3, 4]


def test_a_failed_run_says_how_to_go_on(colour_folder: Path, tmp_path: Path) -> None:
    seen: list[Event] = []
    with pytest.raises(CutOffError):
        ta.train(
            colour_folder,
            out=tmp_path / "run",
            observers=[seen.append, cut_off_after(1)],
            **OPTIONS,
        )
    last = [event for event in seen if isinstance(event, Noted)][-1]
    assert last.text == (
        f"What was trained is kept; `tellapart train --resume {tmp_path / 'run'}` goes on."
    )


def test_a_whole_run_is_left_alone(cut_off: Path) -> None:
    whole = {"status": "finished", "accuracy": {"value": 1.0}, "seconds_after_audit": 3.0}
    (cut_off / runs.RUN_JSON).write_text(json.dumps(info_of(cut_off) | whole))
    before = (cut_off / runs.RUN_JSON).read_bytes()
    with pytest.raises(RunError, match="is finished: there is nothing to resume"):
        ta.resume(cut_off)
    assert (cut_off / runs.RUN_JSON).read_bytes() == before
    assert RunFolder(cut_off).is_running() is not True


@pytest.mark.slow
def test_a_run_that_ctrl_c_ended_is_whole(colour_folder: Path, tmp_path: Path) -> None:
    def press(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    run = ta.train(colour_folder, out=tmp_path / "run", observers=[press], **OPTIONS)
    assert run.interrupted
    with pytest.raises(
        RunError, match=r"was ended early with Ctrl-C, after 2 epochs, and is whole"
    ):
        ta.resume(run.path)


@pytest.mark.slow
def test_ctrl_c_twice_is_a_pause(colour_folder: Path, tmp_path: Path) -> None:
    def press(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)
        if isinstance(event, TrainingEnded):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        ta.train(colour_folder, out=tmp_path / "run", observers=[press], **OPTIONS)
    assert info_of(tmp_path / "run")["status"] == "interrupted"
    run = ta.resume(tmp_path / "run", observers=[])
    assert len(run.history) == 4
    assert info_of(tmp_path / "run")["status"] == "finished"


@pytest.mark.skipif(os.name == "nt", reason="no such signal there")
@pytest.mark.parametrize(
    "moment", [EpochEnded, pytest.param(TrainingEnded, marks=pytest.mark.slow)]
)
def test_sigterm_leaves_a_run_to_go_on_with(
    moment: type[Event], colour_folder: Path, tmp_path: Path
) -> None:
    seen: list[Event] = []

    def ask(event: Event) -> None:
        seen.append(event)
        if isinstance(event, moment) and getattr(event, "epoch", 2) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped) as stopped:
        ta.train(colour_folder, out=tmp_path / "run", observers=[ask], **OPTIONS)
    assert stopped.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before
    said = [event.text for event in seen if isinstance(event, Noted)][-1]
    assert said.startswith("SIGTERM: the run stops. What was trained is kept; `tellapart train --")
    assert info_of(tmp_path / "run")["status"] == "stopped"
    newest = Checkpoints(tmp_path / "run" / runs.CHECKPOINTS).newest
    assert newest is not None
    assert newest.epoch == (2 if moment is EpochEnded else 4)
    assert len(ta.resume(tmp_path / "run", observers=[]).history) == 4


@pytest.mark.slow
def test_killed_while_decoding(colour_folder: Path, tmp_path: Path) -> None:
    """The folder is there from the beginning, and knows what was asked."""
    program = (
        "import os, signal, tellapart as ta\n"
        "from tellapart.training.events import Progressed\n"
        "def die(event):\n"
        "    if isinstance(event, Progressed): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"ta.train({str(colour_folder)!r}, out='run', recipe='classic', epochs=1, "
        "observers=[die])\n"
    )
    died = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False)
    assert died.returncode == -signal.SIGKILL
    run = tmp_path / "run"
    assert [path.name for path in run.iterdir()] == [runs.RUN_JSON]
    assert info_of(run)["status"] == "running"
    assert RunFolder(run).is_running() is False
    finished = ta.resume(run, observers=[])
    assert len(finished.history) == 1
    assert info_of(run)["resumed"][0]["epoch"] == 0


def test_two_processes_never_train_in_one_folder(cut_off: Path) -> None:
    RunFolder(cut_off).claim()
    try:
        program = f"import tellapart as ta; ta.resume({str(cut_off)!r})"
        other = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        assert (
            f"The process {os.getpid()} is at work in {cut_off}. Wait for its end" in other.stderr
        )
        with pytest.raises(RunError, match="two of them cannot train in one folder"):
            ta.resume(cut_off)
    finally:
        RunFolder(cut_off).release()
    ta.resume(cut_off, observers=[])


def test_pictures_that_changed_are_named(cut_off: Path) -> None:
    colours = cut_off.parent / "colours"
    save_picture(colours / "blue" / "new.png", (40, 60, 200))
    (colours / "green" / "03.png").unlink()
    shutil.move(colours / "red" / "05.png", colours / "green" / "55.png")
    with pytest.raises(RunError) as refused:
        ta.resume(cut_off, observers=[])
    words = str(refused.value)
    assert f"colours is not what the run {cut_off} was begun with:" in words
    assert "2 pictures are new: blue/new.png, green/55.png" in words
    assert "2 pictures are gone: green/03.png, red/05.png" in words
    assert "--allow-changes" in words
    before = (cut_off / runs.SPLIT_CSV).read_text().splitlines()
    seen: list[Event] = []
    run = ta.resume(cut_off, allow_changes=True, observers=[seen.append])
    after = (cut_off / runs.SPLIT_CSV).read_text().splitlines()
    # New pictures are left out: none that was trained on comes into the test part.
    assert after == [line for line in before if "green/03" not in line and "red/05" not in line]
    assert len(run.history) == 4
    assert any("Not as it was when the run began: 2 pictures" in str(event) for event in seen)


def test_other_content_and_other_classes(cut_off: Path) -> None:
    colours = cut_off.parent / "colours"
    save_picture(colours / "blue" / "00.png", (1, 2, 3))
    with pytest.raises(RunError, match="pictures of the same names have other content"):
        ta.resume(cut_off, observers=[])
    for number in range(12):
        save_picture(colours / "white" / f"{number}.png", (230, 230, 230))
    with pytest.raises(RunError, match=r"has the classes blue, green, red, white, and the run"):
        ta.resume(cut_off, allow_changes=True, observers=[])


def test_options_that_changed_are_named(cut_off: Path) -> None:
    with pytest.raises(RunError) as refused:
        ta.resume(cut_off, epochs=6, observers=[])
    assert "was begun with something else:\n  epochs was 4, and is 6 now" in str(refused.value)
    assert "go on with --allow-changes" in str(refused.value)
    with pytest.raises(RunError, match="cannot go on with another image_size, seed: train anew"):
        ta.resume(cut_off, image_size=(20, 20), seed=1, allow_changes=True, observers=[])
    run = ta.resume(cut_off, epochs=6, batch_size=8, allow_changes=True, observers=[])
    assert len(run.history) == 6
    assert info_of(cut_off)["asked"]["epochs"] == 6
    assert info_of(cut_off)["recipe"]["epochs"] == 6


@pytest.mark.slow
def test_the_same_options_are_no_change(cut_off: Path) -> None:
    assert len(ta.resume(cut_off, epochs=4, image_size=(12, 10), observers=[]).history) == 4


@pytest.mark.slow
def test_other_versions_are_a_warning(cut_off: Path) -> None:
    info = info_of(cut_off)
    info["versions"]["keras"] = "3.0.0"
    (cut_off / runs.RUN_JSON).write_text(json.dumps(info))
    seen: list[Event] = []
    ta.resume(cut_off, observers=[seen.append])
    warnings = [e.text for e in seen if isinstance(e, Noted) and e.level == "warning"]
    now = runs.describe_versions()["keras"]
    assert any(f"keras was 3.0.0, and is {now}" in text for text in warnings)
    assert any("may not be, bit for bit" in text for text in warnings)
    assert info_of(cut_off)["resumed"][0]["differs"] == [f"keras was 3.0.0, and is {now}"]


@pytest.mark.slow
def test_from_another_folder_and_with_data_that_moved(
    cut_off: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "elsewhere" / "colours"
    moved.parent.mkdir()
    shutil.move(tmp_path / "colours", moved)
    monkeypatch.chdir(moved.parent)
    assert len(ta.resume(cut_off, moved, observers=[]).history) == 4


def test_paths_are_those_of_the_folder_where_it_was_begun(
    cut_off: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert len(ta.resume(cut_off, observers=[]).history) == 4


def test_what_cannot_be_named_must_be_given_again(cut_off: Path) -> None:
    info = info_of(cut_off)
    info["source"]["data"] = None  # arrays
    (cut_off / runs.RUN_JSON).write_text(json.dumps(info))
    with pytest.raises(UsageError, match=r"cannot name the data it was trained on.*data=\.\.\."):
        ta.resume(cut_off)
    info["source"]["data"] = "colours"
    info["asked"]["model"] = "build"  # a function
    (cut_off / runs.RUN_JSON).write_text(
        json.dumps(info | {"source": info["source"] | {"model": None}})
    )
    with pytest.raises(UsageError, match=r"cannot name the model.*model=\.\.\."):
        ta.resume(cut_off)


@pytest.mark.slow
def test_a_model_file_that_changed(colour_folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "own.py"
    model.write_text(
        "import keras\n"
        "def build(input_shape, classes):\n"
        "    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(),\n"
        "        keras.layers.Dense(classes, activation='softmax')])\n"
    )
    options = OPTIONS | {"model": f"{model}:build"}
    with pytest.raises(CutOffError):
        ta.train(colour_folder, out=tmp_path / "run", observers=[cut_off_after(1)], **options)
    model.write_text(model.read_text() + "# another word\n")
    with pytest.raises(RunError, match=r"own\.py is not the file that it was"):
        ta.resume(tmp_path / "run", observers=[])
    assert len(ta.resume(tmp_path / "run", allow_changes=True, observers=[]).history) == 4


def test_a_run_of_an_older_version(cut_off: Path) -> None:
    info = info_of(cut_off)
    del info["source"]
    (cut_off / runs.RUN_JSON).write_text(json.dumps(info))
    with pytest.raises(RunError, match="of a tellapart that could not resume. Train anew"):
        ta.resume(cut_off)
    assert RunFolder(cut_off).is_running() is not True


@pytest.mark.parametrize(
    "writes",
    [
        pytest.param(count, marks=[] if count == 22 else pytest.mark.slow)
        for count in range(1, 60, 7)
    ],
)
def test_a_disk_that_is_full(
    writes: int, colour_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many files were flushed, no more can be; then there is space again."""
    straight = ta.train(colour_folder, out=tmp_path / "straight", observers=[], **OPTIONS)
    flush, left = os.fsync, [writes]

    def full(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0 and "/run/" in f"{Path(f'/proc/self/fd/{descriptor}').resolve()}/":
            raise OSError(28, "No space left on device")
        flush(descriptor)

    seen: list[Event] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ta.TellapartError, match=r"Cannot write .*: the disk is full\. Free"):
            ta.train(colour_folder, out=tmp_path / "run", observers=[seen.append], **OPTIONS)
    if not (tmp_path / "run").exists():  # nothing had begun
        assert writes == 1
        return
    run = ta.resume(tmp_path / "run", observers=[])
    for ours, theirs in zip(straight.model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not [path for path in run.path.rglob("*") if re.search(r"\.tmp", path.name)]
