"""`tellapart sort`: a folder of pictures into a folder for each class, with an undo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tellapart.cli.confirm import ask, refuse_without_terminal
from tellapart.cli.output import print_json, print_note, print_table
from tellapart.cli.stages import DONE, say_problems, speaker, stages
from tellapart.errors import UsageError

if TYPE_CHECKING:  # the collection needs NumPy, which `--help` can do without
    from tellapart.collection.journal import How
    from tellapart.collection.outcome import Sorted
    from tellapart.collection.plan import Plan

EXAMPLES = """
tellapart sort runs/photos-1 unsorted/ --into sorted/ --dry-run
tellapart sort runs/photos-1 unsorted/ --into sorted/
tellapart sort runs/photos-1 unsorted/ --into sorted/ --move --keep-folders
tellapart sort --resume sorted/               # after Ctrl-C, a power cut, a full disk
tellapart undo sorted/
"""


def sort(
    classifier: Annotated[
        Path | None,
        typer.Argument(metavar="CLASSIFIER", help="A classifier.onnx, or a run folder."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="The collection; with the folders in it, links apart."
        ),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Sort into this folder: DIR/<class>/, and DIR/unsure/."),
    ] = None,
    move: Annotated[
        bool, typer.Option("--move", help="Move the files instead of copying.")
    ] = False,
    link: Annotated[
        bool, typer.Option("--link", help="Make hard links, which take no room, instead of copies.")
    ] = False,
    symlink: Annotated[
        bool, typer.Option("--symlink", help="Make symbolic links instead of copies.")
    ] = False,
    keep_folders: Annotated[
        bool, typer.Option("--keep-folders", help="Keep FOLDER's own folders below the classes.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan, and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="DIR", help="Go on with the sort into DIR that has not ended."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Sort pictures into a folder for each class.

    The plan is shown first, and nothing is done until you agree. Files keep their names, times and
    permissions; what belongs to a picture (.xmp, RAW, .mov and more) goes with it. Nothing is ever
    replaced: a name that is taken gets a suffix, as in "name (2).jpg". `tellapart undo DIR` takes
    all of it back.

    Exit code 1: some pictures could not be read or sorted, and stayed where they are; or you said
    no.
    """
    from tellapart.collection.sort import plan_sort, resume_sort
    from tellapart.collection.sort import sort as sort_collection

    how = _choose_how(move=move, link=link, symlink=symlink)
    if resume is not None:
        if classifier or folder or into or how != "copy" or keep_folders or dry_run:
            raise UsageError(
                "--resume goes on as the sort was begun: give it the folder alone, as in "
                f"`tellapart sort --resume {resume}`."
            )
    elif classifier is None or folder is None or into is None:
        raise UsageError(
            "Name a classifier, a folder and where to: `tellapart sort CLASSIFIER FOLDER --into "
            "DIR`."
        )
    if not dry_run:
        refuse_without_terminal(yes=yes, or_else="--dry-run shows the plan.")

    def confirm(plan: Plan) -> None:
        progress.hide()
        if not (as_json and yes):
            _show_plan(plan, as_json=as_json)
        if plan.pictures and not yes:
            ask(_question(plan))

    with stages() as progress:
        if resume is not None:
            done = resume_sort(resume, confirm=confirm, on_progress=progress)
        else:
            assert classifier is not None  # noqa: S101 (all three are there, see above)
            assert folder is not None  # noqa: S101
            assert into is not None  # noqa: S101
            if dry_run:
                plan = plan_sort(
                    classifier, folder, into=into, how=how, keep_folders=keep_folders,
                    on_progress=progress,
                )  # fmt: skip
                progress.hide()
                _show_dry_run(plan, as_json=as_json)
                return
            done = sort_collection(
                classifier, folder, into=into, how=how, keep_folders=keep_folders,
                confirm=confirm, on_progress=progress,
            )  # fmt: skip
    _show_done(done, as_json=as_json)
    if done.skipped or done.plan.unreadable:
        raise typer.Exit(1)


def _choose_how(*, move: bool, link: bool, symlink: bool) -> How:
    if move + link + symlink > 1:
        given = [
            option
            for option, asked in (("--move", move), ("--link", link), ("--symlink", symlink))
            if asked
        ]
        raise UsageError(f"{' and '.join(given)} contradict each other; give one.")
    return "move" if move else "link" if link else "symlink" if symlink else "copy"


