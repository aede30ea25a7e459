from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.data import load
from tellapart.data.audit import SIGNATURES, kept
from tellapart.data.audit.copies import Copies
from tellapart.data.audit.kept import FILE, keep_copies
from tellapart.data.columns import open_column


def copies_of(folder: Path) -> Copies:
    dataset = load(folder)
    return keep_copies(open_column(dataset, SIGNATURES), dataset.location)


def test_the_search_is_made_once(
    colour_folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (colour_folder / "red" / "00.png").read_bytes()
    (colour_folder / "blue" / "00.png").write_bytes(content)
    first = copies_of(colour_folder)
    assert (first.first.tolist(), first.second.tolist()) == ([0], [24])
    monkeypatch.delattr(kept, "find_copies")
    again = copies_of(colour_folder)
    for name in ("groups", "first", "second", "kinds", "similarities"):
        assert np.array_equal(getattr(again, name), getattr(first, name)), name
    # Another picture in another place: the search is made again.
    (colour_folder / "red" / "05.png").write_bytes(content)
    with pytest.raises(NameError):
        copies_of(colour_folder)


def test_a_damaged_entry_is_made_again(colour_folder: Path, own_cache: Path) -> None:
    first = copies_of(colour_folder)
    (file,) = own_cache.glob(f"copies-*/{FILE}")
    file.write_bytes(b"x" * file.stat().st_size)
    assert np.array_equal(copies_of(colour_folder).groups, first.groups)
    assert file.read_bytes()[:2] == b"PK"
