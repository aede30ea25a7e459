"""`tellapart train` on photos, from a cold and from a warm cache, against the usual Keras way.

    python benchmarks/transfer.py flowers17 --runs 5 --opponent 1
    python benchmarks/transfer.py ants-bees --runs 5

Ours is the whole command, Python's and TensorFlow's start included: it reads the archive, audits,
splits, computes features, fits, evaluates, exports, proves the export, draws and reports. "cold"
starts with an empty cache, "warm" repeats it with the same seed. Seeds 0, 1, ... decide the split;
ants-bees comes with its own. The opponent (opponents/keras_transfer.py) gets the same pictures of
the same split as files in folders, and the same backbone with the same weights.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import processes
import tellapart
from common import DATA, OPPONENTS, RESULTS, Row, write_results

BACKBONE = "efficientnet-lite0"


def run_ours(data: Path, seed: int, cache: Path, out: Path, options: list[str]) -> Row:
    command = [
        sys.executable, "-m", "tellapart", "train", str(data), "--seed", str(seed), "--json",
        "--out", str(out), *options,
    ]  # fmt: skip
    finished = processes.run(command, {"TELLAPART_CACHE": str(cache)})
    result = json.loads(finished.output)
    return {
        "seconds": finished.seconds,
        "test_accuracy": result["accuracy"]["value"],
        "peak_mb": finished.peak_bytes / 1e6,
    }


def run_script(folder: Path, backbone: Path, seed: int, *options: str) -> processes.Finished:
    """Runs the opponent on pictures that `write_folders` has written."""
    script = OPPONENTS / "keras_transfer.py"
    arguments = [str(folder), str(backbone), str(seed), *options]
    return processes.run([sys.executable, str(script), *arguments])


def row_of(finished: processes.Finished) -> Row:
    """What the opponent printed, and what it took."""
    found = re.search(
        r"test accuracy ([\d.]+)  fit [\d.]+ s, evaluated beside it ([\d.]+) s", finished.output
    )
    assert found, finished.output
    return {
        "seconds": finished.seconds - float(found[2]),
        "test_accuracy": float(found[1]),
        "peak_mb": finished.peak_bytes / 1e6,
    }


def write_folders(data: Path, run: Path, folder: Path) -> None:
    """Unpacks the pictures of a run's parts for the opponent; not counted."""
    dataset = tellapart.load(data)
    place = {path: index for index, path in enumerate(dataset.paths)}
    with (run / "split.csv").open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream)):
            part = "test" if row["part"] == "test" else "train"
            target = folder / part / row["label"] / f"{number}-{Path(row['path']).name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            content = dataset.source.read(place[row["path"]])
            assert isinstance(content, bytes)
            target.write_bytes(content)


def write_backbone(path: Path) -> None:
    """Writes the opponent's backbone, in a process of its own; not counted."""
    code = (
        "import sys; from tellapart.models.backbones import get_backbone; "
        f"get_backbone({BACKBONE!r}).keras((224, 224)).save(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def report(rows: list[Row], who: str) -> None:
    chosen = [row for row in rows if row["who"] == who]
    if not chosen:
        return
    for name in ("seconds", "test_accuracy", "peak_mb"):
        values = [float(row[name]) for row in chosen]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(
            f"{who:12} {name:14} mean {statistics.mean(values):9.4f}  sd {spread:.4f}  "
            f"{min(values):.4f} to {max(values):.4f}  ({len(values)} runs)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("flowers17", "ants-bees"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--opponent", type=int, default=0, help="so many runs of it too")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("options", nargs="*", help="more options of tellapart train, after --")
    arguments = parser.parse_args()
    data = DATA / f"{arguments.data}.zip"
    rows: list[Row] = []

    def add(who: str, seed: int, row: Row) -> None:
        rows.append({"who": who, "seed": seed, **row})
        print(rows[-1], flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backbone = folder / "backbone.keras"
        if arguments.opponent:
            write_backbone(backbone)
        for seed in range(arguments.runs):
            cache, options = folder / f"cache-{seed}", arguments.options
            for who in ("cold", "warm"):
                out = folder / f"{who}-{seed}"
                add(who, seed, run_ours(data, seed, cache, out, options))
            if seed < arguments.opponent:
                pictures = folder / f"pictures-{seed}"
                write_folders(data, folder / f"cold-{seed}", pictures)
                add("plain keras", seed, row_of(run_script(pictures, backbone, seed)))
                shutil.rmtree(pictures)
            shutil.rmtree(cache)
    for who in ("cold", "warm", "plain keras"):
        report(rows, who)
    seconds = {(row["who"], row["seed"]): float(row["seconds"]) for row in rows}
    pairs = [seconds["plain keras", s] / seconds["cold", s] for s in range(arguments.opponent)]
    if pairs:
        print(
            f"plain keras / cold: median {statistics.median(pairs):.1f} times the time, "
            f"{min(pairs):.1f} to {max(pairs):.1f} over {len(pairs)} pairs"
        )
    write_results(arguments.results / f"transfer_{arguments.data}.csv", rows)


if __name__ == "__main__":
    main()
