"""Any collection, sorted in any way into any folder, loses nothing and comes back as it was."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tellapart as ta
from tellapart.collection import doing, undo
from tellapart.collection.journal import How
from tests.collection.stub import Look, Stub, look, write

stems = st.sampled_from(["a", "A", "b.c", "a (2)", "é", "e\u0301", "x" * 240, os.fsdecode(b"\xff")])
endings = st.sampled_from([".jpg", ".PNG", ".xmp", ".jpg.xmp", ".cr2", ".mov", ".txt"])
folders = st.sampled_from(["", "deep", "deep/er", "cat", "sorted"])
contents = st.builds(
    lambda word, number: f"{word} {number}",
    st.sampled_from(["cat", "dog", "unsure cat", "broken"]),
    st.integers(0, 2),
)
collections = st.dictionaries(st.tuples(folders, stems, endings), contents, max_size=12)


def contents_of(*looks: Look) -> set[str]:
    return {seen[0] for found in looks for seen in found.values()}


@pytest.fixture(scope="module", autouse=True)
def small_batches() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doing, "BATCH_FILES", 2)
        patch.setattr(undo, "BATCH_FILES", 2)
        yield


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    collection=collections,
    there=st.dictionaries(st.tuples(st.sampled_from(["cat", "dog"]), stems, endings), contents),
    how=st.sampled_from(["copy", "move", "link", "symlink"]),
    keep_folders=st.booleans(),
    inside=st.booleans(),
)
def test_any_collection(
    collection: dict[tuple[str, str, str], str],
    there: dict[tuple[str, str, str], str],
    how: How,
    keep_folders: bool,
    inside: bool,
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        photos = Path(temporary, "photos")
        into = photos / "sorted" if inside else Path(temporary, "into")
        photos.mkdir()
        for root, files in ((photos, collection), (into, there)):
            for number, ((folder, stem, ending), content) in enumerate(files.items()):
                write(root / folder / (stem + ending), content, number)
        before = look(Path(temporary))
        was = look(into) if into.exists() else {}
        done = ta.sort(Stub(), photos, into=into, how=how, keep_folders=keep_folders)
        assert done.skipped == ()
        after = look(into) if into.exists() else {}
        assert {name: after.get(name) for name in was} == was, "nothing there is replaced"
        assert contents_of(look(Path(temporary))) == contents_of(before), "nothing is lost"
        if how != "move":
            assert before.items() <= look(Path(temporary)).items()
        if done.pictures:
            undone = ta.undo_sort(into)
            assert (undone.kept, undone.failed, undone.renamed) == ((), (), ())
        assert look(Path(temporary)) == before
