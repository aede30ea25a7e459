"""How well and how fast the audit finds copies, injected into real data sets.

    python benchmarks/audit.py mnist.tar.gz cifar10.tar.gz flowers17.zip

Of each data set, 3.3% of the pictures are copied, each in one way: the file as it is, the pixels
saved as PNG, re-encoded (JPEG quality 30 to 90), resized (0.5 to 1.5 times) and re-encoded,
cropped (95% of each side, at a random place) and re-encoded, brightened or darkened (20%) and
re-encoded, mirrored and re-encoded. Written down: the share of each that is found, pairs among
the pictures of the data set itself, and the processor's and the clock's seconds for each step.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageOps

from common import DATA, RESULTS, write_csv
from tellapart.data import load
from tellapart.data.audit import SIGNATURES, audit
from tellapart.data.columns import open_column
from tellapart.data.dataset import UNASSIGNED, Dataset, Source
from tellapart.images import Raw, load_image

TABLE = RESULTS / "audit.csv"

WAYS = ("file", "pixels", "re-encoded", "resized", "cropped", "brightness", "mirrored")
SHARE = 0.033


class Injected:
    """The pictures of a source, and copies behind them."""

    def __init__(self, source: Source, own: int, copies: list[bytes], seed: int) -> None:
        self._source, self._own, self._copies = source, own, copies
        self.key = f"{source.key} with {SHARE} copies, seed {seed}"

    def read(self, index: int) -> Raw:
        """Returns a picture before decoding."""
        if index < self._own:
            return self._source.read(index)
        return self._copies[index - self._own]


def encode(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    if quality:
        image.save(stream, "JPEG", quality=quality)
    else:
        image.save(stream, "PNG")
    return stream.getvalue()


def copy(raw: Raw, way: str, rng: np.random.Generator) -> bytes:
    if way == "file":
        assert isinstance(raw, bytes)
        return raw
    image = load_image(raw).image
    if way == "pixels":
        return encode(image, 0)
    width, height = image.size
    if way == "resized":
        factor = rng.uniform(0.5, 1.5)
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    elif way == "cropped":
        wide, high = round(width * 0.95), round(height * 0.95)
        left, top = rng.integers(0, width - wide + 1), rng.integers(0, height - high + 1)
        image = image.crop((int(left), int(top), int(left) + wide, int(top) + high))
    elif way == "brightness":
        image = ImageEnhance.Brightness(image).enhance(float(rng.choice([0.8, 1.2])))
    elif way == "mirrored":
        image = ImageOps.mirror(image)
    return encode(image, int(rng.integers(30, 91)))


def inject(dataset: Dataset, seed: int) -> tuple[Dataset, npt.NDArray[np.int64]]:
    """Returns the data set with copies behind it, and which picture each is a copy of."""
    rng = np.random.default_rng(seed)
    origins = rng.choice(len(dataset), round(SHARE * len(dataset)), replace=False)
    copies = [
        copy(dataset.source.read(int(origin)), WAYS[k % len(WAYS)], rng)
        for k, origin in enumerate(origins)
    ]
    return replace(
        dataset,
        paths=[*dataset.paths, *(f"copy-{k}" for k in range(len(copies)))],
        labels=np.concatenate([dataset.labels, dataset.labels[origins]]),
        parts=np.concatenate([dataset.parts, np.full(len(copies), UNASSIGNED, np.int8)]),
        source=Injected(dataset.source, len(dataset), copies, seed),
    ), origins


def measure(name: str, seed: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as cold:
        os.environ["TELLAPART_CACHE"] = cold
        return _measure(load(DATA / name), name, seed)


def _measure(plain: Dataset, name: str, seed: int) -> dict[str, object]:
    dataset, origins = inject(plain, seed)
    clock, cpu = time.perf_counter(), time.process_time()
    column = open_column(dataset, SIGNATURES)
    decoded, decoded_cpu = time.perf_counter(), time.process_time()
    found = audit(dataset, column)
    done, done_cpu = time.perf_counter(), time.process_time()
    own = len(plain)
    hit = found.groups[own:] == found.groups[origins]
    ways = np.arange(len(origins)) % len(WAYS)
    natural = (found.copies.first < own) & (found.copies.second < own)
    sizes = np.bincount(found.groups[:own])
    return {
        "data": name,
        "seed": seed,
        "pictures": len(dataset),
        **{way: f"{hit[ways == k].mean():.4f}" for k, way in enumerate(WAYS)},
        "of_each": int((ways == 0).sum()),
        "natural_pairs": int(natural.sum()),
        "largest_group": int(sizes.max()),
        "decode_seconds": round(decoded - clock, 2),
        "decode_cpu_seconds": round(decoded_cpu - cpu, 2),
        "search_seconds": round(done - decoded, 2),
        "search_cpu_seconds": round(done_cpu - decoded_cpu, 2),
        "peak_mib": _peak_mib(),
    }


def _peak_mib() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    names = sys.argv[1:] or ["flowers17.zip", "cifar10.tar.gz", "mnist.tar.gz"]
    rows = [measure(name, seed) for name in names for seed in (0, 1)]
    write_csv(TABLE, rows)
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
