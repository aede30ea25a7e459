"""What `summary` and `trace` share: from what the user names to a Keras model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

DRAWN_FOR = {"classic-28": (28, 28, 1), "classic-32": (32, 32, 3), "classic-64": (64, 64, 3)}
"""Height, width and channels that the classic networks were drawn for; others can be asked for."""


def parse_image_size(text: str | None) -> tuple[int, int] | None:
    """Reads "64" or "48x64" (height x width)."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)(?:[x,](\d+))?", text)
    if not match:
        raise typer.BadParameter(f"'{text}': expected a size such as 64, or HEIGHTxWIDTH: 48x64")
    return int(match[1]), int(match[2] or match[1])


def open_network(name: str, image_size: str | None, channels: int | None, classes: int) -> Any:
    """Loads the network of a run or a `.keras` file, or builds one.

    Args:
        name: a run folder, a `.keras` file, a network's name, or FILE.py:FUNCTION.
        image_size: "64" or "48x64", for networks that are built; None: what it was drawn for.
        channels: for networks that are built.
        classes: for networks that are built.

    Raises:
        UsageError: there is nothing of that name.
        RunError: a folder that is no run, or a run without a trained network.
        ModelError: the network does not fit the pictures.
    """
    size = parse_image_size(image_size)
    from tellapart import runs
    from tellapart.errors import RunError, UsageError
    from tellapart.models import registry

    if Path(name).is_dir():
        saved = runs.RunFolder.open(name).path / runs.MODEL_KERAS
        if not saved.is_file():
            raise RunError(f"{name} holds no {runs.MODEL_KERAS}: did its training finish?")
        return registry.load_keras_file(saved)
    if (Path("runs") / name).is_dir():
        raise UsageError(f"There is no folder {name}. Did you mean 'runs/{name}'?")
    resolved = registry.resolve(name)
    if name.endswith(".keras"):
        return resolved
    height, width, depth = DRAWN_FOR.get(name, (64, 64, 3))
    shape = (*(size or (height, width)), channels or depth)
    return registry.build(resolved, shape, classes).model
