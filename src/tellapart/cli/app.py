"""The command `tellapart` and the list of its subcommands.

A subcommand is a module of this package with a function of the module's own name, whose docstring
and `typer` annotations make the help, and `EXAMPLES`, a command a line, shown below it.
"""

from __future__ import annotations

from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from tellapart.cli import (
    cache,
    check,
    compare,
    datasets,
    evaluate,
    explain,
    predict,
    quantize,
    report,
    runs,
    sort,
    summary,
    trace,
    train,
    undo,
)
from tellapart.version import __version__

COMMANDS: tuple[ModuleType, ...] = (
    train,
    check,
    evaluate,
    compare,
    predict,
    sort,
    undo,
    summary,
    trace,
    explain,
    report,
    quantize,
    runs,
    datasets,
    cache,
)

EXAMPLES = """
tellapart train photos/                       # a folder per class, or a zip of them
tellapart predict runs/photos-1 new.jpg
tellapart predict runs/photos-1 unsorted/ --format csv > predictions.csv
tellapart evaluate runs/photos-1 more-photos/
tellapart sort runs/photos-1 unsorted/ --into sorted/
"""


class _Command(TyperCommand):
    """A subcommand whose errors begin with what is wrong."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().make_context(*args, **kwargs)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # the words of Pydantic
            raise


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tellapart {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """From pixels to predictions: train, understand and use picture classifiers."""


def _epilog(examples: str) -> str:
    lines = "\n".join(f"  {line}" for line in examples.strip().splitlines())
    return f"\b\nExamples:\n{lines}"  # \b: keep the line breaks of this paragraph


def _make_app() -> typer.Typer:
    # Plain help: Rich would triple the time that `tellapart --help` takes.
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(epilog=_epilog(EXAMPLES))(_root)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        app.command(name, cls=_Command, epilog=_epilog(module.EXAMPLES))(getattr(module, name))
    return app


app = _make_app()
