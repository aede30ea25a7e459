"""Classifier files whose graphs ask for all time, all memory, or another file.

Each is the tiny classifier (`tests.tiny_classifier`) with something more on the way to its
probabilities, which adds nothing to them: it still predicts, if it is let.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tellapart.bundle import attach
from tests.tiny_classifier import make_bundle, make_model


def with_burden(nodes: list[Any], constants: dict[str, Any]) -> Any:
    """Adds nodes that make the tensor `burden`; 0 times its sum is added to the logits."""
    model = make_model()
    graph = model.graph
    softmax = graph.node.pop()
    softmax.input[0] = "burdened"
    graph.node.extend(nodes)
    graph.node.extend(
        [
            helper.make_node("ReduceSum", ["burden"], ["sum"], keepdims=0),
            helper.make_node("Mul", ["sum", "nothing"], ["none"]),
            helper.make_node("Add", ["logits", "none"], ["burdened"]),
            softmax,
        ]
    )
    for name, value in {"nothing": np.array(0, np.float32), **constants}.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    attach(model, make_bundle())
    return model


def content(model: Any) -> bytes:
    """Returns the file."""
    return bytes(model.SerializeToString())


def vast_tensor(numbers: int) -> bytes:
    """A few bytes that ask for so many float numbers."""
    node = helper.make_node("ConstantOfShape", ["shape"], ["burden"])
    return content(with_burden([node], {"shape": [numbers]}))


def grown(operator: str, size: int) -> bytes:
    """The same by other operators."""
    made: dict[str, tuple[Any, dict[str, Any]]] = {
        "Expand": (["one", "size"], {"one": np.array([1], np.float32), "size": [size]}),
        "Tile": (["one", "size"], {"one": np.array([1], np.float32), "size": [size]}),
        "Pad": (["one", "size"], {"one": np.array([1], np.float32), "size": [0, size]}),
        "Range": (
            ["from", "to", "by"],
            {
                "from": np.array(0, np.float32),
                "to": np.array(size, np.float32),
                "by": np.array(1, np.float32),
            },
        ),
        "OneHot": (
            ["places", "depth", "values"],
            {"places": [1], "depth": np.int64(size), "values": np.array([0, 1], np.float32)},
        ),
    }
    inputs, constants = made[operator]
    return content(with_burden([helper.make_node(operator, inputs, ["burden"])], constants))


def _looped(step: Any, times: int, shape: list[int] | None) -> bytes:
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still on"]), step],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, shape),
        ],
        [
            helper.make_tensor_value_info("still on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, shape),
        ],
    )
    node = helper.make_node("Loop", ["times", "yes", "start"], ["burden"], body=body)
    constants = {
        "times": np.int64(times),
        "yes": np.bool_(True),
        "start": np.array([0], np.float32),
    }
    return content(with_burden([node], constants))


def endless_loop(times: int = 2**62) -> bytes:
    """A loop that nobody lives to see the end of."""
    return _looped(helper.make_node("Identity", ["value"], ["next"]), times, [1])


def doubling_loop(times: int = 60) -> bytes:
    """A loop whose tensor has twice the size after each turn."""
    step = helper.make_node("Concat", ["value", "value"], ["next"], axis=0)
    return _looped(step, times, None)


def nested_functions(depth: int) -> bytes:
    """Functions that call the one before them twice: 2 ** depth nodes."""
    node = helper.make_node(f"f{depth - 1}", ["one"], ["burden"], domain="own")
    model = with_burden([node], {"one": np.array([0], np.float32)})
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    for level in range(depth):
        if level:
            called = f"f{level - 1}"
            nodes = [
                helper.make_node(called, ["x"], ["m"], domain="own"),
                helper.make_node(called, ["m"], ["y"], domain="own"),
            ]
        else:
            nodes = [helper.make_node("Neg", ["x"], ["y"])]
        model.functions.append(
            helper.make_function("own", f"f{level}", ["x"], ["y"], nodes, imports)
        )
    model.opset_import.append(helper.make_opsetid("own", 1))
    return content(model)


def nested_branches(depth: int) -> bytes:
    """Branches within branches, 2 messages a level: protobuf takes 100."""
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])
    last = helper.make_graph([helper.make_node("Identity", ["one"], ["out"])], "last", [], [out])
    inner = last
    for _ in range(depth):
        node = helper.make_node("If", ["yes"], ["out"], then_branch=inner, else_branch=last)
        inner = helper.make_graph([node], "inner", [], [out])
    node = helper.make_node("If", ["yes"], ["burden"], then_branch=inner, else_branch=last)
    return content(with_burden([node], {"yes": np.bool_(True), "one": np.array([0], np.float32)}))


def many_nodes(count: int) -> bytes:
    """A chain of so many nodes, beside the 7 of the classifier and its burden."""
    names = ["floats", *(f"n{place}" for place in range(count - 1)), "burden"]
    nodes = [helper.make_node("Neg", [names[place]], [names[place + 1]]) for place in range(count)]
    return content(with_burden(nodes, {}))


def cycle() -> bytes:
    """Two nodes that wait for each other."""
    nodes = [
        helper.make_node("Neg", ["back"], ["burden"]),
        helper.make_node("Neg", ["burden"], ["back"]),
    ]
    return content(with_burden(nodes, {}))


def out_of_bounds(operator: str) -> bytes:
    """Indices far outside a tensor."""
    far = 2**40
    if operator == "ScatterElements":
        inputs = ["one", "places", "update"]
        constants: dict[str, Any] = {"places": [far], "update": np.array([1], np.float32)}
    else:
        inputs, constants = ["one", "places"], {"places": [[-far]]}
    constants["one"] = np.array([0], np.float32)
    return content(with_burden([helper.make_node(operator, inputs, ["burden"])], constants))
