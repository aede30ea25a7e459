"""Pictures that are there when they are listed, and are not when they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tellapart import runs
from tellapart.data import load
from tellapart.data.audit import SIGNATURES
from tellapart.data.columns import open_column
from tellapart.data.folder import FolderSource
from tellapart.errors import DataError
from tellapart.training.events import Event, Noted
from tests.small_runs import read_json, rows_of, train_quickly


def removing(*files: Path) -> Callable[[Event], None]:
    """Files vanish as the run begins, after they have been listed."""

    def on_event(event: Event) -> None:
        for file in files:
            file.unlink(missing_ok=True)

    return on_event


def test_pictures_that_vanish_after_the_audit_are_left_out(
    colour_folder: Path, tmp_path: Path
) -> None:
    open_column(load(colour_folder), SIGNATURES)  # kept from an earlier look
    gone = [colour_folder / "red" / f"{number:02}.png" for number in (1, 4, 7)]
    seen: list[Event] = []
    run = train_quickly(colour_folder, tmp_path / "run", observers=[removing(*gone), seen.append])
    warnings = [e.text for e in seen if isinstance(e, Noted) and e.level == "warning"]
    assert (
        "3 pictures could be read a moment ago and cannot be read any more: left out."
        "\n  red/01.png: no such file or directory\n  red/04.png: no such file or directory"
        "\n  red/07.png: no such file or directory"
    ) in warnings
    info = read_json(run, runs.RUN_JSON)
    excluded = ["red/01.png", "red/04.png", "red/07.png"]
    assert [item["path"] for item in info["data"]["excluded"]] == excluded
    used = {row["path"] for row in rows_of(run, "split.csv") if row["part"]}
    assert len(used) == sum(info["data"]["parts"].values()) == 33
    assert not used & set(excluded)


def test_a_class_that_vanishes_after_the_audit(colour_folder: Path, tmp_path: Path) -> None:
    open_column(load(colour_folder), SIGNATURES)
    gone = removing(*(colour_folder / "red").iterdir())
    with pytest.raises(DataError, match=r"12 pictures of .*nothing is left of 'red'. Was a folder"):
        train_quickly(colour_folder, tmp_path / "run", observers=[gone])
    assert not (tmp_path / "run").exists()


def test_a_drive_that_is_taken_out_ends_the_run(colour_folder: Path, tmp_path: Path) -> None:
    """Half of the pictures would be left out, and their classes be judged by the rest."""
    away = tmp_path / "away"
    read = FolderSource.read

    def taken_out(source: FolderSource, index: int) -> bytes:
        if index == 30 and not away.exists():
            colour_folder.rename(away)
        return read(source, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FolderSource, "read", taken_out)
        with pytest.raises(DataError, match=r"colours is no longer there\. Was it moved, or its"):
            train_quickly(colour_folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    away.rename(colour_folder)
    assert train_quickly(colour_folder, tmp_path / "run").evaluation.accuracy.value > 0
