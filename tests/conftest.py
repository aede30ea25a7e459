"""Fixtures that several test files share."""

from __future__ import annotations

import signal
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.tensorflow_variables import set_defaults

set_defaults()  # many test files import Keras by themselves, and are to compute as commands do


@pytest.fixture(scope="session", autouse=True)
def signals_are_heard() -> None:
    """A process started by `nohup`, or in the background, ignores them, and so would its own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def no_users_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps fixtures of whole modules, which come before `own_cache`, out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("shared-cache")))
        yield


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a cache folder of its own, so that none sees another's store."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TELLAPART_CACHE", str(folder))
    return folder


def save_picture(
    path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (12, 10)
) -> None:
    """Writes a picture of one colour with a little noise, `size` as (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(f"{path.name} {colour}".encode()))
    noise = rng.integers(-20, 21, (size[1], size[0], 3))
    pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def colour_folder(tmp_path: Path) -> Path:
    """A folder per class, blue, green and red, of 12 small pictures each."""
    root = tmp_path / "colours"
    for name, colour in (
        ("blue", (40, 60, 200)),
        ("green", (50, 190, 60)),
        ("red", (210, 50, 40)),
    ):
        for number in range(12):
            save_picture(root / name / f"{number:02}.png", colour)
    return root
