"""What the Tab key offers. Runs at every key press, so it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def complete_data(incomplete: str) -> list[str]:
    """Names of the catalog, and files and folders."""
    from tellapart.data.catalog import CATALOG

    return _with_files(incomplete, CATALOG)


def complete_models(incomplete: str) -> list[str]:
    """Names of networks, and files and folders."""
    from tellapart.models.backbones import backbone_names

    return _with_files(
        incomplete, ["fast", "classic-28", "classic-32", "classic-64", *backbone_names()]
    )


def _with_files(incomplete: str, names: Iterable[str]) -> list[str]:
    """Where no name fits, offers nothing: then the shell completes paths, and quotes them."""
    fitting = [name for name in names if name.startswith(incomplete)]
    return fitting + _files(incomplete) if fitting else []


def _files(incomplete: str) -> list[str]:
    folder, _, start = incomplete.rpartition("/")
    try:
        entries = sorted(Path(folder + "/" if folder else ".").iterdir())
    except OSError:
        return []
    shown = (entry for entry in entries if entry.name.startswith(start))
    return [
        (f"{folder}/" if folder else "") + entry.name + ("/" if entry.is_dir() else "")
        for entry in shown
        if start.startswith(".") or not entry.name.startswith(".")
    ]
