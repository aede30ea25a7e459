"""What is sorted where, what stays, and that nothing is replaced."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path
from typing import Any, get_args

import pytest

import tellapart as ta
from tellapart.collection import doing, placing
from tellapart.collection.journal import How, newest
from tellapart.collection.plan import Plan
from tellapart.collection.settling import remove_original
from tellapart.errors import DataError, SortError, UsageError
from tellapart.folder_lock import lock_folder
from tests.collection.stub import Stub, fill, look, names, write

HOWS: tuple[How, ...] = get_args(How)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return fill(
        tmp_path / "photos",
        a_jpg="cat 1",
        b_png="dog 2",
        deep__c_jpg="unsure cat 3",
        deep__broken_jpg="broken",
        notes_txt="no picture",
    )


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "sorted"


# --- Where things go ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOWS)
def test_pictures_go_to_their_classes(photos: Path, into: Path, how: How) -> None:
    before = look(photos)
    done = ta.sort(Stub(), photos, into=into, how=how)
    assert (done.pictures, done.companions, done.skipped) == (3, 0, ())
    after = look(into)
    assert list(after) == ["cat/a.jpg", "dog/b.png", "unsure/c.jpg"]
    for name, source in (("cat/a.jpg", "a.jpg"), ("unsure/c.jpg", "deep/c.jpg")):
        if how == "symlink":
            assert (into / name).readlink() == photos / source
        else:
            assert after[name] == before[source], "content, mode and times to the nanosecond"
    left = ["deep/broken.jpg", "notes.txt"] if how == "move" else list(before)
    assert names(photos) == left
    if how == "link":
        assert (into / "cat" / "a.jpg").samefile(photos / "a.jpg")


def test_the_folders_of_the_collection_can_be_kept(photos: Path, into: Path) -> None:
    ta.sort(Stub(), photos, into=into, keep_folders=True)
    assert names(into) == ["cat/a.jpg", "dog/b.png", "unsure/deep/c.jpg"]


@pytest.mark.parametrize("how", HOWS)
def test_a_name_that_is_taken_gets_a_suffix(tmp_path: Path, into: Path, how: How) -> None:
    photos = fill(tmp_path / "photos", one__a_jpg="cat 1", two__a_jpg="cat 2", three__a_jpg="cat 3")
    write(into / "cat" / "a.jpg", "here before")
    done = ta.sort(Stub(), photos, into=into, how=how)
    assert done.plan.renamed == 3
    assert {name: seen[0] for name, seen in look(into).items()} == {
        "cat/a.jpg": "here before",
        "cat/a (2).jpg": "cat 1",  # by the names of their folders: one, three, two
        "cat/a (3).jpg": "cat 3",
        "cat/a (4).jpg": "cat 2",
    }


def test_a_thousand_files_of_one_name(tmp_path: Path, into: Path) -> None:
    for number in range(300):
        write(tmp_path / "photos" / str(number) / "a.jpg", f"cat {number}")
    ta.sort(Stub(), tmp_path / "photos", into=into, how="link")
    assert {f"cat/a ({number}).jpg" for number in range(2, 301)} < set(names(into))


@pytest.mark.parametrize("how", HOWS)
def test_companions_go_with_their_picture_under_its_suffix(
    tmp_path: Path, into: Path, how: How
) -> None:
    photos = fill(
        tmp_path / "photos",
        a_jpg="cat 1", a_jpg_xmp="of 1", a_CR2="raw of 1", a_mov="film of 1", a_txt="not of 1",
        b_jpg="broken", b_xmp="of a picture that stays", c_xmp="of nothing",
        d_jpg="dog 1", d_png="dog 2", d_xmp="of the JPEG",
    )  # fmt: skip
    write(into / "cat" / "a.mov", "here before")
    done = ta.sort(Stub(), photos, into=into, how=how)
    assert (done.pictures, done.companions, done.plan.companions) == (3, 4, 4)
    assert names(into) == [
        "cat/a (2).CR2", "cat/a (2).jpg", "cat/a (2).jpg.xmp", "cat/a (2).mov", "cat/a.mov",
        "dog/d.jpg", "dog/d.png", "dog/d.xmp",
    ]  # fmt: skip
    assert done.plan.others == 3
    if how == "move":
        assert names(photos) == ["a.txt", "b.jpg", "b.xmp", "c.xmp"]


def test_classes_with_names_that_are_no_folders(tmp_path: Path, into: Path) -> None:
    photos = fill(
        tmp_path / "photos", a_jpg="../up 1", c_jpg="Cat 3", d_jpg="cat 4", e_jpg="unsure cat 5"
    )
    done = ta.sort(Stub(("../up", "unsure", "Cat", "cat")), photos, into=into)
    assert names(tmp_path / "sorted") == [
        "Cat/c.jpg", "__up/a.jpg", "cat (2)/d.jpg", "unsure/e.jpg",
    ]  # fmt: skip
    assert [group.folder for group in done.plan.groups] == [
        "__up", "unsure (2)", "Cat", "cat (2)", "unsure",
    ]  # fmt: skip


# --- What is the same ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["copy", "link", "symlink"])
def test_the_same_bytes_are_not_stored_twice(tmp_path: Path, into: Path, how: How) -> None:
    photos = fill(tmp_path / "photos", a_jpg="cat 1", b_jpg="cat 1", c_jpg="cat 2", d_jpg="cat 3")
    write(into / "cat" / "other name.jpg", "cat 2")
    done = ta.sort(Stub(), photos, into=into, how=how)
    assert (done.pictures, done.plan.twice, done.plan.there) == (2, 1, 1)
    assert names(into) == ["cat/a.jpg", "cat/d.jpg", "cat/other name.jpg"]
    again = ta.sort(Stub(), photos, into=into, how=how)
    assert (again.pictures, again.plan.there) == (0, 4)
    assert len(list((into / ".tellapart").iterdir())) == 1, "of nothing there is no journal"


def test_twins_with_companions_of_their_own_are_both_stored(tmp_path: Path, into: Path) -> None:
    photos = fill(
        tmp_path / "photos",
        a_jpg="cat 1", a_xmp="the same", b_jpg="cat 1", b_xmp="the same",
        c_jpg="cat 1", c_xmp="another", d_jpg="cat 1",
    )  # fmt: skip
    done = ta.sort(Stub(), photos, into=into)
    assert names(into) == ["cat/a.jpg", "cat/a.xmp", "cat/c.jpg", "cat/c.xmp"]
    assert done.plan.twice == 2


def test_twins_are_moved_all_the_same(tmp_path: Path, into: Path) -> None:
    photos = fill(tmp_path / "photos", a_jpg="cat 1", one__a_jpg="cat 1")
    write(into / "cat" / "there.jpg", "cat 1")
    done = ta.sort(Stub(), photos, into=into, how="move")
    assert names(into) == ["cat/a (2).jpg", "cat/a.jpg", "cat/there.jpg"]
    assert names(photos) == []
    assert (done.plan.twice, done.plan.there) == (1, 0)


# --- Folders in folders, links ------------------------------------------------------------------


@pytest.mark.parametrize("how", HOWS)
def test_sorting_into_a_folder_of_the_collection(photos: Path, how: How) -> None:
    into = photos / "sorted"
    assert ta.sort(Stub(), photos, into=into, how=how).pictures == 3
    again = ta.sort(Stub(), photos, into=into, how=how)
    assert (again.pictures, again.plan.destinations) == (0, 1)
    ta.undo_sort(into)
    assert not into.exists()


def test_the_destination_of_another_sort_is_left_out(photos: Path, tmp_path: Path) -> None:
    ta.sort(Stub(), photos, into=photos / "sorted")
    plan = ta.plan_sort(Stub(), photos, into=tmp_path / "elsewhere")
    assert (plan.pictures, plan.destinations) == (3, 1)


@pytest.mark.parametrize("how", HOWS)
def test_the_collection_lies_in_the_folder_that_is_sorted_into(tmp_path: Path, how: How) -> None:
    into = tmp_path / "pictures"
    photos = fill(into / "cat", a_jpg="cat 1", b_jpg="dog 2")
    done = ta.sort(Stub(), photos, into=into, how=how)
    assert (done.pictures, done.plan.in_place) == (1, 1)
    assert names(into) == ["cat/a.jpg"] + ["cat/b.jpg"] * (how != "move") + ["dog/b.jpg"]


def test_links_are_counted_and_not_followed(photos: Path, into: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "x.jpg", "cat 9")
    (photos / "loop").symlink_to(photos)
    (photos / "out").symlink_to(tmp_path / "outside")
    (photos / "x.jpg").symlink_to(tmp_path / "outside" / "x.jpg")
    (photos / "nowhere.jpg").symlink_to("absent")
    done = ta.sort(Stub(), photos, into=into, how="move")
    assert (done.pictures, done.plan.links) == (3, 4)
    assert names(tmp_path / "outside") == ["x.jpg"]
    assert (photos / "x.jpg").is_symlink()


def test_hidden_files_and_odd_ones_stay(photos: Path, into: Path) -> None:
    fill(photos, _hidden_jpg="cat 1", _git__a_jpg="cat 2")
    os.mkfifo(photos / "pipe.jpg")
    done = ta.sort(Stub(), photos, into=into, how="move")
    assert (done.pictures, done.plan.others) == (3, 3)  # hidden, pipe, notes


def test_names_that_are_no_unicode(tmp_path: Path, into: Path) -> None:
    photos = tmp_path / "photos"
    name = os.fsdecode(b"caf\xe9.jpg")
    write(photos / name, "cat 1")
    before = look(photos)
    ta.sort(Stub(), photos, into=into, how="move")
    assert names(into) == [f"cat/{name}"]
    ta.undo_sort(into)
    assert look(photos) == before


def test_a_folder_that_cannot_be_listed_is_named(
    photos: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if isinstance(path, str | Path) and Path(path).name == "deep":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    plan = ta.plan_sort(Stub(), photos, into=into)
    assert plan.pictures == 2
    (problem,) = plan.unreadable
    assert problem.path == str(photos / "deep")
    assert problem.reason == "the folder cannot be listed (Permission denied)"


# --- What stays ---------------------------------------------------------------------------------


def test_unreadable_pictures_stay_and_are_named(photos: Path, into: Path) -> None:
    done = ta.sort(Stub(), photos, into=into, how="move")
    (problem,) = done.plan.unreadable
    assert (problem.path, problem.reason) == (str(photos / "deep/broken.jpg"), "cannot be read")


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("vanishes", "it is no longer there"),
        ("changes", "it has changed since the plan was made"),
        ("becomes a link", "it is no longer there"),
    ],
)
def test_what_changes_after_the_plan_stays(
    photos: Path, into: Path, how: How, what: str, reason: str
) -> None:
    write(photos / "a.xmp", "of a")

    def meddle(plan: Plan) -> None:
        path = photos / "a.jpg"
        if what == "changes":
            path.write_text("dog 7")
        else:
            path.unlink()
            if what == "becomes a link":
                path.symlink_to(photos / "b.png")

    done = ta.sort(Stub(), photos, into=into, how=how, confirm=meddle)
    assert [(problem.path, problem.reason) for problem in done.skipped] == [
        (str(photos / "a.jpg"), reason),
        (str(photos / "a.xmp"), "its picture stayed"),
    ]
    assert names(into) == ["dog/b.png", "unsure/c.jpg"]
    assert (photos / "a.xmp").exists()


def test_a_copy_of_other_bytes_than_were_predicted_is_not_kept(photos: Path, into: Path) -> None:
    status = (photos / "a.jpg").stat()

    def meddle(plan: Plan) -> None:  # the same size, time and inode
        (photos / "a.jpg").write_text("dog 1")
        os.utime(photos / "a.jpg", ns=(status.st_atime_ns, status.st_mtime_ns))

    done = ta.sort(Stub(), photos, into=into, confirm=meddle)
    assert [problem.reason for problem in done.skipped] == [
        "it has changed since the plan was made"
    ]
    assert names(into) == ["dog/b.png", "unsure/c.jpg"]


@pytest.mark.parametrize("how", HOWS)
def test_a_name_that_is_taken_after_the_plan(photos: Path, into: Path, how: How) -> None:
    write(photos / "a.xmp", "of a")
    before = look(photos)

    def meddle(plan: Plan) -> None:
        write(into / "cat" / "a.xmp", "somebody else's")

    ta.sort(Stub(), photos, into=into, how=how, confirm=meddle)
    assert [name for name in names(into) if name.startswith("cat")] == [
        "cat/a (2).jpg", "cat/a (2).xmp", "cat/a.xmp",
    ]  # fmt: skip
    ta.undo_sort(into)
    assert look(photos) == before
    assert {name: seen[0] for name, seen in look(into).items()} == {"cat/a.xmp": "somebody else's"}


@pytest.mark.parametrize("how", HOWS)
def test_a_name_that_is_taken_in_the_very_moment(
    photos: Path, into: Path, how: How, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(photos / "a.xmp", "of a")
    before = look(photos)
    place, raced = doing._Batch._place_one, []

    def race(batch: Any, entry: Any) -> Any:
        target = batch.journal.target(entry)
        if target.name == "a.xmp":  # the picture has its name already
            raced.append(write(target, "somebody else's"))
        return place(batch, entry)

    monkeypatch.setattr(doing._Batch, "_place_one", race)
    ta.sort(Stub(), photos, into=into, how=how)
    assert raced == [into / "cat" / "a.xmp"]
    assert [name for name in names(into) if name.startswith("cat")] == [
        "cat/a (2).jpg", "cat/a (2).xmp", "cat/a.xmp",
    ]  # fmt: skip
    ta.undo_sort(into)
    assert look(photos) == before
    assert look(into)["cat/a.xmp"][0] == "somebody else's"


def test_what_may_not_be_moved_is_named_and_the_others_go_on(
    photos: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = placing._rename

    def refuse(source: Path, target: Path) -> None:
        if source.name == "a.jpg":
            raise PermissionError(errno.EACCES, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(placing, "_rename", refuse)
    done = ta.sort(Stub(), photos, into=into, how="move")
    assert [(Path(problem.path).name, problem.reason) for problem in done.skipped] == [
        ("a.jpg", "permission denied")
    ]
    assert names(into) == ["dog/b.png", "unsure/c.jpg"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do all")
def test_a_folder_that_is_read_only(photos: Path, into: Path) -> None:
    (photos / "deep").chmod(0o555)
    try:
        done = ta.sort(Stub(), photos, into=into, how="move")
    finally:
        (photos / "deep").chmod(0o755)
    assert [problem.reason for problem in done.skipped] == ["permission denied"]
    assert done.pictures == 2


def test_a_file_where_a_folder_should_be(photos: Path, into: Path) -> None:
    write(into / "cat", "a file called like a class")
    done = ta.sort(Stub(), photos, into=into)
    assert [problem.reason for problem in done.skipped] == ["file exists"]
    assert (into / "cat").read_text() == "a file called like a class"


# --- Another disk -------------------------------------------------------------------------------


@pytest.fixture
def other_disk() -> Any:
    """A folder on another file system."""
    shm = Path("/dev/shm")
    if (
        not os.access(shm, os.W_OK)
        or shm.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev
    ):
        pytest.skip("needs a second file system at /dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shm))
    yield folder
    shutil.rmtree(folder)


def test_moving_to_another_disk_and_back(photos: Path, other_disk: Path) -> None:
    write(photos / "a.xmp", "of a")
    (photos / "a.jpg").chmod(0o600)
    before = look(photos)
    done = ta.sort(Stub(), photos, into=other_disk, how="move")
    assert (done.pictures, done.companions, done.plan.bytes) == (3, 1, 5 + 4 + 5 + 12)
    assert names(photos) == ["deep/broken.jpg", "notes.txt"]
    after = look(other_disk)
    assert list(after) == ["cat/a.jpg", "cat/a.xmp", "dog/b.png", "unsure/c.jpg"]
    assert after["cat/a.jpg"] == before["a.jpg"]
    assert ta.undo_sort(other_disk).files == 4
    assert look(photos) == before
    assert list(other_disk.iterdir()) == []


def test_hard_links_to_another_disk_are_refused(photos: Path, other_disk: Path) -> None:
    with pytest.raises(UsageError, match=r"Hard links cannot lead to another disk: .*--symlink"):
        ta.sort(Stub(), photos, into=other_disk, how="link")
    assert ta.sort(Stub(), photos, into=other_disk, how="symlink").pictures == 3


def refuse_renames(monkeypatch: pytest.MonkeyPatch) -> None:
    """One device, and yet two file systems, as with a folder that is mounted twice."""
    rename = placing._rename

    def refuse(source: Path, target: Path) -> None:
        if source.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(placing, "_rename", refuse)


def test_moving_where_renaming_is_refused(
    photos: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_renames(monkeypatch)
    before = look(photos)
    assert ta.sort(Stub(), photos, into=into, how="move").pictures == 3
    assert names(photos) == ["deep/broken.jpg", "notes.txt"]
    assert ta.undo_sort(into).files == 3
    assert look(photos) == before


def test_an_original_that_cannot_be_removed_keeps_its_place(
    photos: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_renames(monkeypatch)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == photos / "a.jpg":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    done = ta.sort(Stub(), photos, into=into, how="move")
    assert [problem.reason for problem in done.skipped] == ["permission denied"]
    assert (photos / "a.jpg").exists()
    assert names(into) == ["dog/b.png", "unsure/c.jpg"]


def test_an_original_that_changes_while_it_is_moved_stays(
    photos: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_renames(monkeypatch)

    def meddle(journal: Any, entry: Any) -> Any:
        if entry.name == b"a.jpg":
            write(photos / "a.jpg", "edited now", 99)
        return remove_original(journal, entry)

    monkeypatch.setattr("tellapart.collection.doing.remove_original", meddle)
    done = ta.sort(Stub(), photos, into=into, how="move")
    assert [problem.reason for problem in done.skipped] == [
        "its original has changed while it was moved, and was left where it is"
    ]
    assert (photos / "a.jpg").read_text() == "edited now"
    assert (into / "cat" / "a.jpg").read_text() == "cat 1"
    undone = ta.undo_sort(into)
    assert [problem.reason for problem in undone.renamed] == ["a (2).jpg"]
    assert (photos / "a (2).jpg").read_text() == "cat 1"


# --- The plan, and what is refused --------------------------------------------------------------


@pytest.mark.parametrize("there", [True, False])
def test_a_plan_writes_nothing(photos: Path, into: Path, there: bool) -> None:
    if there:
        write(into / "cat" / "a.jpg", "here before")
    before = look(photos.parent)
    plan = ta.plan_sort(Stub(), photos, into=into)
    assert look(photos.parent) == before
    assert into.exists() is there
    assert (plan.pictures, plan.renamed, plan.bytes) == (3, int(there), 5 + 5 + 12)
    assert plan.free_bytes > 0
    assert [(group.label, group.pictures) for group in plan.groups] == [
        ("cat", 1), ("dog", 1), (None, 1),
    ]  # fmt: skip
    assert plan.groups[0].examples == ("a.jpg",)
    assert plan.to_json()["groups"][2] == {
        "class": None, "folder": "unsure", "pictures": 1, "examples": ["deep/c.jpg"],
    }  # fmt: skip


class NoError(Exception):
    """Said by the one who is asked."""


@pytest.mark.parametrize("there", [True, False])
def test_a_refusal_leaves_nothing(photos: Path, into: Path, there: bool) -> None:
    if there:
        into.mkdir()

    def refuse(plan: Plan) -> None:
        raise NoError

    before = look(photos)
    with pytest.raises(NoError):
        ta.sort(Stub(), photos, into=into, how="move", confirm=refuse)
    assert look(photos) == before
    assert into.exists() is there
    assert not there or list(into.iterdir()) == []


def test_what_cannot_be_sorted(photos: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "file", "x")
    cases: list[tuple[Path, Path, type[Exception], str]] = [
        (tmp_path / "photo", tmp_path / "s", DataError, r"There is no folder .*photo\. Did you"),
        (file, tmp_path / "s", UsageError, "is a file. Name the folder that is to be sorted"),
        (photos, file, UsageError, "is a file. Name a folder to sort into"),
        (
            photos,
            photos,
            UsageError,
            r"cannot be sorted into itself\. Name .*photos/sorted",
        ),
        (photos, photos / "deep" / "..", UsageError, "cannot be sorted into itself"),
        (photos, tmp_path / "a" / "b", UsageError, r"There is no folder .*a to make b in\. Make"),
    ]
    before = look(tmp_path)
    for folder, into, kind, words in cases:
        with pytest.raises(kind, match=words):
            ta.sort(Stub(), folder, into=into)
    with pytest.raises(UsageError, match=r"how='hardlink': expected one of copy, move, link, sym"):
        ta.sort(Stub(), photos, into=tmp_path / "s", how="hardlink")  # type: ignore[arg-type]
    assert look(tmp_path) == before


def test_two_processes_do_not_sort_into_one_folder(photos: Path, into: Path) -> None:
    into.mkdir()
    lock = lock_folder(into)
    if lock is None:
        pytest.skip("folders cannot be locked here")
    try:
        for call in (
            lambda: ta.sort(Stub(), photos, into=into),
            lambda: ta.resume_sort(into),
            lambda: ta.undo_sort(into),
        ):
            with pytest.raises(SortError, match="Another process is sorting into"):
                call()
    finally:
        os.close(lock)
    assert ta.sort(Stub(), photos, into=into).pictures == 3


def test_a_damaged_journal_is_named(photos: Path, into: Path) -> None:
    ta.sort(Stub(), photos, into=into)
    path = into / ".tellapart" / "sort-1.sqlite"
    path.write_bytes(b"not a database, and long enough to be looked at" * 100)
    with pytest.raises(SortError, match=r"journal in .*\.tellapart cannot be used: file is not"):
        ta.undo_sort(into)


def test_the_journal_of_a_newer_version_is_refused(photos: Path, into: Path) -> None:
    ta.sort(Stub(), photos, into=into)
    with sqlite3.connect(into / ".tellapart" / "sort-1.sqlite") as database:
        database.execute("UPDATE sort SET format = 9")
    database.close()
    with pytest.raises(SortError, match=r"sort-1.sqlite has the format 9; this tellapart knows 1"):
        ta.undo_sort(into)


def test_the_journal_is_on_the_disk_at_each_commit(into: Path, photos: Path) -> None:
    into.mkdir()
    seen: list[tuple[object, ...]] = []

    def look_at(plan: Plan) -> None:
        journal = next((into / ".tellapart").glob("*.sqlite"))
        assert stat.S_ISREG(journal.stat().st_mode)
        seen.append((journal.with_name(journal.name + "-wal").exists(),))

    ta.sort(Stub(), photos, into=into, confirm=look_at)
    assert seen == [(True,)]
    journal = newest(into)
    assert journal is not None
    with journal:
        assert journal.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert journal.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_work_grows_with_the_number_of_pictures_and_no_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one size, as scans without compression are; steps are those of SQLite's machine."""
    steps = 0
    connect = sqlite3.connect

    def counted(*arguments: Any, **options: Any) -> sqlite3.Connection:
        def count() -> None:
            nonlocal steps
            steps += 100

        database: sqlite3.Connection = connect(*arguments, **options)
        database.set_progress_handler(count, 100)
        return database

    monkeypatch.setattr(sqlite3, "connect", counted)
    needed = []
    for pictures in (300, 1200):
        folder = tmp_path / f"{pictures}"
        for number in range(pictures):
            write(folder / f"{number}.png", f"cat {number:04}")
        steps = 0
        assert ta.plan_sort(Stub(), folder, into=tmp_path / "sorted").pictures == pictures
        needed.append(steps)
    assert 0 < needed[1] < 5 * needed[0], needed
