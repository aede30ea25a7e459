"""The page of a prediction trace: complete, readable, of sensible size."""

from __future__ import annotations

import errno
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tellapart.errors import TellapartError
from tellapart.evaluation.plots.text import width
from tellapart.explanation.prediction import PredictionTrace, prediction_trace
from tellapart.explanation.prediction.files import (
    JSON_NAME,
    PNG_NAME,
    next_trace_folder,
    write_trace,
)
from tellapart.explanation.prediction.plot import draw_prediction, plot_prediction, wrapped
from tellapart.models.classic import build_classic
from tests.evaluation.pages import assert_readable, words
from tests.explanation.prediction.network import PIXELS, build_tiny

LONG = [f"traffic sign {n:03}, at most {n} km/h in a village of the north" for n in range(100)]


def trace_of(name: str, shape: tuple[int, int, int], names: list[str]) -> PredictionTrace:
    keras.utils.set_random_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return prediction_trace(build_classic(name, shape, len(names)), pixels, names, picture="a.png")


def said(trace: PredictionTrace) -> str:
    return "\n".join(word.partition(": ")[2] for word in words(draw_prediction(trace)))


def test_the_page_of_the_tiny_network_shows_its_numbers() -> None:
    trace = prediction_trace(build_tiny(), PIXELS, ["first", "second"], picture="x$1$.png")
    page = draw_prediction(trace)
    assert_readable(page)
    text = said(trace)
    assert "x$1$.png: first, 73.11%" in text
    assert "10 parameters = 2x2x1x2 + 2" in text
    assert "zeros after ReLU: 78%" in text
    assert "dead: 1 of 2" in text
    for number in ("2.0000", "8.0000", "9.5000", "0.367879", "26.89%"):
        assert number in text


@pytest.mark.parametrize(
    ("name", "shape", "names"),
    [
        ("classic-28", (28, 28, 1), list("0123456789")),
        ("classic-32", (32, 48, 3), ["yes", "no"]),
        ("classic-64", (64, 64, 3), LONG),
    ],
)
def test_pages_are_readable(
    name: str, shape: tuple[int, int, int], names: list[str], tmp_path: Path
) -> None:
    trace = trace_of(name, shape, names)
    assert_readable(draw_prediction(trace))
    path = tmp_path / "trace.png"
    plot_prediction(trace, path)
    with Image.open(path) as image:
        assert (image.format, image.width) == ("PNG", 1650)
        assert 1000 < image.height < 4000
    assert path.stat().st_size < 1_000_000
    if len(names) > 5:
        assert f"{len(names) - 5} other classes together" in said(trace)


def test_without_numbers_the_page_says_why() -> None:
    model = build_tiny()
    model.get_layer("conv").set_weights([np.full((2, 2, 1, 2), np.nan), np.zeros(2)])
    trace = prediction_trace(model, PIXELS, ["first", "second"], picture="x.png")
    assert_readable(draw_prediction(trace))
    text = said(trace)
    assert "No probabilities" in text
    assert "8 of the 10 weights of 'conv' are not finite numbers" in text
    assert "%" not in text


def test_words_are_wrapped_between_words() -> None:
    text = "one two three four five six"
    lines = wrapped(text, 0.8, 9)
    assert " ".join(lines) == text
    assert len(lines) > 1
    assert all(width(line, 9) <= 0.8 for line in lines)
    assert len(wrapped(text, 0.8, 9, most=2)) == 2
    assert wrapped("", 1, 9) == []


@pytest.mark.parametrize("failing", [PNG_NAME, JSON_NAME])
@pytest.mark.parametrize("claimed", [False, True])
def test_a_trace_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, claimed: bool
) -> None:
    trace = prediction_trace(build_tiny(), PIXELS, ["first", "second"], picture="x.png")
    replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if target.name == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    folder = next_trace_folder(tmp_path, Path("x.png")) if claimed else tmp_path / "new"
    with pytest.raises(TellapartError, match=f"Cannot write .*{failing}"):
        write_trace(trace, folder, claimed=claimed)
    assert not folder.exists()
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.txt").touch()
    with pytest.raises(TellapartError, match=f"Cannot write .*{failing}"):
        write_trace(trace, own)
    assert [path.name for path in own.iterdir()] == ["mine.txt"]
