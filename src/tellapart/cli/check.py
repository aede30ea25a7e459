"""`tellapart check`: what is wrong with a data set, before anything is learnt from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tellapart.cli.complete import complete_data
from tellapart.cli.output import Progress, print_json, print_note, print_table, write_result
from tellapart.errors import UsageError

if TYPE_CHECKING:
    from tellapart.data.audit import Audit, Finding

EXAMPLES = """
tellapart check photos/
tellapart check photos.zip --sheet copies.png    # see the copies side by side
tellapart check cifar10 --json > audit.json      # everything, nothing cut short
"""


def check(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder, zip or tar with a folder per class, a .npz, a CSV of path and label, "
            "or a name of `tellapart datasets`.",
            autocompletion=complete_data,
        ),
    ],
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the pairs of copies side by side, as PNG."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file of --sheet if it exists.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, with all lists in full.")
    ] = False,
) -> None:
    """Check labelled pictures before training.

    Counts per class and part; pictures that cannot be read; copies (identical files, re-encoded,
    resized, cropped, brightened, mirrored) within and across classes and parts; one picture under
    two labels; imbalance; odd sizes; blank and very dark pictures. No picture is changed. What is
    found is no error: the exit code is 0.
    """
    if sheet is not None and os.path.lexists(sheet) and not force:
        if sheet.is_dir():
            raise UsageError(f"{sheet} is a folder. Name a file to write to.")
        raise UsageError(f"{sheet} exists. Add --force to replace it, or name another file.")
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise UsageError(f"{sheet}: the sheet is a PNG. Name a file that ends in .png.")

    from tellapart.data import load
    from tellapart.data.audit import SIGNATURES, audit
    from tellapart.data.columns import open_column

    dataset = load(data)
    with Progress("Looking at the pictures") as progress:
        signatures = open_column(dataset, SIGNATURES, on_progress=progress.reach)
    found = audit(dataset, signatures)
    if as_json:
        print_json(found.to_json())
    else:
        for note in dataset.notes:
            print_note(note)
        _print(found)
    if sheet is not None:
        from tellapart.data.audit.sheet import draw_pairs

        shown = draw_pairs(found, sheet)
        print_note(f"{sheet} shows {shown:,} of {len(found.copies.first):,} pairs of copies.")


def _print(found: Audit) -> None:
    parts = list(next(iter(found.counts.values())))
    _print_counts(found, parts)
    if not found.findings:
        write_result("Nothing to complain about.\n")
    for finding in found.findings:
        _print_finding(finding)


def _print_counts(found: Audit, parts: list[str]) -> None:
    columns = ["pictures"] if parts in ([], ["unassigned"]) else [*parts, "pictures"]
    rows = []
    for name, by_part in found.counts.items():
        own = [by_part[part] for part in parts] if len(columns) > 1 else []
        rows.append([name, *own, sum(by_part.values())])
    if len(rows) > 1:
        totals = [sum(row[k] for row in rows) for k in range(1, len(columns) + 1)]  # type: ignore[misc]
        rows.append(["all", *totals])
    print_table(["class", *columns], rows, right=columns)


def _print_finding(finding: Finding) -> None:
    from tellapart.cli.output import printable
    from tellapart.data.audit.findings import shorten

    mark = "!" if finding.level == "warning" else "-"
    lines = [f"{mark} {finding.text} {finding.remedy}"]
    lines += [f"    {item}" for item in shorten(finding.items)]
    write_result("".join(f"{printable(line)}\n" for line in lines))
