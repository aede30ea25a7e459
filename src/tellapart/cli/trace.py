"""`tellapart trace`: what becomes of the pictures on their way through a network."""

from __future__ import annotations

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
tellapart trace runs/digits-1
tellapart trace classic-64 --images 1000
tellapart trace mynet.py:build --image-size 48 --images 64
"""


def trace(
    model: NetworkArgument,
    images: Annotated[int, typer.Option(help="How many pictures to follow.", min=1)] = 1000,
    image_size: ImageSizeOption = None,
    channels: ChannelsOption = None,
    classes: ClassesOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Follow pictures through a network.

    Shows, stage by stage, the shape of N pictures before and after, what the stage does to them,
    and an example.
    """
    from tellapart.cli.output import print_json, print_table
    from tellapart.explanation.flow import data_flow, format_shape

    network = open_network(model, image_size, channels, classes)
    stages = data_flow(network, images)
    if json:
        print_json(
            {
                "model": network.name,
                "images": images,
                "data_flow": [stage.to_json() for stage in stages],
            }
        )
        return
    print_table(
        ("stage", "before", "after", "what it does", "for example"),
        [
            (
                stage.name,
                format_shape(stage.before),
                format_shape(stage.after),
                stage.does,
                stage.example,
            )
            for stage in stages
        ],
        title=f"{images:,} pictures through {network.name}",
    )
