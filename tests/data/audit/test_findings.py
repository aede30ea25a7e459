"""Findings: what is said of a data set, in which words and order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data import load
from tellapart.data.audit import SIGNATURES, Audit, Finding, audit
from tellapart.data.audit.findings import shorten
from tellapart.data.columns import open_column
from tests.data.audit.pictures import jpeg, photo


def save(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def look(root: Path) -> Audit:
    dataset = load(root)
    return audit(dataset, open_column(dataset, SIGNATURES))


def topic(found: Audit, name: str) -> Finding:
    return next(finding for finding in found.findings if finding.topic == name)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of 20 photos: nothing to complain about."""
    root = tmp_path / "photos"
    for number in range(40):
        save(root / ("cat" if number < 20 else "dog") / f"{number:02}.jpg", jpeg(photo(number)))
    return root


def test_nothing_to_complain_about(photos: Path) -> None:
    found = look(photos)
    assert found.findings == ()
    assert found.notes() == []
    assert found.counts == {"cat": {"unassigned": 20}, "dog": {"unassigned": 20}}
    assert found.groups.tolist() == list(range(40))


def test_the_same_picture_under_two_labels(photos: Path) -> None:
    save(photos / "dog" / "again.jpg", (photos / "cat" / "03.jpg").read_bytes())
    finding = topic(look(photos), "two labels")
    assert finding.level == "warning"
    assert finding.text == "1 picture is there under two labels or more."
    assert finding.items == ("cat/03.jpg (cat) = dog/again.jpg (dog)",)


def test_copies_within_a_class(photos: Path) -> None:
    save(photos / "cat" / "zz.jpg", (photos / "cat" / "00.jpg").read_bytes())
    save(photos / "cat" / "zzz.jpg", jpeg(photo(0), 40))
    finding = topic(look(photos), "copies")
    assert finding.level == "note"
    assert "2 pictures are copies of another one" in finding.text
    assert "(pairs within a class: 1 identical file, 1 near copy)" in finding.text
    assert finding.items[0] == "cat/00.jpg = cat/zz.jpg (identical file, 1.000)"


def test_copies_across_parts(tmp_path: Path) -> None:
    for number in range(60):
        part = "test" if number % 3 == 0 else "train"
        save(tmp_path / part / "ab"[number % 2] / f"{number}.jpg", jpeg(photo(number)))
    save(tmp_path / "test" / "a" / "copy.jpg", jpeg(photo(2), 60))  # of train/a/2.jpg
    finding = topic(look(tmp_path), "copies across parts")
    assert finding.level == "warning"
    assert finding.text == "1 of 21 test pictures has a copy in the training part."
    assert finding.items == ("test/a/copy.jpg",)


def test_only_what_is_split_here_keeps_copies_on_one_side(tmp_path: Path) -> None:
    for number in range(4):
        for folder in ("whole", "parts/train", "parts/test"):
            save(tmp_path / folder / "ab"[number % 2] / f"{number}.jpg", jpeg(photo(number)))
    save(tmp_path / "whole" / "a" / "copy.jpg", jpeg(photo(2), 60))
    whole = topic(look(tmp_path / "whole"), "copies")
    assert whole.remedy == "Copies are kept on one side of the split."
    parts = topic(look(tmp_path / "parts"), "copies")
    assert parts.remedy == (
        "The data's own parts stay as they are; what is split off them keeps copies on one side."
    )


def test_unreadable_and_ignored_files(photos: Path) -> None:
    save(photos / "cat" / "paper.jpg", b"%PDF-1.7")
    save(photos / "cat" / "notes.txt", b"hello")
    (photos / "dog" / "gone.jpg").symlink_to("nowhere")
    found = look(photos)
    finding = found.findings[0]
    assert finding.topic == "unreadable"
    assert finding.text == "2 of 42 pictures cannot be read."
    assert "cat/paper.jpg: is a PDF document, not a picture" in finding.items[0]
    assert finding.items[1] == "dog/gone.jpg: is a broken link"
    assert topic(found, "ignored").text == "1 file is hidden or not a picture by name."
    assert found.counts["cat"] == {"unassigned": 20}
    assert found.notes() == []  # the pipeline says it


