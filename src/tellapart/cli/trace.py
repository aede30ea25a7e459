"""`tellapart trace`: what becomes of the pictures on their way through a network."""

from __future__ import annotations

from typing import Annotated

import typer

from tellapart.cli.complete import complete_models

EXAMPLES = """
tellapart trace runs/digits-1
tellapart trace classic-64 --images 1000
tellapart trace mynet.py:build --image-size 48 --images 64
"""


def trace(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A run folder, a .keras file, classic-28, classic-32, classic-64, or "
            "FILE.py:FUNCTION (which is code, and is run).",
            autocompletion=complete_models,
        ),
    ],
    images: Annotated[int, typer.Option(help="How many pictures to follow.", min=1)] = 1000,
    image_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="For a network that is built: SIZE or HxW.")
    ] = None,
    channels: Annotated[int | None, typer.Option(help="1: grey, 3: colour.")] = None,
    classes: Annotated[
        int | None, typer.Option(help="For a network that is built. [10]", min=2)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Follow pictures through a network.

    Shows, stage by stage, the shape of N pictures before and after, what the stage does to them,
    and an example.
    """
    from tellapart.cli.network import open_network
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
