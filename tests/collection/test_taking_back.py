"""Undo: what returns, what goes, what stays, and why."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import get_args

import pytest

import tellapart as ta
from tellapart.collection import placing
from tellapart.collection.journal import How
from tellapart.collection.outcome import UndoPlan
from tellapart.collection.sort import plan_undo
from tellapart.errors import SortError
from tests.collection.stub import Stub, fill, look, names, write

HOWS: tuple[How, ...] = get_args(How)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return fill(
        tmp_path / "photos", a_jpg="cat 1", a_xmp="of a", b_png="dog 2", deep__c_jpg="unsure cat 3"
    )


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "sorted"


@pytest.mark.parametrize("keep_folders", [False, True])
@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("how", HOWS)
def test_everything_is_as_it_was(
    photos: Path, into: Path, how: How, there: bool, keep_folders: bool
) -> None:
    (photos / "a.jpg").chmod(0o600)
    (photos / "b.png").chmod(0o444)
    if there:
        write(into / "cat" / "a.jpg", "here before")
    before, was = look(photos), look(into)
    ta.sort(Stub(), photos, into=into, how=how, keep_folders=keep_folders)
    undone = ta.undo_sort(into)
    assert (undone.files, undone.kept, undone.failed, undone.renamed) == (4, (), (), ())
    assert look(photos) == before
    assert look(into) == was
    assert into.exists() is there
    if there:
        assert [path.name for path in into.iterdir()] == ["cat"]


def test_several_sorts_are_taken_back_one_by_one(photos: Path, into: Path) -> None:
    other = fill(into.parent / "other", a_jpg="cat 7")
    ta.sort(Stub(), photos, into=into)
    first = look(into)
    ta.sort(Stub(), other, into=into, how="move")
    assert names(other) == []
    assert ta.undo_sort(into).earlier == 1
    assert names(other) == ["a.jpg"]
    assert look(into) == first
    assert ta.undo_sort(into).earlier == 0
    assert not into.exists()
    with pytest.raises(SortError, match="There is no folder"):
        ta.undo_sort(into)


def test_nothing_was_sorted(photos: Path) -> None:
    with pytest.raises(SortError, match="Nothing was sorted into .*: there is nothing to take"):
        ta.undo_sort(photos)
    with pytest.raises(SortError, match="Nothing was sorted into .*: there is nothing to go on"):
        ta.resume_sort(photos)


# --- What stays ---------------------------------------------------------------------------------


def test_a_copy_that_was_edited_stays(photos: Path, into: Path) -> None:
    ta.sort(Stub(), photos, into=into)
    (into / "cat" / "a.jpg").write_text("cat, edited")
    undone = ta.undo_sort(into)
    assert [(problem.path, problem.reason) for problem in undone.kept] == [
        (str(into / "cat" / "a.jpg"), "it has changed since it was put there")
    ]
    assert names(into) == ["cat/a.jpg"]
    assert undone.files == 3
    assert not (into / ".tellapart").exists()


def test_a_copy_that_was_edited_in_secret_stays(photos: Path, into: Path) -> None:
    ta.sort(Stub(), photos, into=into)
    path = into / "cat" / "a.jpg"
    status = path.stat()
    path.write_text("cat 9")  # the same size, and then the same times
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [problem.path for problem in ta.undo_sort(into).kept] == [str(path)]


def test_a_copy_that_was_touched_goes(photos: Path, into: Path) -> None:
    ta.sort(Stub(), photos, into=into)
    (into / "cat" / "a.jpg").touch()
    (into / "dog" / "b.png").chmod(0o400)
    assert ta.undo_sort(into).kept == ()
    assert not into.exists()


@pytest.mark.parametrize("how", ["copy", "link"])
@pytest.mark.parametrize("what", ["deleted", "edited"])
def test_the_only_one_left_stays(photos: Path, into: Path, how: How, what: str) -> None:
    ta.sort(Stub(), photos, into=into, how=how)
    original = photos / "a.jpg"
    original.unlink()
    if what == "edited":  # as editors do: a new file of the name
        original.write_text("cat, edited")
    undone = ta.undo_sort(into)
    assert [(Path(problem.path).name, problem.reason) for problem in undone.kept] == [
        ("a.jpg", "its original is gone or has changed, so this may be the only one")
    ]
    assert (into / "cat" / "a.jpg").read_text() == "cat 1"


def test_the_original_of_a_copy_may_have_been_copied_back(photos: Path, into: Path) -> None:
    ta.sort(Stub(), photos, into=into)
    shutil.copy(into / "cat" / "a.jpg", photos / "new.jpg")
    (photos / "new.jpg").replace(photos / "a.jpg")  # another inode and time, the same bytes
    assert ta.undo_sort(into).kept == ()


@pytest.mark.parametrize("how", ["link", "symlink"])
def test_what_has_taken_the_place_of_a_link_stays(photos: Path, into: Path, how: How) -> None:
    ta.sort(Stub(), photos, into=into, how=how)
    path = into / "cat" / "a.jpg"
    path.unlink()
    path.write_text("something new")
    undone = ta.undo_sort(into)
    assert [problem.reason for problem in undone.kept] == ["it is no longer what was put there"]
    assert path.read_text() == "something new"
    assert undone.files == 3


@pytest.mark.parametrize("how", HOWS)
def test_what_has_gone_from_its_place(photos: Path, into: Path, how: How) -> None:
    ta.sort(Stub(), photos, into=into, how=how)
    (into / "cat" / "a.jpg").rename(into / "elsewhere.jpg")
    undone = ta.undo_sort(into)
    reasons = [problem.reason for problem in undone.kept]
    assert reasons == (["it is no longer there"] if how == "move" else [])
    assert (into / "elsewhere.jpg").is_symlink() or (into / "elsewhere.jpg").read_text() == "cat 1"


def test_a_moved_file_returns_with_its_edits(photos: Path, into: Path) -> None:
    ta.sort(Stub(), photos, into=into, how="move")
    write(into / "cat" / "a.jpg", "cat, edited", 77)
    edited = look(into)["cat/a.jpg"]
    assert ta.undo_sort(into).files == 4
    assert look(photos)["a.jpg"] == edited


def test_a_moved_file_gets_its_mode_back(photos: Path, into: Path) -> None:
    before = look(photos)
    ta.sort(Stub(), photos, into=into, how="move")
    (into / "cat" / "a.jpg").chmod(0o777)
    os.utime(into / "cat" / "a.jpg", ns=(1, 2))
    ta.undo_sort(into)
    assert look(photos) == before


# --- Places that are taken or gone --------------------------------------------------------------


def test_a_place_that_is_taken_is_left_to_what_is_there(photos: Path, into: Path) -> None:
    ta.sort(Stub(), photos, into=into, how="move")
    write(photos / "a.xmp", "new")
    undone = ta.undo_sort(into)
    assert sorted((Path(problem.path).name, problem.reason) for problem in undone.renamed) == [
        ("a.jpg", "a (2).jpg"), ("a.xmp", "a (2).xmp"),
    ]  # fmt: skip
    assert {name: seen[0] for name, seen in look(photos).items()} == {
        "a (2).jpg": "cat 1", "a (2).xmp": "of a", "a.xmp": "new", "b.png": "dog 2",
        "deep/c.jpg": "unsure cat 3",
    }  # fmt: skip


def test_a_folder_that_was_deleted_is_made_again(photos: Path, into: Path) -> None:
    before = look(photos)
    ta.sort(Stub(), photos, into=into, how="move")
    (photos / "deep").rmdir()
    ta.undo_sort(into)
    assert look(photos) == before


@pytest.mark.parametrize("how", HOWS)
def test_the_collection_is_not_there(photos: Path, into: Path, how: How) -> None:
    ta.sort(Stub(), photos, into=into, how=how)
    before = look(photos)
    there = names(into)
    photos.rename(photos.with_name("away"))  # a disk that is not connected
    with pytest.raises(SortError, match=r"The folder .*photos, which was .* Connect its disk, or"):
        ta.undo_sort(into)
    photos.with_name("away").rename(photos)
    assert names(into) == there
    ta.undo_sort(into)
    assert look(photos).keys() >= before.keys()
    assert not into.exists()


def test_the_folder_that_was_sorted_into_may_have_another_name(photos: Path, into: Path) -> None:
    before = look(photos)
    ta.sort(Stub(), photos, into=into, how="move")
    moved = into.rename(into.with_name("albums"))
    ta.undo_sort(moved)
    assert look(photos) == before
    assert not moved.exists()


def test_what_cannot_be_taken_back_now_can_be_later(
    photos: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look(photos)
    ta.sort(Stub(), photos, into=into, how="move")
    rename = placing._rename

    def refuse(source: Path, target: Path) -> None:
        if source.name == "a.jpg":
            raise PermissionError(errno.EACCES, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(placing, "_rename", refuse)
    undone = ta.undo_sort(into)
    assert [problem.reason for problem in undone.failed] == ["permission denied"]
    with pytest.raises(SortError, match=r"is being taken back\. `tellapart undo .*` goes on"):
        ta.sort(Stub(), photos, into=into)
    with pytest.raises(SortError, match=r"is being taken back; `tellapart undo .*` goes on"):
        ta.resume_sort(into)
    monkeypatch.setattr(placing, "_rename", rename)
    assert ta.undo_sort(into).failed == ()
    assert look(photos) == before


def hide(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Lets nobody look into a folder, root included."""
    lstat = Path.lstat

    def refuse(path: Path) -> os.stat_result:
        if folder in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", refuse)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("hidden", ["cat", "photos"])
