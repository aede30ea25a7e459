"""`tellapart report`: the page that says what a run has found, drawn again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """
tellapart report runs/photos-1
tellapart report runs/photos-1 --data moved/photos/
tellapart report runs/photos-1 --out for-the-team.html
"""


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", readable=False)],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Where the pictures are now. [where they were]",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Where to write the page. [report.html in the run folder]",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what --out names if it is no report.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Draw the page of a run again.

    Figures, curves and traces come from the files of the run folder, pictures from its data. Where
    the data is gone or has changed, the page is drawn without pictures and says so.
    """
    from tellapart.cli.output import Progress, print_json, print_note, write_result
    from tellapart.report.find_pictures import find_pictures
    from tellapart.report.page import write_report
    from tellapart.report.pictures import NoPictures
    from tellapart.runs import RunFolder
    from tellapart.text import printable

    folder = RunFolder.open(run)
    _check_out(out, force=force)
    with Progress("Comparing the data") as progress:
        pictures = find_pictures(folder, data, on_progress=progress.reach)
    why_not = pictures.reason if isinstance(pictures, NoPictures) else ""
    path = write_report(folder, pictures, out=out)
    if json:
        print_json({"run": str(run), "report": str(path), "without_pictures": why_not or None})
        return
    if why_not:
        print_note(f"The page has no pictures. {why_not}")
    write_result(f"{printable(str(path))}\n")


def _check_out(out: Path | None, *, force: bool) -> None:
    """Refuses to write over anything but an earlier report."""
    from tellapart.errors import UsageError
    from tellapart.report.page import is_report

    if out is None or not os.path.lexists(out):
        return
    if out.is_dir():
        raise UsageError(f"{out} is a folder. Name a file to write to.")
    if not force and not is_report(out):
        raise UsageError(
            f"{out} exists and is no tellapart report. Add --force to replace it, or name another "
            "file."
        )
