"""Sorts made-up digits in every way and takes it back: seconds and memory, whole commands.

    tellapart train digits --epochs 8
    python benchmarks/sorting.py runs/digits-1 --pictures 10000 100000 --ways copy

Each picture is the 8x8 PNG of a digit of scikit-learn with noise of its own, a thousand in a
folder. Memory is the largest proportional set size, sampled ten times a second.
"""

from __future__ import annotations

import argparse
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from processes import run

WAYS = {"copy": [], "move": ["--move"], "link": ["--link"], "symlink": ["--symlink"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("classifier", type=Path)
    parser.add_argument("--pictures", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    asked = parser.parse_args()
    print("| pictures | way | sort, seconds | sort, MiB | undo, seconds | undo, MiB |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    for pictures in asked.pictures:
        with tempfile.TemporaryDirectory() as folder:
            make_pictures(Path(folder) / "photos", pictures)
            for way in asked.ways:
                sort = measure(
                    "sort", str(asked.classifier.resolve()), "photos", "--into", "sorted", "--yes",
                    *WAYS[way], folder=folder,
                )  # fmt: skip
                undo = measure("undo", "sorted", "--yes", folder=folder)
                print(f"| {pictures:,} | {way} | {sort} | {undo} |", flush=True)


def make_pictures(folder: Path, count: int) -> None:
    digits = load_digits().images * 15
    rng = np.random.default_rng(0)
    for number in range(count):
        if number % 1000 == 0:
            (folder / f"{number // 1000:03}").mkdir(parents=True)
        pixels = digits[number % len(digits)] + rng.integers(0, 16, (8, 8))
        path = folder / f"{number // 1000:03}" / f"{number:06}.png"
        path.write_bytes(png(pixels.astype(np.uint8)))


def png(pixels: np.ndarray) -> bytes:
    """Encodes grey pixels, (height, width) uint8."""
    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 1)),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def measure(*arguments: str, folder: str) -> str:
    """Runs a command; returns "seconds | MiB"."""
    # By a shell that goes to the folder: a sort into a relative one is what people type.
    command = ["sh", "-c", 'cd "$0" && exec "$@"', folder, sys.executable, "-m", "tellapart"]
    finished = run([*command, *arguments, "--json"])
    return f"{finished.seconds:.1f} | {finished.peak_bytes / 2**20:.0f}"


if __name__ == "__main__":
    main()
