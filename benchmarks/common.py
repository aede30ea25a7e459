"""What all benchmarks share: where the data and the results are, and how results are kept."""

from __future__ import annotations

import csv
import json
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tellapart.runs import describe_machine, describe_versions

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("TELLAPART_DATA", HERE.parent.parent / "shared" / "data"))
OPPONENTS = HERE / "opponents"
RESULTS = HERE / "results"

Row = dict[str, str | int | float]
Table = list[dict[str, str]]


def write_results(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    columns: Iterable[str] | None = None,
    **versions: str,
) -> None:
    """Keeps the rows as CSV, and prints the machine and the versions that they were made with.

    Args:
        path: of the file; its folder is made.
        rows: at least one.
        columns: of the table; by default those of the first row.
        versions: of what tellapart does not know.
    """
    write_csv(path, rows, columns)
    print_machine(**versions)


def write_csv(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(columns or rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def read_csv(path: Path) -> Table:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def print_machine(**versions: str) -> None:
    found = {"machine": describe_machine(), "versions": describe_versions() | versions}
    print(json.dumps(found, indent=2))


def spread(values: Sequence[float], digits: int = 3) -> str:
    """What several runs gave, in words: median, lowest, highest, and how many there were."""
    return (
        f"median {statistics.median(values):10.{digits}f}  "
        f"{min(values):.{digits}f} to {max(values):.{digits}f}  ({len(values)} runs)"
    )
