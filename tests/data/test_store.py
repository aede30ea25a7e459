from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from PIL import Image

from tellapart.data import columns as columns_module
from tellapart.data import load, open_store
from tellapart.data import sweep as sweep_module
from tellapart.data.columns import open_column
from tellapart.data.dataset import Dataset
from tellapart.data.store import pixel_measure
from tellapart.data.streaming import StreamedPixels
from tellapart.decoding import make_rows
from tellapart.errors import DataError
from tellapart.images import ImageSpec, decode

SPEC = ImageSpec(8, 6)


def test_rows_are_what_decode_makes(colour_folder: Path) -> None:
    dataset = load(colour_folder)
    store = open_store(dataset, SPEC)
    assert store.pixels.shape == (36, 8, 6, 3)
    assert isinstance(store.pixels, np.memmap)
    assert store.pixels.dtype == np.uint8
    assert not store.pixels.flags.writeable
    for index, path in enumerate(dataset.paths):
        content = (colour_folder / path).read_bytes()
        assert np.array_equal(store.pixels[index], decode(content, SPEC))
        assert bytes(store.digests[index]) == hashlib.blake2b(content, digest_size=16).digest()
    assert store.failures == {}
    assert not store.was_cached


def test_the_second_time_nothing_is_decoded(
    colour_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load(colour_folder)
    first = open_store(dataset, SPEC)
    monkeypatch.delattr(sweep_module, "make_rows")
    second = open_store(load(colour_folder), SPEC)
    assert second.was_cached
    assert second.folder == first.folder
    assert second.fingerprint == first.fingerprint
    assert second.bytes == first.bytes > 36 * 8 * 6 * 3
    assert np.array_equal(second.pixels[:], first.pixels[:])
    assert np.array_equal(second.digests, first.digests)


def test_another_spec_is_another_store(colour_folder: Path) -> None:
    dataset = load(colour_folder)
    first = open_store(dataset, SPEC)
    for spec in (replace(SPEC, channels=1), replace(SPEC, resize="crop"), replace(SPEC, height=9)):
        other = open_store(dataset, spec)
        assert not other.was_cached
        assert other.fingerprint == first.fingerprint


def test_changed_files_are_decoded_again(colour_folder: Path) -> None:
    first = open_store(load(colour_folder), SPEC)
    Image.new("RGB", (12, 12), "orange").save(colour_folder / "blue" / "01.png")
    second = open_store(load(colour_folder), SPEC)
    assert second.decoded == 1
    assert (second.pixels[1] == (255, 165, 0)).all()
    assert second.fingerprint != first.fingerprint


def test_only_new_pictures_are_decoded(
    colour_folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (colour_folder / "green" / "04.png").write_bytes(b"broken")
    before = open_store(load(colour_folder), SPEC)
    assert before.decoded == 35
    (colour_folder / "blue" / "00.png").rename(colour_folder / "red" / "moved.png")
    shutil.copy(colour_folder / "red" / "03.png", colour_folder / "blue" / "copy.png")
    Image.new("RGB", (12, 12), "orange").save(colour_folder / "red" / "new.png")
    names: list[str] = []

    def counted(maker: Any, raws: Any, asked: Any) -> Any:
        names.extend(asked)
        return make_rows(maker, raws, asked)

    monkeypatch.setattr(sweep_module, "make_rows", counted)
    dataset = load(colour_folder)
    after = open_store(dataset, SPEC)
    assert names == ["red/new.png"]
    assert after.decoded == 1
    assert after.failures == {dataset.paths.index("green/04.png"): before.failures[16]}
    for index, path in enumerate(dataset.paths):
        if index not in after.failures:
            assert np.array_equal(after.pixels[index], decode(colour_folder / path, SPEC)), path
    # Of what the new store holds, nothing is kept twice: the file of 00.png only moved.
    assert list(own_cache.iterdir()) == [after.folder]


def test_a_store_that_holds_more_is_kept(colour_folder: Path, own_cache: Path) -> None:
    open_store(load(colour_folder), SPEC)
    (colour_folder / "blue" / "00.png").unlink()
    fewer = open_store(load(colour_folder), SPEC)
    assert fewer.decoded == 0
    assert len(list(own_cache.iterdir())) == 2


@pytest.mark.parametrize("rows", [slice(3, 9), np.array([5, 0, 5, 35]), np.array([], np.int64), 7])
def test_streamed_pixels_are_those_of_the_store(colour_folder: Path, rows: Any) -> None:
    (colour_folder / "blue" / "05.png").write_bytes(b"broken")
    dataset = load(colour_folder)
    read = open_column(dataset, pixel_measure(SPEC))
    store = open_store(dataset, SPEC)
    streamed = open_store(dataset, SPEC, read=read, limit_bytes=36 * 8 * 6 * 3 - 1)
    assert isinstance(streamed.pixels, StreamedPixels)
    assert streamed.pixels.shape == store.pixels.shape
    assert len(streamed.pixels) == 36
    assert streamed.pixels[rows].dtype == np.uint8
    assert np.array_equal(streamed.pixels[rows], store.pixels[rows])
    assert (streamed.failures, streamed.fingerprint) == (store.failures, store.fingerprint)
    kept = open_store(dataset, SPEC, read=read, limit_bytes=36 * 8 * 6 * 3)
    assert isinstance(kept.pixels, np.memmap)


def test_a_picture_that_vanishes_while_it_streams(colour_folder: Path) -> None:
    dataset = load(colour_folder)
    read = open_column(dataset, pixel_measure(SPEC))
    streamed = open_store(dataset, SPEC, read=read, limit_bytes=0)
    (colour_folder / "red" / "02.png").unlink()
    with pytest.raises(DataError, match=r"red/02.png: no such file.*It could be read before"):
        streamed.pixels[26:28]


def test_fingerprint_is_of_path_class_and_content(colour_folder: Path, tmp_path: Path) -> None:
    dataset = load(colour_folder)
    store = open_store(dataset, SPEC)
    rows = sorted(
        f"{path}\0{path.split('/')[0]}\0{bytes(store.digests[index]).hex()}\n"
        for index, path in enumerate(dataset.paths)
    )
    assert store.fingerprint == hashlib.sha256("".join(rows).encode()).hexdigest()
    shutil.copytree(colour_folder, tmp_path / "copy" / "wrapped")
    assert open_store(load(tmp_path / "copy"), SPEC).fingerprint == store.fingerprint
    (tmp_path / "copy" / "wrapped" / "red").rename(tmp_path / "copy" / "wrapped" / "pink")
    assert open_store(load(tmp_path / "copy"), SPEC).fingerprint != store.fingerprint


def test_pictures_that_cannot_be_decoded(colour_folder: Path) -> None:
    (colour_folder / "blue" / "03.png").write_bytes(b"%PDF-1.4")
    content = (colour_folder / "red" / "11.png").read_bytes()
    (colour_folder / "red" / "11.png").write_bytes(content[: len(content) // 2])
    dataset = load(colour_folder)
    for attempt in range(2):
        store = open_store(dataset, SPEC)
        assert store.was_cached == bool(attempt)
        assert sorted(store.failures) == [3, 35]
        assert "is a PDF document" in store.failures[3]
        assert not store.pixels[[3, 35]].any()
        assert store.digests[[3, 35]].any(axis=1).all()


def test_none_can_be_decoded(colour_folder: Path, own_cache: Path) -> None:
    for path in list(colour_folder.rglob("*.png")):
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
        content = path.with_suffix(".bmp").read_bytes()
        path.with_suffix(".bmp").write_bytes(content[:60])  # the header, but no pixels
    dataset = load(colour_folder)
    with pytest.raises(DataError, match=r"None of the 36 pictures in .* can be decoded") as caught:
        open_store(dataset, SPEC)
    assert "blue/00.bmp: " in str(caught.value)
    assert list(own_cache.iterdir()) == []


def test_progress(colour_folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    open_store(load(colour_folder), SPEC, on_progress=lambda *step: seen.append(step))
    assert seen == [(36, 36)]


def with_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "CHUNK_PICTURES", 3)
    monkeypatch.setattr(sweep_module, "LARGE_CHUNK_PICTURES", 3)
    monkeypatch.setattr(sweep_module, "usable_cores", lambda: 4)


def test_threads_change_nothing(colour_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (colour_folder / "green" / "05.png").write_bytes(b"broken")
    dataset = load(colour_folder)
    monkeypatch.setattr(sweep_module, "usable_cores", lambda: 1)
    first = open_store(dataset, SPEC)
    assert first.folder is not None
    shutil.rmtree(first.folder)
    with_threads(monkeypatch)
    second = open_store(dataset, SPEC)
    assert not second.was_cached
    assert second.failures == first.failures
    assert second.fingerprint == first.fingerprint
    assert np.array_equal(second.pixels[:], first.pixels[:])


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_interrupted(
    colour_folder: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    threads: bool,
    error: type[BaseException],
) -> None:
    """What was made until Ctrl-C is kept; of what went wrong, nothing is."""

    def interrupt(done: int, total: int) -> None:
        if done > 3:
            raise error

    with_threads(monkeypatch)
    if not threads:
        monkeypatch.setattr(sweep_module, "usable_cores", lambda: 1)
    (colour_folder / "blue" / "02.png").write_bytes(b"broken")
    (colour_folder / "red" / "02.png").write_bytes(b"broken")
    dataset = load(colour_folder)
    with pytest.raises(error):
        open_store(dataset, SPEC, on_progress=interrupt)
    interrupted = error is KeyboardInterrupt
    assert len(list(own_cache.iterdir())) == interrupted
    store = open_store(dataset, SPEC)
    # Two chunks of three had been made, one of whose pictures is broken.
    assert store.decoded == (29 if interrupted else 34)
    assert sorted(store.failures) == [2, 26]
    for index in (0, 5, 6, 35):
        content = (colour_folder / dataset.paths[index]).read_bytes()
        assert np.array_equal(store.pixels[index], decode(content, SPEC))
    assert len(list(own_cache.iterdir())) == 1  # the part is in the whole
    assert open_store(dataset, SPEC).was_cached


def test_what_could_not_be_read_is_tried_again(colour_folder: Path, own_cache: Path) -> None:
    """A drive that was away for a moment is not away for good."""
    dataset = load(colour_folder)
    away, gone = colour_folder / "green", colour_folder.with_name("gone")
    (colour_folder / "red" / "02.png").unlink()
    away.rename(gone)
    first = open_store(dataset, SPEC)
    assert sorted(first.failures) == [*range(12, 24), 26]
    assert set(first.failures.values()) == {"no such file or directory"}
    assert open_store(dataset, SPEC).was_cached  # while nothing has changed
    gone.rename(away)
    second = open_store(dataset, SPEC)
    assert second.decoded == 12
    assert sorted(second.failures) == [26]
    assert np.array_equal(second.pixels[12], decode((away / "00.png").read_bytes(), SPEC))
    assert len(list(own_cache.iterdir())) == 1
    third = open_store(dataset, SPEC)
    assert third.was_cached
    assert third.failures == second.failures


def truncate(folder: Path) -> None:
    with (folder / "rows.npy").open("rb+") as stream:
        stream.truncate(100)


def rewrite_header(folder: Path) -> None:
    with (folder / "rows.npy").open("rb+") as stream:
        content = stream.read(128).replace(b"(36, 8, 6, 3)", b"(36, 6, 8, 3)")
        stream.seek(0)
        stream.write(content)


def no_array(folder: Path) -> None:
    size = (folder / "digests.npy").stat().st_size
    (folder / "digests.npy").write_bytes(b"x" * size)


def no_json(folder: Path) -> None:
    size = (folder / "failures.json").stat().st_size
    (folder / "failures.json").write_bytes(b"[" * size)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        rewrite_header,
        no_array,
        no_json,
        lambda folder: (folder / "rows.npy").unlink(),
        lambda folder: (folder / "index.json").write_text("{}"),
    ],
)
def test_damaged_store_is_made_again(colour_folder: Path, damage: Callable[[Path], Any]) -> None:
    dataset = load(colour_folder)
    first = open_store(dataset, SPEC)
    expected = np.array(first.pixels[:])
    folder = first.folder
    assert folder is not None
    del first
    damage(folder)
    store = open_store(dataset, SPEC)
    assert not store.was_cached
    assert np.array_equal(store.pixels[:], expected)
    assert open_store(dataset, SPEC).was_cached


def test_disk_full_while_pixels_are_written(
    colour_folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(stream: IO[bytes], shape: tuple[int, ...], dtype: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(columns_module, "_write_header", full)
    with pytest.raises(DataError, match=r"the disk is full.*TELLAPART_CACHE"):
        open_store(load(colour_folder), SPEC)
    assert list(own_cache.iterdir()) == []


def test_no_room_is_known_before(colour_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(colour_folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**6))
    with pytest.raises(DataError, match=r"has 1\.0 MB free: too little"):
        open_store(load(colour_folder), SPEC)


def test_two_processes_at_once(colour_folder: Path, own_cache: Path) -> None:
    program = f"""
import sys
from tellapart.data import load, open_store
from tellapart.images import ImageSpec
dataset = load({str(colour_folder)!r})
print("ready", flush=True)
sys.stdin.readline()
store = open_store(dataset, ImageSpec(300, 300))
print(store.fingerprint, int(store.pixels.sum(dtype="int64")), store.was_cached)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {process.communicate()[0].split()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(said) == 1
    assert [path.name.partition("-")[0] for path in own_cache.iterdir()] == ["pixels"]


def test_a_killed_process_leaves_nothing_that_is_taken_for_complete(
    colour_folder: Path, own_cache: Path
) -> None:
    program = f"""
import os
from tellapart.data import load, open_store
from tellapart.images import ImageSpec
open_store(load({str(colour_folder)!r}), ImageSpec(8, 6), on_progress=lambda *_: os._exit(9))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    (left,) = own_cache.iterdir()
    assert left.name.startswith(".building-")
    assert not open_store(load(colour_folder), SPEC).was_cached


class Paths:
    """A source that breaks the rule that what it hands out can be digested."""

    key = "paths"

    def read(self, index: int) -> Path:
        return Path("x.png")


def test_sources_hand_out_bytes_or_arrays(colour_folder: Path) -> None:
    dataset: Dataset = replace(load(colour_folder), source=Paths())
    with pytest.raises(
        TypeError, match=r"A source handed out a .*Path: expected bytes or an array"
    ):
        open_store(dataset, SPEC)


def test_a_folder_that_vanishes_while_it_streams(colour_folder: Path) -> None:
    dataset = load(colour_folder)
    read = open_column(dataset, pixel_measure(SPEC))
    streamed = open_store(dataset, SPEC, read=read, limit_bytes=0).pixels
    colour_folder.rename(colour_folder.with_name("elsewhere"))
    with pytest.raises(DataError, match=r"^/.*colours is no longer there\. Was it moved, or its"):
        streamed[3:5]
