"""`tellapart train --resume`: its words, and what does not go together."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
import time
from pathlib import Path

import pytest

from tellapart.cli import main
from tests.reliability.trainings import (
    begin,
    differences,
    go_on,
    must_end,
    read_info,
    wait_for,
)


def fails(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and stderr, on one line."""
    with pytest.raises(SystemExit) as ended:
        main(["train", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code, " ".join(capsys.readouterr().err.split())


def test_data_or_a_run_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = fails(capsys=capsys)
    assert code == 2
    assert "DATA is missing: name the pictures to train on, or a run to --resume." in said


def test_changes_are_allowed_of_a_run_alone(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = fails("digits", "--allow-changes", capsys=capsys)
    assert code == 2
    assert "--allow-changes is for --resume, which is not given." in said


def test_what_was_settled(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = fails("--resume", "a", "--out", "b", "--recipe", "fast", capsys=capsys)
    assert code == 2
    assert "--recipe, --out cannot be given with --resume: that was settled when the run a" in said


def test_a_run_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = fails("--resume", str(tmp_path / "no"), capsys=capsys)
    assert code == 1
    assert "no does not exist." in said


def test_a_whole_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = {
        "format_version": 1,
        "status": "finished",
        "accuracy": {"value": 1},
        "seconds_after_audit": 1,
    }
    (tmp_path / "run.json").write_text(json.dumps(info))
    code, said = fails("--resume", str(tmp_path), capsys=capsys)
    assert code == 1
    assert "is finished: there is nothing to resume." in said
    assert "train anew, with more --epochs if that is what you want." in said


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_while_training(number: signal.Signals, code: int, tmp_path: Path) -> None:
    must_end(begin(tmp_path, "classic", "straight"))
    training = begin(tmp_path, "classic", "stopped", every=0.2)
    wait_for(lambda: list((tmp_path / "stopped" / "checkpoints").glob("*.npz")), training)
    training.process.send_signal(number)
    assert training.end() == code
    assert f"{number.name}: the run stops." in training.words
    assert "tellapart train --resume stopped" in " ".join(training.words.split())
    assert read_info(tmp_path / "stopped")["status"] == "stopped"
    must_end(go_on(tmp_path, "stopped"))
    assert differences(tmp_path / "straight", tmp_path / "stopped") == []


@pytest.mark.slow
def test_a_terminal_that_is_closed(tmp_path: Path) -> None:
    """The process is told by SIGHUP, and nothing that it says can be written any more."""
    must_end(begin(tmp_path, "classic", "straight"))
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover (another process)
        os.chdir(tmp_path)
        os.environ |= {"TELLAPART_CHECKPOINT_SECONDS": "0.2"}
        arguments = ["digits", "--recipe", "classic", "--epochs", "30", "--out", "closed"]
        os.execv(sys.executable, [sys.executable, "-m", "tellapart", "train", *arguments])
    until = time.monotonic() + 120
    while not list((tmp_path / "closed" / "checkpoints").glob("*.npz")):
        assert time.monotonic() < until
        os.read(terminal, 2**16)  # or it is full, and the process waits
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    assert read_info(tmp_path / "closed")["status"] == "stopped"
    must_end(go_on(tmp_path, "closed"))
    assert differences(tmp_path / "straight", tmp_path / "closed") == []
