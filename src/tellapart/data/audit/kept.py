"""The copies of a data set, looked for once and kept: the search takes longer than all the rest."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import fields
from pathlib import Path

import numpy as np

from tellapart.data.audit.copies import Copies, find_copies
from tellapart.data.audit.signature import SIGNATURES
from tellapart.data.cache import building, discard, entry_folder, read_index
from tellapart.data.columns import Column
from tellapart.errors import DataError

SEARCH = 1
"""Raised when other copies are found of the same pictures."""

FILE = "copies.npz"


def keep_copies(signatures: Column, location: str) -> Copies:
    """Finds the copies among pictures, or returns those that were found before.

    Args:
        signatures: `open_column(dataset, SIGNATURES)`.
        location: of the data set, for the list of what is kept.
    """
    readable = np.ones(len(signatures.rows), bool)
    readable[list(signatures.failures)] = False
    # All that the search depends on: which pictures there are, and in which order.
    about = f"{SEARCH} {SIGNATURES.key}".encode()
    digest = hashlib.sha256(about + signatures.digests.tobytes() + readable.tobytes())
    key = digest.hexdigest()
    kept = _recall(key, len(readable))
    if kept is not None:
        return kept
    copies = find_copies(signatures.rows, signatures.digests, readable)
    # Without a cache that can be written the search is only made again the next time.
    with contextlib.suppress(DataError), building("copies", key, location) as draft:
        np.savez(
            draft.folder / FILE,
            **{field.name: getattr(copies, field.name) for field in fields(Copies)},
        )
    return copies


def _recall(key: str, pictures: int) -> Copies | None:
    folder = entry_folder("copies", key)
    index = read_index(folder)
    if index is None or index.get("key") != key:
        return None
    return _read(folder, pictures)


def _read(folder: Path, pictures: int) -> Copies | None:
    try:
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            copies = Copies(**{field.name: arrays[field.name] for field in fields(Copies)})
    except OSError:
        return None
    except Exception:  # the size is right, the content is not
        discard(folder)
        return None
    pairs = {len(getattr(copies, field.name)) for field in fields(Copies)[1:]}
    return copies if len(copies.groups) == pictures and len(pairs) == 1 else None
