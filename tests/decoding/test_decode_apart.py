"""In predictions and evaluations too, a file that crashes or hangs the decoder costs itself."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tellapart import decoding
from tellapart.classifier import Classifier
from tellapart.cli.app import app
from tellapart.data import load, sizes
from tellapart.decoding import Maker, decode_apart, pixels, pool
from tellapart.errors import ImageError, TellapartError
from tellapart.images import Raw, decode
from tellapart.results import FailedPrediction, Prediction
from tests.decoding.fragile_pixels import fragile_maker
from tests.tiny_classifier import PURE, SPEC, save_classifier

CRASHES = "makes the decoder crash"
HANGS = "takes more than 1 seconds to decode (TELLAPART_DECODE_SECONDS raises it)"


@pytest.fixture(autouse=True)
def fragile(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The decoder crashes at "crash" in a name, and hangs at "hang"."""
    pool.end_idle()
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "src")]))
    monkeypatch.setenv("TELLAPART_DECODE_SECONDS", "1")
    monkeypatch.setattr(pixels, "pixel_maker", fragile_maker)
    yield
    pool.end_idle()


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    return Classifier.load(save_classifier(tmp_path / "run" / "classifier.onnx"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder a class, each with a picture that is well and one that is not."""
    root = tmp_path / "pictures"
    for label, bad in (("red", "crash"), ("green", "hang"), ("blue", "empty")):
        (root / label).mkdir(parents=True)
        for name in ("well", bad):
            Image.new("RGB", (12, 10), PURE[label]).save(root / label / f"{name}.png")
    (root / "blue" / "empty.png").write_bytes(b"")
    return root


def test_a_stream_goes_on(classifier: Classifier, pictures: Path) -> None:
    paths = sorted(pictures.rglob("*.png"))
    found = list(classifier.predict_stream(paths, isolated=True, batch_size=4))
    assert [Path(answer.source).name for answer in found] == [path.name for path in paths]
    assert [
        answer.label if isinstance(answer, Prediction) else answer.error for answer in found
    ] == ["the file is empty", "blue", HANGS, "green", CRASHES, "red"]


def test_predict_at_the_command_line(
    classifier: Classifier, pictures: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    done = CliRunner().invoke(
        app, ["predict", str(classifier.path), str(pictures), "--output", str(output)]
    )
    assert done.exit_code == 1
    assert "3 of 6 pictures failed." in done.stderr
    with output.open(newline="") as stream:
        rows = {Path(row["source"]).stem: row for row in csv.DictReader(stream)}
    assert rows["crash"]["error"] == CRASHES
    assert rows["hang"]["error"] == HANGS


def test_evaluate_at_the_command_line(classifier: Classifier, pictures: Path) -> None:
    done = CliRunner().invoke(app, ["evaluate", str(classifier.path), str(pictures)])
    assert done.exit_code == 0, done.stderr
    assert "Accuracy 1.000" in done.stdout
    assert f"red/crash.png: {CRASHES}" in done.stderr
    assert f"green/hang.png: {HANGS}" in done.stderr


def test_both_ways_make_the_same_pixels(pictures: Path) -> None:
    file = pictures / "red" / "well.png"
    raws: list[Raw] = [file, file.read_bytes(), np.full((5, 5, 3), 9, np.uint8), Image.open(file)]
    made = decode_apart(raws, ["a", "b", "c", "d"], SPEC)
    for raw, row in zip(raws, made, strict=True):
        assert not isinstance(row, str)
        assert np.array_equal(row, decode(raw, SPEC))


def test_what_is_none_has_a_reason(tmp_path: Path) -> None:
    raws: list[Raw | ImageError] = [
        tmp_path / "missing.png",
        tmp_path,
        ImageError("x", "was in a damaged archive"),
        b"%PDF-1.7",
        np.zeros((3, 3), np.int64),
    ]
    made = decode_apart(raws, list("abcde"), SPEC)
    assert made[:3] == ["no such file or directory", "is a directory", "was in a damaged archive"]
    assert str(made[3]).startswith("is a PDF document, not a picture")
    assert str(made[4]).startswith("pixels of shape (3, 3) and type int64")


def test_much_is_sent_in_parts(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "TOGETHER_BYTES", 100)
    calls = []
    make_rows = pool.make_rows

    def counted(*arguments: object) -> object:
        calls.append(arguments)
        return make_rows(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pixels, "make_rows", counted)
    file = pictures / "red" / "well.png"
    assert len(decode_apart([file] * 5, ["x"] * 5, SPEC)) == 5
    assert len(calls) > 1


def test_a_limit_that_is_no_number_is_an_error(
    classifier: Classifier, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLAPART_MAX_PIXELS", "lots")
    done = CliRunner().invoke(app, ["predict", str(classifier.path), str(pictures)])
    assert isinstance(done.exception, TellapartError)
    assert str(done.exception).startswith("TELLAPART_MAX_PIXELS=lots: expected a number")


def test_a_process_is_started_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    decoding.start_ahead()
    decoding.start_ahead()
    assert len(pool._idle) == 1
    monkeypatch.setattr(pool, "_Decoder", shutil.rmtree)  # another one cannot be made
    assert len(decode_apart([b""], ["a"], SPEC)) == 1


def test_pixels_in_memory_need_no_process(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_Decoder", shutil.rmtree)
    (found,) = classifier.predict_stream([Image.new("RGB", (8, 6), PURE["red"])], isolated=True)
    assert not isinstance(found, FailedPrediction)
    assert found.label == "red"


def test_a_header_that_crashes_costs_itself(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look at the sizes of the pictures is taken in another process too."""
    made = Maker("tests.decoding.fragile_pixels:make_fragile_sizes", {}, (3,), np.int64)
    monkeypatch.setattr(sizes, "_MAKER", made)
    assert load(pictures, to_train_on=False).sizes == ((10, 12, 3),) * 3
