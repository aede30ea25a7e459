"""The novelty score as part of a classifier's graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tellapart.evaluation.novelty import LEAST, NoveltyModel

OUTPUT = "novelty"


def append_novelty(
    model: Any, novelty: NoveltyModel, *, features: str, probabilities: str, output: str = OUTPUT
) -> None:
    """Appends the score to a graph, as one more output: float [batch].

    Of Sub, MatMul, Transpose, Div, Mul, ReduceSum, Sqrt, Max, Log and Add alone.

    Args:
        model: an `onnx.ModelProto` of opset 13 or later, changed in place.
        novelty: what to append.
        features: name of the tensor of features, float [batch, d].
        probabilities: name of the tensor of calibrated probabilities, float [batch, classes].
        output: what to call the score; names of what leads to it begin with it.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    add = _Appending(graph, f"{output}_")
    entropy = add.node("Mul", _entropy(add, probabilities), add.constant(novelty.entropy_weight))
    distance = _distance(add, novelty, features)
    weighted = add.node("Mul", distance, add.constant(novelty.distance_weight))
    score = add.node("Add", entropy, weighted)
    graph.node.append(helper.make_node("Add", [score, add.constant(novelty.offset)], [output]))
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_param or "batch"
    graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch]))


def _entropy(add: _Appending, probabilities: str) -> str:
    logarithm = add.node("Log", add.node("Max", probabilities, add.constant(LEAST)))
    surprise = add.node("Mul", logarithm, add.constant(-1))
    return add.row_sum(add.node("Mul", probabilities, surprise))


def _distance(add: _Appending, novelty: NoveltyModel, features: str) -> str:
    centred = add.node("Sub", features, add.constant(novelty.mean))
    axes = add.constant(novelty.axes)
    along = add.node("MatMul", centred, axes)
    square = add.square_sum(add.node("Div", along, add.constant(novelty.deviations)))
    if novelty.rest:
        explained = add.node("MatMul", along, add.node("Transpose", axes, perm=[1, 0]))
        left = add.node("Sub", centred, explained)
        rest = add.square_sum(add.node("Div", left, add.constant(novelty.rest)))
        square = add.node("Add", square, rest)
    return add.node("Sqrt", square)


@dataclass
class _Appending:
    """Adds nodes and constants to a graph, and returns their names."""

    graph: Any
    prefix: str
    count: int = 0

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = self._name(kind)
        self.graph.node.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        from onnx import numpy_helper

        name = self._name("constant")
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def row_sum(self, value: str) -> str:
        return self.node("ReduceSum", value, self.constant([1], np.int64), keepdims=0)

    def square_sum(self, value: str) -> str:
        return self.row_sum(self.node("Mul", value, value))

    def _name(self, kind: str) -> str:
        self.count += 1
        return f"{self.prefix}{kind.lower()}_{self.count}"