# --- What is shown ------------------------------------------------------------------------------


def _show_plan(plan: Plan, *, as_json: bool) -> None:
    """Shows what is going to be done: a row a folder, then what is special."""
    from tellapart.collection.words import shown
    from tellapart.data.wording import count

    say = speaker(as_json=as_json)
    groups = [group for group in plan.groups if group.pictures]
    if groups:
        say(
            f"{count(plan.pictures, 'picture')} of {shown(plan.folder)}, to be {DONE[plan.how]} "
            f"into {shown(plan.into)}"
        )
        print_table(
            ("Folder", "Pictures", "For example"),
            [
                (
                    group.folder + _is_class(group.label, group.folder),
                    f"{group.pictures:,}",
                    ", ".join(group.examples) + ", ..." * (group.pictures > len(group.examples)),
                )
                for group in groups
            ],
            right=("Pictures",),
            file=sys.stderr if as_json else None,
        )
    else:
        say(f"There is nothing to sort in {shown(plan.folder)}.")
    for sentence in _remarks(plan):
        say(sentence)
    say_problems(say, "These cannot be read, and stay where they are:", plan.unreadable)


def _is_class(label: str | None, folder: str) -> str:
    return "" if label is None or label == folder else f" (the class '{label}')"


def _remarks(plan: Plan) -> list[str]:
    from tellapart.data.wording import count, size

    moved = plan.how == "move"
    remarks = [
        (plan.companions, f"{count(plan.companions, 'file goes', 'files go')} with "
         f"{'its picture' if plan.companions == 1 else 'their pictures'} (.xmp, RAW, .mov, ...)."),
        (plan.renamed, f"{count(plan.renamed, 'name is', 'names are')} taken: a suffix is added, "
         "as in 'name (2).jpg'."),
        (plan.there, f"{count(plan.there, 'picture is', 'pictures are')} there already, byte for "
         "byte, and not stored again."),
        (plan.in_place, f"{count(plan.in_place, 'picture is', 'pictures are')} in the right folder "
         "already."),
        (plan.twice, f"{count(plan.twice, 'picture is', 'pictures are')} the same as another, byte "
         f"for byte, and {'moved as well' if moved else 'not stored again'}."),
        (plan.others, f"{count(plan.others, 'other file stays', 'other files stay')} where "
         f"{'it is' if plan.others == 1 else 'they are'}."),
        (plan.links, f"{count(plan.links, 'symbolic link is', 'symbolic links are')} not "
         "followed."),
        (plan.destinations, f"{count(plan.destinations, 'folder is', 'folders are')} left out: "
         "something was sorted into it."),
    ]  # fmt: skip
    said = [sentence for number, sentence in remarks if number]
    if plan.bytes >= 10**6:
        said.append(f"{size(plan.bytes)} are written; {size(plan.free_bytes)} are free.")
    if plan.bytes > plan.free_bytes:
        said.append("That is more than there is room for: it will stop when the disk is full.")
    return said


def _question(plan: Plan) -> str:
    from tellapart.data.wording import count

    verb = {"copy": "Copy", "move": "Move"}.get(plan.how, "Link")
    return f"{verb} {count(plan.pictures, 'picture')}?"


def _show_dry_run(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        print_json(plan.to_json())
    else:
        _show_plan(plan, as_json=False)
        print_note("Nothing was done.")
    if plan.unreadable:
        raise typer.Exit(1)


def _show_done(done: Sorted, *, as_json: bool) -> None:
    from tellapart.collection.words import shown, undo_command
    from tellapart.data.wording import count

    plan = done.plan
    if as_json:
        print_json(done.to_json())
    say = speaker(as_json=as_json)
    say_problems(say, "These were not sorted, and stay where they are:", done.skipped)
    if not done.pictures and not done.companions:
        say("Nothing was sorted.")
        return
    also = f", and {count(done.companions, 'file')} with them" if done.companions else ""
    say(
        f"{count(done.pictures, 'picture is', 'pictures are')} {DONE[plan.how]} into "
        f"{shown(plan.into)}{also}. {undo_command(plan.into)} takes it back."
    )
