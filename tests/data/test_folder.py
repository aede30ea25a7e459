from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data import load, open_store
from tellapart.data.folder import FolderSource
from tellapart.errors import DataError, ImageError, SourceGoneError
from tellapart.images import ImageSpec, read_file

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX file system")


def save(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 6, 3), value, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("a/1.png", "a/2.png", "b/1.png")):
        save(tmp_path / "photos" / name, number)
    return tmp_path / "photos"


def test_folder_is_read(folder: Path) -> None:
    dataset = load(folder)
    assert dataset.name == "photos"
    assert dataset.location == str(folder)
    assert list(dataset.paths) == ["a/1.png", "a/2.png", "b/1.png"]
    assert dataset.sizes == ((4, 6, 3),) * 3
    assert dataset.source.read(2) == (folder / "b/1.png").read_bytes()


def test_key_follows_changes(folder: Path) -> None:
    first = load(folder).source.key
    assert load(folder).source.key == first
    os.utime(folder / "a/1.png", ns=(1, 1))
    assert load(folder).source.key != first


def test_vanished_file_is_an_image_error(folder: Path) -> None:
    dataset = load(folder)
    (folder / "a/2.png").unlink()
    with pytest.raises(ImageError, match=r"a/2\.png: no such file or directory"):
        dataset.source.read(1)


def test_a_vanished_folder_is_told_from_a_vanished_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load(folder)
    (folder / "a/2.png").unlink()
    with monkeypatch.context() as patch:
        # What is left where a drive was: a folder of that name, on another one.
        patch.setattr("tellapart.data.folder._drive", lambda folder: -1)
        with pytest.raises(SourceGoneError, match=r"a/2\.png: .* is no longer there\. Was"):
            dataset.source.read(1)
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(SourceGoneError) as gone:
        dataset.source.read(0)
    assert gone.value.source == str(folder)


@posix_only
def test_pipes_are_excluded_and_never_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "a" / "pipe.png")
    dataset = load(folder)
    assert [(e.path, e.reason) for e in dataset.excluded] == [("a/pipe.png", "is not a file")]
    with pytest.raises(ImageError, match="is not a file"):
        read_file(folder / "a" / "pipe.png", "pipe")


@posix_only
def test_links(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "elsewhere" / "3.png")
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "a" / "again").symlink_to(folder / "b")
    (folder / "b" / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "b" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "b" / "file.png").symlink_to(folder / "a" / "1.png")
    dataset = load(folder)
    assert "b/more/3.png" in dataset.paths
    assert "b/file.png" in dataset.paths
    assert {e.path: e.reason for e in dataset.excluded} == {
        "a/loop/": "is a link to a folder that is read already",
        "a/again/": "is a link to a folder that is read already",
        "b/gone.png": "is a broken link",
    }


@posix_only
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folder_is_excluded(folder: Path) -> None:
    save(folder / "b" / "secret" / "1.png")
    (folder / "b" / "secret").chmod(0)
    try:
        dataset = load(folder)
    finally:
        (folder / "b" / "secret").chmod(0o700)
    assert [(e.path, e.reason) for e in dataset.excluded] == [("b/secret/", "permission denied")]


def test_folder_that_cannot_be_listed_is_excluded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder / "b" / "secret" / "1.png")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    dataset = load(folder)
    assert [(e.path, e.reason) for e in dataset.excluded] == [("b/secret/", "permission denied")]


@posix_only
def test_undecodable_names_can_be_read(folder: Path) -> None:
    try:
        (folder / "b/1.png").rename(folder / "b" / "caf\udce9.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    dataset = load(folder)
    assert dataset.paths[2] == "b/caf\\udce9.png"
    assert open_store(dataset, ImageSpec(4, 6)).failures == {}


def test_none_readable(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"%PDF-1.4")
    with pytest.raises(DataError, match=r"None of the 2 pictures in .* can be read") as caught:
        load(tmp_path)
    assert "a/1.png: is a PDF document" in str(caught.value)


def test_sizes_come_from_readable_pictures(tmp_path: Path) -> None:
    for number in range(300):
        path = tmp_path / "ab"[number % 2] / f"{number:03}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    save(tmp_path / "a" / "006.png")
    assert load(tmp_path).sizes == ((4, 6, 3),)


def test_sample_is_limited(tmp_path: Path) -> None:
    for number in range(250):
        save(tmp_path / "ab"[number % 2] / f"{number}.png")
    assert len(load(tmp_path).sizes) == 200


def test_too_large_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1.png").write_bytes(bytes(2**20 + 1))
    monkeypatch.setenv("TELLAPART_MAX_FILE", str(2**20))
    source = FolderSource(tmp_path, ["1.png"], "key")
    with pytest.raises(ImageError, match=r"1\.png: the file is larger than 1 MiB"):
        source.read(0)
