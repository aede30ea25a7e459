"""Names that are given without ever replacing a file, and copies that are proven."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tellapart.collection import placing
from tellapart.collection.content import digest_bytes
from tellapart.collection.placing import copy_to_new, rename_exclusive

TIMES = (1_600_000_000_123_456_789, 1_500_000_000_987_654_321)


@pytest.fixture(params=["in one step", "by a second name"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renaming as this system does it, and as one does that knows no such thing."""
    if request.param == "by a second name":

        def refuse(source: Path, target: Path) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(placing, "_rename", refuse)


@pytest.mark.usefixtures("way")
def test_a_file_is_renamed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    inode = (tmp_path / "a").stat().st_ino
    rename_exclusive(tmp_path / "a", tmp_path / "b")
    assert not (tmp_path / "a").exists()
    assert ((tmp_path / "b").read_text(), (tmp_path / "b").stat().st_ino) == ("a", inode)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("there", ["file", "folder", "broken link", "itself"])
def test_nothing_is_replaced(tmp_path: Path, there: str) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_text("a")
    if there == "file":
        target.write_text("b")
    elif there == "folder":
        target.mkdir()
    elif there == "broken link":
        target.symlink_to(tmp_path / "nowhere")
    else:
        os.link(source, target)
    with pytest.raises(FileExistsError):
        rename_exclusive(source, target)
    assert source.read_text() == "a"
    if there == "file":
        assert target.read_text() == "b"


def test_a_copy_has_content_times_and_mode(tmp_path: Path) -> None:
    source = tmp_path / "a"
    content = os.urandom(2**20 + 17)
    source.write_bytes(content)
    source.chmod(0o640)
    digest = copy_to_new(source, tmp_path / "b", mode=0o640, times_ns=TIMES)
    status = (tmp_path / "b").stat()
    assert (status.st_atime_ns, status.st_mtime_ns, status.st_mode & 0o777) == (*TIMES, 0o640)
    assert (tmp_path / "b").read_bytes() == content
    assert digest == digest_bytes(content)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="extended attributes of Linux")
def test_a_copy_has_the_extended_attributes(tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_text("a")
    try:
        os.setxattr(source, "user.rating", b"5")
    except OSError:
        pytest.skip("this disk has none")
    copy_to_new(source, tmp_path / "b", mode=0o644, times_ns=TIMES)
    assert os.getxattr(tmp_path / "b", "user.rating") == b"5"


@pytest.mark.skipif(not hasattr(os, "O_NOATIME"), reason="access times are left alone on Linux")
def test_copying_leaves_the_access_time_of_the_original(tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_text("a")
    os.utime(source, ns=(10**18, 2 * 10**18))  # read before it was changed: reading would show
    copy_to_new(source, tmp_path / "b", mode=0o644, times_ns=TIMES)
    assert source.stat().st_atime_ns == 10**18


def test_a_copy_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        copy_to_new(tmp_path / "a", tmp_path / "b", mode=0o644, times_ns=TIMES)
    assert (tmp_path / "b").read_text() == "b"


def test_a_copy_that_reads_back_as_something_else_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("a")
    monkeypatch.setattr(placing, "digest_file", lambda _: b"other")
    with pytest.raises(OSError, match="what was read back is not what was written"):
        copy_to_new(tmp_path / "a", tmp_path / "b", mode=0o644, times_ns=TIMES)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_only_regular_files_are_copied(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("a")
    source = tmp_path / "source"
    if kind == "link":
        source.symlink_to(tmp_path / "file")
    else:
        os.mkfifo(source)
    with pytest.raises(OSError, match="is not a file|symbolic links"):
        copy_to_new(source, tmp_path / "b", mode=0o644, times_ns=TIMES)
    assert not (tmp_path / "b").exists()


def test_a_write_that_takes_less_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        def __init__(self) -> None:
            self.taken = b""

        def write(self, data: Any) -> int:
            self.taken += bytes(data[:3])
            return min(3, len(data))

    slow = Slow()
    placing._write_all(slow, b"0123456789")
    assert slow.taken == b"0123456789"
