"""A decoder that crashes, hangs or fails costs its picture, and no other."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.decoding import Maker, can_be_sent, make_rows, pixel_maker, pool
from tellapart.errors import ImageError, TellapartError
from tellapart.images import ImageSpec, Raw, decode
from tests.data.audit.pictures import jpeg, photo

SPEC = ImageSpec(8, 6)


def fragile() -> object:
    """Makes the length of what it is given; some of it is too much for it. Runs over there."""

    def make(raw: Raw, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        if name == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if name == "hang":
            time.sleep(3600)
        if name.startswith("at first"):
            marker = Path(name.partition(" ")[2].partition(" ")[2])
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if name == "broken":
            raise ImageError(name, "is damaged")
        if name == "fault":
            raise ZeroDivisionError("a fault of our own")
        assert isinstance(raw, bytes)
        print("noise that is not an answer")
        return np.array([len(raw), os.getpid()])

    return make


FRAGILE = Maker("tests.decoding.test_pool:fragile", {}, (2,), np.int64)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The processes find this file, and none is left of it."""
    pool.end_idle()
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "src")]))
    yield
    pool.end_idle()


def test_pixels_are_turned_over_there_as_here() -> None:
    rng = np.random.default_rng(0)
    shapes = [(9, 7), (9, 7, 1), (8, 6, 3), (5, 5, 4)]
    arrays = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    arrays.append(arrays[2][::2, ::-1])  # not contiguous
    arrays.append(np.zeros((4, 4, 2), np.uint8))
    mixed: list[pool.Sent] = [jpeg(photo(0)), *arrays]
    assert all(map(can_be_sent, mixed))
    assert not can_be_sent(np.zeros((8, 6, 3), np.float32))
    *rows, refused = make_rows(pixel_maker(SPEC), mixed, ["x"] * len(mixed))
    for raw, row in zip(mixed, rows, strict=False):
        np.testing.assert_array_equal(row, decode(raw, SPEC))
    assert refused == (
        "pixels of shape (4, 4, 2) and type uint8: expected (height, width) or (height, width, 1, "
        "3 or 4) uint8"
    )


def lengths(rows: list[object]) -> list[object]:
    return [int(row[0]) if isinstance(row, np.ndarray) else row for row in rows]


def test_rows_are_those_of_this_process() -> None:
    raws = [jpeg(photo(number)) for number in range(5)]
    rows = make_rows(pixel_maker(SPEC), raws, ["x"] * 5)
    for raw, row in zip(raws, rows, strict=True):
        assert isinstance(row, np.ndarray)
        assert row.dtype == np.uint8
        assert np.array_equal(row, decode(raw, SPEC))


def test_a_damaged_picture_is_named_by_its_reason() -> None:
    rows = make_rows(pixel_maker(SPEC), [jpeg(photo(1)), b"%PDF-1.7", b""], ["a", "b", "c"])
    assert isinstance(rows[0], np.ndarray)
    assert str(rows[1]).startswith("is a PDF document, not a picture")
    assert rows[2] == "the file is empty"


def test_a_crash_costs_one_picture() -> None:
    names = ["one", "crash", "broken", "four"]
    rows = make_rows(FRAGILE, [b"1", b"22", b"333", b"4444"], names)
    assert lengths(list(rows)) == [1, "makes the decoder crash", "is damaged", 4]


def test_a_hang_costs_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_DECODE_SECONDS", "1")
    rows = make_rows(FRAGILE, [b"1", b"22", b"333"], ["one", "hang", "three"])
    reason = "takes more than 1 seconds to decode (TELLAPART_DECODE_SECONDS raises it)"
    assert lengths(list(rows)) == [1, reason, 3]


def test_a_process_that_is_killed_once_costs_nothing(tmp_path: Path) -> None:
    """The machine had been short of memory for a moment."""
    rows = make_rows(FRAGILE, [b"1"], [f"at first {tmp_path / 'killed'}"])
    assert lengths(list(rows)) == [1]


class OneHolder:
    """A lock that notes who holds it."""

    def __init__(self) -> None:
        self.lock, self.entered = threading.Lock(), 0

    def __enter__(self) -> None:
        self.lock.acquire()
        self.entered += 1

    def __exit__(self, *exception: object) -> None:
        self.lock.release()


def test_large_pictures_are_made_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = OneHolder()
    monkeypatch.setattr(pool, "_one_large_at_a_time", holder)
    large = encoded(Image.new("L", (8000, 5001), 7))  # 40,008,000 pixels
    largest = encoded(Image.new("L", (8000, 5000), 9))
    broken = large[: len(large) // 2]
    raws = [jpeg(photo(1)), large, largest, broken]
    rows = make_rows(pixel_maker(SPEC), raws, ["a", "b", "c", "d"])
    assert holder.entered == 2
    assert np.array_equal(rows[0], decode(raws[0], SPEC))
    assert np.array_equal(rows[1], np.full(SPEC.shape, 7))
    assert np.array_equal(rows[2], np.full(SPEC.shape, 9))
    assert rows[3] == "is cut short (truncated)"


def encoded(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def test_a_fault_of_our_own_is_shown() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError: a fault of our own"):
        make_rows(FRAGILE, [b"1"], ["fault"])


def test_processes_are_kept() -> None:
    first, second = (make_rows(FRAGILE, [b"1"], ["x"])[0] for _ in range(2))
    assert first[1] == second[1] != os.getpid()


def test_names_that_are_no_text() -> None:
    rows = make_rows(FRAGILE, [b"1"], ["\udcff\n\0.jpg"])
    assert lengths(list(rows)) == [1]


def test_processes_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_START", "raise SystemExit(7)")
    with pytest.raises(TellapartError, match=r"ended with 7 as it started. Is there enough memory"):
        make_rows(FRAGILE, [b"1"], ["x"])


def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "red").save(tmp_path / "red.png")
    program = """
import os, sys
from tellapart.decoding import make_rows, pool
from tellapart.decoding import pixel_maker
from tellapart.images import ImageSpec
make_rows(pixel_maker(ImageSpec(8, 6)), [open(sys.argv[1], "rb").read()], ["x"])
print(pool._idle[0]._process.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    finished = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "red.png")],
        stdout=subprocess.PIPE,
        check=False,
    )
    assert finished.returncode == -9
    process = int(finished.stdout)
    for _ in range(100):
        if not alive(process):
            return
        time.sleep(0.1)
    pytest.fail(f"the process {process} goes on without its parent")


def alive(process: int) -> bool:
    """A process that ended but was not waited for is no longer alive."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
