"""How a run grows with the pictures: each of its stages, at once, twice and four times as many.

    python benchmarks/growth.py cifar10 --runs 3
    python benchmarks/growth.py mnist --runs 3

A quarter, a half and all of an archive's pictures, evenly spread over it, each written before as a
`.tar.gz` of its own. Whole commands with an empty cache: `tellapart train` of that archive with
"audit" and the other stages that its run.json names, the last epoch (the first one compiles, too)
and the memory; then `tellapart evaluate` of the run on all pictures of the archive, and `tellapart
predict` of those of its test part, as files in folders.

"alone" is what comes before training, in a process of its own with an empty cache, one after the
other: `load` lists the archive, `open_column` decodes each picture and makes its signature, `audit`
looks for copies, `split` makes the parts, `open_store` decodes the pictures to train on. In a run,
the last two are made in one go with the signatures, beside the start of TensorFlow.

The exponent says how a stage grows from one size to the next, as a power of the pictures: 1 where
it takes twice as long for twice as many, below where something is paid once. Each row is the median
of the runs.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import processes
from common import DATA, RESULTS, Row, read_csv, write_results
from tellapart.data import load
from tellapart.data.audit import SIGNATURES, audit
from tellapart.data.columns import open_column
from tellapart.data.split import split
from tellapart.data.store import open_store
from tellapart.training.recipe import choose_recipe

STEPS = (4, 2, 1)
"""The archives hold every fourth picture, every other one and all of them."""

Stages = dict[str, float]


def stages_alone(archive: Path) -> Stages:
    """What is done before training, measured one after the other, in seconds."""
    seconds: Stages = {}
    began = time.perf_counter()

    def note(stage: str) -> None:
        nonlocal began
        seconds[f"alone: {stage}"] = time.perf_counter() - began
        began = time.perf_counter()

    dataset = load(archive)
    note("list")
    column = open_column(dataset, SIGNATURES)
    note("decode and sign")
    found = audit(dataset, column)
    note("look for copies")
    split(dataset, exclude=found.failures, groups=found.groups)
    note("split")
    recipe, _ = choose_recipe(dataset)
    open_store(dataset, recipe.image_spec)
    note("decode into the store")
    return seconds


def whole_commands(archive: Path, pictures: Path, options: list[str], folder: Path) -> Stages:
    """Trains, evaluates and predicts by the command line; returns seconds, and memory in MB."""
    out, cache = folder / "run", {"TELLAPART_CACHE": str(folder / "cache")}
    trained = processes.run(command("train", archive, "--out", out, "--json", *options), cache)
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    evaluated = processes.run(command("evaluate", out, archive, "--json"), cache)
    listed = folder / "predictions.csv"
    predicted = processes.run(command("predict", out, pictures, "--output", listed), cache)
    return {
        **{f"train: {stage}": float(took) for stage, took in run["stages"].items()},
        "train: the last epoch": float(read_csv(out / "results.csv")[-1]["seconds"]),
        "train, the whole command": trained.seconds,
        "evaluate, the whole command": evaluated.seconds,
        "predict, the whole command": predicted.seconds,
        "train, memory in MB": trained.peak_bytes / 1e6,
    }


def command(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "tellapart", name, *map(str, arguments)]


def write_part(whole: Path, step: int, path: Path, folder: Path) -> int:
    """Writes every `step`-th picture, and those of the test part as files; returns how many."""
    seen = kept = 0
    with tarfile.open(whole, "r|gz") as archive, tarfile.open(path, "w:gz") as part:
        for member in archive:
            if not member.isfile():
                continue
            if seen % step == 0:
                file = archive.extractfile(member)
                assert file is not None
                part.addfile(member, file)
                kept += 1
            seen += 1
    with tarfile.open(path, "r:gz") as part:
        test = [member for member in part if "/test/" in member.name]
        part.extractall(folder, members=test, filter="data")
    return kept


def measure(data: str, runs: int, options: list[str]) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        archives = {}
        for step in STEPS:
            path, pictures = root / f"{data}-{step}.tar.gz", root / f"pictures-{step}"
            number = write_part(DATA / f"{data}.tar.gz", step, path, pictures)
            archives[number] = path, pictures
        for turn in range(runs):
            for number, (path, pictures) in archives.items():
                with tempfile.TemporaryDirectory(dir=root) as folder:
                    found = in_a_process(path, Path(folder) / "cache-alone")
                    found |= whole_commands(path, pictures, options, Path(folder))
                for stage, value in found.items():
                    yield {
                        "data": data, "pictures": number, "run": turn, "stage": stage,
                        "value": round(value, 4),
                    }  # fmt: skip


def in_a_process(archive: Path, cache: Path) -> Stages:
    finished = processes.run(
        [sys.executable, __file__, "alone", str(archive)], {"TELLAPART_CACHE": str(cache)}
    )
    found: Stages = json.loads(finished.output.splitlines()[-1])
    return found


def summarise(rows: list[Row]) -> list[Row]:
    """Medians, lowest and highest, and the exponent from one size to the next."""
    groups: dict[tuple[str, str], dict[int, list[float]]] = {}
    for row in rows:
        sizes = groups.setdefault((str(row["data"]), str(row["stage"])), {})
        sizes.setdefault(int(row["pictures"]), []).append(float(row["value"]))
    table: list[Row] = []
    for (data, stage), sizes in groups.items():
        before = None
        for size, values in sorted(sizes.items()):
            middle = statistics.median(values)
            table.append({
                "data": data, "stage": stage, "pictures": size, "runs": len(values),
                "median": round(middle, 4), "lowest": min(values), "highest": max(values),
                "exponent": exponent(before, (size, middle)),
            })  # fmt: skip
            before = size, middle
    return table


def exponent(before: tuple[int, float] | None, after: tuple[int, float]) -> str:
    """How a stage grows, as a power of the pictures; "" where it is too short to tell."""
    if before is None or min(before[1], after[1]) < 0.01:
        return ""
    return f"{math.log(after[1] / before[1]) / math.log(after[0] / before[0]):.2f}"


def report(table: list[Row]) -> None:
    print(
        f"{'stage':30}{'pictures':>10}{'median':>10}{'lowest':>10}{'highest':>10}{'exponent':>10}"
    )
    for row in table:
        print(
            f"{row['stage']:30}{row['pictures']:10,}{row['median']:10.2f}{row['lowest']:10.2f}"
            f"{row['highest']:10.2f}{row['exponent']:>10}"
        )


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "alone":
        print(json.dumps(stages_alone(Path(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", choices=("mnist", "cifar10"))
    parser.add_argument("--recipe", choices=("fast", "classic"), default="fast")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    options = ["--recipe", arguments.recipe, "--epochs", str(arguments.epochs)]
    rows: list[Row] = []
    for row in measure(arguments.data, arguments.runs, options):
        rows.append(row)
        print(row, flush=True)
    table = summarise(rows)
    report(table)
    write_results(arguments.results / f"growth_{arguments.data}.csv", table)


if __name__ == "__main__":
    main()
