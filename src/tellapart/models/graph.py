"""The graph of a Keras network, by the tensors that its layers are connected with."""

from __future__ import annotations

from typing import Any


def maker(tensor: Any) -> Any:
    """Returns the node, one call of a layer or operation, that gives a tensor of a graph."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]
