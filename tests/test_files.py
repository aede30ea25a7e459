"""Files are whole or not there."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tellapart.errors import TellapartError
from tellapart.files import atomic_path, write_error, write_json, write_text, write_with


def test_a_written_file_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_json(target, {"x": 1})
    write_json(target, {"x": "é"})
    assert target.read_text(encoding="utf-8") == '{\n  "x": "é"\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_write_keeps_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TellapartError, match=r"a.txt: there is no folder .*absent\. Make it"):
        write_text(tmp_path / "absent" / "a.txt", "x")


def test_a_full_disk_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/dev")  # no other disk is to blame
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")

    def write() -> None:
        with full.open("wb", buffering=0) as stream:
            stream.write(b"x")

    with pytest.raises(OSError, match="No space left") as caught:
        write()
    assert "the disk is full. Free some space" in str(write_error(full, caught.value))


@pytest.mark.parametrize(
    ("here", "there", "blamed"),
    [
        (50 * 2**20, 2 * 2**20, "the disk of temporary files is full, that of {tmp}. Free some"),
        (0, 2 * 2**20, "a.onnx: the disk is full. Free some space, or name another folder"),
        (0, 0, "a.onnx: the disk is full. Free some space, or name another folder"),
        (2 * 2**20, 50 * 2**20, "a.onnx: the disk is full. Free some space"),
    ],
)
def test_the_disk_that_is_full_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: int, there: int, blamed: str
) -> None:
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    out.mkdir()
    temporary.mkdir()
    stat = Path.stat
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(
        Path,
        "stat",
        lambda path, **how: SimpleNamespace(st_dev=1) if path == temporary else stat(path, **how),
    )
    monkeypatch.setattr(
        shutil,
        "disk_usage",
        lambda path: SimpleNamespace(free=there if Path(path) == temporary else here),
    )
    message = str(write_error(out / "a.onnx", OSError(errno.ENOSPC, "No space left on device")))
    assert blamed.format(tmp=temporary) in message
    assert ("TMPDIR" in message) == ("temporary" in blamed)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "no permission to write there"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EDQUOT, "disk quota is used up"),
        (errno.ENAMETOOLONG, "the name is too long"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_the_words_of_write_errors(number: int, words: str) -> None:
    import os

    message = str(write_error(Path("x.json"), OSError(number, os.strerror(number))))
    assert message.startswith("Cannot write x.json: ")
    assert words in message


@pytest.mark.parametrize("written", [False, True])
def test_a_disk_that_becomes_read_only_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "replace" if written else "touch", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)  # cleaning up fails for the same reason
    with pytest.raises(
        TellapartError, match=r"Cannot write .*a\.txt: the file system is read-only"
    ):
        write_text(tmp_path / "a.txt", "x")


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    write_with(tmp_path / "a.bin", lambda stream: stream.write(b"x"))
    (tmp_path / "plain").write_text("x")
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "plain").stat().st_mode
