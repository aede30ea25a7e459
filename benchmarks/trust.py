"""What a classifier's answers can be trusted with: calibration, "unsure", unknown pictures, time.

    python benchmarks/trust.py digits flowers17 --runs 3
    python benchmarks/trust.py cifar10 --runs 1 --first 2
    python benchmarks/trust.py

Each run is trained and measured by the command line: `tellapart train DATA`, then `tellapart
evaluate RUN DATA --unknown FOLDER` for two kinds of pictures of none of its classes. All figures
are of the run's test part. Seeds `--first`, `--first` + 1, ...; a run replaces the rows of its
data set and seed in `results/trust.csv`. Without a data set the kept rows are shown and drawn.

Training begins with an empty cache ("cold"); on photos it is repeated with what that has kept
("warm"), for its times alone. What trust adds is the time of the stages calibration, traces and
report and of the diagnosis, as a share of the rest of the run. The stage calibration also saves the
network and predicts the test part, so that share is rather too high.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import processes
import tellapart
from common import DATA, HERE, RESULTS, print_machine
from tellapart.evaluation.diagnosis import diagnose, facts_from_run
from tellapart.evaluation.plots import style
from tellapart.evaluation.plots.text import font
from tellapart.evaluation.selective import risk_coverage
from tellapart.report.record import RunRecord
from tellapart.runs import RunFolder

TABLE = RESULTS / "trust.csv"
PICTURE = HERE.parent / "docs" / "images" / "trust.png"
SHARES = tuple(percent / 100 for percent in range(10, 101, 5))
UNKNOWN = 800
"""As many unknown pictures of a kind at the most."""

LINES = (
    ("pictures in the test part", "test pictures", ",.0f"),
    ("accuracy", "accuracy", ".1%"),
    ("calibration error before, in brackets its 95% intervals", "ECE before", ".3f"),
    ("calibration error after", "ECE after", ".3f"),
    ("log loss before", "log_loss before", ".3f"),
    ("log loss after", "log_loss after", ".3f"),
    ("Brier score before", "brier before", ".3f"),
    ("Brier score after", "brier after", ".3f"),
    ("temperature", "temperature", ".2f"),
    ('threshold for "unsure"', "threshold", ".2f"),
    ("share answered", "answered", ".1%"),
    ("right among the answered", "right among answered", ".1%"),
    *(
        (f"right among the surest {share}%", f"accuracy of the surest {share}%", ".1%")
        for share in (50, 70, 80, 90, 95, 100)
    ),
    ("known pictures called unknown", "known called unknown", ".1%"),
    ("seconds of a run, empty cache", "seconds, cold", ".1f"),
    ("calibration, traces, report, diagnosis: seconds", "seconds of trust, cold", ".2f"),
    ("as a share of the rest of the run", "added, cold", ".1%"),
    ("seconds of a run, features kept", "seconds, warm", ".1f"),
    ("calibration, traces, report, diagnosis: seconds", "seconds of trust, warm", ".2f"),
    ("as a share of the rest of the run", "added, warm", ".1%"),
)
"""The lines of the table: words, figure and how it is written."""

Figures = dict[str, float]
Rows = dict[tuple[str, int, str], float]
"""Data set, seed and figure, and its value."""


@dataclass(frozen=True)
class Case:
    """A data set, how it is trained on, and pictures of none of its classes.

    Attributes:
        data: as the command line takes it.
        options: of `tellapart train`.
        unknown: kinds of pictures, as `write_some` knows them, or noise.
        network: what is trained.
        colour: of its curve, and `dashes` too.
        keeps_features: whether a second run finds most of its work done.
    """

    data: str
    options: tuple[str, ...]
    unknown: tuple[str, ...]
    network: str
    colour: str
    dashes: Any
    keeps_features: bool = False


CASES = {
    "digits": Case(
        "digits", (), ("flowers17", "noise"), "classic-32", style.BLUE, (0, ())
    ),
    "flowers17": Case(
        str(DATA / "flowers17.zip"), (), ("ants-bees", "mnist"), "head on efficientnet-lite0",
        "#009E73", (0, (5, 2)), keeps_features=True,
    ),
    "cifar10": Case(
        str(DATA / "cifar10.tar.gz"), ("--recipe", "classic"), ("mnist", "flowers17"),
        "classic-32, recipe classic", style.VERMILLION, (0, (1, 1)),
    ),
}  # fmt: skip
ARCHIVES = {"flowers17": "flowers17.zip", "ants-bees": "ants-bees.zip", "mnist": "mnist.tar.gz"}


# --- A run --------------------------------------------------------------------------------------


def measure(name: str, seed: int, folder: Path) -> Figures:
    """Trains from an empty cache, and gathers the figures."""
    run = train(name, seed, folder, "cold")
    figures = of_the_test_part(run) | of_the_curve(run) | of_time(run, "cold")
    for kind in CASES[name].unknown:
        figures |= of_unknown(run, name, kind, folder)
    if CASES[name].keeps_features:
        figures |= of_time(train(name, seed, folder, "warm"), "warm")
    return figures


def train(name: str, seed: int, folder: Path, kind: str) -> RunFolder:
    case, out = CASES[name], folder / kind
    tellapart_command(
        folder, "train", case.data, *case.options, "--seed", str(seed), "--out", str(out)
    )
    return RunFolder.open(out)


def tellapart_command(folder: Path, *arguments: str) -> Any:
    """Runs a command of ours; returns its JSON document."""
    command = [sys.executable, "-m", "tellapart", *arguments, "--json"]
    return json.loads(processes.run(command, {"TELLAPART_CACHE": str(folder / "cache")}).output)


def of_the_test_part(run: RunFolder) -> Figures:
    found = RunRecord.read(run).evaluation
    figures = {
        "accuracy": found["accuracy"]["value"],
        "test pictures": found["accuracy"]["count"],
        "temperature": found["calibration"]["temperature"],
        "threshold": found["unsure"]["rule"]["threshold"],
        "proven": found["unsure"]["rule"]["proven"],
        "answered": found["unsure"]["answered"]["value"],
        "right among answered": found["unsure"]["right"]["value"],
        "known called unknown": found["novelty"]["unknown"]["value"],
    }
    for when in ("before", "after"):
        measured = found["calibration"][when]
        ends = {"": "value", " low": "low", " high": "high"}
        figures |= {f"ECE {when}{end}": measured["error"][key] for end, key in ends.items()}
        figures |= {f"{key} {when}": measured[key] for key in ("log_loss", "brier")}
    return figures


def of_the_curve(run: RunFolder) -> Figures:
    """The accuracy of the surest 10%, 15%, ... of the test pictures, by top probability alone."""
    found = RunRecord.read(run).predictions
    assert found.rows is not None
    curve = risk_coverage(found.rows, found.actual)
    # Between two points lie equal probabilities, in no order: right answers are spread evenly.
    right = np.interp(
        SHARES, np.append(0, curve.answered), np.append(0, curve.answered * curve.accuracy)
    )
    return {
        curve_figure(share): float(hits / share) for share, hits in zip(SHARES, right, strict=True)
    }


def curve_figure(share: float) -> str:
    return f"accuracy of the surest {share:.0%}"


def of_unknown(run: RunFolder, name: str, kind: str, folder: Path) -> Figures:
    pictures = folder / "unknown" / kind
    if not pictures.exists():
        write_noise(pictures) if kind == "noise" else write_some(kind, pictures)
    found = tellapart_command(
        folder, "evaluate", str(run.path), CASES[name].data, "--unknown", str(pictures)
    )["unknown"]
    return {
        f"AUROC {kind}": found["auroc"]["value"],
        f"called unknown {kind}": found["called_unknown"]["value"],
        f"unsure {kind}": found["unsure"]["value"],
    }


def write_some(kind: str, folder: Path) -> None:
    """Files of another data set, evenly spread over it, as they are: the tool resizes them."""
    dataset = tellapart.load(DATA / ARCHIVES[kind])
    folder.mkdir(parents=True)
    for index in np.unique(np.linspace(0, len(dataset) - 1, UNKNOWN).round().astype(int)):
        content = dataset.source.read(int(index))
        assert isinstance(content, bytes)
        (folder / f"{index}{Path(dataset.paths[index]).suffix}").write_bytes(content)


def write_noise(folder: Path) -> None:
    """Uniform noise of 8x8 grey pixels, the size of the digits."""
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (UNKNOWN, 8, 8), np.uint8)
    for index, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / f"{index}.png")


def of_time(run: RunFolder, kind: str) -> Figures:
    """Seconds of the stages, and what trust adds to the rest of the run."""
    info = run.read_info()
    began = time.perf_counter()
    diagnose(facts_from_run(run))
    stages = info["stages"] | {"diagnosis": time.perf_counter() - began}
    whole = info["seconds"] + stages["report"]  # `seconds` ends where the report begins
    added = sum(stages[stage] for stage in ("calibration", "diagnosis", "traces", "report"))
    figures = {f"seconds of {stage}": round(took, 4) for stage, took in stages.items()}
    figures |= {
        "seconds": round(whole, 2),
        "seconds of trust": added,
        "added": added / (whole - added),
    }
    return {f"{figure}, {kind}": value for figure, value in figures.items()}


# --- All runs -----------------------------------------------------------------------------------


def read_rows() -> Rows:
    if not TABLE.exists():
        return {}
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return {
            (row["dataset"], int(row["seed"]), row["figure"]): float(row["value"])
            for row in csv.DictReader(stream)
        }


def write_rows(rows: Rows) -> None:
    with TABLE.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("dataset", "seed", "figure", "value"))
        order = list(CASES)
        for (name, seed, figure), value in sorted(
            rows.items(), key=lambda row: (order.index(row[0][0]), row[0][1])
        ):
            table.writerow((name, seed, figure, f"{value:.6g}"))


def values(rows: Rows, name: str) -> dict[str, list[float]]:
    """Of each figure of a data set what the runs gave, in the order of the seeds."""
    found: dict[str, list[float]] = {}
    for (own, _, figure), value in sorted(rows.items(), key=lambda row: row[0][1]):
        if own == name:
            found.setdefault(figure, []).append(value)
    return found


def table(rows: Rows) -> Iterator[str]:
    """The table of docs/trust.md."""
    found = {name: values(rows, name) for name in CASES}
    runs = [f"{name}, {len(own.get('seconds, cold', []))} runs" for name, own in found.items()]
    yield f"| | {' | '.join(runs)} |"
    yield "| --- |" + " --- |" * len(runs)
    for words, figure, form in LINES:
        cells = [spread(own, figure, form) for own in found.values()]
        yield f"| {words} | {' | '.join(cells)} |"
    for words, figure, form in (
        ("AUROC of unknown pictures", "AUROC", ".3f"),
        ("these called unknown", "called unknown", ".1%"),
        ("these unsure, for either reason", "unsure", ".1%"),
    ):
        for place in (0, 1):
            kinds = {name: case.unknown[place] for name, case in CASES.items()}
            cells = [f"{kinds[n]}: {spread(found[n], f'{figure} {kinds[n]}', form)}" for n in found]
            yield f"| {words} | {' | '.join(cells)} |"


def spread(found: dict[str, list[float]], figure: str, form: str) -> str:
    """The mean of the runs, the lowest and the highest; of an interval its farthest ends."""
    if figure not in found:
        return ""
    own = found[figure]
    low, high = found.get(f"{figure} low", own), found.get(f"{figure} high", own)
    mean, least, most = (f"{value:{form}}" for value in (statistics.mean(own), min(low), max(high)))
    return mean if least == most else f"{mean} ({least} to {most})"


def draw(rows: Rows) -> None:
    """The unsure curves, the mean of the runs, and around each the lowest and the highest."""
    page = style.Page(
        7.4, 4.6, "How often the surest answers are right",
        "test part, calibrated; mean of the runs, lowest and highest as a shade; "
        "★ the rule for \"unsure\"",
    )  # fmt: skip
    axes = page.axes(0.95, 0.95, 6.1, 2.95)
    axes.set_xlim(0.1, 1.01)
    for label, axis in (("share of the pictures that is answered, the surest first", axes.xaxis),
                        ("right among them", axes.yaxis)):  # fmt: skip
        axis.set_label_text(label, font=font(style.SMALL), color=style.INK)
        axis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")
    for name, case in CASES.items():
        found = values(rows, name)
        if found:
            draw_curve(axes, case, name, found)
    axes.axhline(0.95, color=style.FAINT, linewidth=1)
    axes.annotate("95%, the promise", (0.11, 0.95), xytext=(0, -10), textcoords="offset points",
                  font=font(style.SMALL), color=style.FAINT)  # fmt: skip
    axes.grid(color=style.GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(loc="lower left", frameon=False, prop=font(style.SMALL), handlelength=3.2)
    page.save(PICTURE)


def draw_curve(axes: Any, case: Case, name: str, found: dict[str, list[float]]) -> None:
    lines = np.array([found[curve_figure(share)] for share in SHARES])
    runs = f"{lines.shape[1]} run{'s' * (lines.shape[1] != 1)}"
    axes.plot(SHARES, lines.mean(axis=1), color=case.colour, linewidth=2, linestyle=case.dashes,
              label=f"{name}: {case.network} ({runs})")  # fmt: skip
    axes.fill_between(SHARES, lines.min(axis=1), lines.max(axis=1), color=case.colour, alpha=0.15,
                      linewidth=0)  # fmt: skip
    axes.plot(found["answered"], found["right among answered"], "*", markersize=11,
              color=case.colour, markeredgecolor="white", clip_on=False, zorder=5)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="*", metavar="DATASET", help=", ".join(CASES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    if unknown := set(arguments.data) - set(CASES):
        parser.error(f"{', '.join(sorted(unknown))}: expected {', '.join(CASES)}")
    for name in arguments.data:
        for seed in range(arguments.first, arguments.first + arguments.runs):
            with tempfile.TemporaryDirectory() as folder:
                figures = measure(name, seed, Path(folder))
            rows = {key: value for key, value in read_rows().items() if key[:2] != (name, seed)}
            write_rows(rows | {(name, seed, figure): figures[figure] for figure in figures})
    rows = read_rows()
    print(*table(rows), sep="\n")
    draw(rows)
    print_machine()


if __name__ == "__main__":
    main()
