"""What a checkpoint costs: seconds to write and to read one, by the size of the network.

    python benchmarks/checkpoints.py --folder .

Weights, two moments of Adam and the best weights so far, of random numbers, written to the disk of
`--folder` and flushed as in training (`training/checkpoint.py`).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from tellapart.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

NETWORKS = {
    "classic-32": 319_178,
    "classic-64": 1_626_442,
    "efficientnet-lite0, fine-tuned": 3_400_000,
}
"""Parameters."""


def main() -> None:
    """Prints a line a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk to write to")
    parser.add_argument("--times", type=int, default=12)
    options = parser.parse_args()
    for name, parameters in NETWORKS.items():
        rng = np.random.default_rng(0)
        weights = [rng.standard_normal(parameters // 20).astype(np.float32) for _ in range(20)]
        groups = {"variables": weights, "optimizer": weights + weights, "best": weights}
        checkpoint = Checkpoint(1, 2, {}, groups)
        writing = []
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            path = Path(folder, "000001.npz")
            for _ in range(options.times):
                began = time.perf_counter()
                write_checkpoint(path, checkpoint)
                writing.append(1e3 * (time.perf_counter() - began))
            size = path.stat().st_size / 1e6
            began = time.perf_counter()
            read_checkpoint(path)
            reading = 1e3 * (time.perf_counter() - began)
        print(
            f"{name}: {size:.1f} MB, written in {statistics.median(writing):.0f} ms "
            f"({min(writing):.0f} to {max(writing):.0f}), read in {reading:.0f} ms"
        )


if __name__ == "__main__":
    main()
