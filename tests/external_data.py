"""Every place of an ONNX file where a tensor can lie, whose numbers are then in another file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def external_tensor(canary: Path) -> Any:
    """A tensor whose numbers are said to lie in the canary."""
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "outside")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=str(canary))
    return tensor


def in_initializer(model: Any, tensor: Any) -> None:
    model.graph.initializer.append(tensor)


def located_only(model: Any, tensor: Any) -> None:
    tensor.ClearField("external_data")
    model.graph.initializer.append(tensor)


def entries_only(model: Any, tensor: Any) -> None:
    tensor.ClearField("data_location")
    model.graph.initializer.append(tensor)


def in_sparse_values(model: Any, tensor: Any) -> None:
    model.graph.sparse_initializer.add().values.CopyFrom(tensor)


def in_sparse_indices(model: Any, tensor: Any) -> None:
    model.graph.sparse_initializer.add().indices.CopyFrom(tensor)


def in_constant(model: Any, tensor: Any) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["constant"], value=tensor))


def in_tensor_list(model: Any, tensor: Any) -> None:
    model.graph.node[0].attribute.add(name="list").tensors.append(tensor)


def in_sparse_constant(model: Any, tensor: Any) -> None:
    model.graph.node[0].attribute.add(name="sparse").sparse_tensor.values.CopyFrom(tensor)


def in_sparse_list(model: Any, tensor: Any) -> None:
    model.graph.node[0].attribute.add(name="list").sparse_tensors.add().indices.CopyFrom(tensor)


def in_branch(model: Any, tensor: Any) -> None:
    branch = helper.make_graph([], "branch", [], [], [tensor])
    model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=branch))


def in_graph_list(model: Any, tensor: Any) -> None:
    model.graph.node[0].attribute.add(name="list").graphs.add().initializer.append(tensor)


def deep_in_branches(model: Any, tensor: Any) -> None:
    graph = helper.make_graph([], "deepest", [], [], [tensor])
    for level in range(20):
        node = helper.make_node("If", ["c"], ["d"], then_branch=graph)
        graph = helper.make_graph([node], f"level{level}", [], [])
    model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=graph))


def in_function(model: Any, tensor: Any) -> None:
    model.functions.add(name="f").node.append(helper.make_node("Constant", [], ["x"], value=tensor))


def in_function_default(model: Any, tensor: Any) -> None:
    model.functions.add(name="f").attribute_proto.add(name="a").t.CopyFrom(tensor)


def in_training(model: Any, tensor: Any) -> None:
    model.training_info.add().initialization.initializer.append(tensor)


def in_memory(model: Any, tensor: Any) -> None:
    """ONNX Runtime's own mark for numbers at an address of its memory."""
    tensor.external_data[0].value = "*/_ORT_MEM_ADDR_/*"
    tensor.external_data.add(key="offset", value="4096")
    model.graph.initializer.append(tensor)


PLACES: tuple[Callable[[Any, Any], None], ...] = (
    in_initializer,
    located_only,
    entries_only,
    in_sparse_values,
    in_sparse_indices,
    in_constant,
    in_tensor_list,
    in_sparse_constant,
    in_sparse_list,
    in_branch,
    in_graph_list,
    deep_in_branches,
    in_function,
    in_function_default,
    in_training,
    in_memory,
)
