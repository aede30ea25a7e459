"""Whatever is wrong with the data: a message that helps, and nothing left behind.

One test for each line of "bad input", from the command line to the exit code.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Outcome, Run
from tests.conftest import save_picture

COLOURS = {"red": (210, 50, 40), "blue": (40, 60, 200)}

Train = Callable[..., Outcome]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of six small pictures; the working folder is the one that holds them."""
    monkeypatch.chdir(tmp_path)
    for name, colour in COLOURS.items():
        for number in range(6):
            save_picture(Path("photos", name, f"{number}.png"), colour)
    return Path("photos")


@pytest.fixture
def refused(run: Run, photos: Path, own_cache: Path) -> Train:
    """Runs `tellapart train`, which must refuse: no traceback, no result, nothing written."""

    def train(*arguments: object, code: int = 1) -> Outcome:
        before = _snapshot(Path())
        done = run("train", *arguments)
        assert (done.code, done.out) == (code, "")
        assert "Error: " in done.err
        assert "Traceback" not in done.err
        assert _snapshot(Path()) == before
        assert not list(own_cache.glob(".building-*"))
        return done

    return train


@pytest.fixture
def trained(run: Run, photos: Path) -> Callable[..., dict[str, Any]]:
    """Runs `tellapart train --json` for an epoch, which must work and leave the data alone."""

    def train(data: str, *arguments: object) -> dict[str, Any]:
        before = _snapshot(Path())
        done = run("train", data, "--epochs", "1", "--json", *arguments)
        assert done.code == 0, done.err
        after = {name: content for name, content in _snapshot(Path()).items()
                 if not name.startswith("runs")}  # fmt: skip
        assert after == before
        result: dict[str, Any] = json.loads(done.out)
        return result | {"notes": done.err}

    return train


def _snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file's content; None for a folder."""
    return {
        path.as_posix(): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")
    }


