"""Running the command line inside the test's process, and in one of its own."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tellapart.cli import main
from tests.tiny_classifier import PURE, save_classifier


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `tellapart` with the arguments, and `stdin` as bytes."""

    def run_main(*arguments: object, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        code = caught.value.code or 0
        assert isinstance(code, int)
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run_main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: run/classifier.onnx and photos/ with pictures and more.

    photos/
      .hidden.png  blue.png  broken.jpg  notes.txt
      deeper/green.PNG
      red.png
    """
    save_classifier(tmp_path / "run" / "classifier.onnx")
    photos = tmp_path / "photos"
    (photos / "deeper").mkdir(parents=True)
    for path, name in (
        ("blue.png", "blue"),
        ("red.png", "red"),
        (".hidden.png", "red"),
        ("deeper/green.PNG", "green"),
    ):
        Image.new("RGB", (20, 10), PURE[name]).save(photos / path)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    (photos / "notes.txt").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path
