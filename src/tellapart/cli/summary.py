"""`tellapart summary`: layers, shapes and parameters of a network."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from tellapart.cli.network import (
    ChannelsOption,
    ClassesOption,
    ImageSizeOption,
    NetworkArgument,
    open_network,
)

EXAMPLES = """
tellapart summary classic-32
tellapart summary classic-64 --image-size 96 --classes 3
tellapart summary runs/digits-1
tellapart summary mynet.py:build --image-size 48 --json
"""


def summary(
    model: NetworkArgument,
    image_size: ImageSizeOption = None,
    channels: ChannelsOption = None,
    classes: ClassesOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show the layers of a network.

    Each with its output shape, its number of parameters and how they are counted.
    """
    from tellapart.cli.output import print_json, print_table, write_result
    from tellapart.explanation.flow import data_flow, format_shape

    network = open_network(model, image_size, channels, classes, pretrained=False)
    stages = data_flow(network)
    total = int(network.count_params())
    trainable = sum(math.prod(weight.shape) for weight in network.trainable_weights)
    if json:
        print_json(
            {
                "model": network.name,
                "parameters": total,
                "trainable_parameters": trainable,
                "layers": [
                    {
                        "name": stage.name,
                        "kind": stage.kind,
                        "output_shape": list(stage.after),
                        "parameters": stage.parameters,
                        "counted": stage.counted,
                    }
                    for stage in stages
                ],
            }
        )
        return
    print_table(
        ("layer", "kind", "output shape", "parameters", "counted as"),
        [
            (
                stage.name,
                stage.kind,
                format_shape(stage.after[1:]),
                f"{stage.parameters:,}",
                stage.counted,
            )
            for stage in stages
        ],
        title=network.name,
        right=("parameters",),
    )
    write_result(f"{total:,} parameters, {trainable:,} of them trained.\n")
