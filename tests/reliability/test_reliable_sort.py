"""`sort_kills.py` with a small collection at every commit, and in full under the slow mark."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.sort_kills import Truth, make_collection, run_kills, snapshot

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


def test_ten_kills(tmp_path: Path) -> None:
    figures = run_kills(tmp_path, kills=10, files=60, seed=0)
    assert figures.failures == []
    assert figures.kills == 10


STEPS = Path(__file__).with_name("sort_steps.py")


def steps(every: int) -> str:
    """Runs `sort_steps.py` in a process of its own, which has no threads and so may fork."""
    done = subprocess.run(
        [sys.executable, STEPS, "--every", str(every)],
        capture_output=True, text=True, check=False, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_killed_before_every_31st_step() -> None:
    assert int(steps(every=31).split()[0]) >= 30


@pytest.mark.slow
def test_killed_before_every_step() -> None:
    assert int(steps(every=1).split()[0]) >= 1_000


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_two_hundred_kills_of_ten_thousand_files(tmp_path: Path, seed: int) -> None:
    figures = run_kills(tmp_path, kills=50, files=10_000, seed=seed)
    assert figures.failures == []
    assert figures.kills == 50
    assert {name.partition(": ")[2] for name in figures.during} >= {"sorting", "undoing"}


def test_what_is_lost_changed_or_torn_is_noticed(tmp_path: Path) -> None:
    make_collection(tmp_path, 60, 0)
    truth = Truth(snapshot(tmp_path / "photos"), snapshot(tmp_path / "sorted"))
    assert truth.broken(tmp_path, "copy") == []
    lost, changed, *_ = (name for name in truth.photos if name.endswith("1.jpg"))
    (tmp_path / "photos" / lost).unlink()
    (tmp_path / "photos" / changed).chmod(0o777)
    (tmp_path / "sorted" / "cat" / "notes.txt").write_text("overwritten")
    (tmp_path / "sorted" / "cat" / "torn.jpg").write_text("half")
    assert sorted(truth.broken(tmp_path, "copy")) == sorted(
        [
            "cat/notes.txt in sorted/ was changed",
            "cat/torn.jpg is torn",
            "files of photos/ are missing",
            f"the content of {lost} is lost",
            f"{changed} in photos/ was changed",
        ]
    )
    (tmp_path / "sorted" / "cat" / ".ab-1.part").touch()
    assert "sorted/cat/.ab-1.part was left" in truth.not_restored(tmp_path)
    assert f"photos/{lost} is not as it was" in truth.not_restored(tmp_path)
    assert len(truth.not_sorted(tmp_path, "move")) > 60
