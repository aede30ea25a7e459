"""Corrected labels: written, edited as spreadsheets do, read back, and refused with reasons."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data import load, relabel
from tellapart.data.columns import open_column
from tellapart.data.dataset import Dataset
from tellapart.data.relabel import relabel as relabelled
from tellapart.data.relabel import write_labels
from tellapart.data.store import fingerprint, pixel_measure
from tellapart.errors import DataError
from tellapart.images import ImageSpec
from tellapart.spreadsheet import quoted
from tests.conftest import save_picture


@pytest.fixture
def dataset(colour_folder: Path) -> Dataset:
    return load(colour_folder)


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "labels.csv").write_text(text, encoding=encoding, newline="")
    return folder / "labels.csv"


def name(dataset: Dataset, path: str) -> str:
    return dataset.class_names[int(dataset.labels[list(dataset.paths).index(path)])]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (
            "path,label,suggested,score\nblue/03.png,red,red,0.01\nred/00.png,red,blue,0.02\n",
            "utf-8",
        ),
        (
            "path;label;suggested;score\r\nblue/03.png;red;red;0,01\r\nred/00.png;red\r\n",
            "utf-8-sig",
        ),
        ("Path\tLabel\nblue/03.png\tred\nred/00.png\tred\n", "utf-16"),
        ('label,path\n red ,"blue/03.png"\n\nred,red/00.png\nred,red/00.png\n', "utf-8"),
    ],
)
def test_as_programs_write_it(dataset: Dataset, tmp_path: Path, text: str, encoding: str) -> None:
    file = write(tmp_path, text, encoding)
    found = relabelled(dataset, file)
    assert name(dataset, "blue/03.png") == "blue"
    assert name(found, "blue/03.png") == "red"
    assert (found.labels != dataset.labels).sum() == 1
    assert found.class_names == dataset.class_names
    assert found.notes[-1] == f"1 label is taken from {file}; 1 in it is as in the data."


def test_the_fingerprint_follows_the_labels_and_the_pictures_are_the_same(
    dataset: Dataset, tmp_path: Path
) -> None:
    spec = ImageSpec(8, 8, 3)
    column = open_column(dataset, pixel_measure(spec))
    found = relabelled(dataset, write(tmp_path, "path,label\nblue/03.png,red\n"))
    assert fingerprint(found, column.digests) != fingerprint(dataset, column.digests)
    assert found.source.key == dataset.source.key
    assert open_column(found, pixel_measure(spec)).computed == 0
    same = relabelled(dataset, write(tmp_path, "path,label\nblue/03.png,blue\n"))
    assert fingerprint(same, column.digests) == fingerprint(dataset, column.digests)
    assert same.notes[-1].startswith("0 labels are taken from ")


def test_all_problems_are_reported_together(dataset: Dataset, tmp_path: Path) -> None:
    text = (
        "path,label\nblue/99.png,red\nblue/03.png,reed\nblue/04.png,\n"
        "red/01.png,blue\nred/01.png,green\n"
    )
    with pytest.raises(DataError) as caught:
        relabelled(dataset, write(tmp_path, text))
    message = str(caught.value)
    assert f"does not fit {dataset.location}: 4 problems." in message
    assert "line 2: there is no picture 'blue/99.png'" in message
    assert "line 3: there is no class 'reed'. Did you mean 'red'?" in message
    assert "line 4: 'blue/04.png' has no label; delete the line to keep the old one" in message
    assert "line 6: 'red/01.png' is 'green' here, and 'blue' in line 5" in message
    assert "labels among 'blue', 'green', 'red'." in message


def test_many_problems_are_counted(dataset: Dataset, tmp_path: Path) -> None:
    text = "path,label\n" + "".join(f"{number}.png,x\n" for number in range(500))
    with pytest.raises(DataError) as caught:
        relabelled(dataset, write(tmp_path, text))
    assert "1,000 problems." in str(caught.value)
    assert "and 990 more" in str(caught.value)


def test_a_class_must_keep_a_picture(dataset: Dataset, tmp_path: Path) -> None:
    text = "path,label\n" + "".join(f"blue/{number:02}.png,red\n" for number in range(12))
    with pytest.raises(DataError, match="leaves no picture in 'blue'. Leave some there"):
        relabelled(dataset, write(tmp_path, text))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty: expected a first line with path and label"),
        (b"file,class\n1,2\n", "has the columns 'file', 'class': expected a first line with path"),
        (b"path,label\nbl\xfcte.png,red\n", "is not UTF-8 text (byte 13). Save it as CSV UTF-8."),
        (b'path,label\n"blue/03.png,red\n', "Expected CSV, its first line path,label"),
        (b"\x00\x01\x02", "expected a first line with path and label"),
    ],
)
def test_what_is_no_list_of_labels(
    dataset: Dataset, tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        relabelled(dataset, tmp_path / "labels.csv")
    assert words in str(caught.value)
    assert "labels.csv" in str(caught.value)


def test_files_that_cannot_be_read(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"Cannot read .*absent.csv: No such file"):
        relabelled(dataset, tmp_path / "absent.csv")
    with pytest.raises(DataError, match=r"Cannot read .*: Is a directory"):
        relabelled(dataset, tmp_path)
    monkeypatch.setattr(relabel, "MAX_BYTES", 10)
    with pytest.raises(DataError, match=r"has more than 10 bytes"):
        relabelled(dataset, write(tmp_path, "path,label\n"))


def test_names_that_are_formulas_come_back_exactly(tmp_path: Path) -> None:
    """What a spreadsheet opens starts with an apostrophe; what is read back does not."""
    names = ["=1+1", "@SUM(A1)", "-5", "+x", "'=y", "plain"]
    for label in names:
        save_picture(tmp_path / "data" / label / "a, b.png", (9, 9, 9))
    dataset = load(tmp_path / "data")
    file = tmp_path / "labels.csv"
    write_labels(file, [(path, name(dataset, path), "plain", 0.1234) for path in dataset.paths])
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert all(cell[0] not in "=+-@" for row in rows for cell in row.values())
    assert rows[0]["score"] == "0.123"
    again = relabelled(dataset, file)
    assert np.array_equal(again.labels, dataset.labels)
    typed = relabelled(dataset, write(tmp_path, 'path,label\n"+x/a, b.png",-5\n"-5/a, b.png",+x\n'))
    assert (name(typed, "+x/a, b.png"), name(typed, "-5/a, b.png")) == ("-5", "+x")


@given(st.lists(st.text(min_size=1).filter(lambda text: text == text.strip()), max_size=5))
def test_any_name_survives_the_file(names: list[str]) -> None:
    for text in names:
        cell = quoted(text)
        assert cell[0] not in "=+-@\t\r"
        ((row),) = relabel._unquoted([relabel._Row(1, cell, "x")])
        assert row.path == text