def test_names_that_say_another_format(photos: Path) -> None:
    Image.new("RGB", (9, 9)).save(photos / "cat" / "01.jpg", "PNG")
    finding = topic(look(photos), "wrong names")
    assert finding.text == "1 picture is not of the format that the name says."
    assert finding.remedy == "They are used all the same."
    assert finding.items == ("cat/01.jpg: is PNG",)


def test_blank_and_very_dark(photos: Path) -> None:
    save(photos / "cat" / "blank.jpg", jpeg(Image.new("RGB", (120, 90), (250, 250, 250))))
    dark = np.asarray(photo(77)) // 8  # at most 31
    save(photos / "dog" / "dark.jpg", jpeg(Image.fromarray(dark)))
    found = look(photos)
    assert topic(found, "blank").items == ("cat/blank.jpg",)
    assert topic(found, "very dark").items == ("dog/dark.jpg",)


def test_white_on_black_is_not_dark(tmp_path: Path) -> None:
    for number in range(8):
        digit = np.zeros((28, 28), np.uint8)
        digit[4:24, 3 * number : 3 * number + 3] = 255
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        Image.fromarray(digit).save(tmp_path / "ab"[number % 2] / f"{number}.png")
    assert {finding.topic for finding in look(tmp_path).findings} == {"small classes"}


def test_odd_sizes_and_shapes(photos: Path) -> None:
    save(photos / "cat" / "icon.jpg", jpeg(photo(90, (24, 18))))  # a fifth
    save(photos / "dog" / "wide.jpg", jpeg(photo(91, (480, 90))))  # four times as wide
    save(photos / "dog" / "fine.jpg", jpeg(photo(92, (240, 180))))
    finding = topic(look(photos), "odd sizes")
    assert finding.items == ("cat/icon.jpg: 18x24", "dog/wide.jpg: 90x480")
    assert "(about 104 pixels a side)" in finding.text  # sqrt(120 * 90) = 103.9


def test_small_classes_and_imbalance(photos: Path) -> None:
    for number in range(15, 20):
        (photos / "cat" / f"{number}.jpg").unlink()
    for number in range(100, 130):
        save(photos / "dog" / f"{number}.jpg", jpeg(photo(number)))
    found = look(photos)
    assert topic(found, "small classes").items == ("cat: 15",)
    assert topic(found, "small classes").text == "1 class has fewer than 20 pictures."
    imbalance = topic(found, "imbalance")
    assert imbalance.level == "note"  # 50 / 15 = 3.3
    assert imbalance.text == (
        "The largest class, 'dog' (50), has 3.3 times as many pictures as the smallest, 'cat' (15)."
    )


def test_warnings_come_first_and_notes_point_to_the_command(photos: Path) -> None:
    save(photos / "cat" / "zz.jpg", (photos / "cat" / "00.jpg").read_bytes())
    save(photos / "dog" / "again.jpg", (photos / "cat" / "03.jpg").read_bytes())
    lines = look(photos).notes()
    assert [level for _, level in lines] == ["warning", "note", "note"]
    assert "under two labels" in lines[0][0]
    assert lines[-1][0] == f"`tellapart check {photos}` lists them."


def test_json_holds_every_item(photos: Path) -> None:
    for number in range(15):
        save(photos / "cat" / f"again{number}.jpg", (photos / "cat" / "00.jpg").read_bytes())
    value = json.loads(json.dumps(look(photos).to_json(), allow_nan=False))
    assert value["pictures"] == 55
    assert len(value["pairs"]) == 15
    assert value["pairs"][0] == {
        "first": "cat/00.jpg",
        "second": "cat/again0.jpg",
        "kind": "identical file",
        "similarity": 1.0,
    }
    (copies,) = (finding for finding in value["findings"] if finding["topic"] == "copies")
    assert len(copies["items"]) == 15


def test_long_lists_are_cut() -> None:
    assert shorten(["a", "b", "c"], 3) == ["a", "b", "c"]
    assert shorten(["a", "b", "c", "d", "e"], 3) == ["a", "b", "c", "and 2 more"]
