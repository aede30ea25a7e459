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


@pytest.fixture
def mislabelled(colour_folder: Path) -> Path:
    """`colour_folder` with a blue picture among the red ones."""
    (colour_folder / "blue" / "07.png").rename(colour_folder / "red" / "is blue.png")
    return colour_folder


def test_suspicious_labels_on_request(run: Run, mislabelled: Path) -> None:
    assert "uspicious" not in run("check", mislabelled).out
    done = run("check", mislabelled, "--suspicious")
    assert done.code == 0
    assert "36 labels judged by features of efficientnet-lite0 at 96x96" in done.err
    assert "Suspicious labels: 1. The lower the score, the more so." in done.out
    rows = [line.split() for line in done.out.splitlines() if line.strip()]
    (found,) = [row for row in rows if row[0] == "red/is"]
    assert found[:4] == ["red/is", "blue.png", "red", "blue"]
    assert 0 <= float(found[4]) < 0.14
    document = json.loads(run("check", mislabelled, "--suspicious", "--json").out)
    (entry,) = document["suspicious_labels"]["labels"]
    assert (entry["path"], entry["label"], entry["suggested"]) == ("red/is blue.png", "red", "blue")
    assert document["suspicious_labels"]["judged"] == 36


def test_labels_are_written_corrected_and_passed_back(
    run: Run, mislabelled: Path, tmp_path: Path
) -> None:
    file, sheet = tmp_path / "wrong.csv", tmp_path / "wrong.png"
    done = run("check", mislabelled, "--labels-out", file, "--labels-sheet", sheet)
    assert "wrong.csv lists 1 label. Correct its column `label`" in done.err
    assert f"tellapart train {mislabelled} --labels {file}" in done.err
    assert "wrong.png shows 1 of 1 pictures." in done.err
    header, row = file.read_text().splitlines()
    assert header == "path,label,suggested,score"
    assert row.startswith("red/is blue.png,red,blue,0.")
    file.write_text(f"{header}\n{row.replace(',red,', ',blue,')}\n")
    again = run("check", mislabelled, "--labels", file, "--suspicious")
    assert f"1 label is taken from {file}." in again.err
    assert "No label is suspicious." in again.out
    rows = [line.split() for line in again.out.splitlines() if line.strip()]
    assert ["blue", "12"] in rows
    assert sorted(path.name for path in (mislabelled / "red").iterdir())[-1] == "is blue.png"


def test_label_files_are_never_overwritten_unasked(
    run: Run, colour_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.csv").write_text("my corrections")
    done = run("check", colour_folder, "--labels-out", tmp_path / "mine.csv")
    assert done.code == 2
    assert "mine.csv exists. Add --force to replace it" in done.err
    assert (tmp_path / "mine.csv").read_text() == "my corrections"
    done = run("check", colour_folder, "--labels-out", tmp_path / "mine.txt")
    assert "mine.txt: the labels are CSV. Name a file that ends in .csv." in done.err
    done = run("check", colour_folder, "--labels-sheet", tmp_path / "mine.jpg")
    assert "mine.jpg: the sheet is a PNG. Name a file that ends in .png." in done.err


def test_too_few_pictures_to_judge_labels(run: Run, colour_folder: Path) -> None:
    for number in range(2, 12):
        for name in ("blue", "green", "red"):
            (colour_folder / name / f"{number:02}.png").unlink()
    done = run("check", colour_folder, "--suspicious")
    assert done.code == 0
    assert "too few pictures a class to judge their labels: at least 3 are needed" in done.err
    assert "No label is suspicious" not in done.out


def test_labels_that_do_not_fit(run: Run, colour_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,label\nblue/00.png,bleu\n")
    done = run("check", colour_folder, "--labels", tmp_path / "labels.csv")
    assert (done.code, done.out) == (1, "")
    assert "line 2: there is no class 'bleu'. Did you mean 'blue'?" in done.err


def test_data_that_is_not_there(run: Run) -> None:
    done = run("check", "absent")
    assert done.code == 1
    assert "There is no file, folder or catalog data set 'absent'." in done.err
