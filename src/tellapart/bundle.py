"""What a classifier file says of itself, read before any of it is run.

A classifier is one ONNX file, from uint8 pixels to probabilities. Its metadata entry `tellapart`
holds a `Bundle` as JSON. Reading it needs neither the onnx package nor ONNX Runtime: ONNX is
protobuf, and protobuf's wire format is a list of numbered fields that can be walked in place. So a
file that is not ours, or that would make a runtime open other files, is refused while it is still
nothing but bytes.
"""

from __future__ import annotations

import json
import math
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tellapart.errors import ClassifierFileError, UsageError
from tellapart.images import ImageSpec

FORMAT_VERSION = 1
METADATA_KEY = "tellapart"

MAX_FILE_BYTES = 2**31 - 1
"""Protobuf's own limit for a message."""

MAX_METADATA_BYTES = 16 * 2**20
MAX_CLASSES = 100_000
MAX_CLASS_NAME_CHARACTERS = 1_000

MAX_FIELDS = 1_000_000
"""A classifier has thousands of protobuf fields; a file with more is made to waste time."""

MAX_DEPTH = 100
"""Protobuf's own limit for messages within messages."""

_REMEDY = "Expected a classifier.onnx that `tellapart train` wrote."


@dataclass(frozen=True)
class Bundle:
    """The metadata of a classifier file.

    Attributes:
        class_names: in the order of the network's outputs; unique, two or more.
        image_spec: how a picture file becomes the network's pixels.
        temperature: what the network's logits are divided by before the softmax, above 0. It is
            part of the graph; here it is for the record.
        unsure: reserved for the rule that answers "unsure"; None in this version.
        provenance: where the classifier comes from: data and its fingerprint, accuracy with its
            interval, date, versions. Free-form JSON.
    """

    class_names: tuple[str, ...]
    image_spec: ImageSpec
    temperature: float = 1.0
    unsure: dict[str, Any] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns what the metadata entry holds."""
        return {
            "format_version": FORMAT_VERSION,
            "class_names": list(self.class_names),
            "image_spec": self.image_spec.to_json(),
            "temperature": self.temperature,
            "unsure": self.unsure,
            "provenance": self.provenance,
        }

    @classmethod
    def from_json(cls, value: Any, *, name: str = "The classifier") -> Bundle:
        """Reads what `to_json` wrote.

        Args:
            value: the decoded JSON.
            name: what errors call the file.

        Raises:
            ClassifierFileError: the format is of another version, or breaks its rules; all
                problems are named.
        """
        _check_version(value, name)
        problems = _problems(value)
        if problems:
            listed = "".join(f"\n  - {problem}" for problem in problems[:20])
            raise ClassifierFileError(f"{name} has damaged tellapart metadata:{listed}\n{_REMEDY}")
        return cls(
            class_names=tuple(value["class_names"]),
            image_spec=ImageSpec.from_json(value["image_spec"]),
            temperature=float(value["temperature"]),
            unsure=value["unsure"],
            provenance=value["provenance"],
        )


def read_bundle(path: Path) -> Bundle:
    """Reads and checks a classifier file's metadata.

    Raises:
        ClassifierFileError: see `read_file` and `parse_bundle`.
    """
    return parse_bundle(read_file(path), str(path))


def read_file(path: Path) -> bytes:
    """Reads a classifier file whole.

    Raises:
        ClassifierFileError: it is no regular file, cannot be read, or is larger than 2 GiB.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device could keep us waiting for ever
            raise ClassifierFileError(f"{path} is not a file. {_REMEDY}")
        if status.st_size > MAX_FILE_BYTES:
            raise ClassifierFileError(
                f"{path} has {status.st_size:,} bytes; an ONNX file has at most "
                f"{MAX_FILE_BYTES:,}. {_REMEDY}"
            )
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ClassifierFileError(f"{path} cannot be read: {reason}. {_REMEDY}") from error


