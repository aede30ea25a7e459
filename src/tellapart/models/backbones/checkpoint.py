"""Reading a PyTorch checkpoint (`.pth`) without PyTorch, and without running what is inside.

A checkpoint is a pickle, which is a program: opening one with `pickle` or `torch.load` runs it.
Here its instructions are read one by one, and only the few that a table of tensors is made of are
carried out. The one call that a pickle may make builds a tensor; every other name is refused.

Both formats of `torch.save` are read:

    legacy, before PyTorch 1.6        zip, since then
    pickle: magic number              NAME/data.pkl      pickle: the table
    pickle: protocol version          NAME/data/0        raw numbers
    pickle: sizes of the machine      NAME/data/1        ...
    pickle: the table                 NAME/byteorder
    pickle: keys of the storages
    for each key: int64 count, raw numbers
"""

from __future__ import annotations

import io
import math
import pickletools
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import ModelError

Weights = dict[str, npt.NDArray[Any]]
"""A checkpoint's table: the name of each tensor and its numbers."""

MAX_FILE_BYTES = 2**30
MAX_PICKLE_BYTES = 16 * 2**20
MAX_DIMENSIONS = 8

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001

_STORAGES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
}
_DICT = "collections OrderedDict"
_TENSOR = "torch._utils _rebuild_tensor_v2"
_NAMES = (_DICT, _TENSOR, *_STORAGES)
"""Every global name that a checkpoint may mention."""


