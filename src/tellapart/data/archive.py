"""Pictures in a zip or tar archive, read in place: nothing is extracted under its own name.

A compressed tar is decompressed into a temporary file without a name when the first picture is
asked for. From there, as from a plain tar or a zip, pictures are read in any order and from
several threads. Listing 60,000 members takes seconds, so the listing is kept in the cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tellapart.data.cache import building, discard, entry_folder, read_index
from tellapart.data.dataset import Dataset
from tellapart.data.layout import arrange
from tellapart.data.listing import (
    DAMAGED,
    LIMITS,
    Kind,
    Limits,
    Listing,
    list_archive,
    open_tar,
    plain_name,
)
from tellapart.data.sizes import Size, measure
from tellapart.data.wording import printable
from tellapart.errors import ArchiveError, DataError, ImageError, SourceGoneError
from tellapart.images import refuse_large_file


class ArchiveSource:
    """Members of an archive.

    Attributes:
        path: the archive.
        key: sha256 of the archive's bytes.
        members: what `read` returns, in its order.
    """

    def __init__(
        self,
        path: Path,
        key: str,
        members: Listing,
        limits: Limits = LIMITS,
        tar: IO[bytes] | None = None,
    ) -> None:
        self.path = path
        self.key = key
        self.members = members
        self._limits = limits
        self._lock = threading.Lock()
        self._tar = tar
        self._zip: zipfile.ZipFile | None = None

    def read(self, index: int) -> bytes:
        """Returns the content of a member; see `Source.read`.

        Raises:
            SourceGoneError: it cannot be read, and the archive is not there.
        """
        name, size = self.members.names[index], self.members.sizes[index]
        refuse_large_file(size, printable(name))
        try:
            content = self._read(name, size, self.members.offsets[index])
        except (ArchiveError, *DAMAGED, OSError, KeyError) as error:
            if not os.path.isfile(self.path):  # noqa: PTH113 (which says no, whatever happens)
                raise SourceGoneError(printable(name), str(self.path)) from error
            if isinstance(error, ArchiveError):
                raise ImageError(printable(name), f"cannot be read: {error}") from error
            raise ImageError(printable(name), f"is damaged in the archive ({error})") from error
        if len(content) != size:
            raise ImageError(printable(name), "is cut short in the archive")
        return content

    def _read(self, name: str, size: int, offset: int) -> bytes:
        if self.members.kind == "zip":
            with self._lock:
                self._zip = self._zip or zipfile.ZipFile(self.path)
                member = self._zip.open(name)
            with member:  # decompressed outside the lock, and never past the declared size
                return member.read()
        with self._lock:
            self._tar = self._tar or open_tar(self.path, self._limits)
            self._tar.seek(offset)
            return self._tar.read(size)

    def close(self) -> None:
        """Closes the archive and drops what was decompressed; a later read opens it again."""
        with self._lock:
            for opened in (self._tar, self._zip):
                if opened is not None:
                    opened.close()
            self._tar = self._zip = None

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # where __init__ did not get so far
            self.close()


@dataclass(frozen=True)
class _Known:
    """What the cache keeps of an archive."""

    listing: Listing
    sizes: tuple[Size, ...]


def load_archive(
    path: Path,
    kind: Kind,
    name: str,
    location: str,
    limits: Limits = LIMITS,
    *,
    to_train_on: bool = True,
) -> Dataset:
    """Reads an archive of pictures; see `layout` for what it may look like, `load` for the rest.

    Raises:
        ArchiveError: it is damaged, or not safe to open.
        DataError: it holds nothing of use.
    """
    key = _digest(path)
    known = _recall(key) if limits == LIMITS else None
    with contextlib.ExitStack() as on_error:
        tar = (
            on_error.enter_context(open_tar(path, limits)) if kind == "tar" and not known else None
        )
        listing = known.listing if known else list_archive(path, tar, limits)
        names = [plain_name(member) for member in listing.names]
        layout = arrange(names, location, to_train_on=to_train_on)
        on_error.pop_all()
    source = ArchiveSource(path.absolute(), key, listing.take(layout.kept), limits, tar)
    paths = [printable(names[position]) for position in layout.kept]
    sizes = known.sizes if known else measure(source, paths, location)
    if known is None:
        _remember(key, location, _Known(listing, sizes))
    return Dataset(
        name=name,
        location=location,
        class_names=layout.class_names,
        paths=paths,
        labels=layout.labels,
        parts=layout.parts,
        source=source,
        sizes=sizes,
        ignored=layout.ignored,
        notes=layout.notes,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _recall(key: str) -> _Known | None:
    folder = entry_folder("listing", key)
    index = read_index(folder)
    if index is None or index.get("key") != key:
        return None
    try:
        kept = json.loads((folder / "listing.json").read_text(encoding="utf-8"))
        listing = Listing(**kept["listing"])
        sizes = tuple((int(h), int(w), int(c)) for h, w, c in kept["sizes"])
    except OSError:
        return None
    except (ValueError, TypeError, KeyError):
        discard(folder)  # the size is right, the content is not
        return None
    return _Known(listing, sizes)


def _remember(key: str, location: str, known: _Known) -> None:
    # Without a cache that can be written the archive is only listed again the next time.
    with contextlib.suppress(DataError), building("listing", key, location) as draft:
        kept = {"listing": vars(known.listing), "sizes": known.sizes}
        text = json.dumps(kept, separators=(",", ":"))  # ASCII: surrogates survive
        (draft.folder / "listing.json").write_text(text, encoding="utf-8")