def parse_bundle(content: bytes, name: str) -> Bundle:
    """Checks a classifier file's content and returns its metadata.

    Checked are the metadata, that no tensor lies in another file, and that the graph turns uint8
    pixels of the `ImageSpec`'s shape into a float per class. Takes time linear in the number of
    fields and no memory beside the content.

    Args:
        content: the whole file.
        name: what errors call it.

    Raises:
        ClassifierFileError: something of that is not so.
    """
    foreign = _foreign_kind(content)
    if foreign:
        raise ClassifierFileError(f"{name} {foreign}, not a classifier. {_REMEDY}")
    try:
        message = _Message(content)
        bundle = Bundle.from_json(_metadata(message, name), name=name)
        _refuse_external_data(message, name)
        problems = _graph_problems(message, bundle)
    except _DamagedError as error:
        raise ClassifierFileError(
            f"{name} is not an ONNX file, or is damaged ({error}). {_REMEDY}"
        ) from None
    if problems:
        raise ClassifierFileError(
            f"{name} contradicts its own metadata: {'; '.join(problems)}. {_REMEDY}"
        )
    return bundle


def attach(model: Any, bundle: Bundle) -> None:
    """Sets the metadata of an `onnx.ModelProto`, in place of any that is there.

    Raises:
        ClassifierFileError: the bundle breaks the format's rules.
        ValueError: the provenance holds a NaN or an infinity.
        TypeError: the provenance holds something that is not JSON.
    """
    # ASCII: class names from folders may hold what UTF-8, and so protobuf, cannot.
    text = json.dumps(bundle.to_json(), allow_nan=False)
    Bundle.from_json(json.loads(text))
    kept = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=METADATA_KEY, value=text)


# --- The metadata -------------------------------------------------------------------------------


