"""Run folders: numbered without a race, never overwritten."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tellapart.errors import RunError, TellapartError
from tellapart.files import write_text
from tellapart.runs import RunFolder, find_runs


def test_the_next_free_number(tmp_path: Path) -> None:
    names = [RunFolder.create("photos", parent=tmp_path).path.name for _ in range(3)]
    assert names == ["photos-1", "photos-2", "photos-3"]
    (tmp_path / "photos-9").mkdir()
    (tmp_path / "photos-old").mkdir()
    assert RunFolder.create("photos", parent=tmp_path).path.name == "photos-10"


def test_two_at_once_never_share_a_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: RunFolder.create("x", parent=tmp_path).path, range(40)))
    assert len(set(made)) == 40


@pytest.mark.parametrize(
    ("name", "folder"),
    [("my photos", "my-photos-1"), ("../../etc", "etc-1"), ("日本 🐱", "日本-1"), ("//", "run-1")],
)
def test_names_become_safe_folder_names(tmp_path: Path, name: str, folder: str) -> None:
    path = RunFolder.create(name, parent=tmp_path).path
    assert path.parent == tmp_path
    assert path.name == folder


def test_an_existing_folder_is_never_overwritten(tmp_path: Path) -> None:
    taken = tmp_path / "mine"
    taken.mkdir()
    assert RunFolder.create("x", out=taken).path == taken  # empty: fine
    (taken / "precious.txt").write_text("keep")
    with pytest.raises(RunError, match="exists already and is not an empty folder"):
        RunFolder.create("x", out=taken)
    with pytest.raises(RunError, match="exists already"):
        RunFolder.create("x", out=taken / "precious.txt")
    assert (taken / "precious.txt").read_text() == "keep"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TellapartError, match="Cannot write"):
        RunFolder.create("x", out=tmp_path / "file" / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TellapartError, match="no permission to write there"):
        RunFolder.create("x", out=tmp_path / "run")


def test_open_says_what_is_missing(tmp_path: Path) -> None:
    run = RunFolder.create("digits", parent=tmp_path)
    run.write_info({"status": "finished"})
    assert RunFolder.open(run.path).read_info()["status"] == "finished"
    with pytest.raises(RunError, match="digits-11 does not exist. Did you mean 'digits-1'"):
        RunFolder.open(tmp_path / "digits-11")
    (tmp_path / "other").mkdir()
    with pytest.raises(RunError, match=r"has no run.json: it is not a run folder"):
        RunFolder.open(tmp_path / "other")


def test_a_damaged_or_newer_run_json(tmp_path: Path) -> None:
    run = RunFolder.create("digits", parent=tmp_path)
    (run.path / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run.json cannot be read"):
        run.read_info()
    (run.path / "run.json").write_text(json.dumps({"format_version": 2}))
    with pytest.raises(RunError, match="has format version 2; this tellapart reads 1"):
        run.read_info()


def test_runs_are_found_by_their_run_json(tmp_path: Path) -> None:
    first = RunFolder.create("a", parent=tmp_path)
    first.write_info({})
    os.utime(first.path / "run.json", (1, 1))
    second = RunFolder.create("b", parent=tmp_path)
    second.write_info({})
    (tmp_path / "no-run").mkdir()
    assert [run.path.name for run in find_runs(tmp_path)] == ["a-1", "b-1"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_run_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    for name in ("a", "b"):
        RunFolder.create(name, parent=tmp_path).write_info({})
    (tmp_path / "a-1").chmod(0)
    assert [run.path.name for run in find_runs(tmp_path)] == ["b-1"]
    with pytest.raises(RunError, match="a-1 cannot be read: Permission denied"):
        RunFolder.open(tmp_path / "a-1")
    (tmp_path / "a-1").chmod(0o700)


def test_a_folder_on_a_disk_that_is_too_small_is_taken_back(tmp_path: Path) -> None:
    run = RunFolder.create("x", out=tmp_path / "run")
    with pytest.raises(RunError, match="MiB free, and the run needs"):
        run.check_space(10**18)
    assert not run.path.exists()
    run = RunFolder.create("x", out=tmp_path / "run")  # the same command works once there is space
    run.check_space(1)
    assert run.path.exists()


def test_what_a_run_has_written_already_needs_no_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder.create("x", out=tmp_path / "run")
    (run.path / "plots").mkdir()
    (run.path / "plots" / "old.png").write_bytes(bytes(2 * 2**20))
    usage = shutil.disk_usage(tmp_path)._replace(free=5 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    run.check_space(7 * 2**20)
    with pytest.raises(RunError, match=r"has 5 MiB free, and the run needs 6 MiB\."):
        run.check_space(8 * 2**20)


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be locked there")
def test_a_folder_is_locked_while_its_run_is_running(tmp_path: Path) -> None:
    run = RunFolder.create("x", parent=tmp_path)
    assert run.is_running() is False
    run.write_info({"status": "running"})
    run.write_info({"status": "running", "accuracy": 1})
    assert run.is_running() is True
    run.write_info({"status": "finished"})
    assert run.is_running() is False


def test_a_run_folder_whose_drive_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    folder = RunFolder.create("photos", out=tmp_path / "run")
    folder.write_info({"status": "running"})
    folder.path.rename(tmp_path / "away")
    for name in ("a.json", "plots/a.png"):
        with pytest.raises(TellapartError, match=r"there is no folder .*its drive or network"):
            write_text(folder.file(name), "{}")
    assert not folder.path.exists()
