from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tellapart.data import load
from tellapart.data.dataset import PARTS, UNASSIGNED
from tellapart.errors import DataError


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name in ("1.png", "2.png", "sub/3.png", "sub/4, of.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (3, 2)).save(tmp_path / name)
    return tmp_path


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "list.csv").write_text(text, encoding=encoding)
    return folder / "list.csv"


@pytest.mark.parametrize(
    "text",
    [
        "path,label\n1.png,cat\nsub/3.png,dog\n",
        "\ufeffFile;Class\r\n1.png;cat\r\nsub/3.png;dog\r\n",
        "number\tcategory\tfilename\n1\tcat\t1.png\n\n2\tdog\tsub/3.png",
        "1.png,cat\nsub/3.png,dog",
        " image , label \n 1.png , cat \nsub/3.png, dog",
        "path,label\n1.png,cat\nsub/3.png,dog\n./1.png,cat\n",
    ],
)
def test_ways_to_write_it(pictures: Path, text: str) -> None:
    dataset = load(write(pictures, text))
    assert dataset.class_names == ("cat", "dog")
    assert list(dataset.paths) == ["1.png", "sub/3.png"]
    assert dataset.labels.tolist() == [0, 1]
    assert set(dataset.parts.tolist()) == {UNASSIGNED}
    assert dataset.sizes == ((2, 3, 3),) * 2
    assert dataset.source.read(1) == (pictures / "sub" / "3.png").read_bytes()
    assert dataset.name == "list"


def test_parts_and_quotes(pictures: Path) -> None:
    text = 'path,label,split\n1.png,a,Train\n2.png,b,\nsub/3.png,a,val\n"sub/4, of.png",b,test\n'
    dataset = load(write(pictures, text))
    assert [PARTS[part] if part >= 0 else None for part in dataset.parts.tolist()] == [
        "train",
        None,
        "validation",
        "test",
    ]


def test_repeated_lines_are_noted(pictures: Path) -> None:
    dataset = load(write(pictures, "path,label\n1.png,a\n2.png,b\n1.png,a\n"))
    assert dataset.notes == ("1 line that named a picture again ignored.",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"list\.csv is empty"),
        ("path,label\n", "names no pictures"),
        ("path,name\n1.png,a\n", "has the columns 'path', 'name': no 'label'"),
        ("a,b\n1.png,a\n", "no 'path' and no 'label'"),
        ("1.png\n2.png\n", "has the columns '1.png'"),
        ("path,label\n1.png,a\n2.png,\n,b\n", r"2 lines without path or label:\n  line 3: no lab"),
        ("path,label\n1.png,a\n2.png\n", "line 3: no label"),
        ("path,label,part\n1.png,a,train\n2.png,b,dev\n", r"found\n  line 3: 'dev'"),
        ("path,label\n1.png,a\n2.png,b\n1.png,b\n", "1.png: 'a' in line 2, 'b' in line 4"),
        (
            "path,label,part\n1.png,a,train\n2.png,b,\n1.png,a,test\n",
            r"1.png: 'a' \(train\) in line 2, 'a' \(test\) in line 4",
        ),
        ("path,label\n1.png,a\n2.png,a\n", "holds one class only, 'a'"),
        ("path,label\n1.png,a\n2.png,A\n", "differ in upper and lower case"),
        (
            "path,label,part\n1.png,a,train\n2.png,b,train\nsub/3.png,c,test\n",
            "no pictures to train on of 'c'",
        ),
        ('path,label\n1.png,"a\n', r"list\.csv, line 2: "),
    ],
)
def test_what_is_refused(pictures: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load(write(pictures, text))


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("path,label\n1.png,a\n2.png,a\n", ("a",)),
        ("path,label,part\n1.png,a,train\n2.png,b,train\nsub/3.png,c,test\n", ("a", "b", "c")),
    ],
)
def test_what_can_be_evaluated_on(pictures: Path, text: str, classes: tuple[str, ...]) -> None:
    assert load(write(pictures, text), to_train_on=False).class_names == classes


def test_missing_files_are_listed(pictures: Path) -> None:
    lines = [f"gone{number:02}.png,a" for number in range(14)]
    path = write(pictures, "\n".join(["path,label", "1.png,a", *lines, "sub,b"]))
    with pytest.raises(DataError, match="names 15 files that cannot be found") as caught:
        load(path)
    said = str(caught.value)
    assert "line 3: gone00.png" in said
    assert "line 12: gone09.png\n  and 5 more" in said
    assert f"relative to the folder of the CSV, {pictures}" in said


def test_other_encodings(pictures: Path) -> None:
    with pytest.raises(DataError, match=r"is not UTF-8 text \(byte 0\). Save it as CSV UTF-8"):
        load(write(pictures, "path,label\n1.png,a\n", "utf-16"))


def test_too_large(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.data.csv.MAX_BYTES", 5)
    with pytest.raises(DataError, match="is larger than 5 bytes"):
        load(write(pictures, "path,label\n1.png,a\n"))
