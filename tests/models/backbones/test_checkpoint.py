"""Checkpoints, read without PyTorch and without running what is inside."""

from __future__ import annotations

import collections
import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import ModelError
from tellapart.models.backbones.checkpoint import (
    MAGIC_NUMBER,
    PROTOCOL_VERSION,
    read_checkpoint,
)

MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}

FIRST = np.array([[1, 2, 3], [4, 5, 6]], "<f4")
SECOND = np.array([7, 8], "<i8")


class Global:
    """Pickles as a name that is looked up, without anything of that name here."""

    def __init__(self, name: str) -> None:
        self.name = name


class Call:
    """Pickles as the call of a global, as an attacker would write it."""

    def __init__(self, function: str, *arguments: Any) -> None:
        self.function, self.arguments = Global(function), arguments


class Storage:
    """Pickles as PyTorch's reference to numbers beside the pickle."""

    def __init__(self, kind: str, key: str, count: int) -> None:
        self.reference = ("storage", Global(f"torch {kind}"), key, "cpu", count)


class _Pickler(pickle._Pickler):
    write: Callable[[bytes], Any]

    def persistent_id(self, value: Any) -> Any:
        return value.reference if isinstance(value, Storage) else None

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Global):
            self.write(pickle.GLOBAL + value.name.replace(" ", "\n").encode() + b"\n")
        elif isinstance(value, Call):
            self.save(value.function)
            self.save(value.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(value, save_persistent_id)  # type: ignore[misc]


def pickled(value: Any) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, 2).dump(value)
    return stream.getvalue()


def tensor(kind: str, key: str, count: int, offset: int, shape: Any, stride: Any) -> Call:
    return Call(
        "torch._utils _rebuild_tensor_v2",
        Storage(kind, key, count),
        offset,
        shape,
        stride,
        False,
        collections.OrderedDict(),
    )


def table(**changes: Any) -> dict[str, Any]:
    """Two tensors; `b` is the second number of its storage alone."""
    return {
        "a": tensor("FloatStorage", "0", 6, 0, (2, 3), (3, 1)),
        "b": tensor("LongStorage", "1", 2, 1, (1,), (1,)),
    } | changes


def legacy(content: Any, *, machine: Any = MACHINE) -> bytes:
    parts = [MAGIC_NUMBER, PROTOCOL_VERSION, machine, content, ["0", "1"]]
    raw = [struct.pack("<q", array.size) + array.tobytes() for array in (FIRST, SECOND)]
    return b"".join([*map(pickled, parts), *raw])


def zipped(content: Any, *, compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr("net/data.pkl", pickled(content))
        archive.writestr("net/byteorder", "little")
        archive.writestr("net/data/0", FIRST.tobytes())
        archive.writestr("net/data/1", SECOND.tobytes())
    return stream.getvalue()


Writer = Callable[[Any], bytes]
both = pytest.mark.parametrize("write", [legacy, zipped])


def read(tmp_path: Path, content: bytes) -> dict[str, Any]:
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    return read_checkpoint(path)


@both
def test_tensors_come_out_as_they_were_saved(write: Writer, tmp_path: Path) -> None:
    found = read(tmp_path, write(collections.OrderedDict(table())))
    assert list(found) == ["a", "b"]
    assert found["a"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found["a"].dtype == np.float32
    assert found["b"].tolist() == [8]
    assert found["b"].dtype == np.int64
    assert not found["a"].flags.writeable


@both
def test_a_tensor_may_be_stored_column_by_column(write: Writer, tmp_path: Path) -> None:
    turned = tensor("FloatStorage", "0", 6, 0, (3, 2), (1, 3))
    assert read(tmp_path, write(table(a=turned)))["a"].tolist() == [[1, 4], [2, 5], [3, 6]]


@both
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("os system", ("touch {canary}",)),
        ("posix system", ("touch {canary}",)),
        ("builtins eval", ("open({canary!r}, 'w')",)),
        ("builtins exec", ("open({canary!r}, 'w')",)),
        ("subprocess check_call", (["touch", "{canary}"],)),
        ("builtins getattr", (Global("os system"), "__call__")),
        ("torch.jit load", ("{canary}",)),
        ("numpy.core.multiarray _reconstruct", ()),
    ],
)
def test_a_malicious_pickle_is_refused_by_name_and_not_run(
    write: Writer, function: str, arguments: tuple[Any, ...], tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    filled = tuple(a.format(canary=str(canary)) if isinstance(a, str) else a for a in arguments)
    content = write(table(c=Call(function, *filled)))
    dotted = function.replace(" ", ".")
    with pytest.raises(ModelError, match=rf"its pickle asks for '{dotted}'.*nothing in it was run"):
        read(tmp_path, content)
    assert not canary.exists()


def test_the_canary_would_sing(tmp_path: Path) -> None:
    """The attack above is a real one: `pickle` itself runs it."""
    canary = tmp_path / "canary"
    pickle.loads(
        pickled(Call("posix system" if os.name == "posix" else "nt system", f"echo>{canary}"))
    )
    assert canary.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "asks for 'os.system'"),
        (b"(S'true'\nios\nsystem\n.", "uses the instruction STRING"),
        (b"(ios\nsystem\n.", "uses the instruction INST"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "uses the instruction STACK_GLOBAL"),
        (b"\x82\x01.", "uses the instruction EXT1"),
        (b"ctorch\nFloatStorage\n)\x81.", "uses the instruction NEWOBJ"),
        (b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.", "damaged or cut short"),
        (b"r\xff\xff\xff\x7f.", "damaged or cut short"),
        (b"ctorch\nFloatStorage\n)R.", "calls torch.FloatStorage in a way"),
        (b"ctorch\nFloatStorage\n}b.", "changes the insides of something that is no table"),
        (b"})K\x01s.", "a dictionary key that is no text or number"),
        (b"]K\x01K\x02s.", "sets the items of something that is no dictionary"),
        (b"}K\x01a.", "appends to something that is no list"),
        (b"(K\x01Q.", "refers to something outside that is no storage"),
        (b"t.", "a mark is missing"),
        (b".", "damaged or cut short"),
        (b"N.", "does not start as a PyTorch checkpoint"),
        (b"", "damaged or cut short"),
        (b"PK\x03\x04 and no more", "zip archive is damaged or cut short"),
    ],
)
def test_every_other_instruction_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=words):
        read(tmp_path, content)


