"""`tellapart check`: what is wrong with a data set, before anything is learnt from it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tellapart.cli.complete import complete_data
from tellapart.cli.output import Progress, print_json, print_note, print_table, write_result
from tellapart.errors import UsageError

if TYPE_CHECKING:
    from tellapart.approaches.label_check import LabelCheck
    from tellapart.data.audit import Audit, Finding

EXAMPLES = """
tellapart check photos/
tellapart check photos.zip --sheet copies.png    # see the copies side by side
tellapart check cifar10 --json > audit.json      # everything, nothing cut short
tellapart check photos/ --suspicious             # labels that are probably wrong: takes longer
tellapart check photos/ --labels-out suspicious.csv --labels-sheet suspicious.png
tellapart check photos/ --labels suspicious.csv  # as it is with your corrections
"""

MOST_SUSPICIOUS = 40
"""So many are printed; --labels-out and --json have them all."""


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
    suspicious: Annotated[
        bool,
        typer.Option(
            "--suspicious",
            help="Look for labels that are probably wrong, too: some 10 s for 1,000 photos, "
            "the first time.",
        ),
    ] = False,
    labels_out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the suspicious labels as CSV, to correct and pass back."
        ),
    ] = None,
    labels_sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the pictures with suspicious labels, as PNG."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Corrected labels: a CSV as --labels-out writes it."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the files that are written, if they exist.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, with all lists in full.")
    ] = False,
) -> None:
    """Check labelled pictures before training.

    Counts per class and part; pictures that cannot be read; copies (identical files, re-encoded,
    resized, cropped, brightened, mirrored) within and across classes and parts; one picture under
    two labels; imbalance; odd sizes; blank and very dark pictures; on request, labels that are
    probably wrong. No picture is changed. What is found is no error: the exit code is 0.
    """
    for file, ending, what in (
        (sheet, ".png", "the sheet is a PNG"),
        (labels_sheet, ".png", "the sheet is a PNG"),
        (labels_out, ".csv", "the labels are CSV"),
    ):
        _check_free(file, ending, what, force=force)

    from tellapart.data import load
    from tellapart.data.audit import SIGNATURES, audit
    from tellapart.data.columns import open_column

    dataset = load(data)
    if labels is not None:
        from tellapart.data.relabel import relabel

        dataset = relabel(dataset, labels)
    with Progress("Looking at the pictures") as progress:
        signatures = open_column(dataset, SIGNATURES, on_progress=progress.reach)
    found = audit(dataset, signatures)
    look = suspicious or labels_out is not None or labels_sheet is not None
    checked = _check_labels(found) if look else None
    if as_json:
        of_labels = {} if checked is None else {"suspicious_labels": checked.to_json()}
        print_json(found.to_json() | of_labels)
    else:
        for note in dataset.notes:
            print_note(note)
        _print(found)
        if checked is not None:
            _print_suspicious(checked)
    if sheet is not None:
        from tellapart.data.audit.sheet import draw_pairs

        shown = draw_pairs(found, sheet)
        print_note(f"{sheet} shows {shown:,} of {len(found.copies.first):,} pairs of copies.")
    if checked is not None:
        _write_suspicious(checked, data, labels_out, labels_sheet)


def _check_free(file: Path | None, ending: str, what: str, *, force: bool) -> None:
    """Refuses what cannot be written, before minutes of looking."""
    if file is None:
        return
    if os.path.lexists(file) and not force:
        if file.is_dir():
            raise UsageError(f"{file} is a folder. Name a file to write to.")
        raise UsageError(f"{file} exists. Add --force to replace it, or name another file.")
    if file.suffix.lower() != ending:
        raise UsageError(f"{file}: {what}. Name a file that ends in {ending}.")


def _check_labels(found: Audit) -> LabelCheck:
    from tellapart.approaches.label_check import check_labels

    with Progress("Looking at what they show") as progress:
        return check_labels(
            found.dataset,
            exclude=found.failures,
            groups=found.groups,
            on_progress=progress.reach,
        )


def _print_suspicious(checked: LabelCheck) -> None:
    rows = checked.rows()
    print_note(checked.note)
    if not rows:
        if len(checked.judged):
            write_result("No label is suspicious.\n")
        return
    write_result(f"\nSuspicious labels: {len(rows):,}. The lower the score, the more so.\n")
    print_table(
        ["path", "label", "suggested", "score"],
        [(*names, f"{score:.3f}") for *names, score in rows[:MOST_SUSPICIOUS]],
        right=["score"],
    )
    if len(rows) > MOST_SUSPICIOUS:
        write_result(f"... and {len(rows) - MOST_SUSPICIOUS:,} more: --labels-out lists all.\n")


def _write_suspicious(
    checked: LabelCheck, data: str, labels_out: Path | None, labels_sheet: Path | None
) -> None:
    if labels_out is not None:
        from tellapart.data.relabel import write_labels
        from tellapart.data.wording import count

        write_labels(labels_out, checked.rows())
        print_note(
            f"{labels_out} lists {count(len(checked.suspicions), 'label')}. Correct its column "
            "`label`, delete the lines that are right, and use it: tellapart train "
            f"{shlex.quote(data)} --labels {shlex.quote(str(labels_out))}"
        )
    if labels_sheet is not None:
        from tellapart.evaluation.plots.suspicious import plot_suspicious

        shown = plot_suspicious(checked.dataset, checked.suspicions, labels_sheet)
        print_note(f"{labels_sheet} shows {shown:,} of {len(checked.suspicions):,} pictures.")


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
    from tellapart.data.audit.findings import shorten
    from tellapart.text import printable

    mark = "!" if finding.level == "warning" else "-"
    lines = [f"{mark} {finding.text} {finding.remedy}"]
    lines += [f"    {item}" for item in shorten(finding.items)]
    write_result("".join(f"{printable(line)}\n" for line in lines))
