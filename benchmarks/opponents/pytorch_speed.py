"""Training images a second of a classic network in plain PyTorch, by its settings, in turns.

    python pytorch_speed.py classic-32 PICTURES --settings best float32 --epochs 3

Pictures of noise in memory; the first epoch, which sets up and compiles, is left out of the images
a second and has its own figure. Prints one line of JSON: {setting: {"images_per_second": ...,
"first_epoch_seconds": ..., "bfloat16": ...}}.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import torch
from plain_pytorch import RECIPES, Settings, Training, multiplies_bfloat16

BEST = Settings(bfloat16=multiplies_bfloat16())
SETTINGS = {
    "best": BEST,
    "float32": replace(BEST, bfloat16=False),
    "channels-first": replace(BEST, channels_last=False),
    "one-thread": replace(BEST, threads=1),
    "compiled": replace(BEST, compiled=True),
    "float32-compiled": replace(BEST, bfloat16=False, compiled=True),
}


def measure(network: str, pictures: int, settings: Settings, epochs: int) -> dict[str, float]:
    """The images a second of all epochs but the first, and what that one took."""
    torch.manual_seed(0)
    recipe = RECIPES[network]
    x, y = torch.rand((pictures, *recipe.shape)), torch.randint(0, 10, (pictures,))
    began = time.perf_counter()
    training = Training(recipe, settings)
    ends = []
    for _ in range(epochs):
        training.epoch(x, y)
        ends.append(time.perf_counter())
    return {
        "images_per_second": pictures * (epochs - 1) / (ends[-1] - ends[0]),
        "first_epoch_seconds": ends[0] - began,
        "bfloat16": settings.bfloat16,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", choices=RECIPES)
    parser.add_argument("pictures", type=int)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=["best", "float32"])
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    threads = torch.get_num_threads()
    found = {}
    for name in arguments.settings:
        torch.set_num_threads(threads)
        found[name] = measure(
            arguments.network, arguments.pictures, SETTINGS[name], arguments.epochs
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
