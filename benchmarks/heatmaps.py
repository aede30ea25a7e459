"""Which heat map shows best what a network goes by: deletion and insertion (Petsiuk et al., 2018).

    python benchmarks/heatmaps.py cifar10/classic-32 --pictures 200
    python benchmarks/heatmaps.py cifar10/pooled --pictures 200
    python benchmarks/heatmaps.py flowers17/classic-64 --pictures 100
    python benchmarks/heatmaps.py flowers17/efficientnet-lite0 --pictures 34

Every run is a whole `ta.train` with another seed: on 10,000 pictures of CIFAR-10's training part,
or on flowers17. The maps are of the class that the network predicts for pictures of the run's
validation part; no test part is looked at.

Deletion blurs the picture in 16 steps, the strongest pixels of the map first, and insertion begins
with the blurred picture and brings them back. The figure of each is the mean probability of the
class over the steps: low for deletion, high for insertion, and their difference decides. Blurred
means a Gaussian with a standard deviation of an eighth of the side. `random` and `centre` do not
look at the network; what is not better than they are is no explanation.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import tellapart as ta
from common import DATA, RESULTS, Row, print_machine, write_csv
from tellapart.data.split import read_split_csv
from tellapart.explanation.heatmaps import gradients
from tellapart.explanation.heatmaps.class_activation import Sight, as_large_as, hires_cam
from tellapart.explanation.heatmaps.layers import Anatomy, dissect
from tellapart.explanation.heatmaps.occlusion import occlude
from tellapart.explanation.heatmaps.rise import rise
from tellapart.images import decode
from tellapart.models.registry import load_keras_file

STEPS = 16
RISE_MASKS = 200

Array = npt.NDArray[Any]
Maps = Callable[[], Array]


# --- The runs -----------------------------------------------------------------------------------


def cifar10(seed: int) -> Any:
    """10,000 pictures of the training part, a class's share each, as arrays."""
    dataset = ta.load(DATA / "cifar10.tar.gz")
    indices = np.flatnonzero(dataset.parts == 0)
    chosen = np.sort(np.random.default_rng(seed).permutation(indices)[:10_000])
    spec = ta.ImageSpec(32, 32, 3)
    pixels = np.stack([decode(dataset.source.read(i), spec) for i in chosen])
    return pixels, dataset.labels[chosen]


def pooled(input_shape: tuple[int, int, int], classes: int) -> Any:
    """`classic-32` with the mean of each channel in the place of Flatten and a dense layer."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(classes, activation="softmax"),
        ]
    )


NETWORKS: dict[str, dict[str, Any]] = {
    "cifar10/classic-32": {"recipe": "classic", "model": "classic-32", "epochs": 10},
    "cifar10/pooled": {"recipe": "classic", "model": pooled, "epochs": 30, "image_size": (32, 32)},
    "flowers17/classic-64": {"recipe": "classic", "model": "classic-64", "epochs": 15},
    "flowers17/efficientnet-lite0": {"recipe": "transfer", "epochs": 0},
}
"""What is trained, by data and network."""


def train(name: str, seed: int, out: Path) -> tuple[Path, Any]:
    """Trains a run, or takes the one that is there; returns it and its data."""
    flowers = name.startswith("flowers17")
    data = ta.load(DATA / "flowers17.zip") if flowers else ta.load(cifar10(seed))
    run = out / f"{name.replace('/', '-')}-{seed}"
    if not (run / "classifier.onnx").exists():
        ta.train(data, seed=seed, out=run, validation_split=0.2, **NETWORKS[name])
    return run, data


def validation_pixels(run: Path, data: Any, count: int, seed: int) -> Array:
    """So many pictures of the run's validation part, chosen at random, as its network sees them."""
    parts = read_split_csv(run / "split.csv")
    indices = [i for i, path in enumerate(data.paths) if parts.get(path) == "validation"]
    chosen = np.random.default_rng(seed).permutation(indices)[:count]
    spec = ta.Classifier.load(run).image_spec
    return np.stack([decode(data.source.read(i), spec) for i in chosen])


# --- Deletion and insertion ---------------------------------------------------------------------


