"""Pictures in a folder."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tellapart.data.dataset import Dataset, Excluded
from tellapart.data.layout import arrange, is_hidden
from tellapart.data.sizes import measure
from tellapart.data.wording import printable
from tellapart.errors import DataError, ImageError, SourceGoneError
from tellapart.images import EXTENSIONS, read_file


@dataclass(frozen=True)
class FolderSource:
    """Files below one folder.

    Attributes:
        root: absolute.
        names: relative to `root`, as the operating system has them.
        key: digest of the root and of every file's name, size and times of change.
    """

    root: Path
    names: Sequence[str] = field(repr=False)
    key: str
    _drive: int | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_drive", _drive(self.root))

    def read(self, index: int) -> bytes:
        """Returns the content of file `index`; see `Source.read`.

        Raises:
            SourceGoneError: neither it nor the folder is there, or another drive is in its place.
        """
        name = printable(self.names[index])
        try:
            return read_file(self.root / self.names[index], name)
        except ImageError as error:
            if self._drive is not None and _drive(self.root) != self._drive:
                raise SourceGoneError(name, str(self.root)) from error
            raise


def _drive(folder: Path) -> int | None:
    """The number of the drive that a folder is on; None where there is no folder.

    Where a drive was mounted, an empty folder stays, which is on another one.
    """
    try:
        return folder.stat().st_dev if folder.is_dir() else None
    except OSError:  # a network drive that does not answer
        return None


def load_folder(root: Path, name: str, location: str, *, to_train_on: bool = True) -> Dataset:
    """Reads a folder of pictures; see `layout` for what it may look like, `load` for the rest.

    Raises:
        DataError: it cannot be read, or holds nothing of use.
    """
    scan = _scan(root)
    layout = arrange(scan.names, location, to_train_on=to_train_on)
    names = [scan.names[position] for position in layout.kept]
    changes = [scan.changes[position] for position in layout.kept]
    source = FolderSource(root.absolute(), names, change_key(root, names, changes))
    paths = [printable(name) for name in names]
    return Dataset(
        name=name,
        location=location,
        class_names=layout.class_names,
        paths=paths,
        labels=layout.labels,
        parts=layout.parts,
        source=source,
        sizes=measure(source, paths, location),
        excluded=tuple(scan.excluded),
        ignored=layout.ignored,
        notes=layout.notes,
    )


def change_key(root: Path, names: Sequence[str], changes: Sequence[str]) -> str:
    """Returns the digest that tells two states of some files apart without reading them."""
    digest = hashlib.sha256(os.fsencode(root.absolute()))
    for name, change in zip(names, changes, strict=True):
        digest.update(f"\0{name}\0{change}".encode(errors="surrogatepass"))
    return digest.hexdigest()


def change_of(status: os.stat_result) -> str:
    """Returns what changes with a file's content: its size and times."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


@dataclass
class _Scan:
    """What lies in a folder; names are relative, folders end in "/"."""

    names: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)

    def add(self, name: str, change: str = "") -> None:
        self.names.append(name)
        self.changes.append(change)

    def exclude(self, name: str, reason: str) -> None:
        self.excluded.append(Excluded(printable(name), reason))


def _scan(root: Path) -> _Scan:
    """Lists everything below `root`, every folder once, however it is linked to."""
    try:
        status = root.stat()
        os.scandir(root).close()
    except OSError as error:
        raise DataError(f"Cannot read the folder {root}: {_reason(error)}.") from error
    scan = _Scan()
    seen = {(status.st_dev, status.st_ino)}
    real: deque[str] = deque([""])
    links: deque[str] = deque()
    # Links come last: a folder is known by its own name before a link gives it another.
    while real or links:
        folder = real.popleft() if real else links.popleft()
        try:
            if folder:
                status = (root / folder).stat()
                identity = (status.st_dev, status.st_ino)
                if identity in seen:
                    scan.exclude(folder, "is a link to a folder that is read already")
                    continue
                seen.add(identity)
                scan.add(folder)
            with os.scandir(root / folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    _add(scan, entry, folder, real, links)
        except OSError as error:
            scan.exclude(folder, _reason(error))
    return scan


def _add(
    scan: _Scan,
    entry: os.DirEntry[str],
    folder: str,
    real: deque[str],
    links: deque[str],
) -> None:
    name = folder + entry.name
    try:
        if is_hidden(entry.name):
            scan.add(name)  # a hidden folder counts as one file, and is not looked into
        elif entry.is_dir():
            (links if entry.is_symlink() else real).append(f"{name}/")
        elif entry.is_file():
            scan.add(name, change_of(entry.stat()))
        elif Path(entry.name).suffix.lower() in EXTENSIONS:
            scan.exclude(name, "is a broken link" if entry.is_symlink() else "is not a file")
    except OSError as error:  # such as a link that leads to itself
        scan.exclude(name, _reason(error))


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]
