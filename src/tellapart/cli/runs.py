"""`tellapart runs`: the runs so far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tellapart.runs import RunFolder

EXAMPLES = """
tellapart runs
tellapart runs elsewhere/runs --json
"""


def runs(
    folder: Annotated[Path, typer.Argument(help="Where the run folders are.")] = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the runs in a folder, the oldest first.

    A run that has not ended is running, or killed if its process is gone.
    """
    from tellapart.cli.output import local_time, print_json, print_note, print_table
    from tellapart.errors import RunError
    from tellapart.runs import find_runs

    if not folder.is_dir():
        raise RunError(f"There is no folder {folder}. `tellapart train` makes one.")
    rows = []
    for run in find_runs(folder):
        try:
            rows.append(_row(run))
        except RunError as error:  # one damaged run does not hide the others
            print_note(f"Left out: {error}")
    if json:
        print_json(rows)
        return
    if not rows:
        print_note(f"No runs in {folder}. `tellapart train` makes one.")
        return
    print_table(
        ("run", "status", "network", "epochs", "test accuracy", "started"),
        [
            (
                row["run"],
                row["status"],
                row["model"],
                _epochs(row["epochs_done"], row["epochs"]),
                _accuracy(row["accuracy"]),
                local_time(row["started"]),
            )
            for row in rows
        ],
        right=("epochs",),
    )


def _row(run: RunFolder) -> dict[str, Any]:
    info = run.read_info()
    recipe, status = info.get("recipe", {}), info.get("status")
    if status == "running" and run.is_running() is False:
        status = "killed"  # nothing was left that could have said so
    return {
        "run": str(run.path),
        "status": status,
        "model": recipe.get("model"),
        "epochs": recipe.get("epochs"),
        "epochs_done": info.get("training", {}).get("epochs_done"),
        "accuracy": info.get("accuracy"),
        "started": info.get("started"),
    }


def _epochs(done: int | None, planned: int | None) -> str:
    return str(planned or "") if done in (None, planned) else f"{done} of {planned}"


def _accuracy(accuracy: dict[str, Any] | None) -> str:
    if not accuracy or accuracy.get("value") is None:
        return ""
    return f"{accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})"
