"""Sorts that end too soon: Ctrl-C, a full disk; and how they are gone on with or taken back."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

import tellapart as ta
from tellapart.collection import doing, placing, undo
from tellapart.collection.journal import How, Journal
from tellapart.errors import SortError
from tests.collection.stub import Look, Stub, look, names, write

HOWS: tuple[How, ...] = get_args(How)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(30):
        write(tmp_path / "photos" / f"{number % 3}" / f"{number // 3}.jpg", f"cat {number}", number)
        write(tmp_path / "photos" / f"{number % 3}" / f"{number // 3}.xmp", f"of {number}", number)
    return tmp_path / "photos"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "sorted"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doing, "BATCH_FILES", 8)
    monkeypatch.setattr(undo, "BATCH_FILES", 8)


def stop_after(monkeypatch: pytest.MonkeyPatch, calls: int, error: BaseException) -> None:
    """Lets the n-th name that is given, taken back or removed raise."""
    left = [calls]

    def count(do: Any) -> Any:
        def do_or_stop(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise error
            return do(*args, **options)

        return do_or_stop

    monkeypatch.setattr(placing, "_rename", count(placing._rename))
    monkeypatch.setattr(os, "link", count(os.link))
    monkeypatch.setattr(Path, "symlink_to", count(Path.symlink_to))


def contents(*looks: Look) -> set[str]:
    return {seen[0] for found in looks for seen in found.values()}


@pytest.mark.parametrize("how", HOWS)
def test_ctrl_c_and_on_and_back(
    photos: Path, into: Path, how: How, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look(photos)
    with monkeypatch.context() as patch:
        stop_after(patch, 20, KeyboardInterrupt())
        with pytest.raises(
            KeyboardInterrupt,
            match=r"19 of 60 files are sorted; `tellapart sort --resume .*` goes on, `tellapart un",
        ):
            ta.sort(Stub(), photos, into=into, how=how)
    assert len(names(into)) == 19
    assert not list(into.rglob("*.part"))
    assert contents(look(photos), look(into)) == contents(before)
    with pytest.raises(SortError, match=r"has not ended\. `tellapart sort --resume .*` goes on"):
        ta.sort(Stub(), photos, into=into)
    stub = Stub()
    done = ta.resume_sort(into, classifier=stub)
    assert (done.pictures, done.companions, stub.asked) == (30, 30, [])
    with pytest.raises(SortError, match=r"has ended; `tellapart undo .*` takes it back"):
        ta.resume_sort(into)
    ta.undo_sort(into)
    assert look(photos) == before
    assert not into.exists()


@pytest.mark.parametrize("how", HOWS)
def test_ctrl_c_and_straight_back(
    photos: Path, into: Path, how: How, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look(photos)
    with monkeypatch.context() as patch:
        stop_after(patch, 33, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            ta.sort(Stub(), photos, into=into, how=how)
    assert ta.undo_sort(into).files == 32
    assert look(photos) == before
    assert not into.exists()


def test_ctrl_c_while_taking_back(
    photos: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look(photos)
    ta.sort(Stub(), photos, into=into, how="move")
    with monkeypatch.context() as patch:
        stop_after(patch, 20, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt, match=r"files are taken back; `tellapart undo .* g"):
            ta.undo_sort(into)
    assert ta.undo_sort(into).files == 60
    assert look(photos) == before


def test_ctrl_c_while_predicting_keeps_the_answers(
    photos: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.collection import predicting

    monkeypatch.setattr(predicting, "COMMIT_EVERY", 10)

    def stop(what: str, done: int, total: int | None) -> None:
        if (what, done) == ("Predicting", 25):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"Nothing is sorted yet; `tellapart sort --resume"):
        ta.sort(Stub(), photos, into=into, on_progress=stop)
    stub = Stub()
    assert ta.resume_sort(into, classifier=stub).pictures == 30
    assert len(stub.asked) == 10, "20 answers were on the disk"


def test_another_classifier_does_not_go_on(photos: Path, into: Path, tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int | None) -> None:
        if what == "Predicting":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ta.sort(Stub(), photos, into=into, on_progress=stop)
    other = Stub()
    other.path = write(tmp_path / "other.onnx", "another")
    with pytest.raises(SortError, match=r"no longer the classifier that the sort into .* anew\."):
        ta.resume_sort(into, classifier=other)
    assert ta.undo_sort(into).files == 0
    assert not into.exists()


# --- A full disk --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_write_finds_the_disk_full(
    photos: Path, into: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    before = look(photos)
    left = [rng.randrange(1, 60)]
    write_all = placing._write_all

    def fail(stream: Any, chunk: bytes) -> None:
        left[0] -= 1
        if left[0] <= 0:
            write_all(stream, chunk[:2])
            raise OSError(errno.ENOSPC, "No space left on device")
        write_all(stream, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(placing, "_write_all", fail)
        with pytest.raises(
            SortError,
            match=r"^The disk of .*sorted is full\. Free some space first\. .* files are sorted; "
            r"`tellapart sort --resume .*` goes on, `tellapart undo .*` takes it back\.$",
        ):
            ta.sort(Stub(), photos, into=into)
    assert not list(into.rglob("*.part")), "what was half written takes no room"
    assert look(photos) == before
    assert contents(look(into)) <= contents(before)
    if seed % 2:
        assert ta.resume_sort(into).pictures == 30
        assert contents(look(into)) == contents(before)
    ta.undo_sort(into)
    assert look(photos) == before
    assert not into.exists()


@pytest.mark.parametrize("how", HOWS)
def test_the_journal_finds_the_disk_full(
    photos: Path, into: Path, how: How, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look(photos)

    def limit(plan: Any) -> None:  # SQLite's own way to run out of room
        journal = limited[0]
        pages = journal.execute("PRAGMA page_count").fetchone()[0]
        journal.execute(f"PRAGMA max_page_count = {pages}")

    limited: list[Journal] = []
    create = Journal.create.__func__  # type: ignore[attr-defined]

    def remember(cls: Any, *args: Any, **options: Any) -> Journal:
        limited.append(create(cls, *args, **options))
        return limited[-1]

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "create", classmethod(remember))
        with pytest.raises(SortError, match="is full. Free some space first"):
            ta.sort(Stub(), photos, into=into, how=how, confirm=limit)
    assert contents(look(photos), look(into)) == contents(before)
    assert ta.resume_sort(into).pictures == 30
    ta.undo_sort(into)
    assert look(photos) == before


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KiB, where root may mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("how", ["copy", "move"])
def test_a_disk_that_is_really_full(tiny_disk: Path, tmp_path: Path, how: How) -> None:
    photos = tmp_path / "photos"
    for number in range(40):
        write(photos / f"{number}.jpg", f"cat {number} " + "x" * 12_000, number)
    before = look(photos)
    into = tiny_disk / "sorted"
    plan = ta.plan_sort(Stub(), photos, into=into, how=how)
    assert plan.bytes > plan.free_bytes
    with pytest.raises(SortError, match=r"is full\. Free some space first\. .* `tellapart sort -"):
        ta.sort(Stub(), photos, into=into, how=how)
    assert contents(look(photos), look(into)) == contents(before)
    subprocess.run(["mount", "-o", "remount,size=4m", str(tiny_disk)], check=True)
    assert ta.resume_sort(into).pictures == 40
    ta.undo_sort(into)
    assert look(photos) == before
    assert not into.exists()


LIMITED = """
import resource, signal, sys
from pathlib import Path
import tellapart as ta
from tests.collection.stub import Stub
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
done = ta.sort(Stub(), sys.argv[1], into=sys.argv[2])
print([(Path(problem.path).name, problem.reason) for problem in done.skipped], done.pictures)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes are not limited there")
def test_a_file_that_is_too_large_for_the_disk(tmp_path: Path, into: Path) -> None:
    photos = tmp_path / "photos"
    write(photos / "large.jpg", "cat 1 " + "x" * 300_000)
    write(photos / "small.jpg", "cat 2")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(photos), str(into)],
        capture_output=True, text=True, check=True, cwd=root,
    )  # fmt: skip
    assert done.stdout == "[('large.jpg', 'file too large')] 1\n"
    assert names(into) == ["cat/small.jpg"]
