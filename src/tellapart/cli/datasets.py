"""`tellapart datasets`: the data sets that have a name."""

from __future__ import annotations

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
        print_json(
            [
                {
                    "name": entry.name,
                    "description": entry.description,
                    "pictures": entry.pictures,
                    "picture_size": list(entry.picture_size),
                    "class_names": list(entry.class_names),
                    "source": entry.source,
                    "licence": entry.licence,
                    "needs_download": entry.needs_download,
                }
                for entry in CATALOG.values()
            ]
        )
        return
    print_table(
        ("name", "pictures", "size", "classes", "what", "download"),
        [
            (
                entry.name,
                f"{entry.pictures:,}",
                "x".join(map(str, entry.picture_size)),
                entry.classes,
                entry.description,
                "yes" if entry.needs_download else "no",
            )
            for entry in CATALOG.values()
        ],
        right=("pictures", "classes"),
    )
