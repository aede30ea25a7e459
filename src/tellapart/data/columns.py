"""Columns: what is computed of each picture once, and kept by the picture's content.

Pixels for a network, signatures for the audit, features for a linear head: each is a function of
a picture's content alone. A column holds one row a picture, in the order of the data set. When
pictures are added to a data set, renamed or moved, or a folder is packed into an archive, rows
are taken over from the columns that are in the cache, and only new pictures are decoded.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tellapart.data.cache import (
    Draft,
    building,
    discard,
    entry_folder,
    read_index,
)
from tellapart.data.dataset import Dataset
from tellapart.data.kept_rows import KeptRows, read_rows
from tellapart.data.measure import Measure, Rows
from tellapart.data.sweep import DIGEST_BYTES, Chunk, sweep
from tellapart.data.wording import bullets
from tellapart.decoding import Maker
from tellapart.errors import DataError, ImageError
from tellapart.files import write_json


@dataclass(frozen=True, eq=False)
class Column:
    """A row of each picture.

    Attributes:
        rows: (n, *shape), read-only, memory-mapped; row i is of picture i of the data set, zeros
            where it failed.
        digests: (n, 16) uint8, BLAKE2b of what the source holds of each picture; zeros where it
            could not be read. Equal digests are equal files.
        failures: index to reason, of the pictures that could not be read or decoded.
        folder: where it is in the cache.
        computed: how many rows were made now, not taken from the cache.
        bytes: its size on disk.
    """

    rows: np.memmap[tuple[int, ...], np.dtype[Any]] = field(repr=False)
    digests: npt.NDArray[np.uint8] = field(repr=False)
    failures: dict[int, str]
    folder: Path
    computed: int
    bytes: int

    @property
    def unread(self) -> list[int]:
        """Those of the failures where there was nothing to decode: another time there may be."""
        return [index for index in self.failures if not self.digests[index].any()]

    def take(self, indices: npt.NDArray[np.int64]) -> Column:
        """Returns the rows of those pictures alone."""
        place = {index: row for row, index in enumerate(indices.tolist())}
        failures = {place[i]: why for i, why in self.failures.items() if i in place}
        rows: Any = self.rows[indices]
        return replace(self, rows=rows, digests=self.digests[indices], failures=failures)


def open_column(
    dataset: Dataset,
    measure: Measure,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Column:
    """Opens a column of a data set, making the rows that are not in the cache.

    Memory stays bounded however large the data set is: a few chunks of rows (`sweep.CHUNK_BYTES`
    each, or one row), one picture being decoded for each core, and a few hundred bytes for each
    picture.

    A picture that could not be read the last time (a drive was away) is tried again. What was
    made until Ctrl-C is kept, so that the next call goes on from there.

    Args:
        dataset: the pictures.
        measure: what to make of each.
        on_progress: called with the number of pictures done so far, and of all; not called where
            the column is in the cache as it is.

    Raises:
        DataError: no picture can be decoded, or the cache has no room or cannot be written.
    """
    key = _column_key(dataset, measure)
    found = _open(key, dataset, measure, computed=0)
    outdated = found is not None and _can_read_any(dataset, found.unread)
    if found is not None and not outdated:
        return found
    progress = on_progress or (lambda done, total: None)
    computed = _build(key, dataset, measure, progress, replace=outdated)
    built = _open(key, dataset, measure, computed=computed)
    if built is None:
        raise DataError(
            f"The cache entry {entry_folder(measure.kind, key)} was removed or damaged while it "
            "was opened. Start again."
        )
    return built


def make_together(
    dataset: Dataset,
    measures: Sequence[Measure],
    maker: Maker,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Makes several columns while each picture is read once, for `open_column` to find.

    Does nothing where the cache holds one of them, or a row for any of them: then only what is
    new is to be made.

    Args:
        dataset: the pictures.
        measures: of the columns; none has a `then`.
        maker: makes the bytes of a row of each, one behind the other, in their order.
        on_progress: see `open_column`.

    Returns:
        Whether they were made.

    Raises:
        DataError: see `open_column`.
    """
    if any(is_kept(dataset, measure) or KeptRows.load(measure) for measure in measures):
        return False
    with contextlib.ExitStack() as stack:
        drafts = []
        for measure in measures:
            needed = (measure.row_bytes + DIGEST_BYTES) * len(dataset)
            key = _column_key(dataset, measure)
            draft = stack.enter_context(building(measure.kind, key, dataset.location, needed))
            stream = stack.enter_context((draft.folder / "rows.npy").open("wb"))
            _write_header(stream, (len(dataset), *measure.shape), measure.dtype)
            drafts.append((draft, stream))
        streams = [stream for _, stream in drafts]
        sizes = [measure.row_bytes for measure in measures]
        filled = _Filled(dataset, on_progress or (lambda done, total: None))
        try:
            _fill_together(streams, sizes, maker, filled)
        except (KeyboardInterrupt, SystemExit):  # SIGTERM: see `training.stopping`
            for measure, (draft, stream) in zip(measures, drafts, strict=True):
                stream.close()
                _keep_what_is_done(draft, measure, filled)
            raise
        filled.refuse_if_all_failed()
        for measure, (draft, stream) in zip(measures, drafts, strict=True):
            stream.close()
            _finish(draft, measure, filled.digests, filled.failures)
    return True


