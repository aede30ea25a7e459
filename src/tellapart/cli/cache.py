"""`tellapart cache`: what was decoded and fetched, where it is, and how to clear it."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLES = """
tellapart cache
tellapart cache --clear
TELLAPART_CACHE=/big/disk tellapart train photos/
"""


def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Delete it all; it is made again when needed.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show or clear what was kept for reuse.

    Decoded pictures and fetched data sets, which make the next run start at once. Your own
    pictures are never in there.
    """
    from tellapart.cli.output import local_time, print_json, print_table, write_result
    from tellapart.data.cache import cache_folder, clear_cache, list_cache

    folder = str(cache_folder())
    if clear:
        freed = clear_cache()
        if json:
            print_json({"folder": folder, "freed_bytes": freed})
        else:
            write_result(f"Freed {_size(freed)} in {folder}.\n")
        return
    entries = list_cache()
    if json:
        print_json(
            {
                "folder": folder,
                "bytes": sum(entry.bytes for entry in entries),
                "entries": [
                    {
                        "location": entry.location,
                        "kind": entry.kind,
                        "bytes": entry.bytes,
                        "created": entry.created,
                        "folder": str(entry.folder),
                        "complete": entry.complete,
                    }
                    for entry in entries
                ],
            }
        )
        return
    if entries:
        print_table(
            ("made from", "kind", "size", "created"),
            [
                (
                    entry.location,
                    entry.kind if entry.complete else f"{entry.kind} (left unfinished)",
                    _size(entry.bytes),
                    local_time(entry.created),
                )
                for entry in entries
            ],
            right=("size",),
        )
    write_result(f"{_size(sum(entry.bytes for entry in entries))} in {folder}.\n")


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