def read_checkpoint(path: Path) -> Weights:
    """Reads the tensors of a checkpoint.

    Memory: the file, and the pickle's own objects, a small multiple of its size; the arrays are
    views of the file's bytes.

    Args:
        path: a file that `torch.save(model.state_dict(), path)` wrote, in either format.

    Returns:
        For each name its array, read-only, of the shape and type that were saved.

    Raises:
        ModelError: the file cannot be read, is too large, cut short or damaged, or mentions
            anything but tensors of plain numbers; nothing of it has been run.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ModelError(f"The weights {path} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_FILE_BYTES:
        raise ModelError(
            f"The weights {path} have more than {MAX_FILE_BYTES:,} bytes, the most that is read."
        )
    try:
        zipped = content.startswith(b"PK\x03\x04")
        table, storages = _read_zip(content) if zipped else _read_legacy(content)
        return {name: tensor.numbers(storages) for name, tensor in table.items()}
    except _RefusedError as error:
        raise ModelError(
            f"The weights {path} were not opened: {error}. Expected a PyTorch checkpoint that "
            "holds tensors and nothing else; nothing in it was run. Install the weights again, or "
            "get them from a source that you trust."
        ) from None


class _RefusedError(Exception):
    """Why a checkpoint is not read, without its name."""


@dataclass(frozen=True)
class _Name:
    """A global name that the pickle mentions: "module name"."""

    text: str


@dataclass(frozen=True)
class _Storage:
    """A run of numbers that lies beside the pickle."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; `offset` and `stride` count numbers, and stay inside it."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def numbers(self, storages: dict[str, memoryview]) -> npt.NDArray[Any]:
        """Returns the tensor as an array over the file's bytes."""
        storage = self.storage
        content = storages.get(storage.key)
        if content is None:
            raise _RefusedError(f"the numbers of storage {storage.key[:40]!r} are missing")
        if len(content) != storage.count * storage.dtype.itemsize:
            raise _RefusedError(
                f"storage {storage.key[:40]!r} has {len(content):,} bytes, expected "
                f"{storage.count:,} numbers of {storage.dtype.itemsize} bytes: the file is damaged"
            )
        flat = np.frombuffer(content, storage.dtype)[self.offset :]
        stride = [step * storage.dtype.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(flat, self.shape, stride, writeable=False)


# --- The two formats ----------------------------------------------------------------------------


def _read_legacy(content: bytes) -> tuple[dict[str, _Tensor], dict[str, memoryview]]:
    stream = io.BytesIO(content)
    if _interpret(stream) != MAGIC_NUMBER or _interpret(stream) != PROTOCOL_VERSION:
        raise _RefusedError("it does not start as a PyTorch checkpoint does")
    machine = _interpret(stream)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise _RefusedError("its numbers are not little-endian")
    table = _as_table(_interpret(stream))
    keys = _interpret(stream)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise _RefusedError("its list of storages is damaged")
    item_bytes = {tensor.storage.key: tensor.storage.dtype.itemsize for tensor in table.values()}
    storages, position, view = {}, stream.tell(), memoryview(content)
    for key in keys:
        count = int.from_bytes(view[position : position + 8], "little")
        end = position + 8 + count * item_bytes.get(key, 1)
        if position + 8 > len(content) or end > len(content):
            raise _RefusedError("it is cut short (truncated)")
        storages[key] = view[position + 8 : end]
        position = end
    return table, storages


def _read_zip(content: bytes) -> tuple[dict[str, _Tensor], dict[str, memoryview]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read_archive(archive)
    except _RefusedError:
        raise
    except Exception as error:  # `zipfile` raises almost anything on a damaged archive
        raise _RefusedError(f"its zip archive is damaged or cut short ({error})") from None


def _read_archive(
    archive: zipfile.ZipFile,
) -> tuple[dict[str, _Tensor], dict[str, memoryview]]:
    members = {member.filename: member for member in archive.infolist()}
    if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
        raise _RefusedError("its zip archive is compressed, which PyTorch never does")
    if sum(member.file_size for member in members.values()) > MAX_FILE_BYTES:
        raise _RefusedError(f"its zip archive states more than {MAX_FILE_BYTES:,} bytes")
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise _RefusedError("it is a zip archive without one data.pkl")
    folder = pickles[0].removesuffix("data.pkl")
    order = f"{folder}byteorder"
    if order in members and archive.read(order) != b"little":
        raise _RefusedError("its numbers are not little-endian")
    table = _as_table(_interpret(io.BytesIO(archive.read(pickles[0]))))
    keys = {tensor.storage.key for tensor in table.values()} & {
        name.removeprefix(f"{folder}data/") for name in members
    }
    return table, {key: memoryview(archive.read(f"{folder}data/{key}")) for key in keys}


def _as_table(value: Any) -> dict[str, _Tensor]:
    if not isinstance(value, dict):
        raise _RefusedError("it does not hold a table of tensors")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise _RefusedError(f"its entry {str(name)[:80]!r} is not a tensor")
    return value


# --- The pickle, one instruction at a time ------------------------------------------------------


class _Mark:
    """Where a tuple, list or run of dictionary items starts on the stack."""


def _interpret(stream: io.BytesIO) -> Any:
    """Carries out one pickle up to its STOP: `stream` is left behind it.

    Returns:
        What it describes, of dict, list, tuple, str, int, bool, None, `_Tensor` and `_Name`.
    """
    start = stream.tell()
    machine = _Machine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged text has escapes that Python warns of
            for instruction, argument, position in pickletools.genops(stream):
                _step(instruction.name, (position or start) - start)(machine, argument)
        return machine.pop()
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise _RefusedError(f"its pickle is damaged or cut short ({str(error)[:80]})") from None


def _step(instruction: str, position: int) -> _Step:
    if position > MAX_PICKLE_BYTES:
        raise _RefusedError(f"it describes itself in over {MAX_PICKLE_BYTES:,} bytes")
    if instruction not in _STEPS:
        raise _RefusedError(
            f"its pickle uses the instruction {instruction}, which no table of tensors needs"
        )
    return _STEPS[instruction]


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        return self.stack.pop()

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        """Takes off the stack what lies above the last mark, and the mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[place], _Mark):
                taken = self.stack[place + 1 :]
                del self.stack[place:]
                return taken
        raise _RefusedError("its pickle is damaged: a mark is missing")

    def take(self, count: int) -> tuple[Any, ...]:
        taken = [self.pop() for _ in range(count)]
        return tuple(reversed(taken))

    def remember(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def set_items(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise _RefusedError("its pickle sets the items of something that is no dictionary")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str | int):  # hashing nested tuples can take for ever
                raise _RefusedError("its pickle has a dictionary key that is no text or number")
            target[key] = value

    def append(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise _RefusedError("its pickle appends to something that is no list")
        target.extend(values)

    def name(self, text: str) -> None:
        if text not in _NAMES:
            raise _RefusedError(f"its pickle asks for '{text[:100].replace(' ', '.')}'")
        self.push(_Name(text))

    def call(self) -> None:
        function, arguments = self.take(2)
        if function == _Name(_DICT) and arguments == ():
            self.push({})
        elif function == _Name(_TENSOR) and isinstance(arguments, tuple):
            self.push(_make_tensor(arguments))
        else:
            called = function.text.replace(" ", ".") if isinstance(function, _Name) else "a value"
            raise _RefusedError(f"its pickle calls {called} in a way that no checkpoint does")

    def build(self) -> None:
        self.pop()  # notes that PyTorch pins to the table; nobody needs them
        if not isinstance(self.stack[-1], dict):
            raise _RefusedError("its pickle changes the insides of something that is no table")

    def storage(self) -> None:
        match self.pop():
            case ("storage", _Name(text=text), str(key), str(), int(count), *view):
                if text not in _STORAGES or view not in ([], [None]) or count < 0:
                    raise _RefusedError(f"its storage {key[:40]!r} is not of plain numbers")
                self.push(_Storage(key, _STORAGES[text], count))
            case _:
                raise _RefusedError("its pickle refers to something outside that is no storage")


def _make_tensor(arguments: tuple[Any, ...]) -> _Tensor:
    """Checks what `_rebuild_tensor_v2(storage, offset, shape, stride, ...)` would be given."""
    match arguments:
        case (_Storage() as storage, int(offset), tuple(shape), tuple(stride), bool(), *_):
            pass
        case _:
            raise _RefusedError("its pickle builds a tensor from something else")
    if len(shape) > MAX_DIMENSIONS or len(stride) != len(shape):
        raise _RefusedError(f"a tensor has {len(shape)} dimensions and {len(stride)} strides")
    if not all(type(number) is int and number >= 0 for number in (offset, *shape, *stride)):
        raise _RefusedError("a tensor has a negative size, or one that is not a number")
    # A tensor that repeats its numbers could grow without bound when it is copied.
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if max(last, math.prod(shape) - 1) >= storage.count and math.prod(shape):
        raise _RefusedError(
            f"a tensor of shape {shape} from number {offset:,} on reaches beyond its storage of "
            f"{storage.count:,} numbers"
        )
    return _Tensor(storage, offset, shape, stride)


_Step = Callable[[_Machine, Any], None]

_STEPS: dict[str, _Step] = {
    "PROTO": lambda machine, argument: None,
    "STOP": lambda machine, argument: None,
    "MARK": lambda machine, argument: machine.push(_Mark()),
    "NONE": lambda machine, argument: machine.push(None),
    "NEWTRUE": lambda machine, argument: machine.push(True),
    "NEWFALSE": lambda machine, argument: machine.push(False),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE"),
        lambda machine, argument: machine.push(argument),
    ),
    "EMPTY_DICT": lambda machine, argument: machine.push({}),
    "EMPTY_LIST": lambda machine, argument: machine.push([]),
    "EMPTY_TUPLE": lambda machine, argument: machine.push(()),
    "TUPLE": lambda machine, argument: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, argument: machine.push(machine.take(1)),
    "TUPLE2": lambda machine, argument: machine.push(machine.take(2)),
    "TUPLE3": lambda machine, argument: machine.push(machine.take(3)),
    "SETITEM": lambda machine, argument: machine.set_items(list(machine.take(2))),
    "SETITEMS": lambda machine, argument: machine.set_items(machine.since_mark()),
    "APPEND": lambda machine, argument: machine.append([machine.pop()]),
    "APPENDS": lambda machine, argument: machine.append(machine.since_mark()),
    **dict.fromkeys(
        ("BINPUT", "LONG_BINPUT"), lambda machine, argument: machine.remember(argument)
    ),
    **dict.fromkeys(
        ("BINGET", "LONG_BINGET"), lambda machine, argument: machine.push(machine.memo[argument])
    ),
    "GLOBAL": lambda machine, argument: machine.name(argument),
    "REDUCE": lambda machine, argument: machine.call(),
    "BUILD": lambda machine, argument: machine.build(),
    "BINPERSID": lambda machine, argument: machine.storage(),
}
"""The only instructions of a pickle that are carried out."""
