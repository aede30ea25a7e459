"""Checkpoint files: what is written is read, and nothing else is believed."""

from __future__ import annotations

import json
import math
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tellapart.errors import RunError, TellapartError
from tellapart.training import checkpoint as checkpoints
from tellapart.training.checkpoint import (
    Checkpoint,
    Checkpoints,
    DamagedCheckpointError,
    check_fits,
    read_checkpoint,
    write_checkpoint,
)

ARRAYS: dict[str, list[npt.NDArray[Any]]] = {
    "variables": [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64)],
    "optimizer": [np.array([], np.float32)],
    "best": [],
}


def made(epoch: int = 3, step: int = 40, **state: Any) -> Checkpoint:
    return Checkpoint(epoch, step, {"seconds": 1.5, **state}, ARRAYS)


def written(folder: Path, checkpoint: Checkpoint | None = None) -> Path:
    path = folder / "000001.npz"
    write_checkpoint(path, checkpoint or made())
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    read = read_checkpoint(written(tmp_path, made(loss=math.inf, text="é\udc80")))
    assert (read.epoch, read.step) == (3, 40)
    assert read.state == {"seconds": 1.5, "loss": math.inf, "text": "é\udc80"}
    assert list(read.arrays) == ["variables", "optimizer", "best"]
    for ours, theirs in zip(chain(*ARRAYS.values()), chain(*read.arrays.values()), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
        assert ours.shape == theirs.shape


@settings(deadline=None, max_examples=30)
@given(
    arrays=st.lists(
        hnp.arrays(
            st.sampled_from([np.float32, np.float64, np.uint32, np.int8, np.bool_]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        ),
        max_size=4,
    )
)
def test_any_numbers(arrays: list[npt.NDArray[Any]], tmp_path_factory: Any) -> None:
    path = written(tmp_path_factory.mktemp("any"), Checkpoint(0, 0, {}, {"variables": arrays}))
    read = read_checkpoint(path).arrays["variables"]
    assert [a.tobytes() for a in read] == [a.tobytes() for a in arrays]
    assert [(a.shape, a.dtype) for a in read] == [(a.shape, a.dtype) for a in arrays]


def test_half_precision_that_numpy_does_not_know(tmp_path: Path) -> None:
    half = np.array([1.5, -2.0, 0.1], ml_dtypes.bfloat16)
    read = read_checkpoint(written(tmp_path, Checkpoint(0, 0, {}, {"variables": [half]})))
    assert read.arrays["variables"][0].dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(read.arrays["variables"][0], half)


def test_objects_are_never_written(tmp_path: Path) -> None:
    with pytest.raises(TellapartError, match="An array of object cannot be kept"):
        written(tmp_path, Checkpoint(0, 0, {}, {"variables": [np.array([{}])]}))
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None, max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_changes_nothing(
    place: float, bit: int, tmp_path_factory: Any
) -> None:
    path = written(tmp_path_factory.mktemp("flip"))
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        read = read_checkpoint(path)
    except RunError:
        return
    assert read.state == made().state
    for ours, theirs in zip(ARRAYS["variables"], read.arrays["variables"], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_a_file_that_was_cut(share: float, tmp_path: Path) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DamagedCheckpointError, match=r"000001\.npz is no whole checkpoint: "):
        read_checkpoint(path)


def rewritten(path: Path, name: str, content: bytes | None, *, compress: bool = False) -> Path:
    """Replaces, adds or (with None) takes out a member."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members.pop(name, None)
    if content is not None:
        members[name] = content
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def npy(shape: str, dtype: str, content: bytes = b"") -> bytes:
    """An array file that says of itself what it likes."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("variables-0.npy", npy("(2, 3)", "<f4", bytes(24)), "its checksum is not that"),
        ("variables-0.npy", npy("(9999999, 9999999)", "<f4"), "has 0 bytes for shape"),
        ("variables-0.npy", npy("(1,)", "|O", b"cos\nsystem\n"), "no plain numbers"),
        ("variables-0.npy", b"nonsense", "magic string"),
        ("more-0.npy", npy("()", "|u1", b"x"), "its checksum is not that"),
        ("sha256.npy", None, "its checksum is not that"),
        ("head.npy", None, "its checksum is not that"),
    ],
)
def test_members_that_are_not_what_was_written(
    name: str, content: bytes | None, words: str, tmp_path: Path
) -> None:
    path = rewritten(written(tmp_path), name, content)
    with pytest.raises(DamagedCheckpointError, match=words):
        read_checkpoint(path)


