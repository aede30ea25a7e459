"""Ways to run a classifier file on all cores: what each does a second, and how far they differ.

    pip install openvino
    python benchmarks/engines.py --runs 3

A transfer classifier (EfficientNet-Lite0 at 224 pixels) and its sister in 8-bit integers, on photos
in memory, in turns:

shared        ONNX Runtime, one picture after another, all cores within each layer
a core each   ONNX Runtime, each core takes pictures of its own: `Classifier.probabilities`
OpenVINO      a stream a core, in float32 and, if the processor has instructions for it, in bfloat16

The difference is the largest one of a probability from "a core each".
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from common import DATA, RESULTS, Row, write_results
from prediction import WARM_UP, list_pictures, train, unpack
from tellapart.classifier import Classifier
from tellapart.images import decode
from tellapart.machine import usable_cores
from tellapart.models.backbones.engine import available_engines, without_reporting
from tellapart.onnx_session import make_session
from tellapart.runs import CLASSIFIER_INT8, CLASSIFIER_ONNX

TOGETHER = 8

Way = Callable[[Any], Any]
"""(n, height, width, 3) uint8 to (n, classes) probabilities."""


def ways(path: Path) -> Iterator[tuple[str, Way]]:
    yield "shared", shared(path)
    yield "a core each", Classifier.load(path).probabilities
    if "openvino" in available_engines():
        for name, precision in (("float32", "f32"), ("bfloat16", "bf16")):
            yield f"OpenVINO, {name}", openvino(path, precision)


def shared(path: Path) -> Way:
    session = make_session(path.read_bytes(), path)

    def run(pixels: Any) -> Any:
        pieces = [pixels[k : k + TOGETHER] for k in range(0, len(pixels), TOGETHER)]
        return np.concatenate([session.run(["probabilities"], {"pixels": p})[0] for p in pieces])

    return run


def openvino(path: Path, precision: str) -> Way:
    with without_reporting():
        import openvino as ov
    core, cores = ov.Core(), str(usable_cores())
    settings = {
        "NUM_STREAMS": cores,
        "INFERENCE_NUM_THREADS": cores,
        "INFERENCE_PRECISION_HINT": precision,
    }
    network = core.compile_model(core.read_model(path), "CPU", settings)
    queue = ov.AsyncInferQueue(network, usable_cores())

    def run(pixels: Any) -> Any:
        found: dict[int, Any] = {}

        def keep(request: Any, start: int) -> None:
            found[start] = request.get_tensor("probabilities").data.copy()

        queue.set_callback(keep)
        for start in range(0, len(pixels), TOGETHER):
            queue.start_async([pixels[start : start + TOGETHER]], start)
        queue.wait_all()
        return np.concatenate([found[start] for start in sorted(found)])

    return run


def measure(run: Path, pixels: Any, runs: int) -> list[Row]:
    rows: list[Row] = []
    for name, file in (("float32", CLASSIFIER_ONNX), ("8-bit integers", CLASSIFIER_INT8)):
        made = dict(ways(run / file))
        expected = made["a core each"](pixels)
        for way in made.values():
            way(pixels[:WARM_UP])
        for turn in range(runs):
            for who, way in made.items():
                began, busy = time.perf_counter(), time.process_time()
                found = way(pixels)
                wall, cpu = time.perf_counter() - began, time.process_time() - busy
                rows.append(
                    {
                        "file": name,
                        "way": who,
                        "run": turn,
                        "images_per_second": round(len(pixels) / wall, 1),
                        "per_second_of_a_core": round(len(pixels) / cpu, 1),
                        "difference": float(np.abs(found - expected).max()),
                    }
                )
                print(rows[-1], flush=True)
    return rows


def report(rows: list[Row]) -> None:
    for file, way in dict.fromkeys((row["file"], row["way"]) for row in rows):
        own = [row for row in rows if (row["file"], row["way"]) == (file, way)]
        speeds = [float(row["images_per_second"]) for row in own]
        print(
            f"{file:15} {way:20} median {statistics.median(speeds):6.1f} images/s  "
            f"{min(speeds):.1f} to {max(speeds):.1f}  "
            f"difference {max(float(row['difference']) for row in own):.1g}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with tempfile.TemporaryDirectory() as name:
        run, folder = Path(name) / "run", Path(name) / "pictures"
        unpack(DATA / "flowers17.zip", folder)
        train(DATA / "flowers17.zip", run, Path(name) / "cache")
        spec = Classifier.load(run).image_spec
        pixels = np.stack([decode(Path(path), spec) for path in list_pictures(folder)])
        rows = measure(run, pixels, arguments.runs)
    report(rows)
    write_results(arguments.results / "engines.csv", rows)


if __name__ == "__main__":
    main()
