"""How paths and commands are shown: as short as they can be, and ready to be copied."""

from __future__ import annotations

import os
import shlex
from pathlib import Path


def shown(path: Path) -> str:
    """Returns a path as it is named from the working folder, if it lies there."""
    try:
        return str(path.relative_to(os.path.realpath(".")))
    except (ValueError, OSError):
        return str(path)


def undo_command(into: Path) -> str:
    """Returns the command that takes a sort back, in backticks."""
    return f"`tellapart undo {shlex.quote(shown(into))}`"


def resume_command(into: Path) -> str:
    """Returns the command that goes on with a sort, in backticks."""
    return f"`tellapart sort --resume {shlex.quote(shown(into))}`"
