from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tellapart.data import cache
from tellapart.data.cache import (
    building,
    cache_folder,
    clear_cache,
    entry_folder,
    list_cache,
    read_index,
)
from tellapart.errors import DataError


def build(key: str, content: bytes = b"12345", kind: str = "pixels") -> Path:
    with building(kind, key, "photos") as draft:
        (draft.folder / "content").write_bytes(content)
        draft.index["more"] = key
    return entry_folder(kind, key)


def build_half(error: BaseException) -> None:
    with building("pixels", "k", "photos") as draft:
        (draft.folder / "content").write_bytes(b"half")
        raise error


def test_entry(own_cache: Path) -> None:
    folder = build("k" * 64)
    assert folder == own_cache / f"pixels-{'k' * 32}"
    index = read_index(folder)
    assert index is not None
    assert index["more"] == index["key"] == "k" * 64
    assert (index["bytes"], index["files"]) == (5, {"content": 5})
    (entry,) = list_cache()
    assert (entry.location, entry.kind, entry.folder) == ("photos", "pixels", folder)
    assert entry.bytes == 5 + (folder / "index.json").stat().st_size
    assert entry.created == index["created"]


def test_nothing_is_left_when_building_fails(own_cache: Path) -> None:
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error):
            build_half(error())
    assert list(own_cache.iterdir()) == []


def test_the_first_to_finish_wins(own_cache: Path) -> None:
    with building("pixels", "k", "photos") as slow:
        (slow.folder / "content").write_bytes(b"slow")
        folder = build("k", b"quick")
    assert (folder / "content").read_bytes() == b"quick"
    assert [path.name for path in own_cache.iterdir()] == ["pixels-k"]


def test_damaged_entry_is_replaced(own_cache: Path) -> None:
    folder = build("k")
    (folder / "content").write_bytes(b"1")
    assert read_index(folder) is None
    assert list_cache() == []
    build("k", b"again")
    assert (folder / "content").read_bytes() == b"again"
    assert len(list(own_cache.iterdir())) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"made_by": "tellapart"}', "[" * 10**5])
def test_damaged_index(text: str) -> None:
    folder = build("k")
    (folder / "index.json").write_text(text)
    assert read_index(folder) is None


def test_clear_removes_its_own_and_nothing_else(own_cache: Path, tmp_path: Path) -> None:
    build("a")
    build("b", kind="listing")
    size = sum(entry.bytes for entry in list_cache())
    (own_cache / "pixels-mine").mkdir()
    (own_cache / "pixels-mine" / "thesis.txt").write_text("precious")
    (own_cache / "other").mkdir()
    (own_cache / "other" / "index.json").write_text('{"kind": "pixels", "format": 2}')
    (own_cache / "file").touch()
    (own_cache / "link").symlink_to(tmp_path)
    assert clear_cache() == size
    assert sorted(path.name for path in own_cache.iterdir()) == [
        "file",
        "link",
        "other",
        "pixels-mine",
    ]
    assert clear_cache() == 0


def test_clear_spares_what_is_being_built(own_cache: Path) -> None:
    with building("pixels", "k", "photos") as draft:
        (draft.folder / "content").write_bytes(b"12345")
        assert clear_cache() == 0
        assert list_cache() == []
    assert len(list_cache()) == 1


def age(folder: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    for path in (*folder.iterdir(), folder):
        os.utime(path, (then, then))


LEAVE_A_DRAFT = """
import sys, time
from tellapart.data.cache import building
with building("features", "f" * 32, "photos") as draft:
    (draft.folder / "rows.npy").write_bytes(bytes(5000))
    print(draft.folder, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_what_a_killed_process_left_is_counted_and_cleared(own_cache: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LEAVE_A_DRAFT], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        draft = Path(process.stdout.readline().strip())
        assert list_cache() == []  # it is at work
        assert clear_cache() == 0
        assert draft.is_dir()
        process.kill()
    (entry,) = list_cache()
    assert (entry.kind, entry.location, entry.complete) == ("features", "photos", False)
    assert entry.bytes == 5000 + (draft / "index.json").stat().st_size
    assert clear_cache() == entry.bytes
    assert list(own_cache.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_the_next_to_build_sweeps_what_a_killed_process_left(own_cache: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LEAVE_A_DRAFT], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        draft = Path(process.stdout.readline().strip())
        build("a")
        assert draft.is_dir()
        process.kill()
    build("b")
    assert not draft.exists()


@pytest.mark.parametrize(("hours", "stays"), [(25, False), (23, True)])
def test_where_folders_cannot_be_locked_what_is_left_is_swept_after_a_day(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, hours: float, stays: bool
) -> None:
    monkeypatch.setattr(cache, "is_locked", lambda folder: None)
    left = own_cache / ".building-0"
    left.mkdir()
    entry = {"made_by": "tellapart", "kind": "pixels", "format": 2, "location": "", "created": ""}
    (left / "index.json").write_text(json.dumps(entry))
    (left / "pixels.npy").write_bytes(b"half")
    age(left, hours)
    build("k")
    assert left.exists() == stays


def test_another_building_folder_is_not_swept(own_cache: Path) -> None:
    other = own_cache / ".building-other"
    other.mkdir()
    (other / "thesis.txt").touch()
    age(other, 100)
    build("k")
    assert other.exists()


def test_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="set the environment variable TELLAPART_CACHE"):
        build("k")
    assert list_cache() == []
    assert clear_cache() == 0


def test_no_permission(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DataError, match=f"Cannot write {own_cache}: no permission to write there"):
        build("k")


def test_no_room(own_cache: Path) -> None:
    with (
        pytest.raises(DataError, match=r"free: too little for 1000000\.0 GB") as caught,
        building("pixels", "k", "photos", 10**15),
    ):
        pass
    assert "set TELLAPART_CACHE to a folder on a larger disk" in str(caught.value)
    assert list(own_cache.iterdir()) == []


def test_disk_full_in_the_middle(own_cache: Path) -> None:
    with pytest.raises(DataError, match=r"the disk is full.*TELLAPART_CACHE"):
        build_half(OSError(28, "No space left on device"))
    assert list(own_cache.iterdir()) == []


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", "~/somewhere")
    assert cache_folder() == Path.home() / "somewhere"
    monkeypatch.setenv("TELLAPART_CACHE", "")
    assert cache_folder().name == "tellapart" or "tellapart" in cache_folder().parts


def test_where_it_is_without_platformdirs(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "platformdirs":
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.delenv("TELLAPART_CACHE")
    monkeypatch.setattr(builtins, "__import__", refuse)
    assert cache_folder() == Path.home() / ".cache" / "tellapart"


@pytest.fixture(scope="module")
def cache_of_the_module() -> Path:
    return cache_folder()


def test_what_tests_share_is_not_in_the_users_cache(
    cache_of_the_module: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert tmp_path_factory.getbasetemp() in cache_of_the_module.parents