def is_kept(dataset: Dataset, measure: Measure) -> bool:
    """Whether `open_column` would find the whole column in the cache."""
    return read_index(entry_folder(measure.kind, _column_key(dataset, measure))) is not None


def _column_key(dataset: Dataset, measure: Measure) -> str:
    digest = hashlib.sha256(f"{measure.key} {dataset.source.key}".encode())
    for path in dataset.paths:
        digest.update(f"\0{path}".encode(errors="surrogatepass"))
    return digest.hexdigest()


def _open(key: str, dataset: Dataset, measure: Measure, *, computed: int) -> Column | None:
    """Returns the column, or None where there is none that is whole."""
    folder = entry_folder(measure.kind, key)
    index = read_index(folder)
    if index is None or index.get("key") != key:
        return None
    kept = read_rows(folder, measure)
    if kept is None:
        return None
    rows, digests, failures = kept
    if len(rows) != len(dataset):
        discard(folder)
        return None
    return Column(rows, digests, failures, folder, computed, index["bytes"])


def _can_read_any(dataset: Dataset, indices: Sequence[int]) -> bool:
    for index in indices:
        with contextlib.suppress(ImageError):
            dataset.source.read(index)
            return True
    return False


@dataclass
class _Filled:
    """What is known of the pictures whose rows have been written, in the order of the data set.

    Attributes:
        dataset: the pictures.
        on_progress: see `open_column`.
        digests: (n, 16) uint8; see `Column`.
        failures: index to reason.
        done: the rows of so many pictures are written.
        computed: so many of them were made now.
    """

    dataset: Dataset
    on_progress: Callable[[int, int], None]
    failures: dict[int, str] = field(default_factory=dict)
    done: int = 0
    computed: int = 0

    def __post_init__(self) -> None:
        self.digests = np.zeros((len(self.dataset), DIGEST_BYTES), dtype=np.uint8)

    def add(self, chunk: Chunk) -> None:
        """Notes that the rows of the next chunk are written."""
        self.digests[self.done : self.done + len(chunk)] = chunk.digests
        self.failures |= chunk.failures
        self.computed += len(chunk.made)
        self.done += len(chunk)
        self.on_progress(self.done, len(self.dataset))

    def refuse_if_all_failed(self) -> None:
        """Raises DataError where not one picture could be decoded."""
        if len(self.failures) == len(self.dataset):
            named = [f"{self.dataset.paths[i]}: {reason}" for i, reason in self.failures.items()]
            raise DataError(
                f"None of the {len(self.dataset):,} pictures in {self.dataset.location} can be "
                f"decoded:{bullets(named)}"
            )


