"""The page of real runs: digits from scratch, and photos on a pretrained network."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import tellapart as ta
from tellapart import runs
from tellapart.approaches.keras_process import KerasProcess
from tellapart.explanation.prediction import prediction_trace
from tellapart.files import write_json
from tellapart.report.example import choose_example
from tellapart.report.find_pictures import find_pictures
from tellapart.report.page import SECTIONS, draw_report
from tellapart.report.pictures import Pictures
from tellapart.report.record import RunRecord
from tellapart.runs import RunFolder
from tests.report.page_reader import Element, problems_of, read_page

DATA = Path(os.environ.get("TELLAPART_DATA", Path(__file__).parents[2].parent / "shared" / "data"))

pytestmark = pytest.mark.slow


def page_of(run: ta.Run) -> Element:
    """Draws the page of a finished run, with a picture followed through its network."""
    folder = RunFolder(run.path)
    pictures = find_pictures(folder)
    assert isinstance(pictures, Pictures)
    record = RunRecord.read(folder)
    found = record.predictions
    assert found.rows is not None
    row = choose_example(found.rows, found.actual)
    assert row is not None
    (pixels,) = pictures.take([found.names[row]])
    trace = prediction_trace(
        run.model,
        pixels,
        record.class_names,
        picture=found.names[row],
        temperature=record.evaluation["calibration"]["temperature"],
    )
    write_json(folder.file(runs.PREDICTION_TRACE_JSON), trace.to_json())
    text = draw_report(folder, pictures)
    assert len(text) < 5_000_000
    page = read_page(text)
    assert problems_of(page) == []
    assert page.having("big")[0].text == f"{run.evaluation.accuracy.value:.1%}"
    assert "another form than expected" not in page.text
    # What was followed is what was predicted.
    said = page.one("section", id="trace").all("table")[0].one("tbody").all("tr")[0].text
    name = record.class_names[found.predicted[row]]
    assert said.startswith(f"{name} ")
    assert said.endswith(f"{100 * found.probability[row]:.2f}%")
    return page


def test_digits(tmp_path: Path) -> None:
    run = ta.train("digits", epochs=5, out=tmp_path / "run", observers=[])
    page = page_of(run)
    assert page.having("absent") == []
    assert len(page.one("section", id="training").all("svg", role="img")) == 2


def test_photos(tmp_path: Path) -> None:
    archive = DATA / "flowers17.zip"
    if not archive.exists():
        pytest.skip(f"{archive} is missing; TELLAPART_DATA names the folder that holds it")
    run = ta.train(archive, out=tmp_path / "run", observers=[])
    page = page_of(run)
    assert page.having("absent") == []
    assert "There are no curves" in page.one("section", id="training").text
    assert "Heat map of what speaks for" in " ".join(
        image.attributes["alt"] for image in page.one("section", id="mistakes").all("img")
    )


def test_a_run_whose_weights_become_nan(tmp_path: Path) -> None:
    with pytest.raises(ta.TellapartError, match="not a number"):
        ta.train("digits", epochs=2, learning_rate=1e38, out=tmp_path / "run", observers=[])
    folder = RunFolder.open(tmp_path / "run")
    page = read_page(draw_report(folder, find_pictures(folder)))
    assert problems_of(page) == []
    assert "The run failed: The network's output is not a number" in page.text
    assert "in no epoch was the loss a number" in page.one("section", id="training").text
    assert "Learning rate too high" in page.one("section", id="diagnosis").text
    assert len(page.all("section")) == len(SECTIONS)


def test_keras_follows_a_picture_in_its_process() -> None:
    """As `explanation.prediction` does here, of a network with a head that knows two classes."""
    from tellapart.models.backbones import get_backbone
    from tellapart.models.backbones.transfer import build_transfer_model

    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    keras = KerasProcess("efficientnet-lite0", (64, 64), 2)
    try:
        keras.follow(pixels, ("no", "yes\udcff"), "stray\udcff.png", 1.5)
        keras.result()  # built
        found = json.loads(Path(keras.result()).read_text(encoding="utf-8"))
        keras.follow(pixels[:32], ("no", "yes"), "too small", 1.0)
        with pytest.raises(ta.TellapartError, match="takes pictures of 64x64x3"):
            keras.result()
    finally:
        keras.close()
    model = build_transfer_model(get_backbone("efficientnet-lite0"), (64, 64), 2)
    expected = prediction_trace(
        model, pixels, ("no", "yes\udcff"), picture="stray\udcff.png", temperature=1.5
    ).to_json()
    assert found["picture"] == expected["picture"]
    # The heads begin with other random numbers; all that comes before is the same.
    assert found["stages"][:-1] == expected["stages"][:-1]
    assert found["convolution"] == expected["convolution"]
    assert found["answer"]["temperature"] == 1.5
