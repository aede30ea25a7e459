"""Whether `--budget` is kept, and what a classifier is worth that had so much time.

    python benchmarks/budgets.py --budgets 15s 30s 60s --seeds 0 1 2

Whole commands, `tellapart train DATA --budget B`, on each data set with each budget and seed in
turn. Counted is what the budget counts, from the end of the audit to the end of the run; the cache
keeps nothing but the audit of the data set, as after `tellapart check`. A run that has nothing left
to gain ends early.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import processes
from common import DATA, RESULTS, write_results
from tellapart.training.budget import parse_budget

ARCHIVES = ("flowers17.zip", "ants-bees.zip", "mnist.tar.gz", "cifar10.tar.gz")
COLUMNS = ("data", "budget", "seed", "used", "whole_command", "test_accuracy", "share")


def audited_cache(data: Path, cache: Path) -> None:
    """Fills a cache with the audit alone."""
    command = [sys.executable, "-m", "tellapart", "check", str(data), "--json"]
    processes.run(command, {"TELLAPART_CACHE": str(cache)})


def measure(data: Path, budget: str, seed: int, audited: Path, folder: Path) -> dict[str, object]:
    cache, out = folder / "cache", folder / "run"
    shutil.copytree(audited, cache)
    command = [
        sys.executable, "-m", "tellapart", "train", str(data), "--budget", budget,
        "--seed", str(seed), "--json", "--out", str(out),
    ]  # fmt: skip
    finished = processes.run(command, {"TELLAPART_CACHE": str(cache)})
    run = json.loads((out / "run.json").read_text())
    shutil.rmtree(cache)
    shutil.rmtree(out)
    return {
        "data": data.name,
        "budget": budget,
        "seed": seed,
        "used": run["seconds_after_audit"],
        "whole_command": round(finished.seconds, 1),
        "test_accuracy": run["accuracy"]["value"],
        "share": round(run["seconds_after_audit"] / parse_budget(budget), 3),
    }


def report(rows: list[dict[str, object]]) -> None:
    for data, budget in dict.fromkeys((row["data"], row["budget"]) for row in rows):
        chosen = [row for row in rows if (row["data"], row["budget"]) == (data, budget)]
        used = [float(str(row["used"])) for row in chosen]
        accuracies = [float(str(row["test_accuracy"])) for row in chosen]
        print(
            f"{data:16} {budget:>5}  used {min(used):.1f} to {max(used):.1f} s  "
            f"accuracy {statistics.mean(accuracies):.4f} "
            f"({min(accuracies):.4f} to {max(accuracies):.4f}, {len(chosen)} runs)"
        )
    print(f"most used: {max(float(str(row['share'])) for row in rows):.1%} of the budget")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=ARCHIVES)
    parser.add_argument("--budgets", nargs="+", default=["15s", "30s", "60s"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS / "budgets.csv")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for archive in arguments.data:
            audited = Path(name) / archive
            audited_cache(DATA / archive, audited)
            for seed in arguments.seeds:
                for budget in arguments.budgets:
                    row = measure(DATA / archive, budget, seed, audited, Path(name))
                    rows.append(row)
                    print(row, flush=True)
            shutil.rmtree(audited)
    report(rows)
    write_results(arguments.results, rows, COLUMNS)


if __name__ == "__main__":
    main()