def _build(
    key: str,
    dataset: Dataset,
    measure: Measure,
    on_progress: Callable[[int, int], None],
    *,
    replace: bool,
) -> int:
    """Makes the column's entry, or makes it anew; returns how many rows had to be computed."""
    needed = (measure.row_bytes + DIGEST_BYTES) * len(dataset)
    known = KeptRows.load(measure)
    filled = _Filled(dataset, on_progress)
    with building(measure.kind, key, dataset.location, needed) as draft:
        try:
            with (draft.folder / "rows.npy").open("wb") as stream:
                _write_header(stream, (len(dataset), *measure.shape), measure.dtype)
                _fill(stream, measure, known, filled)
        except (KeyboardInterrupt, SystemExit):
            _keep_what_is_done(draft, measure, filled)
            raise
        filled.refuse_if_all_failed()
        _finish(draft, measure, filled.digests, filled.failures)
        if replace:
            discard(entry_folder(measure.kind, key))
    known.discard_contained(filled.digests, but=entry_folder(measure.kind, key))
    return filled.computed


def _fill_together(
    streams: Sequence[IO[bytes]], sizes: Sequence[int], maker: Maker, filled: _Filled
) -> None:
    ends = np.cumsum(sizes)
    with contextlib.closing(sweep(filled.dataset, maker, lambda digest: None)) as chunks:
        for chunk in chunks:
            rows = np.zeros((len(chunk), ends[-1]), np.uint8)
            if chunk.made:
                rows[list(chunk.made)] = np.stack(list(chunk.made.values()))
            for stream, size, end in zip(streams, sizes, ends, strict=True):
                stream.write(np.ascontiguousarray(rows[:, end - size : end]).data)
            filled.add(chunk)


def _fill(stream: IO[bytes], measure: Measure, known: KeptRows, filled: _Filled) -> None:
    with contextlib.closing(sweep(filled.dataset, measure.maker, known.row)) as chunks:
        for chunk in chunks:
            # Written, not mapped: a full disk is then an error, and not the end of Python.
            stream.write(_rows(chunk, measure).data)
            filled.add(chunk)


def _keep_what_is_done(draft: Draft, measure: Measure, filled: _Filled) -> None:
    """Makes the rows that are written the column of those pictures alone, to be taken over."""
    if not filled.done:
        return
    part = filled.dataset.take(np.arange(filled.done))
    with building(measure.kind, _column_key(part, measure), part.location) as own:
        rows = own.folder / "rows.npy"
        (draft.folder / "rows.npy").rename(rows)
        with rows.open("rb+") as stream:
            # The header keeps its length: NumPy leaves room for a first axis of any size.
            _write_header(stream, (filled.done, *measure.shape), measure.dtype)
            stream.truncate(stream.tell() + filled.done * measure.row_bytes)
        failures = {i: why for i, why in filled.failures.items() if i < filled.done}
        _finish(own, measure, filled.digests[: filled.done], failures)


def _rows(chunk: Chunk, measure: Measure) -> Rows:
    rows = np.zeros((len(chunk), *measure.shape), dtype=measure.dtype)
    for place, row in chunk.known.items():
        rows[place] = row
    if chunk.made:
        made = np.stack(list(chunk.made.values()))
        rows[list(chunk.made)] = made if measure.then is None else measure.then(made)
    return rows


def _finish(
    draft: Draft, measure: Measure, digests: npt.NDArray[np.uint8], failures: dict[int, str]
) -> None:
    np.save(draft.folder / "digests.npy", digests, allow_pickle=False)
    write_json(draft.folder / "failures.json", failures)
    draft.index |= {
        "measure": measure.key,
        "about": dict(measure.about),
        "pictures": len(digests),
        "failures": len(failures),
    }


def _write_header(stream: IO[bytes], shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
