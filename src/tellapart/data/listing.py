"""What an archive holds, and whether it is safe to open.

Archives that could write, point or grow beyond themselves are refused whole: absolute paths,
drive letters, `..`, backslashes, links, devices, encrypted members, two members of one name, and
bombs.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import re
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, cast

from tellapart.data.wording import bullets, printable
from tellapart.errors import ArchiveError

Kind = Literal["zip", "tar"]

DAMAGED = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,  # zipfile: a way of compression it does not know
    RuntimeError,  # zipfile: a password is needed
    ValueError,
)
"""What the readers of archives raise on damaged ones."""

_OPENERS: dict[bytes, Callable[[Path, Literal["rb"]], IO[bytes]]] = {
    b"\x1f\x8b": cast("Callable[[Path, Literal['rb']], IO[bytes]]", gzip.open),
    b"BZh": cast("Callable[[Path, Literal['rb']], IO[bytes]]", bz2.open),
    b"\xfd7zXZ\x00": cast("Callable[[Path, Literal['rb']], IO[bytes]]", lzma.open),
}
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_BLOCK = tarfile.BLOCKSIZE
_COPY_BYTES = 2**20

MAX_HEADER_BYTES = 2**24
"""A tar's header may say how long it is, and `tarfile` takes it into memory whole."""

_UNSAFE = re.compile(r"^/|^[A-Za-z]:|(?:^|/)\.\.(?:/|$)|[\\\0]")
"""Absolute, with a drive letter, a `..` step, a backslash, or a NUL."""


@dataclass(frozen=True)
class Limits:
    """What an archive may grow to before it is taken for a bomb.

    Attributes:
        total_bytes: decompressed, all members together.
        ratio: decompressed to compressed size; looked at only above `ratio_from_bytes`, because
            blank pictures and drawings compress well.
        ratio_from_bytes: the decompressed size from which on `ratio` counts.
        members: files and folders.
    """

    total_bytes: int = 64 * 2**30
    ratio: float = 200
    ratio_from_bytes: int = 2**30
    members: int = 10_000_000


LIMITS = Limits()


@dataclass(frozen=True)
class Listing:
    """The members of an archive, files and folders; a folder's name ends in "/".

    Attributes:
        kind: how members are read: from a zip by name, from a tar by offset.
        names: as the archive has them.
        sizes: of the content, in bytes.
        offsets: where the content starts in the decompressed tar; 0 in a zip.
    """

    kind: Kind
    names: Sequence[str] = field(repr=False)
    sizes: Sequence[int] = field(repr=False)
    offsets: Sequence[int] = field(repr=False)

    def take(self, positions: Sequence[int]) -> Listing:
        """Returns the members at these positions, in their order."""
        return Listing(
            kind=self.kind,
            names=[self.names[position] for position in positions],
            sizes=[self.sizes[position] for position in positions],
            offsets=[self.offsets[position] for position in positions],
        )


def archive_kind(path: Path) -> Kind | None:
    """Returns what kind of archive a file is by its content, or None."""
    with path.open("rb") as stream:
        head = stream.read(_BLOCK)
    if head.startswith(_ZIP_STARTS):
        return "zip"
    if head.startswith(tuple(_OPENERS)) or _is_tar_header(head):
        return "tar"
    return "zip" if zipfile.is_zipfile(path) else None


def list_archive(path: Path, tar: IO[bytes] | None = None, limits: Limits = LIMITS) -> Listing:
    """Lists the members of an archive.

    Args:
        path: the archive.
        tar: what `open_tar` made of it; None for a zip.
        limits: what it may grow to.

    Raises:
        ArchiveError: it is damaged or not safe to open; the member is named.
    """
    try:
        listing = _list_tar(path, tar, limits) if tar else _list_zip(path, limits)
    except (*DAMAGED, OSError) as error:
        raise _damaged(path, error) from error
    _refuse(path, "have unsafe paths", [name for name in listing.names if _UNSAFE.search(name)])
    times = Counter(plain_name(name) for name in listing.names if not name.endswith("/"))
    if len(times) < times.total():
        doubled = [name for name, number in times.items() if number > 1]
        _refuse(path, "have the name of another, so that it is unclear which is meant", doubled)
    return listing


def plain_name(name: str) -> str:
    """Returns a member's name without steps that mean nothing: "./a//b" is "a/b"."""
    if name.startswith("./") or "//" in name or "/./" in name:
        folder = "/" if name.endswith("/") else ""
        return "/".join(step for step in name.split("/") if step not in ("", ".")) + folder
    return name


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise _damaged(path, error) from error


def open_tar(path: Path, limits: Limits = LIMITS) -> IO[bytes]:
    """Opens a tar so that any offset can be read; a compressed one is decompressed first.

    That goes into a temporary file without a name, which is gone when it is closed.

    Raises:
        ArchiveError: it is damaged, a bomb, or there is no room for it.
    """
    opener = _opener(path)
    if opener is None:
        return path.open("rb")
    unpacked = tempfile.TemporaryFile(prefix="tellapart-")  # noqa: SIM115
    try:
        with _translated(path), opener(path, "rb") as stream:
            _copy(path, stream, unpacked, limits)
    except OSError as error:
        with contextlib.suppress(OSError):  # it writes what is left in its buffer, in vain again
            unpacked.close()
        raise ArchiveError(
            f"{path} cannot be decompressed into a temporary file: {error.strerror or error}. "
            f"Free some space in {tempfile.gettempdir()}, or name another folder in the "
            f"environment variable TMPDIR."
        ) from error
    except BaseException:
        unpacked.close()
        raise
    return cast("IO[bytes]", unpacked)