@both
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a": tensor("FloatStorage", "0", 6, 1, (2, 3), (3, 1))}, "reaches beyond its storage"),
        ({"a": tensor("FloatStorage", "0", 6, 0, (2, 3), (9, 1))}, "reaches beyond its storage"),
        ({"a": tensor("FloatStorage", "0", 6, 0, (9**9, 9), (0, 0))}, "reaches beyond its"),
        ({"a": tensor("FloatStorage", "0", 6, -1, (1,), (1,))}, "a negative size"),
        ({"a": tensor("FloatStorage", "0", 6, 0, (-1,), (1,))}, "a negative size"),
        ({"a": tensor("FloatStorage", "0", 6, 0, (1,) * 9, (1,) * 9)}, "9 dimensions"),
        ({"a": tensor("FloatStorage", "0", 6, 0, (1,), ())}, "1 dimensions and 0 strides"),
        ({"a": tensor("FloatStorage", "0", 7, 0, (1,), (1,))}, "expected 7 numbers"),
        ({"a": tensor("FloatStorage", "5", 6, 0, (1,), (1,))}, "'5' are missing|is cut short"),
        ({"a": tensor("QUInt8Storage", "0", 6, 0, (1,), (1,))}, "asks for 'torch.QUInt8Storage'"),
        ({"a": 3}, "entry 'a' is not a tensor"),
        ({1: tensor("FloatStorage", "0", 6, 0, (1,), (1,))}, "entry '1' is not a tensor"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(
    write: Writer, change: dict[Any, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=words):
        read(tmp_path, write({**table(), **change}))


def test_numbers_of_other_machines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not little-endian"):
        read(tmp_path, legacy(table(), machine=MACHINE | {"little_endian": False}))


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is compressed, which PyTorch never does"):
        read(tmp_path, zipped(table(), compression=zipfile.ZIP_DEFLATED))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        read_checkpoint(tmp_path / "gone.pth")


@both
def test_a_file_that_is_too_large(
    write: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellapart.models.backbones.checkpoint.MAX_FILE_BYTES", 100)
    with pytest.raises(ModelError, match="more than 100 bytes"):
        read(tmp_path, write(table()))


@pytest.mark.parametrize("write", [legacy, zipped])
def test_a_file_cut_short_anywhere_is_refused(write: Writer, tmp_path: Path) -> None:
    content = write(table())
    for length in [*range(0, len(content), 5), len(content) - 2]:
        with pytest.raises(ModelError):
            read(tmp_path, content[:length])


def test_damaged_text_is_no_warning(tmp_path: Path) -> None:
    """An escape that Python does not know, which it warns of once a place."""
    with pytest.raises(ModelError, match="cannot be read|damaged"):
        read(tmp_path, b"\x80\x02S'\\\xa4'\n.")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damage_never_does_more_than_an_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    writers: list[Writer] = [legacy, zipped]
    content = bytearray(data.draw(st.sampled_from(writers))(table()))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    try:
        found = read(tmp_path_factory.getbasetemp(), bytes(content))
    except ModelError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())
    assert sum(array.size for array in found.values()) <= 1000
