"""Row 4: damaged and made-up classifier files are refused or fail cleanly, and never crash.

    python tests/reliability/mutated_classifiers.py --count 1000

First come files that are made up to do harm: numbers in another file in every place where a tensor
can lie, and graphs that ask for all memory or all time (`hostile_graphs.py`). The other file is a
pipe, so that whoever opened it would wait for ever.

Mutants of a tiny classifier and of the digits' network as it is exported: bits flipped in the
metadata, the graph and the weights; cut short; pieces removed, doubled and swapped; and, rebuilt
with the onnx package so that they parse: other operators, attributes, types, shapes, inputs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from tests.reliability.lab import Case, Outcome, failures, report, try_all


def load_and_predict(name: str, content: bytes) -> str:
    """Runs in the other process: what `tellapart predict` does with such a file."""
    from tellapart.classifier import Classifier
    from tellapart.errors import ClassifierFileError

    try:
        classifier = Classifier(content, Path(name))
    except ClassifierFileError as error:
        return f"refused: {error}"
    picture = np.full((9, 7, 3), 200, np.uint8)
    try:
        classifier.predict(picture)
    except ClassifierFileError as error:
        return f"failed: {error}"
    return "predicted"


# --- Made up ----


def made_up(pipe: Path) -> Iterator[Case]:
    """Yields files that would open another file, go on for ever, or take all memory."""
    import onnx

    from tests.external_data import PLACES, external_tensor
    from tests.reliability import hostile_graphs as graphs

    for hide in PLACES:
        model = onnx.load_model_from_string(originals()["tiny"])
        hide(model, external_tensor(pipe))
        yield f"external-{hide.__name__}.onnx", model.SerializeToString()
    model = onnx.load_model_from_string(originals()["tiny"])
    model.metadata_props.add(key="ort_config", value=f'{{"session_options": "{pipe}"}}')
    yield "path-in-metadata.onnx", model.SerializeToString()
    yield "endless-loop.onnx", graphs.endless_loop()
    yield "doubling-loop.onnx", graphs.doubling_loop()
    yield "functions.onnx", graphs.nested_functions(40)
    yield "branches.onnx", graphs.nested_branches(20)
    yield "many-branches.onnx", graphs.nested_branches(30)
    yield "nodes.onnx", graphs.many_nodes(60_000)
    yield "cycle.onnx", graphs.cycle()
    for size in (10**8, 10**9, 10**10, 10**12):
        yield f"vast-{size}.onnx", graphs.vast_tensor(size)
    for operator in ("Expand", "Tile", "Pad", "Range", "OneHot"):
        yield f"vast-{operator}.onnx", graphs.grown(operator, 10**9)
    for operator in ("Gather", "GatherND", "ScatterElements"):
        yield f"outside-{operator}.onnx", graphs.out_of_bounds(operator)


# --- Mutants ------------------------------------------------------------------------------------


def mutants(count: int, seed: int = 0) -> Iterator[Case]:
    """Yields so many mutants, of each way and each original in turn."""
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        original = list(originals())[number % len(originals())]
        way = WAYS[number // len(originals()) % len(WAYS)]
        yield f"{number:04}-{original}-{way.__name__}.onnx", way(originals()[original], rng)


@cache
def originals() -> dict[str, bytes]:
    """The files that are mutated."""
    from tellapart.bundle import attach
    from tests.tiny_classifier import make_bundle, make_model

    tiny = make_model(novelty=True)
    attach(tiny, make_bundle(novelty={"threshold": 2.0}))
    network = _network()
    attach(network, make_bundle())
    return {"tiny": tiny.SerializeToString(), "network": network.SerializeToString()}


def _network() -> Any:
    """A small convolutional network with the operators that an export has."""
    from onnx import TensorProto, helper, numpy_helper

    from tests.tiny_classifier import CLASS_NAMES, SPEC

    rng = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(rng.normal(size=shape).astype(np.float32) / 10, name)

    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node(
            "Conv", ["first", "w1", "b1"], ["conv1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]
        ),
        helper.make_node("Relu", ["conv1"], ["relu1"]),
        helper.make_node("MaxPool", ["relu1"], ["pool1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["pool1", "w2"], ["conv2"], kernel_shape=[3, 3], group=2),
        helper.make_node("Clip", ["conv2", "low", "high"], ["relu2"]),
        helper.make_node("Reshape", ["relu2", "flat"], ["flattened"]),
        helper.make_node("Gemm", ["flattened", "w3", "b3"], ["logits"], transB=1, alpha=0.5),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", *SPEC.shape])],
        [
            helper.make_tensor_value_info(
                "probabilities", TensorProto.FLOAT, ["batch", len(CLASS_NAMES)]
            )
        ],
        [
            weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("w2", 4, 4, 3, 3),
            weights("w3", 3, 8), weights("b3", 3),
            numpy_helper.from_array(np.float32(1 / 255), "scale"),
            numpy_helper.from_array(np.float32(0), "low"),
            numpy_helper.from_array(np.float32(6), "high"),
            numpy_helper.from_array(np.array([-1, 8]), "flat"),
        ],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def flipped_bits(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_bytes(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 4))):
        changed[rng.randrange(len(changed))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(changed)


def cut_short(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def piece_removed(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.choice((1, 2, 8, 64)) :]


def piece_doubled(content: bytes, rng: random.Random) -> bytes:
    start, size = rng.randrange(len(content)), rng.choice((1, 2, 8, 64))
    return content[: start + size] + content[start:]


def pieces_swapped(content: bytes, rng: random.Random) -> bytes:
    a, b, c = sorted(rng.randrange(len(content)) for _ in range(3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


NUMBERS = (-(2**63), -(2**31), -1000, -2, -1, 0, 1, 2, 3, 7, 1000, 2**31 - 1, 2**31, 2**62)


Way = Callable[[bytes, random.Random], bytes]


def _rebuilt(change: Callable[[Any, random.Random], None]) -> Way:
    def way(content: bytes, rng: random.Random) -> bytes:
        import onnx

        model = onnx.load_model_from_string(content)
        for _ in range(rng.choice((1, 1, 2))):
            change(model.graph, rng)
        return bytes(model.SerializeToString())

    way.__name__ = change.__name__
    return way


def other_operator(graph: Any, rng: random.Random) -> None:
    from onnx import defs

    names = sorted({schema.name for schema in defs.get_all_schemas()})
    rng.choice(graph.node).op_type = rng.choice(names)


def other_attribute(graph: Any, rng: random.Random) -> None:
    from onnx import helper

    node = rng.choice([node for node in graph.node if node.attribute] or list(graph.node))
    if not node.attribute:
        node.attribute.append(helper.make_attribute("axis", rng.choice(NUMBERS)))
        return
    attribute = rng.choice(node.attribute)
    if attribute.ints:
        place = rng.randrange(len(attribute.ints))
        action = rng.randrange(3)
        if action == 0:
            attribute.ints[place] = rng.choice(NUMBERS)
        elif action == 1:
            del attribute.ints[place]
        else:
            attribute.ints.extend([rng.choice(NUMBERS)] * rng.choice((1, 4)))
    elif rng.random() < 0.2:
        attribute.type = rng.randrange(15)
    else:
        attribute.i = rng.choice(NUMBERS)


def other_shape(graph: Any, rng: random.Random) -> None:
    tensor = rng.choice(graph.initializer)
    if not tensor.dims or rng.random() < 0.2:
        tensor.dims.append(rng.choice(NUMBERS))
    else:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)


def other_type(graph: Any, rng: random.Random) -> None:
    rng.choice(graph.initializer).data_type = rng.randrange(-1, 26)


def other_values(graph: Any, rng: random.Random) -> None:
    tensor = rng.choice(graph.initializer)
    raw = bytearray(tensor.raw_data)
    for _ in range(rng.choice((1, 4))):
        raw[rng.randrange(len(raw))] = rng.choice((0, 0x7F, 0x80, 0xFF))
    tensor.raw_data = bytes(raw)


def other_wiring(graph: Any, rng: random.Random) -> None:
    names = [name for node in graph.node for name in (*node.input, *node.output)]
    node = rng.choice(graph.node)
    action = rng.randrange(4)
    if action == 0 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice([*names, ""])
    elif action == 1:
        node.output[0] = rng.choice(names)
    elif action == 2 and node.input:
        del node.input[-1]
    else:
        node.input.append(rng.choice(names))


def node_removed(graph: Any, rng: random.Random) -> None:
    if len(graph.node) > 1:
        del graph.node[rng.randrange(len(graph.node))]


def node_in_front(graph: Any, rng: random.Random) -> None:
    """Puts another operator on the way, with numbers of its own to work with."""
    from onnx import TensorProto, defs, helper

    node = rng.choice(graph.node)
    if not node.input:
        return
    name = rng.choice(sorted({schema.name for schema in defs.get_all_schemas()}))
    extra = f"extra{rng.randrange(10**9)}"
    shape = [rng.choice(NUMBERS) for _ in range(rng.randrange(5))]
    graph.initializer.append(helper.make_tensor(extra, TensorProto.INT64, [len(shape)], shape))
    inputs = [[node.input[0], extra], [extra], [node.input[0]], [extra, node.input[0]]]
    made = helper.make_node(name, rng.choice(inputs), [f"{extra}out"])
    node.input[0] = f"{extra}out"
    graph.node.insert(0, made)


WAYS: tuple[Way, ...] = (
    flipped_bits,
    set_bytes,
    cut_short,
    piece_removed,
    piece_doubled,
    pieces_swapped,
    *map(
        _rebuilt,
        (
            other_operator,
            other_attribute,
            other_shape,
            other_type,
            other_values,
            other_wiring,
            node_removed,
            node_in_front,
        ),
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with bounds(), tempfile.TemporaryDirectory() as folder:
        pipe = Path(folder, "pipe")
        os.mkfifo(pipe)
        tried = "tests.reliability.mutated_classifiers:load_and_predict"
        made = list(try_all(tried, made_up(pipe)))
        outcomes = list(try_all(tried, mutants(options.count, options.seed)))
    code = report("made-up classifiers", made, judge(made))
    return report("mutated classifiers", outcomes, judge(outcomes)) or code


@contextlib.contextmanager
def bounds(seconds: int = 5, memory: str = "500MB") -> Iterator[None]:
    """Tighter ones than by default, so that a row takes minutes and not hours."""
    before = dict(os.environ)
    os.environ |= {"TELLAPART_RUN_SECONDS": str(seconds), "TELLAPART_RUN_MEMORY": memory}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def judge(outcomes: list[Outcome]) -> list[Outcome]:
    """Returns what must not be: a crash, a hang, a fault, or external data that was let through."""
    return failures(outcomes) + [
        outcome
        for outcome in outcomes
        if outcome.name.startswith("external") and outcome.word != "refused"
    ]


if __name__ == "__main__":
    sys.exit(main())