def _png(width: int, height: int) -> bytes:
    """A PNG that claims a size, with hardly any pixels in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def _write_csv(name: str, rows: list[tuple[str, str]]) -> None:
    with Path(name).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("path", "label"), *rows])


# --- Nothing to tell apart ----------------------------------------------------------------------


def test_an_empty_folder(refused: Train) -> None:
    Path("empty").mkdir()
    assert "No pictures were found in empty: it is empty.\nExpected a folder for each class" in (
        refused("empty").err
    )


def test_an_empty_name_is_not_the_current_folder(refused: Train) -> None:
    assert "The name of the data is empty. Expected a folder" in refused("").err


def test_one_class(refused: Train) -> None:
    shutil.rmtree("photos/red")
    assert "photos holds one class only, 'blue' (pictures: 6). A classifier needs at least 2" in (
        refused("photos").err
    )


def test_a_class_with_one_picture(refused: Train) -> None:
    save_picture(Path("photos/green/0.png"), (50, 190, 60))
    assert (
        "Class 'green' has 1 picture; a split needs at least 3 (one each to train, validate and "
        "test). Add pictures, leave the class out, or add a test/ folder of your own."
    ) in refused("photos").err


def test_no_picture_can_be_read(refused: Train) -> None:
    for picture in Path("photos").rglob("*.png"):
        picture.write_bytes(b"junk")
    done = refused("photos")
    assert (
        "None of the 12 pictures in photos can be read:\n  blue/0.png: is not a picture" in done.err
    )
    assert "and 2 more" in done.err


# --- Names --------------------------------------------------------------------------------------


def test_class_names_of_any_kind(trained: Callable[..., dict[str, Any]], run: Run) -> None:
    names = {"red": "and/or \N{CAT FACE} red", "blue": "../blue one"}
    rows = [(p.as_posix(), names[p.parent.name]) for p in sorted(Path("photos").rglob("*.png"))]
    _write_csv("odd.csv", rows)
    result = trained("odd.csv")
    assert result["run"] == "runs/odd-1"
    done = run("predict", result["run"], "photos/red/0.png", "--json")
    assert {top["label"] for top in json.loads(done.out)["predictions"][0]["top"]} == set(
        names.values()
    )


def test_classes_that_differ_in_case_only(refused: Train) -> None:
    rows = [(f"photos/red/{n}.png", "Cat" if n % 2 else "cat") for n in range(6)]
    _write_csv("case.csv", rows)
    assert (
        "classes whose names differ in upper and lower case or in their Unicode form only: 'Cat', "
        "'cat'. Some file systems cannot hold both. Merge them, or rename one."
    ) in refused("case.csv").err


# --- Pictures -----------------------------------------------------------------------------------


def test_damaged_tiny_and_huge_pictures_are_named_and_left_out(
    trained: Callable[..., dict[str, Any]],
) -> None:
    whole = Path("photos/red/0.png").read_bytes()
    Path("photos/red/cut.png").write_bytes(whole[: len(whole) // 2])
    Path("photos/red/document.jpg").write_bytes(b"%PDF-1.7 and so on")
    Path("photos/blue/empty.png").touch()
    Path("photos/blue/huge.png").write_bytes(_png(60_000, 60_000))
    Image.new("RGB", (12, 10)).save("photos/blue/a-png.jpg", "PNG")  # fine: content decides
    save_picture(Path("photos/blue/one-pixel.png"), (40, 60, 200), size=(1, 1))
    result = trained("photos", "--image-size", "12", "--model", "classic-32")
    assert "4 of 18 pictures cannot be read and are left out:" in result["notes"]
    for line in (
        "red/cut.png: is cut short (truncated)",
        "red/document.jpg: is a PDF document, not a picture; expected JPEG",
        "blue/empty.png: the file is empty",
        "blue/huge.png: has more than 178 million pixels, the most that is decoded",
    ):
        assert f"\n  {line}" in result["notes"]
    info = json.loads(Path(result["run"], "run.json").read_text(encoding="utf-8"))
    assert len(info["data"]["excluded"]) == 4


def test_pictures_of_one_pixel_name_the_layer(refused: Train) -> None:
    for picture in Path("photos").rglob("*.png"):
        save_picture(picture, (1, 2, 3), size=(1, 1))
    assert (
        "classic-32 is too deep for pictures of 1x1x3: layer 'pool_1' looks through a window of "
        "2x2 pixels, but only 1x1 are left there. Choose a larger --image-size"
    ) in refused("photos").err


def test_a_network_too_deep_for_the_size_names_the_layer(refused: Train) -> None:
    done = refused("photos", "--image-size", "5x9", "--model", "classic-64")
    assert "classic-64 is too deep for pictures of 5x9x3: layer 'conv_2'" in done.err


# --- Other sources ------------------------------------------------------------------------------


def test_a_csv_that_names_missing_files(refused: Train) -> None:
    _write_csv("list.csv", [("photos/red/0.png", "red"), ("gone/1.png", "red"), ("2.png", "blue")])
    done = refused("list.csv")
    assert (
        "list.csv names 2 files that cannot be found:\n  line 3: gone/1.png\n  line 4: 2.png"
        in (done.err)
    )
    assert "Paths are relative to the folder of the CSV" in done.err


def test_labels_that_do_not_match_the_pictures(refused: Train) -> None:
    np.savez("short.npz", x=np.zeros((20, 8, 8), np.uint8), y=np.arange(19) % 2)
    assert "short.npz: x has 20 pictures and y has 19 labels. Give a label for each picture." in (
        refused("short.npz").err
    )


def test_an_npz_of_python_objects_is_not_unpickled(refused: Train) -> None:
    np.savez("code.npz", x=np.zeros((2, 8, 8), np.uint8), y=np.array([{}, {}], dtype=object))
    assert "y.npy holds Python objects, which could run code" in refused("code.npz").err


def test_an_unknown_catalog_name(refused: Train) -> None:
    done = refused("mnits")
    assert "There is no file, folder or catalog data set 'mnits'. Did you mean 'mnist'?" in done.err


def test_a_single_picture(refused: Train) -> None:
    assert "photos/red/0.png is a single picture. Expected" in refused("photos/red/0.png").err


# --- Archives -----------------------------------------------------------------------------------


def _member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, content


HOSTILE_MEMBERS = {
    "unsafe paths": _member("/etc/evil.png", b"x"),
    "unsafe paths:\n  ../": _member("../../evil.png", b"x"),
    "is links, devices or the like": _member(
        "a/2.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"
    ),
    "a device or pipe": _member("a/2.png", type=tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("reason", HOSTILE_MEMBERS)
def test_a_hostile_tar(refused: Train, reason: str) -> None:
    with tarfile.open("hostile.tar.gz", "w:gz") as tar:
        for member, content in (_member("a/1.png", b"x"), HOSTILE_MEMBERS[reason]):
            tar.addfile(member, io.BytesIO(content))
    done = refused("hostile.tar.gz")
    assert "hostile.tar.gz is refused: 1 of its members" in done.err
    assert reason in done.err
    assert "Pack the pictures again as plain files" in done.err


def test_a_hostile_zip(refused: Train) -> None:
    with zipfile.ZipFile("hostile.zip", "w") as archive:
        archive.writestr("../../evil.png", b"x")
    assert "hostile.zip is refused: 1 of its members has unsafe paths" in refused("hostile.zip").err


def test_a_bomb(refused: Train) -> None:
    with zipfile.ZipFile("bomb.zip", "w") as archive:
        for number in range(2):
            archive.writestr(f"a/{number}.png", b"")
            archive.infolist()[-1].file_size = 2**30  # what the listing at its end claims
    done = refused("bomb.zip")
    assert "bomb.zip looks like a decompression bomb" in done.err
    assert "Unpack it yourself and name the folder, if you trust it." in done.err


@pytest.mark.parametrize("name", ["cut.zip", "cut.tar.gz"])
def test_a_damaged_archive(refused: Train, name: str) -> None:
    shutil.make_archive("cut", "zip" if name.endswith("zip") else "gztar", "photos")
    Path(name).write_bytes(Path(name).read_bytes()[:900])
    assert f"{name} is damaged or cut short (" in refused(name).err


# --- Where it goes ------------------------------------------------------------------------------


def test_an_output_folder_that_exists(refused: Train) -> None:
    done = refused("photos", "--out", "photos")
    assert "photos exists already and is not an empty folder. Nothing is overwritten" in done.err


def test_an_output_folder_that_cannot_be_written(
    refused: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    _forbid(monkeypatch, Path("locked"), 13, "Permission denied")
    assert (
        "Cannot write locked: no permission to write there. Name a folder that you may write "
        in (refused("photos", "--out", "locked").err)
    )


def test_no_space_for_the_run(refused: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    _forbid(monkeypatch, Path("full"), 28, "No space left on device")
    assert "Cannot write full: the disk is full. Free some space" in (
        refused("photos", "--out", "full").err
    )


def test_no_space_for_the_decoded_pictures(
    refused: Train, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(own_cache)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**6))
    done = refused("photos")
    assert f"The cache folder {own_cache} has 1.0 MB free: too little for" in done.err
    assert "set TELLAPART_CACHE to a folder on a larger disk" in done.err


def _forbid(monkeypatch: pytest.MonkeyPatch, folder: Path, number: int, text: str) -> None:
    """Making that folder fails; root, as which tests may run, is refused nothing by mode bits."""
    make = Path.mkdir

    def mkdir(self: Path, *arguments: Any, **options: Any) -> None:
        if self == folder:
            raise OSError(number, text, str(self))
        make(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)


# --- Wrong options ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--epochs", "0", "--batch-size", "0"), "epochs is 0, expected a whole number"),
        (("--image-size", "0"), "Image height 0: expected a whole number from 1 to 4096"),
        (("--image-size", "big"), "Invalid value for '--image-size': 'big': expected a size such"),
        (("--model", "classic-3"), "Unknown model 'classic-3'. Did you mean 'classic-32'?"),
        (("--model", "absent.keras"), "There is no model file absent.keras"),
        (("--recipe", "clasic"), "is not one of 'auto', 'classic'"),
        (("--test-split", "1.5"), "test_split is 1.5, expected a share"),
        (("--learning-rate", "nan"), "learning_rate is nan, expected a number above 0"),
    ],
)
def test_wrong_options(refused: Train, arguments: tuple[str, ...], message: str) -> None:
    assert message in refused("photos", *arguments, code=2).err


# --- Classifier files ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is an empty file, not a classifier"),
        (b"hello", "is not an ONNX file, or is damaged"),
    ],
)
def test_a_file_that_is_no_classifier(run: Run, photos: Path, content: bytes, message: str) -> None:
    Path("some.onnx").write_bytes(content)
    for command in ("predict", "evaluate"):
        done = run(command, "some.onnx", photos)
        assert (done.code, done.out) == (1, "")
        assert f"Error: some.onnx {message}" in done.err


def test_a_classifier_of_a_newer_version(run: Run, photos: Path) -> None:
    import onnx

    from tellapart.bundle import METADATA_KEY
    from tests.tiny_classifier import save_classifier

    file = save_classifier(Path("newer.onnx"))
    model = onnx.load(file)
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            entry.value = json.dumps(json.loads(entry.value) | {"format_version": 99})
    onnx.save(model, file)
    done = run("predict", "newer.onnx", photos)
    assert (done.code, done.out) == (1, "")
    assert (
        "newer.onnx was written by a newer tellapart (format 99; this version reads 1)" in done.err
    )