def blur(pixels: Array) -> Array:
    from scipy.ndimage import gaussian_filter

    height, width = pixels.shape[1:3]
    blurred = gaussian_filter(pixels.astype(np.float32), (0, height / 8, width / 8, 0))
    return np.asarray(np.rint(blurred), np.uint8)


def areas(predict: Any, pixels: Array, classes: Array, maps: Array) -> tuple[Array, Array]:
    """The mean probability over the steps of deletion, and of insertion, for each picture."""
    blurred = blur(pixels)
    rng = np.random.default_rng(0)
    deleted, inserted = [], []
    for picture, smooth, own, heat in zip(pixels, blurred, classes, maps, strict=True):
        order = np.lexsort((rng.random(heat.size), -heat.ravel()))  # equal pixels at random
        rank = np.empty(heat.size, int)
        rank[order] = np.arange(heat.size)
        share = (rank.reshape(heat.shape) / heat.size)[..., np.newaxis]
        gone = [share < step / STEPS for step in range(STEPS + 1)]
        frames = [np.where(mask, smooth, picture) for mask in gone]
        frames += [np.where(mask, picture, smooth) for mask in gone]
        curve = predict(np.stack(frames))[:, own].reshape(2, STEPS + 1)
        area = (curve[:, :-1] + curve[:, 1:]).mean(axis=1) / 2
        deleted.append(area[0])
        inserted.append(area[1])
    return np.array(deleted), np.array(inserted)


# --- The candidates -----------------------------------------------------------------------------


def candidates(model: Any, predict: Any, pixels: Array, classes: Array) -> dict[str, Maps]:
    anatomy = dissect(model)
    found: dict[str, Maps] = {
        "random": partial(random_maps, pixels),
        "centre": partial(centre, pixels),
    }
    for kind, formula in FORMULAS.items():
        for score, function in SCORES.items():
            found[f"{kind} of the {score}"] = partial(
                class_maps, model, anatomy, pixels, classes, formula, function
            )
    for windows in (5, 7, 10):
        found[f"occlusion, {windows}x{windows}"] = partial(
            by_answers, occlude, predict, pixels, classes, windows=windows
        )
    for masks in (50, 200):
        found[f"rise, {masks} masks"] = partial(
            by_answers, rise, predict, pixels, classes, masks=masks
        )
    return found


def by_answers(draw: Any, predict: Any, pixels: Array, classes: Array, **options: int) -> Array:
    return np.asarray(draw(predict, pixels, classes[:, np.newaxis], **options)[:, 0])


def class_maps(
    model: Any, anatomy: Anatomy, pixels: Array, classes: Array, formula: Any, score: Any
) -> Array:
    sight = gradients.look(model, anatomy, pixels, classes, score=score)
    return as_large_as(formula(sight), pixels.shape[1:3])


def grad_cam(sight: Sight) -> Array:
    """Selvaraju et al., 2017: the mean gradient of a channel weighs it."""
    weights = sight.gradients.mean(axis=(1, 2), dtype=np.float64)
    return np.asarray(np.einsum("nrck,nk->nrc", sight.values, weights))


def layer_cam(sight: Sight) -> Array:
    """Jiang et al., 2021: what speaks against the class in a place does not count."""
    return np.asarray((sight.values * np.maximum(sight.gradients, 0)).sum(axis=-1))


def log_odds_of_logits(logits: Any, one_hot: Any) -> Any:
    """ln(p / (1 - p)) in tensors: the class against all others."""
    from keras import ops

    own = ops.sum(logits * one_hot, axis=-1)
    return own - ops.logsumexp(logits - 1e9 * one_hot, axis=-1)


FORMULAS: dict[str, Any] = {"grad-cam": grad_cam, "hires-cam": hires_cam, "layer-cam": layer_cam}
SCORES: dict[str, Any] = {"logit": gradients.class_logit, "log-odds": log_odds_of_logits}


def random_maps(pixels: Array) -> Array:
    """7x7 random numbers, made as large as the picture."""
    grids = np.random.default_rng(1).random((len(pixels), 7, 7))
    return as_large_as(grids, pixels.shape[1:3])