def _opener(path: Path) -> Callable[[Path, Literal["rb"]], IO[bytes]] | None:
    with path.open("rb") as stream:
        head = stream.read(8)
    return next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)


def _copy(path: Path, stream: IO[bytes], unpacked: IO[bytes], limits: Limits) -> None:
    packed_bytes = path.stat().st_size
    total = 0
    while block := stream.read(_COPY_BYTES):
        if not total and not _is_tar_header(block[:_BLOCK]):
            raise ArchiveError(f"{path} is compressed, but holds no tar archive.")
        total += len(block)
        _check_size(path, total, packed_bytes, limits)
        unpacked.write(block)
    unpacked.seek(0)


def _is_tar_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return block == bytes(_BLOCK)  # the end of an archive that is empty, but whole
    return True


def _list_tar(path: Path, stream: IO[bytes], limits: Limits) -> Listing:
    listing = Listing("tar", names := [], sizes := [], offsets := [])
    special = []
    total = 0
    headers = cast("IO[bytes]", _Headers(stream))
    with tarfile.open(fileobj=headers, mode="r:") as tar:
        while (member := tar.next()) is not None:
            if member.size < 0:  # the next one would come before it
                raise tarfile.ReadError(f"a member of {member.size:,} bytes")
            tar.members.clear()  # type: ignore[attr-defined]  # it keeps all: a kilobyte each
            if not (member.isdir() or (member.isreg() and not member.issparse())):
                special.append(f"{member.name} ({_tar_type(member)})")
            total += member.size
            names.append(member.name + ("/" if member.isdir() else ""))
            sizes.append(member.size)
            offsets.append(member.offset_data)
            _check_number(path, len(names), limits)
        end = tar.offset
    _check_size(path, total, path.stat().st_size, limits)
    _refuse(path, "are links, devices or the like", special)
    _check_end(path, stream, end)
    return listing


class _Headers:
    """What `tarfile` may see of a tar while it lists the members: their headers, bit by bit."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._stream.read(size)


def _check_end(path: Path, stream: IO[bytes], end: int) -> None:
    """After the last member comes a block of zeros, or else members are missing."""
    stream.seek(max(0, end - _BLOCK))
    tail = stream.read(2 * _BLOCK)
    if bytes(_BLOCK) not in (tail[:_BLOCK], tail[_BLOCK:]):
        raise tarfile.ReadError("the mark at its end is missing")


def _tar_type(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return f"a link to {member.linkname}"
    return "a sparse file" if member.issparse() else "a device or pipe"


def _list_zip(path: Path, limits: Limits) -> Listing:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    _check_number(path, len(members), limits)
    _check_size(path, sum(m.file_size for m in members), path.stat().st_size, limits)
    # `orig_filename`: what is in the file, before zipfile cuts it at a NUL or turns separators.
    unsafe = [m.orig_filename for m in members if _UNSAFE.search(m.orig_filename)]
    _refuse(path, "have unsafe paths", unsafe)
    _refuse(path, "are encrypted", [m.filename for m in members if m.flag_bits & 1])
    _refuse(path, "are links, devices or the like", [m.filename for m in members if _special(m)])
    return Listing(
        "zip", [m.filename for m in members], [m.file_size for m in members], [0] * len(members)
    )


def _special(member: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where it was not packed on Unix
    return kind not in (0, stat.S_IFREG, stat.S_IFDIR)


def _check_number(path: Path, number: int, limits: Limits) -> None:
    if number > limits.members:
        raise ArchiveError(
            f"{path} holds more than {limits.members:,} members. Split it into several archives."
        )


def _check_size(path: Path, total: int, packed_bytes: int, limits: Limits) -> None:
    if total > limits.total_bytes:
        raise ArchiveError(
            f"{path} decompresses to more than {limits.total_bytes:,} bytes, the most that is "
            f"opened. Unpack it yourself and name the folder, if you trust it."
        )
    if total > limits.ratio_from_bytes and total > limits.ratio * packed_bytes:
        raise ArchiveError(
            f"{path} looks like a decompression bomb: {packed_bytes:,} bytes grow more than "
            f"{limits.ratio:g} times. Unpack it yourself and name the folder, if you trust it."
        )


def _refuse(path: Path, what: str, members: list[str]) -> None:
    if members:
        verb, rest = what.split(" ", 1)
        if len(members) == 1:
            verb = {"have": "has", "are": "is"}[verb]
        raise ArchiveError(
            f"{path} is refused: {len(members):,} of its members {verb} {rest}:"
            f"{bullets([printable(name) for name in members])}\n"
            "Pack the pictures again as plain files, with relative paths and no password."
        )


def _damaged(path: Path, error: Exception) -> ArchiveError:
    return ArchiveError(
        f"{path} is damaged or cut short ({error or type(error).__name__}). Download or pack it "
        "again."
    )
