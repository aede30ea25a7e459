"""What is checked of an ONNX file before a runtime opens it: nothing outside, the right shapes.

Field numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections import Counter

from tellapart.errors import ClassifierFileError
from tellapart.wire import DamagedError, Message, as_message

MAX_DEPTH = 100
"""Protobuf's own limit for messages within messages."""

REMEDY = "Expected a classifier.onnx that `tellapart train` wrote."

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

MAX_NODES = 20_000
"""More take ONNX Runtime seconds to put in order, and soon minutes; a large network has 2,000."""


def refuse_unsafe(model: Message, name: str) -> None:
    """Refuses a file that could reach outside itself, or keep a runtime busy without end.

    - A tensor, anywhere, whose numbers lie in another file: a runtime would open whatever path is
      named.
    - Functions of its own: forty that call the one before them twice make a thousand billion nodes.
    - More than `MAX_NODES` nodes.
    """
    stack = [("model", model, 0)]
    seen: Counter[str] = Counter()
    while stack:
        kind, message, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise DamagedError(f"more than {MAX_DEPTH} messages within messages")
        for number, value in message.fields():
            if kind == "tensor" and (
                number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
            ):
                raise ClassifierFileError(
                    f"{name} keeps part of its numbers in another file, which could be any file "
                    f"of this machine; it was not opened. {REMEDY}"
                )
            part = _PARTS[kind].get(number)
            if part is not None:
                seen[part] += 1
                stack.append((part, as_message(value), depth + 1))
    if seen["function"]:
        raise ClassifierFileError(
            f"{name} defines functions of its own, which may call each other without end. {REMEDY}"
        )
    if seen["node"] > MAX_NODES:
        raise ClassifierFileError(
            f"{name} has {seen['node']:,} nodes; a network of more than {MAX_NODES:,} is not "
            f"opened. {REMEDY}"
        )


def graph_problems(
    model: Message, picture_shape: tuple[int, int, int], class_count: int, *, novelty: bool
) -> list[str]:
    """Returns how the graph's input and outputs differ from what the metadata says.

    Args:
        model: an ONNX file.
        picture_shape: height, width, channels.
        class_count: how many classes have a probability.
        novelty: whether the metadata have a limit for the score of unknown pictures.
    """
    graph = as_message(model.once(7).get(7))
    inputs = [_tensor_type(info) for info in graph.messages(11)]
    outputs = [_tensor_type(info) for info in graph.messages(12)]
    shape = (None, *picture_shape)
    classes = (None, class_count)
    problems = []
    if inputs != [(_UINT8, shape)]:
        problems.append(
            f"its inputs are {_describe(inputs)}, expected one uint8 [batch, height, width, "
            f"channels] = [*, {', '.join(map(str, shape[1:]))}]"
        )
    if outputs[:1] != [(_FLOAT, classes)] or outputs[1:] not in ([], [(_FLOAT, (None,))]):
        problems.append(
            f"its outputs are {_describe(outputs)}, expected one float [batch, classes] = "
            f"[*, {classes[1]}], and behind it at most the novelty, float [batch] = [*]"
        )
    elif len(outputs) == 2 and not novelty:
        problems.append("its graph gives a novelty score, for which the metadata have no limit")
    elif len(outputs) == 1 and novelty:
        problems.append("the metadata have a limit for novelty, which its graph does not give")
    return problems


_TensorType = tuple[int, tuple[int | None, ...] | None]
"""Element type and shape; None for a free dimension, and for a shape that is not stated."""


def _tensor_type(info: Message) -> _TensorType:
    """Reads ValueInfoProto.type.tensor_type."""
    tensor = as_message(as_message(info.once(2).get(2)).once(1).get(1)).once(1, 2)
    element = tensor.get(1, 0)
    if not isinstance(element, int):
        raise DamagedError("an element type that is not a number")
    if 2 not in tensor:
        return element, None
    dimensions = [dimension.once(1, 2) for dimension in as_message(tensor[2]).messages(1)]
    sizes = [dimension.get(1) for dimension in dimensions]
    return element, tuple(size if isinstance(size, int) else None for size in sizes)


def _describe(types: list[_TensorType]) -> str:
    names = {_UINT8: "uint8", _FLOAT: "float"}
    listed = []
    for element, shape in types[:3]:
        sizes = "?" if shape is None else ", ".join("*" if s is None else str(s) for s in shape)
        listed.append(f"{names.get(element, f'of ONNX type {element}')} [{shorten(sizes)}]")
    return f"{len(types)}: {' and '.join(listed)}" if types else "none"


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


def foreign_kind(content: bytes) -> str:
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


def shorten(text: str, limit: int = 200) -> str:
    """Keeps a hostile file's values from filling the screen."""
    return text if len(text) <= limit else f"{text[:limit]}..."