def centre(pixels: Array) -> Array:
    """Strong in the middle, where most objects are in photos."""
    height, width = pixels.shape[1:3]
    down = (np.arange(height) + 0.5) / height - 0.5
    across = (np.arange(width) + 0.5) / width - 0.5
    far = np.hypot(down[:, np.newaxis], across)
    return np.repeat((1 - far)[np.newaxis], len(pixels), axis=0)


# --- The report ---------------------------------------------------------------------------------


def measure(name: str, seed: int, count: int, out: Path) -> list[Row]:
    """A row a method: means over the pictures of a run, and standard deviations between them."""
    run, data = train(name, seed, out)
    pixels = validation_pixels(run, data, count, seed)
    predict = ta.Classifier.load(run).probabilities
    classes = predict(pixels).argmax(axis=1)
    model = load_keras_file(run / "model.keras")
    known: dict[bytes, tuple[Array, Array]] = {}
    found: dict[str, tuple[Array, Array, float]] = {}
    for method, maps_of in candidates(model, predict, pixels, classes).items():
        started = time.perf_counter()
        maps = maps_of()
        seconds = time.perf_counter() - started
        key = np.round(maps, 3).tobytes()  # CAM by other names is measured once
        if key not in known:
            known[key] = areas(predict, pixels, classes, maps)
        found[method] = (*known[key], seconds / len(pixels))
        print(f"{name} seed {seed} {method:26} done, {seconds:.1f} s", flush=True)
    return [row(name, seed, method, found) for method in found]


def row(name: str, seed: int, method: str, found: dict[str, tuple[Array, Array, float]]) -> Row:
    deletion, insertion, seconds = found[method]
    gains = {other: values[1] - values[0] for other, values in found.items()}
    behind = gains[TAKEN[name]] - gains[method]  # picture by picture
    return {
        "network": name,
        "seed": seed,
        "method": method,
        "pictures": len(deletion),
        "deletion": round(float(deletion.mean()), 4),
        "insertion": round(float(insertion.mean()), 4),
        "difference": round(float(gains[method].mean()), 4),
        "sd": round(float(gains[method].std(ddof=1)), 4),
        "behind_auto": round(float(behind.mean()), 4),
        "behind_auto_sd": round(float(behind.std(ddof=1)), 4),
        "ms_a_picture": round(1000 * seconds, 1),
    }


TAKEN = {
    name: "hires-cam of the logit" if "lite" in name else "rise, 200 masks" for name in NETWORKS
}
"""What `auto` takes for each."""


def report(rows: list[Row]) -> None:
    """A line a method: means of the runs, the lowest and highest, and 95% intervals."""
    print(f"{'method':26} deletion insertion  difference      by run           behind auto     ms")
    for method in dict.fromkeys(str(row["method"]) for row in rows):
        own = [row for row in rows if row["method"] == method]
        mean = {key: np.mean([float(row[key]) for row in own]) for key in list(own[0])[4:]}
        half = {
            key: 1.96
            / len(own)
            * np.sqrt(sum(float(row[key]) ** 2 / int(row["pictures"]) for row in own))
            for key in ("sd", "behind_auto_sd")
        }
        by_run = [float(row["difference"]) for row in own]
        print(
            f"{method:26} {mean['deletion']:8.3f} {mean['insertion']:9.3f} "
            f"{mean['difference']:7.3f} ±{half['sd']:.3f}   {min(by_run):.3f} to {max(by_run):.3f}"
            f"  {mean['behind_auto']:7.3f} ±{half['behind_auto_sd']:.3f}"
            f" {mean['ms_a_picture']:7.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pictures", type=int, default=51, help="of each run's validation part")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="where the runs are kept")
    parser.add_argument("--results", type=Path, default=RESULTS / "heatmaps.csv")
    arguments = parser.parse_args()
    name = arguments.network
    rows: list[Row] = []
    if arguments.results.exists():
        with arguments.results.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    for seed in arguments.seeds:
        rows = [row for row in rows if (row["network"], int(row["seed"])) != (name, seed)]
        rows += measure(name, seed, arguments.pictures, arguments.out)
    rows.sort(key=lambda row: (str(row["network"]), int(row["seed"])))
    write_csv(arguments.results, rows)
    report([row for row in rows if row["network"] == name])
    print_machine()


if __name__ == "__main__":
    main()
