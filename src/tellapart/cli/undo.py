"""`tellapart undo`: takes back the last sort into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tellapart.cli.confirm import ask, refuse_without_terminal
from tellapart.cli.output import local_time, print_json, print_note
from tellapart.cli.stages import DONE, say_problems, speaker, stages

if TYPE_CHECKING:  # the collection needs NumPy, which `--help` can do without
    from tellapart.collection.outcome import Undone, UndoPlan

EXAMPLES = """
tellapart undo sorted/ --dry-run
tellapart undo sorted/
tellapart undo sorted/ --yes --json
"""


def undo(
    into: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that was sorted into.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Take back the last sort into a folder.

    What was moved returns to its place with its name, times and permissions. Copies and links are
    removed, unless they have changed or their originals are gone; those stay and are named. Of
    several sorts into one folder the last is taken back; run it again for the one before.

    Exit code 1: some files stayed, or you said no.
    """
    from tellapart.collection.sort import plan_undo, undo_sort

    if not dry_run:
        refuse_without_terminal(yes=yes, or_else="--dry-run shows what would be done.")

    def confirm(plan: UndoPlan) -> None:
        if not yes:
            _show_plan(plan, as_json=as_json)
            ask("Take it back?")

    with stages() as progress:
        if dry_run:
            _show_dry_run(plan_undo(into), as_json=as_json)
            return
        undone = undo_sort(into, confirm=confirm, on_progress=progress)
    _show_undone(undone, as_json=as_json)
    if undone.kept or undone.failed:
        raise typer.Exit(1)


def _show_plan(plan: UndoPlan, *, as_json: bool) -> None:
    from tellapart.collection.words import shown
    from tellapart.data.wording import count

    say = speaker(as_json=as_json)
    say(
        f"{count(plan.files, 'file')} of {shown(plan.folder)} {DONE[plan.how]} into "
        f"{shown(plan.into)}, {local_time(plan.started)}: {_what(plan.files, plan.how)}."
    )
    if plan.unfinished:
        say(
            f"{count(plan.unfinished, 'file was', 'files were')} on the way when that sort was "
            "ended; what was done of them is taken back too."
        )
    say_problems(say, "These stay where they are:", plan.kept)
    _say_earlier(plan.earlier, as_json=as_json)


def _what(files: int, how: str) -> str:
    if how == "move":
        return "it returns" if files == 1 else "they return"
    things = "copy" if how == "copy" else "link"
    plural = "copies" if how == "copy" else "links"
    return f"the {things} is removed" if files == 1 else f"the {plural} are removed"


def _show_dry_run(plan: UndoPlan, *, as_json: bool) -> None:
    if as_json:
        print_json(plan.to_json())
    else:
        _show_plan(plan, as_json=False)
        print_note("Nothing was done.")
    if plan.kept:
        raise typer.Exit(1)


def _show_undone(undone: Undone, *, as_json: bool) -> None:
    from tellapart.collection.words import shown, undo_command
    from tellapart.data.wording import count

    if as_json:
        print_json(undone.to_json())
    say = speaker(as_json=as_json)
    say_problems(say, "Their places are taken, and they came back beside:", undone.renamed)
    say_problems(say, "These stay where they are:", undone.kept)
    say_problems(say, "These could not be taken back:", undone.failed)
    if undone.failed:
        say(f"Mend that; {undo_command(undone.into)} then goes on.")
    done = "returned" if undone.how == "move" else "removed"
    what = count(undone.files, "file is", "files are")
    say(
        f"{what} {done} {'to' if undone.how == 'move' else 'from'} "
        f"{shown(undone.folder if undone.how == 'move' else undone.into)}."
    )
    _say_earlier(undone.earlier, as_json=as_json)


def _say_earlier(number: int, *, as_json: bool) -> None:
    from tellapart.data.wording import count

    if number:
        speaker(as_json=as_json)(
            f"{count(number, 'earlier sort', 'earlier sorts')} into this folder can be taken back "
            "after this one."
        )
