"""Pictures are decoded apart, as exactly as ever; those that kill a decoder are named."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tellapart as ta
from tellapart.decoding import Maker, pixels, pool
from tellapart.decoding.maker import Make
from tellapart.images import ImageSpec, Pixels, Raw, decode
from tests.tiny_classifier import PURE, save_classifier


@pytest.mark.skipif(not hasattr(os, "O_NOATIME"), reason="access times are left alone on Linux")
def test_a_look_leaves_no_trace(tmp_path: Path) -> None:
    save_classifier(tmp_path / "classifier.onnx")
    picture = tmp_path / "photos" / "red.png"
    picture.parent.mkdir()
    Image.new("RGB", (9, 9), PURE["red"]).save(picture)
    os.utime(picture, ns=(10**18, 2 * 10**18))  # read before it was changed: reading would show
    plan = ta.plan_sort(tmp_path / "classifier.onnx", picture.parent, into=tmp_path / "sorted")
    assert plan.pictures == 1
    assert picture.stat().st_atime_ns == 10**18


def fragile(spec: Any) -> Make:
    """Decodes, and crashes on red pictures. Runs in the decoding process."""
    known = ImageSpec.from_json(spec)

    def make(raw: Raw, name: str) -> Pixels:
        if name.endswith("red.png"):
            os.kill(os.getpid(), signal.SIGSEGV)
        return decode(raw, known, name)

    return make


def fragile_maker(spec: ImageSpec) -> Maker:
    return Maker(
        "tests.collection.test_predicting_apart:fragile",
        {"spec": spec.to_json()},
        spec.shape,
        np.uint8,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_picture_with_which_the_decoder_crashes_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.end_idle()  # new processes find this file
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)
    monkeypatch.setattr(pixels, "pixel_maker", fragile_maker)
    save_classifier(tmp_path / "classifier.onnx")
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, colour in PURE.items():
        Image.new("RGB", (9, 9), colour).save(photos / f"{name}.png")
    done = ta.sort(tmp_path / "classifier.onnx", photos, into=tmp_path / "sorted", how="move")
    pool.end_idle()
    assert done.pictures == 2
    assert [(Path(problem.path).name, problem.reason) for problem in done.plan.unreadable] == [
        ("red.png", "makes the decoder crash")
    ]
    assert (photos / "red.png").exists()
