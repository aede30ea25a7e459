"""What the Tab key offers. Runs at every key press, so it imports nothing heavy."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import typer


def complete_data(incomplete: str) -> list[str]:
    """Names of the catalog, and files and folders."""
    from tellapart.data.catalog import CATALOG

    return _with_files(incomplete, CATALOG)


def complete_models(incomplete: str) -> list[str]:
    """Names of networks, and files and folders."""
    from tellapart.models.backbones import backbone_names

    ours = ["fast", "fast-narrow", "fast-wide", "classic-28", "classic-32", "classic-64"]
    return _with_files(incomplete, [*ours, *backbone_names()])


def complete_classes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the classes that the command's first argument knows, a run or a classifier file."""
    from tellapart.bundle import read_bundle
    from tellapart.errors import TellapartError
    from tellapart.runs import CLASSIFIER_ONNX

    path = Path(next(iter(ctx.args), ""))  # an option without its value: nothing is parsed yet
    try:
        names = read_bundle(path / CLASSIFIER_ONNX if path.is_dir() else path).class_names
    except TellapartError:
        return []
    # A name that moves the cursor is not shown, let alone put into a command line.
    fitting = (name for name in names if name.startswith(incomplete) and name.isprintable())
    return [_for_the_shell(name) for name in fitting]


def _for_the_shell(name: str) -> str:
    """Bash takes the name as it is, and would see two words in "water lily"; others quote it."""
    if os.environ.get("_TELLAPART_COMPLETE") != "complete_bash":
        return name
    return re.sub(r"([^\w%+,./:=@-])", r"\\\1", name)


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
