"""What calibration, "unsure", diagnosis, traces and the report add to the time of a run.

    python benchmarks/trust_cost.py flowers17.zip --pairs 4
    python benchmarks/trust_cost.py digits --pairs 4

The same training in turns, as it is and without all that follows the accuracy: temperature and
threshold are fitted to 60 pictures alone, nothing is made of unknown pictures, nothing diagnosed,
followed or reported. Each run is a process of its own, timed from its start to its end; before
them, a run that is not timed fills the cache.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import processes
from common import DATA, RESULTS, write_csv

FITTED_ON = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a name of the catalog, or a file of the data folder")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--one", choices=("with", "without"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    data = DATA / arguments.data
    if arguments.one:
        train(str(data) if data.exists() else arguments.data, arguments.out, arguments.one)
        return
    rows = compare(arguments.data, arguments.pairs)
    name = arguments.data.partition(".")[0]
    write_csv(arguments.results / f"trust_cost_{name}.csv", rows)
    shares = [row["with"] / row["without"] - 1 for row in rows]
    shown = ", ".join(f"{share:.0%}" for share in shares)
    print(f"added: mean {statistics.mean(shares):.1%} ({shown})")


def compare(data: str, pairs: int) -> list[dict[str, float]]:
    rows = []
    with tempfile.TemporaryDirectory() as name:

        def seconds(which: str, run: str) -> float:
            command = [sys.executable, __file__, data, "--one", which, "--out", f"{name}/{run}"]
            return processes.run(command, {"TELLAPART_CACHE": f"{name}/cache"}).seconds

        seconds("with", "first")
        for pair in range(pairs):
            rows.append({which: seconds(which, f"{which}{pair}") for which in ("with", "without")})
            print(rows[-1], flush=True)
    return rows


def train(data: str, out: Path, which: str) -> None:
    import tellapart
    from tellapart import run_plots, session
    from tellapart.evaluation.trust import establish_trust

    if which == "without":

        def little(probabilities: Any, labels: Any, *others: Any, **options: Any) -> Any:
            fitted = probabilities[:FITTED_ON], labels[:FITTED_ON]
            return establish_trust(*fitted, *others, **(options | {"features": None}))

        nothing: Any = lambda *ignored: None  # noqa: E731
        for step in ("_report", "_diagnose", "_follow"):
            setattr(session.Session, step, nothing)
        setattr(run_plots.RunPlots, "draw_trust", nothing)  # noqa: B010
        setattr(session, "establish_trust", little)  # noqa: B010 (imported there)
    tellapart.train(data, out=out, observers=[])


if __name__ == "__main__":
    main()
