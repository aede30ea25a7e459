"""Keeps the arrays of the catalog in the cache, memory-mapped, after the first fetch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import get_args

import numpy as np

from tellapart.data.arrays import Labelled, digest, load_arrays
from tellapart.data.cache import FORMAT, building, cache_folder, discard, entry_folder, read_index
from tellapart.data.catalog.entry import Arrays, CatalogEntry
from tellapart.data.dataset import Dataset, Part
from tellapart.errors import DataError


def load_entry(entry: CatalogEntry) -> Dataset:
    """Loads a data set from the cache, fetching it first unless that was done before."""
    kept = _recall(entry)
    if kept is None:
        _remember(entry, entry.fetch())
        kept = _recall(entry)
    if kept is None:
        raise DataError(
            f"'{entry.name}' was removed from the cache folder {cache_folder()} while it was "
            "loaded. Start again."
        )
    arrays, key = kept
    return load_arrays(
        [Labelled(part.x, part.y, part.part) for part in arrays],
        class_names=entry.class_names,
        name=entry.name,
        location=entry.name,
        key=key,
    )


def is_kept(entry: CatalogEntry) -> bool:
    """Whether `load_entry` would find it in the cache."""
    return _recall(entry) is not None


def _key(entry: CatalogEntry) -> str:
    return hashlib.sha256(f"catalog {entry.name} {FORMAT}".encode()).hexdigest()


def _remember(entry: CatalogEntry, arrays: Sequence[Arrays]) -> None:
    needed = sum(part.x.nbytes + part.y.nbytes for part in arrays)
    with building("arrays", _key(entry), entry.name, needed) as draft:
        for part in arrays:
            np.save(draft.folder / f"x_{part.part}.npy", np.ascontiguousarray(part.x))
            np.save(draft.folder / f"y_{part.part}.npy", part.y)
        draft.index["parts"] = [part.part for part in arrays]
        draft.index["digest"] = digest([part.x for part in arrays])
        draft.index["pictures"] = sum(len(part.x) for part in arrays)


def _recall(entry: CatalogEntry) -> tuple[list[Arrays], str] | None:
    """Returns the arrays and their digest, or None where they are not whole in the cache."""
    folder = entry_folder("arrays", _key(entry))
    index = read_index(folder)
    if index is None:
        return None
    try:
        known: list[Part | None] = [p for p in (None, *get_args(Part)) if p in index["parts"]]
        arrays = [
            Arrays(
                np.load(folder / f"x_{part}.npy", mmap_mode="r", allow_pickle=False),
                np.load(folder / f"y_{part}.npy", allow_pickle=False),
                part,
            )
            for part in known
        ]
        return arrays, str(index["digest"])
    except OSError:
        return None
    except (ValueError, KeyError, TypeError):
        discard(folder)  # the sizes are right, the content is not
        return None