def _metadata(model: _Message, name: str) -> Any:
    """Decodes the JSON of the metadata entry `tellapart`."""
    values = []
    for entry in model.messages(14):  # ModelProto.metadata_props: StringStringEntryProto
        pair = entry.once(1, 2)
        if _Message.text(pair.get(1)) == METADATA_KEY.encode():
            values.append(_Message.text(pair.get(2)))
    if not values:
        raise ClassifierFileError(
            f"{name} has no tellapart metadata: it is an ONNX model from elsewhere. {_REMEDY}"
        )
    if len(values) > 1:
        raise _DamagedError(f"{len(values)} metadata entries {METADATA_KEY!r}")
    if len(values[0]) > MAX_METADATA_BYTES:
        raise _DamagedError(f"{len(values[0]):,} bytes of metadata")
    try:
        return json.loads(values[0], parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _DamagedError(f"its metadata is not JSON: {_short(str(error))}") from None


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")


def _check_version(value: Any, name: str) -> None:
    version = value.get("format_version") if isinstance(value, dict) else None
    if type(version) is not int or version < 1:
        raise ClassifierFileError(
            f"{name} has damaged tellapart metadata: format_version {_short(repr(version))}: "
            f"expected a whole number from 1. {_REMEDY}"
        )
    if version > FORMAT_VERSION:
        raise ClassifierFileError(
            f"{name} was written by a newer tellapart (format {_short(str(version))}; this version "
            f"reads {FORMAT_VERSION}). Upgrade tellapart: pip install --upgrade tellapart"
        )


def _problems(value: dict[str, Any]) -> list[str]:
    """Returns everything that breaks the rules of format 1."""
    known = ("class_names", "format_version", "image_spec", "provenance", "temperature", "unsure")
    problems = [f"{_short(key)!r}: unknown field" for key in value if key not in known]
    missing = [key for key in known if key not in value]
    problems += [f"{key}: missing" for key in missing]
    if "class_names" in value:
        problems += _class_name_problems(value["class_names"])
    if "image_spec" in value:
        try:
            ImageSpec.from_json(value["image_spec"])
        except (UsageError, TypeError) as error:
            problems.append(f"image_spec: {_short(str(error))}")
    if "temperature" in value and not _is_positive(value["temperature"]):
        problems.append(f"temperature {_short(repr(value['temperature']))}: expected above 0")
    if "unsure" in value and not isinstance(value["unsure"], dict | None):
        problems.append(f"unsure {_short(repr(value['unsure']))}: expected null or an object")
    if "provenance" in value and not isinstance(value["provenance"], dict):
        problems.append(f"provenance {_short(repr(value['provenance']))}: expected an object")
    return problems


def _class_name_problems(names: Any) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return [f"class_names {_short(repr(names))}: expected a list of text"]
    problems = []
    if not 2 <= len(names) <= MAX_CLASSES:
        problems.append(f"class_names: {len(names)} given, expected 2 to {MAX_CLASSES:,}")
    if any(not 1 <= len(name) <= MAX_CLASS_NAME_CHARACTERS for name in names):
        problems.append(f"class_names: each needs 1 to {MAX_CLASS_NAME_CHARACTERS:,} characters")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        problems.append(f"class_names: {_short(repr(twice))} given more than once")
    return problems


def _is_positive(value: Any) -> bool:
    try:
        return type(value) in (int, float) and value > 0 and math.isfinite(value)
    except OverflowError:  # a whole number beyond any float
        return False


def _short(text: str, limit: int = 200) -> str:
    """Keeps a hostile file's values from filling the screen."""
    return text if len(text) <= limit else f"{text[:limit]}..."


# --- The graph ----------------------------------------------------------------------------------

_PARTS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Where ONNX messages can hold tensors: field numbers of onnx.proto and what lies there."""

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # TensorProto

_UINT8, _FLOAT = 2, 1  # TensorProto.DataType


def _refuse_external_data(model: _Message, name: str) -> None:
    """Refuses a file with a tensor, anywhere, whose numbers lie in another file.

    A runtime would open whatever path the file names.
    """
    stack = [("model", model, 0)]
    while stack:
        kind, message, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise _DamagedError(f"more than {MAX_DEPTH} messages within messages")
        for number, value in message.fields():
            if kind == "tensor" and (
                number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
            ):
                raise ClassifierFileError(
                    f"{name} keeps part of its numbers in another file, which could be any file "
                    f"of this machine; it was not opened. {_REMEDY}"
                )
            part = _PARTS[kind].get(number)
            if part is not None:
                stack.append((part, _as_message(value), depth + 1))


def _graph_problems(model: _Message, bundle: Bundle) -> list[str]:
    """Returns how the graph's input and output differ from what the metadata says."""
    graph = _as_message(model.once(7).get(7))
    inputs = [_tensor_type(info) for info in graph.messages(11)]
    outputs = [_tensor_type(info) for info in graph.messages(12)]
    shape = (None, *bundle.image_spec.shape)
    classes = (None, len(bundle.class_names))
    problems = []
    if inputs != [(_UINT8, shape)]:
        problems.append(
            f"its inputs are {_describe(inputs)}, expected one uint8 [batch, height, width, "
            f"channels] = [*, {', '.join(map(str, shape[1:]))}]"
        )
    if outputs != [(_FLOAT, classes)]:
        problems.append(
            f"its outputs are {_describe(outputs)}, expected one float [batch, classes] = "
            f"[*, {classes[1]}]"
        )
    return problems


_TensorType = tuple[int, tuple[int | None, ...] | None]
"""Element type and shape; None for a free dimension, and for a shape that is not stated."""


def _tensor_type(info: _Message) -> _TensorType:
    """Reads ValueInfoProto.type.tensor_type."""
    tensor = _as_message(_as_message(info.once(2).get(2)).once(1).get(1)).once(1, 2)
    element = tensor.get(1, 0)
    if not isinstance(element, int):
        raise _DamagedError("an element type that is not a number")
    if 2 not in tensor:
        return element, None
    dimensions = [dimension.once(1, 2) for dimension in _as_message(tensor[2]).messages(1)]
    sizes = [dimension.get(1) for dimension in dimensions]
    return element, tuple(size if isinstance(size, int) else None for size in sizes)


def _describe(types: list[_TensorType]) -> str:
    names = {_UINT8: "uint8", _FLOAT: "float"}
    listed = []
    for element, shape in types[:3]:
        sizes = "?" if shape is None else ", ".join("*" if s is None else str(s) for s in shape)
        listed.append(f"{names.get(element, f'of ONNX type {element}')} [{_short(sizes)}]")
    return f"{len(types)}: {' and '.join(listed)}" if types else "none"


# --- Protobuf's wire format ---------------------------------------------------------------------


class _DamagedError(Exception):
    """The bytes are not a protobuf message, or not one that ONNX describes."""


class _Message:
    """A protobuf message: a span of the file's bytes, read field by field.

    https://protobuf.dev/programming-guides/encoding/
    """

    def __init__(
        self, content: bytes, start: int = 0, end: int | None = None, left: list[int] | None = None
    ) -> None:
        self.content = content
        self.start = start
        self.end = len(content) if end is None else end
        self.left = [MAX_FIELDS] if left is None else left  # shared by all messages of the file

    def fields(self) -> Iterator[tuple[int, int | _Message | None]]:
        """Yields each field's number and value.

        The value is an int for a varint, a message for anything with a length (text too), and
        None for numbers of fixed size.
        """
        position = self.start
        while position < self.end:
            self._count()
            tag, position = self._varint(position)
            number, wire_type = tag >> 3, tag & 7
            if number == 0 or tag >= 2**32:
                raise _DamagedError(f"field number {number} at byte {position}")
            value: int | _Message | None = None
            if wire_type == 0:
                value, position = self._varint(position)
            elif wire_type == 2:
                length, position = self._varint(position)
                if length > self.end - position:
                    raise _DamagedError(f"cut short: a field at byte {position} ends outside")
                value = _Message(self.content, position, position + length, self.left)
                position += length
            elif wire_type in (1, 5):
                position += 8 if wire_type == 1 else 4
                if position > self.end:
                    raise _DamagedError(f"cut short at byte {self.end}")
            else:
                raise _DamagedError(f"wire type {wire_type} at byte {position}")
            yield number, value

    def messages(self, number: int) -> list[_Message]:
        """Returns all values of a repeated field."""
        return [_as_message(value) for found, value in self.fields() if found == number]

    def once(self, *numbers: int) -> dict[int, int | _Message | None]:
        """Returns the values of fields that may be there once.

        Protobuf would merge a second one into the first; no honest writer makes use of it.
        """
        found: dict[int, int | _Message | None] = {}
        for number, value in self.fields():
            if number in numbers:
                if number in found:
                    raise _DamagedError(f"field {number} is given twice")
                found[number] = value
        return found

    @staticmethod
    def text(value: int | _Message | None) -> bytes:
        """Returns a text field's bytes; text that is left out is empty."""
        if value is None:
            return b""
        span = _as_message(value)
        return span.content[span.start : span.end]

    def _varint(self, position: int) -> tuple[int, int]:
        """Decodes 7 bits a byte, the lowest first; returns the number and where it ends."""
        number = 0
        for index in range(10):
            if position >= self.end:
                raise _DamagedError(f"cut short at byte {self.end}")
            byte = self.content[position]
            position += 1
            number |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return number, position
        raise _DamagedError(f"a number of more than 10 bytes at byte {position}")

    def _count(self) -> None:
        self.left[0] -= 1
        if self.left[0] < 0:
            raise _DamagedError(f"more than {MAX_FIELDS:,} fields")


def _as_message(value: int | _Message | None) -> _Message:
    if not isinstance(value, _Message):
        raise _DamagedError("a part of the graph is missing or of the wrong type")
    return value


# --- Files that are something else --------------------------------------------------------------

_FOREIGN = (
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, such as Keras weights (.h5)"),
    (b"\x89PNG", "is a picture (PNG)"),
    (b"\xff\xd8\xff", "is a picture (JPEG)"),
    (b"GIF8", "is a picture (GIF)"),
    (b"\x93NUMPY", "is a NumPy array (.npy)"),
    (b"\x1f\x8b", "is a gzip archive"),
    (b"version https://git-lfs", "is a Git LFS pointer; fetch the file itself with `git lfs pull`"),
    (b"<", "is a web page or XML, perhaps what a failed download left"),
    (b"{", "is JSON text"),
)


def _foreign_kind(content: bytes) -> str:
    """Says what a file that is clearly no ONNX looks like; "" when it may be one."""
    if not content:
        return "is an empty file"
    if content[:1] == b"\x80" and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "looks like a Python pickle (.pkl, .pt), which can run code when it is opened"
    if content[:4] == b"PK\x03\x04":
        if b"model.weights.h5" in content:
            return "is a Keras model (.keras)"
        if b"/data.pkl" in content:
            return "is a PyTorch checkpoint (.pt, .pth)"
        return "is a zip archive"
    if content[4:8] in (b"TFL3", b"ORTM"):
        return "is a TensorFlow Lite or ONNX Runtime (.ort) model"
    return next((what for magic, what in _FOREIGN if content.startswith(magic)), "")
