"""Where a prediction trace is kept: `trace.json` and `trace.png` in a folder of their own."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tellapart.errors import UsageError
from tellapart.explanation.prediction.trace import PredictionTrace
from tellapart.files import write_error, write_json
from tellapart.runs import TRACES, RunFolder

JSON_NAME, PNG_NAME = "trace.json", "trace.png"


def check_trace_folder(folder: Path, *, force: bool = False) -> None:
    """Checks that a trace may be written to a folder.

    Raises:
        UsageError: it is a file, or holds a trace already and `force` is not given.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder. Name a folder with --out.")
    found = [name for name in (JSON_NAME, PNG_NAME) if os.path.lexists(folder / name)]
    if found and not force:
        raise UsageError(
            f"{folder} holds {' and '.join(found)} already. Add --force to replace them, or name "
            "another folder."
        )


def next_trace_folder(run: Path, picture: Path) -> Path:
    """Makes the next free folder `traces/<picture>-<n>` in a run folder.

    Raises:
        TellapartError: it cannot be made.
    """
    return RunFolder.create(picture.stem, parent=run / TRACES).path


def write_trace(trace: PredictionTrace, folder: Path, *, claimed: bool = False) -> None:
    """Writes both files, or leaves nothing new; the folder is made if need be.

    Args:
        trace: of one picture.
        folder: where to write.
        claimed: whether the folder was made for this trace, by `next_trace_folder`.

    Raises:
        TellapartError: they cannot be written.
    """
    from tellapart.explanation.prediction.plot import plot_prediction

    page, numbers = folder / PNG_NAME, folder / JSON_NAME
    before = {path for path in (folder, page, numbers) if os.path.lexists(path)}
    if claimed:
        before = set()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        plot_prediction(trace, page)
        write_json(numbers, trace.to_json())
    except BaseException as error:
        with contextlib.suppress(OSError):
            for path in {page, numbers} - before:
                path.unlink(missing_ok=True)
            if folder not in before:
                folder.rmdir()
        if isinstance(error, OSError):
            raise write_error(folder, error) from error
        raise
