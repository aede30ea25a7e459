"""`tellapart check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.data.audit.pictures import jpeg, photo


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(42):
        folder = tmp_path / "photos" / ("cat" if number < 21 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:02}.jpg").write_bytes(jpeg(photo(number, (60, 45))))
    return tmp_path / "photos"


def test_a_clean_folder(run: Run, photos: Path) -> None:
    done = run("check", photos)
    assert done.code == 0
    assert "Nothing to complain about." in done.out
    rows = [line.split() for line in done.out.splitlines() if line.strip()]
    assert ["cat", "21"] in rows
    assert ["all", "42"] in rows


def test_findings_are_no_error_and_long_lists_are_cut(run: Run, photos: Path) -> None:
    for number in range(12):
        (photos / "cat" / f"again{number:02}.jpg").write_bytes(
            (photos / "cat" / "00.jpg").read_bytes()
        )
    (photos / "dog" / "bad\x1b[31m.jpg").write_bytes(b"%PDF-1.7")
    done = run("check", photos)
    assert done.code == 0
    assert "! 1 of 55 pictures cannot be read. They are left out, and stay as they are." in done.out
    assert r"dog/bad\x1b[31m.jpg: is a PDF document" in done.out
    assert "\x1b" not in done.out
    assert "- 12 pictures are copies of another one" in done.out
    assert "    and 2 more\n" in done.out


def test_json_is_one_document(run: Run, photos: Path) -> None:
    (photos / "dog" / "copy.jpg").write_bytes((photos / "cat" / "00.jpg").read_bytes())
    done = run("check", photos, "--json")
    value = json.loads(done.out)
    assert value["classes"] == {"cat": {"unassigned": 21}, "dog": {"unassigned": 22}}
    assert [finding["topic"] for finding in value["findings"]] == ["two labels"]
    assert not done.err


def test_the_sheet_is_never_overwritten_unasked(run: Run, photos: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "copies.png"
    done = run("check", photos, "--sheet", sheet)
    assert done.code == 0
    assert "copies.png shows 0 of 0 pairs of copies." in done.err
    drawn = sheet.read_bytes()
    again = run("check", photos, "--sheet", sheet)
    assert again.code == 2
    assert "copies.png exists. Add --force to replace it, or name another file." in again.err
    assert sheet.read_bytes() == drawn
    assert run("check", photos, "--sheet", sheet, "--force").code == 0
    wrong = run("check", photos, "--sheet", tmp_path / "copies.jpg")
    assert "copies.jpg: the sheet is a PNG. Name a file that ends in .png." in wrong.err
    assert "is a folder" in run("check", photos, "--sheet", tmp_path).err


def test_counts_by_part(run: Run, tmp_path: Path) -> None:
    for number in range(60):
        folder = tmp_path / "data" / ("train", "test")[number % 3 == 0] / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(jpeg(photo(number, (60, 45))))
    done = run("check", tmp_path / "data")
    rows = [line.split() for line in done.out.splitlines() if line.strip()]
    assert rows[0] == ["class", "train", "test", "pictures"]
    assert ["a", "20", "10", "30"] in rows
    assert ["all", "40", "20", "60"] in rows


def test_data_that_is_not_there(run: Run) -> None:
    done = run("check", "absent")
    assert done.code == 1
    assert "There is no file, folder or catalog data set 'absent'." in done.err