def test_what_is_compressed_is_not_unpacked(tmp_path: Path) -> None:
    path = written(tmp_path)
    bomb = npy("(100000000,)", "|u1", bytes(1_000_000))
    with pytest.raises(DamagedCheckpointError, match="is compressed"):
        read_checkpoint(rewritten(path, "variables-0.npy", bomb, compress=True))


def test_a_state_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_STATE_BYTES", 100)
    with pytest.raises(DamagedCheckpointError, match="its state has"):
        read_checkpoint(written(tmp_path))


def test_a_newer_format_is_refused_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "FORMAT_VERSION", 2)
    path = written(tmp_path)
    monkeypatch.setattr(checkpoints, "FORMAT_VERSION", 1)
    with pytest.raises(RunError, match="has format version 2; this tellapart reads 1"):
        Checkpoints(tmp_path)
    assert path.exists()


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "checkpoints")
    assert kept.newest is None
    for step in range(1, 5):
        kept.write(made(step=step))
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["000003.npz", "000004.npz"]
    newest = Checkpoints(tmp_path / "checkpoints").newest
    assert newest is not None
    assert newest.step == 4
    kept.remove()
    assert not (tmp_path / "checkpoints").exists()


def test_a_damaged_one_is_named_and_the_one_before_it_taken(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    kept.write(made(step=1))
    kept.write(made(step=2))
    damaged = tmp_path / "000002.npz"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    again = Checkpoints(tmp_path)
    assert again.newest is not None
    assert again.newest.step == 1
    assert len(again.notes) == 1
    assert again.notes[0].startswith(f"{damaged} is no whole checkpoint: ")
    assert again.notes[0].endswith("It is left out; the one before it is taken.")
    again.write(made(step=3))  # which must not push out the only whole one that there was
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001.npz", "000002.npz"]


def test_a_write_that_fails_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Checkpoints(tmp_path)
    kept.write(made(step=1))
    kept.write(made(step=2))

    def full(*args: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(TellapartError, match=r"000003\.npz: the disk is full"):
        kept.write(made(step=3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001.npz", "000002.npz"]


def test_arrays_of_another_network_are_named() -> None:
    ours = [np.zeros((2, 3), np.float32), np.zeros(4, np.float32)]
    check_fits("weights", ours, [((2, 3), "float32"), ((4,), "float32")])
    with pytest.raises(RunError, match=r"of \(4,\) float32, the network \(5,\) float32"):
        check_fits("weights", ours, [((2, 3), "float32"), ((5,), "float32")])
    with pytest.raises(RunError, match="has 2 arrays of the optimizer, and the network has 1"):
        check_fits("optimizer", ours, [((2, 3), "float32")])


def test_the_head_is_json(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tmp_path)) as archive, archive.open("head.npy") as stream:
        head = json.loads(np.lib.format.read_array(stream, allow_pickle=False).tobytes())
    assert head["format_version"] == 1
    assert head["arrays"]["variables"][0] == {"shape": [2, 3], "dtype": "float32"}


def test_short_of_memory_is_not_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a whole checkpoint would be removed."""
    path = written(tmp_path)

    def fail(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "_understand", fail)
        with pytest.raises(RunError, match="000001.npz cannot be read: there is not enough memory"):
            Checkpoints(tmp_path)
    assert path.exists()
    newest = Checkpoints(tmp_path).newest
    assert newest is not None
    assert newest.step == 40
