"""What frozen features cost, and what they are worth.

    python benchmarks/backbones.py speed --pictures 256
    python benchmarks/backbones.py accuracy --archive flowers17.zip --seeds 4

`speed`: pictures a second through EfficientNet-Lite0, for each engine that is installed, in turns.
Two figures: by the clock, and by the processor's time, which other work on the machine disturbs
less. `accuracy`: cross-validated accuracy and log loss of the head on the training part of the
data, for picture sizes, ways to resize, backbones and treatments of the features. No test part is
looked at.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np

import tellapart
from common import DATA
from tellapart.data.split import split
from tellapart.data.store import open_store
from tellapart.images import ImageSpec
from tellapart.models.backbones import get_backbone
from tellapart.models.backbones.efficientnet_lite import ROOT_OFFSET
from tellapart.models.backbones.engine import FeatureExtractor, available_engines
from tellapart.models.head import fit_head
from tellapart.runs import describe_machine

LITE0 = "efficientnet-lite0"

CASES: tuple[tuple[str, int, Any, str], ...] = (
    (LITE0, 160, "crop", "root"),
    (LITE0, 192, "crop", "root"),
    (LITE0, 224, "crop", "root"),
    (LITE0, 256, "crop", "root"),
    (LITE0, 192, "squash", "root"),
    (LITE0, 224, "squash", "root"),
    (LITE0, 256, "squash", "root"),
    ("efficientnet-lite1", 224, "crop", "root"),
    ("efficientnet-lite2", 224, "crop", "root"),
    (LITE0, 224, "crop", "plain"),
    (LITE0, 224, "crop", "plain, length 1"),
    (LITE0, 224, "crop", "root, length 1"),
    (LITE0, 224, "crop", "root, and mirrored"),
)
"""Backbone, side in pixels, resize, and what is done to the features."""


def measure_speed(pictures: int, runs: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (pictures, 224, 224, 3), np.uint8)
    extractors = {
        name: FeatureExtractor(get_backbone(LITE0), (224, 224), name)
        for name in available_engines()
    }
    for extractor in extractors.values():
        extractor.features(pixels[:64])
    for run in range(runs):
        for name, extractor in extractors.items():
            began, busy = time.perf_counter(), time.process_time()
            extractor.features(pixels)
            wall, cpu = time.perf_counter() - began, time.process_time() - busy
            print(
                f"run {run}  {name:12} {pictures / wall:6.1f} pictures/s   "
                f"{pictures / cpu:6.1f} for each second of a core",
                flush=True,
            )


def measure_accuracy(archive: str, seeds: int) -> None:
    dataset = tellapart.load(DATA / archive)
    known: dict[tuple[str, int, str, bool], Any] = {}

    def features(name: str, side: int, resize: Any, mirrored: bool = False) -> Any:
        case = (name, side, str(resize), mirrored)
        if case not in known:
            pixels = open_store(dataset, ImageSpec(side, side, 3, resize=resize)).pixels
            seen = np.ascontiguousarray(pixels[:, :, ::-1]) if mirrored else np.asarray(pixels)
            known[case] = FeatureExtractor(get_backbone(name), (side, side)).features(seen)
        return known[case]

    for name, side, resize, treatment in CASES:
        found = features(name, side, resize)
        if treatment.startswith("plain"):
            found = found**2 - np.float32(ROOT_OFFSET)
        if "length 1" in treatment:
            found = found / np.linalg.norm(found, axis=1, keepdims=True)
        if "mirrored" in treatment:
            found = np.stack([found, features(name, side, resize, mirrored=True)], axis=1)
        accuracies, losses = [], []
        for seed in range(seeds):
            parts = split(dataset, test_split=0.2, seed=seed)
            train = np.union1d(parts.train, parts.validation)
            head = fit_head(found[train], dataset.labels[train], seed=seed)
            assert head.accuracy is not None
            assert head.log_loss is not None
            accuracies.append(head.accuracy)
            losses.append(head.log_loss)
        print(
            f"{name:20} {side} {resize:7} {treatment:20} "
            f"accuracy {statistics.mean(accuracies):.4f} "
            f"({min(accuracies):.4f} to {max(accuracies):.4f})  "
            f"log loss {statistics.mean(losses):.4f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "accuracy"))
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--archive", default="flowers17.zip")
    parser.add_argument("--seeds", type=int, default=4)
    arguments = parser.parse_args()
    print(describe_machine())
    if arguments.what == "speed":
        measure_speed(arguments.pictures, arguments.runs)
    else:
        measure_accuracy(arguments.archive, arguments.seeds)


if __name__ == "__main__":
    main()
