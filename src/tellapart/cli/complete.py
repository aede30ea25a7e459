"""What the Tab key offers. Runs at every key press, so it imports nothing heavy."""

from __future__ import annotations

from pathlib import Path


def complete_data(incomplete: str) -> list[str]:
    """Names of the catalog, then files and folders."""
    from tellapart.data.catalog import CATALOG

    return [name for name in CATALOG if name.startswith(incomplete)] + _files(incomplete)


def complete_models(incomplete: str) -> list[str]:
    """Names of networks, then files and folders."""
    names = ("classic-28", "classic-32", "classic-64")
    return [name for name in names if name.startswith(incomplete)] + _files(incomplete)


def _files(incomplete: str) -> list[str]:
    folder, _, start = incomplete.rpartition("/")
    try:
        entries = sorted(Path(folder + "/" if folder else ".").iterdir())
    except OSError:
        return []
    shown = (entry for entry in entries if entry.name.startswith(start))
    return [
        f"{folder}/{entry.name}" if folder else entry.name
        for entry in shown
        if start.startswith(".") or not entry.name.startswith(".")
    ]
