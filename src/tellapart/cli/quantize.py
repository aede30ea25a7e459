"""`tellapart quantize`: a classifier in 8-bit integers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """
tellapart quantize runs/photos-1
tellapart predict runs/photos-1/classifier-int8.onnx new.jpg
tellapart quantize runs/photos-1 --data moved/photos/ --out small.onnx
"""


def quantize(
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
            help="Where to write it. [classifier-int8.onnx in the run folder]",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a run's classifier smaller and faster, in 8-bit integers.

    It is accepted if it loses no more than half a point of accuracy on pictures that it is not
    tested on; classifier.onnx stays as it is.
    """
    from tellapart.cli.output import Progress, print_json, write_result
    from tellapart.errors import DataError, UsageError
    from tellapart.quantize import describe, quantize_run
    from tellapart.report.find_pictures import find_pictures
    from tellapart.report.pictures import NoPictures
    from tellapart.runs import CLASSIFIER_INT8, RunFolder

    folder = RunFolder.open(run)
    path = folder.file(CLASSIFIER_INT8) if out is None else out
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} exists. Add --force to replace it, or name another file.")
    with Progress("Comparing the data") as progress:
        pictures = find_pictures(folder, data, on_progress=progress.reach)
    if isinstance(pictures, NoPictures):
        raise DataError(
            "Without pictures there is nothing to quantize by. "
            + pictures.reason.replace("tellapart report", "tellapart quantize")
        )
    found = quantize_run(folder, pictures, path)
    if json:
        print_json(found.to_json())
    else:
        write_result(describe(found))
