"""`tellapart datasets`: the data sets that have a name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

EXAMPLES = """
tellapart datasets
tellapart train fashion-mnist
"""


def datasets(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the data sets known by name.

    `train` and `evaluate` take these names instead of a path.
    """
    from tellapart.cli.output import print_json, print_table
    from tellapart.data.catalog import CATALOG

    if json:
        print_json([asdict(entry) for entry in CATALOG.values()])
        return
    print_table(
        ("name", "pictures", "size", "classes", "what", "download"),
        [
            (
                entry.name,
                f"{entry.pictures:,}",
                "x".join(map(str, entry.size)),
                entry.classes,
                entry.description,
                "yes" if entry.needs_download else "no",
            )
            for entry in CATALOG.values()
        ],
        right=("pictures", "classes"),
    )
