"""300 pictures, a tenth of them broken in every way: a clear report, nothing touched."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from PIL import Image

from tellapart.data import load
from tellapart.data.audit import SIGNATURES, audit
from tellapart.data.columns import open_column
from tests.data.audit.pictures import jpeg, photo

NAMES = ("صورة.jpg", "图片.jpg", "🌼.jpg", "naïve é.jpg", " two  spaces .jpg", "a'b\"c.jpg")


def break_in_every_way(root: Path) -> dict[str, str]:
    """Adds broken pictures; returns what the report must say of each, by name."""
    whole = jpeg(photo(1000))
    with Image.open(root / "a" / "000.jpg") as image:
        image.save(root / "a" / "whole.png")
    png = (root / "a" / "whole.png").read_bytes()
    wide = bytearray(whole)
    frame = wide.index(b"\xff\xc0")
    wide[frame + 5 : frame + 9] = struct.pack(">HH", 20_000, 20_000)
    contents = {
        "empty.jpg": (b"", "the file is empty"),
        "head.jpg": (whole[:2], "is not a picture that can be read"),
        "cut1.jpg": (whole[: len(whole) // 3], "is cut short"),
        "cut2.jpg": (whole[: len(whole) // 2], "is cut short"),
        "cut3.jpg": (whole[: len(whole) * 9 // 10], "is cut short"),
        "cut1.png": (png[:20], "is "),
        "cut2.png": (png[: len(png) // 2], "is "),
        "paper.jpg": (b"%PDF-1.7\n1 0 obj", "is a PDF document"),
        "page.png": (b"<html><body>404", "is a web page"),
        "drawing.gif": (b"<svg xmlns='x'/>", "is an SVG drawing"),
        "phone.jpg": (b"\0\0\0\x20ftypheic" + bytes(50), "is a HEIC"),
        "text.bmp": (b"hello world", "is not a picture that can be read"),
        "zeros.webp": (bytes(1000), "is not a picture that can be read"),
        "archive.tif": (b"PK\x03\x04" + bytes(60), "is a zip archive"),
        "panorama.jpg": (bytes(wide), "has more than 178 million pixels"),
    }
    for name, (content, _) in contents.items():
        (root / "b" / name).write_bytes(content)
    expected = {f"b/{name}": reason for name, (_, reason) in contents.items()}
    (root / "b" / "broken.jpg").symlink_to(root / "nowhere")
    (root / "b" / "up").symlink_to(root, target_is_directory=True)
    os.mkfifo(root / "b" / "pipe.jpg")
    (root / "b" / "folder.jpg").mkdir()
    expected |= {
        "b/broken.jpg": "is a broken link",
        "b/pipe.jpg": "is not a file",
        "b/up/": "is a link to a folder that is read already",
    }
    if os.geteuid() != 0:  # root may read everything
        (root / "b" / "secret.jpg").write_bytes(whole)
        (root / "b" / "secret.jpg").chmod(0)
        expected["b/secret.jpg"] = "permission denied"
    return expected


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for number in range(270):
        path = root / "abc"[number % 3] / f"{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(photo(number, (60, 45))))
    for number, name in enumerate(NAMES):
        (root / "c" / name).write_bytes(jpeg(photo(300 + number, (60, 45))))
    stray = os.fsencode(root / "c") + b"/\xff\xfe.jpg"
    with open(stray, "wb") as stream:  # noqa: PTH123 (a name that is no text)
        stream.write(jpeg(photo(400, (60, 45))))
    Image.new("RGB", (1, 1), (3, 4, 5)).save(root / "c" / "one-pixel.png")
    return root


def snapshot(root: Path) -> dict[bytes, tuple[int, int, bytes]]:
    """Every entry's mode, time of change and content."""
    entries = {}
    for parent, folders, files in os.walk(os.fsencode(root)):
        for name in (*folders, *files):
            path = os.path.join(parent, name)  # noqa: PTH118
            status = os.lstat(path)
            regular = os.path.isfile(path) and not os.path.islink(path) and status.st_mode & 0o400  # noqa: PTH113, PTH114
            content = Path(os.fsdecode(path)).read_bytes() if regular else b""
            entries[path] = (status.st_mode, status.st_mtime_ns, content)
    return entries


def test_everything_broken_is_named_and_nothing_is_touched(folder: Path) -> None:
    expected = break_in_every_way(folder)
    before = snapshot(folder)
    dataset = load(folder)
    found = audit(dataset, open_column(dataset, SIGNATURES))
    (unreadable,) = (f for f in found.findings if f.topic == "unreadable")
    said = dict(item.split(": ", 1) for item in unreadable.items)
    for name, reason in expected.items():
        assert said.pop(name, f"no word of {name}").startswith(reason), (name, said)
    assert said == {}
    # 270 photos, 6 + 1 odd names, one pixel, the PNG copy
    assert sum(sum(parts.values()) for parts in found.counts.values()) == 279
    assert {c: sum(p.values()) for c, p in found.counts.items()} == {"a": 91, "b": 90, "c": 98}
    assert snapshot(folder) == before


def test_pictures_that_vanish_and_change_while_they_are_read(folder: Path) -> None:
    dataset = load(folder)
    (folder / "a" / "000.jpg").unlink()
    (folder / "a" / "003.jpg").write_bytes(b"")
    (folder / "b" / "001.jpg").unlink()
    (folder / "b" / "001.jpg").mkdir()
    found = audit(dataset, open_column(dataset, SIGNATURES))
    said = {dataset.paths[index]: reason for index, reason in found.failures.items()}
    assert said == {
        "a/000.jpg": "no such file or directory",
        "a/003.jpg": "the file is empty",
        "b/001.jpg": "is a directory",
    }
    assert found.counts["a"] == {"unassigned": 88}


def test_a_link_to_itself_takes_nothing_with_it(folder: Path) -> None:
    (folder / "b" / "000-circle.jpg").symlink_to(folder / "b" / "000-circle.jpg")
    dataset = load(folder)
    assert len(dataset) == 278
    assert [item.path for item in dataset.excluded] == ["b/000-circle.jpg"]
