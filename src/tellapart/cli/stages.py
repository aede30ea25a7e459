"""The progress and the words that `sort` and `undo` share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tellapart.cli.output import Progress, print_note, write_result
from tellapart.text import printable

if TYPE_CHECKING:  # the collection needs NumPy, which `--help` can do without
    from tellapart.collection.plan import Problem

DONE = {"copy": "copied", "move": "moved", "link": "linked", "symlink": "linked"}
"""What has been done to files, by `how`."""

SHOWN = 20
"""Of a list of problems, so many are spelt out; --json has all."""


class Stages:
    """A progress bar for each thing that goes on, one after the other."""

    def __init__(self) -> None:
        self._what = ""
        self._bar: Progress | None = None

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Says that `done` steps are done of `total`."""
        if what != self._what or self._bar is None:
            self.hide()
            self._what, self._bar = what, Progress(what)
        self._bar.reach(done, total)

    def hide(self) -> None:
        """Clears the bar; the next step brings one back."""
        if self._bar is not None:
            self._bar.hide()


@contextlib.contextmanager
def stages() -> Iterator[Stages]:
    """Shows progress until the block ends; Ctrl-C ends it with the words that came with it."""
    shown = Stages()
    try:
        yield shown
    except KeyboardInterrupt as interrupt:
        shown.hide()
        if interrupt.args:
            print_note(str(interrupt))
        raise typer.Exit(130) from None
    finally:
        shown.hide()


def speaker(*, as_json: bool) -> Callable[[str], None]:
    """Returns what prints a line for people: on stdout, or beside a JSON document on stderr."""
    return print_note if as_json else lambda line: write_result(printable(line) + "\n")


def say_problems(say: Callable[[str], None], heading: str, problems: Sequence[Problem]) -> None:
    """Names files with their reasons."""
    from tellapart.collection.words import shown

    if not problems:
        return
    say(heading)
    for problem in problems[:SHOWN]:
        say(f"  {shown(Path(problem.path))}: {problem.reason}")
    if len(problems) > SHOWN:
        say(f"  and {len(problems) - SHOWN:,} more (--json names all)")
