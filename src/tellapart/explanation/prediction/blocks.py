"""Grouping the stages of a deep network into its blocks, by the names of the layers."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from tellapart.explanation.flow import Stage
from tellapart.explanation.layers import in_short, rectifies
from tellapart.explanation.walk import all_nodes

_NAMED = re.compile(
    r"((?:[a-z]+\d*_)?block_?\d+[a-z]?"  # stage2_block1_expand, conv2_block1_add, block_6_expand
    r"|expanded_conv(?:_\d+)?"  # of MobileNet
    r"|pool\d+)_"  # of DenseNet
)

MAX_BLOCKS = 80
"""Of a network with more, neighbours of one height and width are taken together."""

_COMPLETES = ("BatchNormalization", "ReLU", "LeakyReLU", "Activation")
"""What belongs to the layer whose answer it takes."""


@dataclass(frozen=True)
class Block:
    """Stages in a row that are shown as one.

    Attributes:
        name: what the names of its layers begin with; the layer's own name for a single one.
        first, last: places in the list of stages, from 0; `last` is part of the block.
        rectified: place of its last stage that ends in ReLU, whose zeros and dead channels say
            something; None where it has none.
        parameters: of all its stages.
        does: the sentence of a single stage; of several, their kinds in a row.
    """

    name: str
    first: int
    last: int
    rectified: int | None
    parameters: int
    does: str

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return asdict(self)


def group_blocks(model: Any, stages: list[Stage]) -> list[Block]:
    """Groups the stages of `data_flow(model)`.

    Stages whose names begin with the name of a block, as in the networks of `keras.applications`
    and here, are one. Elsewhere a batch normalisation or activation belongs to the layer before.
    """
    nodes = [None, *all_nodes(model)]
    members: list[list[int]] = []
    names: list[str] = []
    for place, stage in enumerate(stages):
        named = _NAMED.match(stage.name)
        if named is not None:
            belongs = bool(names) and names[-1] == named[1]
        else:
            belongs = place > 1 and _completes(nodes[place - 1], nodes[place])
        if belongs:
            members[-1].append(place)
        else:
            members.append([place])
            names.append(named[1] if named else stage.name)
    blocks = [
        _block(name, places, nodes, stages) for name, places in zip(names, members, strict=True)
    ]
    return blocks if len(blocks) <= MAX_BLOCKS else _join_by_size(blocks, nodes, stages)


def _block(name: str, places: list[int], nodes: list[Any], stages: list[Stage]) -> Block:
    does = stages[places[0]].does
    if len(places) > 1:
        does = ", ".join(in_short(nodes[place].operation) for place in places)
    rectified = [place for place in places if nodes[place] and rectifies(nodes[place].operation)]
    return Block(
        name=name if len(places) > 1 else stages[places[0]].name,
        first=places[0],
        last=places[-1],
        rectified=rectified[-1] if rectified else None,
        parameters=sum(stages[place].parameters for place in places),
        does=does[:1].upper() + does[1:],
    )


def _join_by_size(blocks: list[Block], nodes: list[Any], stages: list[Stage]) -> list[Block]:
    """Joins neighbours whose answers have one height and width; the input stays by itself."""
    joined = [blocks[:1]]
    for before, block in pairwise(blocks):
        size, last = (stages[b.last].after[1:-1] for b in (block, before))
        if before is not blocks[0] and len(size) == 2 and size == last:
            joined[-1].append(block)
        else:
            joined.append([block])
    return [group[0] if len(group) == 1 else _join(group, nodes, stages) for group in joined]


def _join(group: list[Block], nodes: list[Any], stages: list[Stage]) -> Block:
    first, last = group[0].first, group[-1].last
    kinds = Counter(type(nodes[place].operation).__name__ for place in range(first, last + 1))
    rectified = [block.rectified for block in group if block.rectified is not None]
    return Block(
        name=f"{group[0].name} to {group[-1].name}",
        first=first,
        last=last,
        rectified=rectified[-1] if rectified else None,
        parameters=sum(block.parameters for block in group),
        does=f"{last - first + 1} layers: "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()),
    )


def _completes(previous: Any, node: Any) -> bool:
    """Whether a call is batch normalisation or activation of what the call before gave."""
    return (
        type(node.operation).__name__ in _COMPLETES
        and len(node.input_tensors) == 1
        and node.input_tensors[0] is previous.outputs[0]
    )