def test_what_cannot_be_seen_is_not_taken_for_gone(
    photos: Path, into: Path, how: How, hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look(photos)
    ta.sort(Stub(), photos, into=into, how=how)
    there = names(into)
    with monkeypatch.context() as patch:
        hide(patch, into / "cat" if hidden == "cat" else photos)
        undone = ta.undo_sort(into)
    if how in ("symlink", "move") and hidden == "photos":  # nothing has to be seen there
        assert undone.failed == ()
    else:
        assert {problem.reason for problem in undone.failed} == {"permission denied"}
        assert names(into) == [name for name in there if hidden == "photos" or "cat" in name]
        assert ta.undo_sort(into).failed == ()
    assert look(photos) == before
    assert not into.exists()


def test_a_folder_that_cannot_be_looked_into_takes_nothing(
    photos: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (into / "cat").mkdir(parents=True)
    with monkeypatch.context() as patch:
        hide(patch, into / "cat")
        done = ta.sort(Stub(), photos, into=into, how="move")
    assert [(Path(problem.path).name, problem.reason) for problem in done.skipped] == [
        ("a.jpg", "permission denied"), ("a.xmp", "permission denied"),
    ]  # fmt: skip
    assert done.pictures == 2


# --- The plan of an undo ------------------------------------------------------------------------


def test_the_plan_of_an_undo_changes_nothing(photos: Path, into: Path) -> None:
    ta.sort(Stub(), photos, into=into)
    (into / "cat" / "a.jpg").write_text("edited")
    before = look(into)
    plan = plan_undo(into)
    assert (plan.files, plan.unfinished, plan.earlier, plan.how) == (3, 0, 0, "copy")
    assert [problem.path for problem in plan.kept] == [str(into / "cat" / "a.jpg")]
    assert look(into) == before
    assert plan.to_json()["files"] == 3


def test_an_undo_that_is_refused_changes_nothing(photos: Path, into: Path) -> None:
    ta.sort(Stub(), photos, into=into, how="move")
    before = look(into)

    def refuse(plan: UndoPlan) -> None:
        assert plan.files == 4
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ta.undo_sort(into, confirm=refuse)
    assert look(into) == before
    assert ta.undo_sort(into).files == 4
