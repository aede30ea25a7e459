"""Asking before something is done, and refusing where there is nobody to ask."""

from __future__ import annotations

import sys

import typer

from tellapart.cli.output import print_note
from tellapart.errors import UsageError


def refuse_without_terminal(*, yes: bool, or_else: str) -> None:
    """Raises UsageError where a question is due and stdin is no terminal.

    Args:
        yes: whether --yes was given, which answers it.
        or_else: what else can be done.
    """
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            f"There is no terminal to ask you at. Add --yes to go ahead without a question; "
            f"{or_else}"
        )


def ask(question: str) -> None:
    """Asks for a yes on the terminal; any other answer ends the command with exit code 1."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        print_note("Nothing was done.")
        raise typer.Exit(1)
