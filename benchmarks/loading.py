"""How loading grows: archives of 15,000 to 60,000 pictures, listings of up to a million files.

    python benchmarks/loading.py --runs 3

Archives: a quarter, a half and all of CIFAR-10's JPEG files as .tar.gz. "cold" begins with an
empty cache: `load` decompresses and lists the archive, `open_store` decodes every picture. "warm"
does the same again. The archive itself is in the operating system's memory each time.

Listings: files in ten class folders, all of them hard links to a few pictures. They are read as a
folder and as a CSV of path and label, by `load`; then `split`, `write_split_csv`, and what `check`
does once the pictures are decoded and compared: names, counts, sizes, plain and dark pictures, with
one signature for all and no copies. Nothing but the sample of `load` is decoded.

Each in a process of its own; Python's start and imports do not count as seconds, all memory does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

import processes
from common import DATA, RESULTS, Row, write_results
from tellapart.data import load
from tellapart.data.audit import Copies, audit
from tellapart.data.audit.signature import sign
from tellapart.data.columns import Column
from tellapart.data.dataset import Dataset
from tellapart.data.split import split, write_split_csv
from tellapart.data.store import open_store
from tellapart.images import ImageSpec

ALL = 60_000
CLASSES = 10
LINKS = 50_000  # to one file; ext4 allows 65,000
Seconds = dict[str, float]


class Stopwatch:
    """Notes the seconds of one stage after the other."""

    def __init__(self) -> None:
        self.seconds: Seconds = {}
        self._began = time.perf_counter()

    def note(self, stage: str) -> None:
        """Names what took the time since the last note."""
        now = time.perf_counter()
        self.seconds[stage] = round(now - self._began, 3)
        self._began = time.perf_counter()


def load_archive(path: Path) -> Seconds:
    watch = Stopwatch()
    dataset = load(path)
    watch.note("list")
    open_store(dataset, ImageSpec(32, 32, 3))
    watch.note("store")
    return watch.seconds


def load_listing(path: Path) -> Seconds:
    watch = Stopwatch()
    dataset = load(path)
    watch.note("list")
    parts = split(dataset)
    watch.note("split")
    with tempfile.TemporaryDirectory() as folder:
        write_split_csv(Path(folder) / "split.csv", dataset, parts)
    watch.note("write split.csv")
    check_names(dataset)
    watch.note("check")
    return watch.seconds


def check_names(dataset: Dataset) -> None:
    """What `tellapart check` does when every picture is decoded and no two are alike."""
    number = len(dataset)
    raw = dataset.source.read(0)
    rows = np.broadcast_to(sign(raw), number)  # one for all takes no memory
    digests = np.broadcast_to(np.uint8(1), (number, 16))
    column = Column(rows, digests, {}, Path(), 0, 0)  # type: ignore[arg-type]
    none = np.zeros(0, np.int64)
    copies = Copies(np.arange(number), none, none, none.astype(np.int8), none.astype(np.float32))
    with mock.patch("tellapart.data.audit.findings.keep_copies", return_value=copies):
        audit(dataset, column).to_json()


MEASURED: dict[str, Callable[[Path], Seconds]] = {
    "archive": load_archive,
    "listing": load_listing,
}


def in_a_process(name: str, path: Path, cache: Path) -> Row:
    """Runs one of MEASURED in a process of its own."""
    command = [sys.executable, __file__, name, str(path)]
    finished = processes.run(command, {"TELLAPART_CACHE": str(cache)})
    seconds: Seconds = json.loads(finished.output.splitlines()[-1])
    return {**seconds, "MB": round(finished.peak_bytes / 1e6)}


def measure_archives(sizes: list[int], runs: int, folder: Path) -> Iterator[Row]:
    archives = {size: write_archive(size, folder / f"{size}.tar.gz") for size in sizes}
    for turn in range(runs):
        for size, archive in archives.items():
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                for state in ("cold", "warm"):
                    figures = in_a_process("archive", archive, Path(cache))
                    yield from rows_of(f"archive, {state}", size, turn, figures)


def write_archive(size: int, path: Path) -> Path:
    """Writes so many of the pictures, evenly spread."""
    seen, step = 0, ALL // size
    with (
        tarfile.open(DATA / "cifar10.tar.gz", "r|gz") as whole,
        tarfile.open(path, "w:gz") as part,
    ):
        for member in whole:
            if member.isfile():
                if seen % step == 0:
                    part.addfile(member, whole.extractfile(member))
                seen += 1
    return path


def measure_listings(sizes: list[int], runs: int, folder: Path) -> Iterator[Row]:
    root, table = folder / "pictures", folder / "pictures.csv"
    done = 0
    for size in sorted(sizes):
        add_links(root, table, done, size)
        done = size
        for turn in range(runs):
            for kind, path in (("folder", root), ("CSV", table)):
                with tempfile.TemporaryDirectory(dir=folder) as cache:
                    figures = in_a_process("listing", path, Path(cache))
                yield from rows_of(kind, size, turn, figures)


def add_links(root: Path, table: Path, done: int, size: int) -> None:
    """Adds pictures from number `done` on to the folder and to the CSV."""
    lines = [] if done else ["path,label\n"]
    for label in range(CLASSES):
        (root / f"class-{label}").mkdir(parents=True, exist_ok=True)
    for number in range(done, size):
        label = number % CLASSES
        name = f"class-{label}/{number:07}.jpg"
        os.link(picture(root.parent, label, number // (CLASSES * LINKS)), root / name)
        lines.append(f"{root.name}/{name},class-{label}\n")
    with table.open("a", encoding="utf-8") as stream:
        stream.writelines(lines)


@lru_cache
def picture(folder: Path, label: int, number: int) -> Path:
    """Writes a picture of noise, a new file for each number."""
    pixels = np.random.default_rng(label).integers(0, 256, (32, 32, 3), np.uint8)
    path = folder / f"{label}-{number}.jpg"
    Image.fromarray(pixels).save(path)
    return path


def rows_of(what: str, size: int, turn: int, figures: Row) -> Iterator[Row]:
    for stage, value in figures.items():
        yield {"what": what, "pictures": size, "run": turn, "stage": stage, "value": value}


def report(rows: list[Row]) -> None:
    """Prints medians, and what a picture takes: a constant, where it grows linearly.

    Of memory that is the growth from the smallest size on: an interpreter takes some by itself.
    """
    groups: dict[tuple[str, str, int], list[float]] = {}
    for row in rows:
        key = (str(row["what"]), str(row["stage"]), int(row["pictures"]))
        groups.setdefault(key, []).append(float(row["value"]))
    smallest: dict[tuple[str, str], tuple[int, float]] = {}
    for (what, stage, size), values in sorted(groups.items()):
        middle = statistics.median(values)
        of, start = smallest.setdefault((what, stage), (size, middle)) if stage == "MB" else (0, 0)
        each = 1e6 * (middle - start) / max(size - of, 1)
        print(
            f"{what:14} {stage:16} {size:9,}  median {middle:8.2f}  "
            f"{min(values):.2f} to {max(values):.2f}  ({len(values)} runs)  "
            f"{each:8.1f} {'bytes' if stage == 'MB' else 'µs'} each"
        )


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] in MEASURED:
        print(json.dumps(MEASURED[sys.argv[1]](Path(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archives", nargs="*", type=int, default=[15_000, 30_000, 60_000])
    parser.add_argument("--listed", nargs="*", type=int, default=[250_000, 500_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        for row in measure_archives(arguments.archives, arguments.runs, Path(name)):
            rows.append(row)
            print(row, flush=True)
        for row in measure_listings(arguments.listed, arguments.runs, Path(name)):
            rows.append(row)
            print(row, flush=True)
    report(rows)
    write_results(arguments.results / "loading.csv", rows)


if __name__ == "__main__":
    main()
