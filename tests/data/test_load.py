from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.data import load
from tellapart.errors import DataError, UsageError


def test_a_data_set_is_returned_as_it_is(colour_folder: Path) -> None:
    dataset = load(colour_folder)
    assert load(dataset) is dataset
    assert load(dataset, name="other").name == "other"


def test_name(colour_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(colour_folder, name="mine").name == "mine"
    monkeypatch.chdir(colour_folder)
    assert load(".").name == "colours"
    renamed = colour_folder.rename(colour_folder.with_name("my / photos".replace(" / ", " & ")))
    assert load(renamed).name == "my-photos"


def test_a_path_comes_before_the_catalog(
    colour_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    colour_folder.rename(colour_folder.with_name("digits"))
    monkeypatch.chdir(colour_folder.parent)
    dataset = load("digits")
    assert dataset.class_names == ("blue", "green", "red")
    assert dataset.notes == ("'digits' is read from the path of that name, not from the catalog.",)


def test_unknown_catalog_name() -> None:
    with pytest.raises(DataError, match=r"data set 'mnits'\. Did you mean 'mnist'\?") as caught:
        load("mnits")
    assert "digits, mnist, fashion-mnist, cifar10, cifar100" in str(caught.value)


def test_unknown_path_names_the_closest(colour_folder: Path) -> None:
    with pytest.raises(DataError, match=r"Did you mean '.*colours'\?"):
        load(colour_folder.with_name("colors"))


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 5000])
def test_impossible_paths(name: str) -> None:
    with pytest.raises(DataError):
        load(name)


def test_other_types() -> None:
    with pytest.raises(UsageError, match="Data of type int"):
        load(3)  # type: ignore[arg-type]


def test_options_of_arrays(colour_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"class_names goes with arrays \(x, y\)"):
        load(colour_folder, class_names=["a"])
    with pytest.raises(UsageError, match="test goes with arrays"):
        load(colour_folder, test=([], []))


def test_files_that_are_not_data(tmp_path: Path, colour_folder: Path) -> None:
    with pytest.raises(DataError, match="is a single picture"):
        load(colour_folder / "blue" / "00.png")
    (tmp_path / "x.h5").write_bytes(b"\x89HDF" * 300)
    with pytest.raises(DataError, match="is not an archive that can be read"):
        load(tmp_path / "x.h5")
    (tmp_path / "empty.zip").touch()
    with pytest.raises(DataError, match="is not an archive that can be read"):
        load(tmp_path / "empty.zip")


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No pictures were found in .*: it is empty"):
        load(tmp_path)


def test_nothing_heavy_is_imported(colour_folder: Path) -> None:
    program = f"""
import sys
from tellapart.data import load, open_store, split
from tellapart.images import ImageSpec
dataset = load({str(colour_folder)!r})
split(dataset, exclude=open_store(dataset, ImageSpec(8, 8)).failures)
heavy = {{"keras", "tensorflow", "sklearn", "scipy", "matplotlib", "onnx", "rich", "typer"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
