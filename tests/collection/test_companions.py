"""What belongs to a picture by its name."""

from __future__ import annotations

import pytest

from tellapart.collection.companions import companion_of


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("a.xmp", ("a", "a")),
        ("a.jpg.xmp", ("a.jpg", "a.jpg")),
        ("a.JPG.XMP", ("a.JPG", "a.JPG")),
        ("a.jpg.supplemental-metadata.json", ("a.jpg", "a.jpg")),
        ("a.CR2", ("", "a")),
        ("a.b.nef", ("", "a.b")),
        ("a.mov", ("", "a")),
        ("a.txt", None),
        ("cr2", None),
        (".xmp", None),
    ],
)
def test_companions(name: str, owner: tuple[str, str] | None) -> None:
    assert companion_of(name) == owner
