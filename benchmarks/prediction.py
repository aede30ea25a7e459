"""Predicting photos: images a second, latency, start and memory, against Keras's `predict`.

    python benchmarks/prediction.py --runs 3 --starts 5

A transfer classifier (EfficientNet-Lite0 at 224 pixels) is trained once on flowers17, not counted,
and photos spread over that data set are unpacked. Each side gets them in turns, each time in a new
process, warmed up with some of them first:

files    ours: `Classifier.predict_stream`, as `tellapart predict` uses it. Keras: `model.predict`
         of the same run's `model.keras` on `image_dataset_from_directory`, which squashes photos
         without antialiasing: that is cheaper than what ours does. "keras" is as its guide has it,
         prefetched; "keras, tuned" is with oneDNN, where TensorFlow does not use it by itself, and
         without tf.data's tuner, whose thread keeps the end of a pass waiting, tried with XLA (the
         default) and without, then with several batch sizes; the fastest counts. "ours, int8" is
         what `tellapart quantize` made of the classifier.
arrays   the photos decoded and resized, in memory: `Classifier.predict` and `model.predict`.
one      one photo a call, from its file: ours by `Classifier.predict`, Keras by `load_img` and
         `predict_on_batch`.
memory   the most that a process held that predicts files: for ours, the whole command
         `tellapart predict RUN FOLDER --output FILE`.
start    `tellapart predict RUN PICTURE` as a process, against `python -c "import tensorflow"`.
         Both were run once before.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import processes
from common import DATA, RESULTS, Row, write_results
from tellapart.classifier import Classifier
from tellapart.images import decode
from tellapart.runs import CLASSIFIER_INT8, CLASSIFIER_ONNX
from tellapart.tensorflow_variables import ONEDNN

SIDE = 224
PICTURES = 512
WARM_UP = 128
BATCH_SIZE = 32  # the default of both libraries
BATCH_SIZES = (16, 32, 64, 128)  # all divide WARM_UP and PICTURES: no batch of another size
CALLS = 200

Figures = dict[str, float]


def ours_files(run: Path, folder: Path, file: str = CLASSIFIER_ONNX) -> Figures:
    classifier, paths = Classifier.load(run / file), list_pictures(folder)
    list(classifier.predict_stream(paths[:WARM_UP]))
    seconds = timed(lambda: list(classifier.predict_stream(paths)))
    return {"files, images/s": len(paths) / seconds}


def ours_arrays(run: Path, folder: Path, file: str = CLASSIFIER_ONNX) -> Figures:
    classifier, paths = Classifier.load(run / file), list_pictures(folder)
    pixels = np.stack([decode(Path(path), classifier.image_spec) for path in paths])
    classifier.predict(pixels[:WARM_UP])
    seconds = timed(classifier.predict, pixels)
    calls = [timed(classifier.predict, path) for path in paths[:CALLS]]
    return {"arrays, images/s": len(paths) / seconds, **latency(calls)}


def keras_files(run: Path, folder: Path) -> Figures:
    model = load_model(run)

    def rate(pictures: Any) -> float:
        model.predict(pictures.take(1), verbose=0)  # compiles
        return len(list_pictures(folder)) / timed(model.predict, pictures, verbose=0)

    return {"files, images/s": rate(read(folder, BATCH_SIZE))}


def keras_files_tuned(run: Path, folder: Path) -> Figures:
    model = load_model(run)

    def predict(batch_size: int, pictures: int) -> float:
        some = without_tuner(read(folder, batch_size))
        model.predict(some.take(1), verbose=0)  # compiles
        return timed(model.predict, some.take(pictures // batch_size), verbose=0)

    trials = {}
    for jit in (True, False):
        model.compile(jit_compile=jit)
        trials[jit] = predict(BATCH_SIZE, WARM_UP)
    jit = min(trials, key=trials.__getitem__)
    model.compile(jit_compile=jit)
    tried = {batch_size: predict(batch_size, WARM_UP) for batch_size in BATCH_SIZES}
    batch_size = min(tried, key=tried.__getitem__)
    seconds = predict(batch_size, PICTURES)
    return {"files, images/s": PICTURES / seconds, "batch size": batch_size, "XLA": jit}


def keras_arrays(run: Path, folder: Path, batch_size: int, jit: bool) -> Figures:
    import keras

    model = load_model(run)
    model.compile(jit_compile=jit)
    pixels = np.concatenate([np.asarray(batch) for batch in read(folder, 64)]).astype(np.uint8)

    def predict(path: str) -> None:
        picture = keras.utils.load_img(path, target_size=(SIDE, SIDE), interpolation="bilinear")
        model.predict_on_batch(np.asarray(picture)[np.newaxis])

    paths = list_pictures(folder)
    model.predict(pixels[:WARM_UP], batch_size=batch_size, verbose=0)
    predict(paths[0])
    seconds = timed(model.predict, pixels, batch_size=batch_size, verbose=0)
    calls = [timed(predict, path) for path in paths[:CALLS]]
    return {"arrays, images/s": PICTURES / seconds, **latency(calls)}


def load_model(run: Path) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    return keras.saving.load_model(run / "model.keras", compile=False)


def read(folder: Path, batch_size: int) -> Any:
    import keras
    import tensorflow as tf

    pictures = keras.utils.image_dataset_from_directory(
        folder,
        labels=None,
        image_size=(SIDE, SIDE),
        batch_size=batch_size,
        shuffle=False,
        verbose=False,
    )
    return pictures.prefetch(tf.data.AUTOTUNE)


def without_tuner(pictures: Any) -> Any:
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return pictures.with_options(options)


def list_pictures(folder: Path) -> list[str]:
    return sorted(map(str, folder.rglob("*.jpg")))


def timed(work: Callable[..., object], *arguments: object, **options: object) -> float:
    began = time.perf_counter()
    work(*arguments, **options)
    return time.perf_counter() - began


def latency(seconds: list[float]) -> Figures:
    milliseconds = 1000 * np.array(seconds)
    return {
        "one, median ms": float(np.median(milliseconds)),
        "one, 95th percentile ms": float(np.percentile(milliseconds, 95)),
    }


MEASURED: dict[str, Callable[..., Figures]] = {
    "ours-files": ours_files,
    "ours-arrays": ours_arrays,
    "keras-files": keras_files,
    "keras-files-tuned": keras_files_tuned,
    "keras-arrays": keras_arrays,
}


def in_a_process(name: str, *arguments: object) -> tuple[Figures, processes.Finished]:
    """Runs one of MEASURED in a process of its own."""
    text = json.dumps([str(a) if isinstance(a, Path) else a for a in arguments])
    environment = {} if name == "keras-files" else {ONEDNN: "1"}
    finished = processes.run([sys.executable, __file__, name, text], environment)
    return json.loads(finished.output.splitlines()[-1]), finished


def measure(run: Path, folder: Path, turn: int) -> list[Row]:
    rows: list[Row] = []

    def add(who: str, figures: Figures) -> None:
        for name, value in figures.items():
            rows.append({"measure": name, "who": who, "run": turn, "value": round(value, 3)})
            print(rows[-1], flush=True)

    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "predictions.csv"
        whole = processes.run(predict_command(run, folder, "--output", str(file)))
    add("ours", {"memory, MB": whole.peak_bytes / 1e6, "whole command, seconds": whole.seconds})
    add("ours", in_a_process("ours-files", run, folder)[0])
    add("ours, int8", in_a_process("ours-files", run, folder, CLASSIFIER_INT8)[0])
    theirs, finished = in_a_process("keras-files", run, folder)
    add("keras", {**theirs, "memory, MB": finished.peak_bytes / 1e6})
    theirs, finished = in_a_process("keras-files-tuned", run, folder)
    add("keras, tuned", {**theirs, "memory, MB": finished.peak_bytes / 1e6})
    add("ours", in_a_process("ours-arrays", run, folder)[0])
    add("ours, int8", in_a_process("ours-arrays", run, folder, CLASSIFIER_INT8)[0])
    chosen = int(theirs["batch size"]), bool(theirs["XLA"])
    add("keras, tuned", in_a_process("keras-arrays", run, folder, *chosen)[0])
    return rows


def measure_starts(run: Path, picture: str, times: int) -> list[Row]:
    commands = {
        "tellapart predict": predict_command(run, picture),
        "import tensorflow": [sys.executable, "-c", "import tensorflow"],
    }
    for command in commands.values():
        processes.run(command)  # from then on the files are in memory
    rows: list[Row] = []
    for turn in range(times):
        for who, command in commands.items():
            seconds = round(processes.run(command).seconds, 3)
            rows.append({"measure": "start, seconds", "who": who, "run": turn, "value": seconds})
            print(rows[-1], flush=True)
    return rows


def predict_command(run: Path, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "tellapart", "predict", str(run), *map(str, arguments)]


def train(data: Path, out: Path, cache: Path) -> None:
    command = [
        sys.executable, "-m", "tellapart", "train", str(data), "--recipe", "transfer",
        "--model", "efficientnet-lite0", "--seed", "0", "--out", str(out), "--json",
    ]  # fmt: skip
    environment = {"TELLAPART_CACHE": str(cache)}
    processes.run(command, environment)
    processes.run([sys.executable, "-m", "tellapart", "quantize", str(out)], environment)


def unpack(data: Path, folder: Path) -> None:
    """Unpacks some photos, spread over the archive."""
    with zipfile.ZipFile(data) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        for place in np.linspace(0, len(names) - 1, PICTURES).astype(int).tolist():
            archive.extract(names[place], folder)


def report(rows: list[Row]) -> None:
    for measured, who in dict.fromkeys((row["measure"], row["who"]) for row in rows):
        values = [float(r["value"]) for r in rows if (r["measure"], r["who"]) == (measured, who)]
        print(
            f"{measured:24} {who:18} median {statistics.median(values):9.3f}  "
            f"{min(values):.3f} to {max(values):.3f}  ({len(values)} runs)"
        )


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] in MEASURED:
        run, folder, *others = json.loads(sys.argv[2])
        print(json.dumps(MEASURED[sys.argv[1]](Path(run), Path(folder), *others)))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    data = DATA / "flowers17.zip"
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        run, folder = Path(name) / "run", Path(name) / "pictures"
        unpack(data, folder)
        train(data, run, Path(name) / "cache")
        for turn in range(arguments.runs):
            rows += measure(run, folder, turn)
        rows += measure_starts(run, list_pictures(folder)[0], arguments.starts)
    report(rows)
    write_results(arguments.results / "prediction.csv", rows)


if __name__ == "__main__":
    main()
