"""What calibration, the unsure rule and prediction sets rest on.

    python benchmarks/calibration.py error       the calibration error's interval, on made-up data
    python benchmarks/calibration.py temperature how many made-up pictures hold it near 1
    python benchmarks/calibration.py unsure      ways to find the threshold
    python benchmarks/calibration.py sets        coverage of prediction sets at 90%

All but the first use predictions of networks trained here, on pictures that training never saw:
`classic-32` on 15,000 pictures of CIFAR-10 (12 epochs), `classic-28` on 20,000 digits of MNIST (2
epochs), by the classic and by the automatic recipe, and the head on features of flowers17 in
five-fold cross-validation. They are split again and again into a calibration part and a rest, and
nothing is chosen for a single network. The figures are in docs/calibration.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

import tellapart
from common import DATA
from tellapart.data.split import split
from tellapart.data.store import open_store
from tellapart.evaluation import calibration, selective
from tellapart.evaluation.calibration import (
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    reliability,
)
from tellapart.evaluation.conformal import fit_conformal
from tellapart.evaluation.selective import risk_coverage
from tellapart.images import ImageSpec
from tellapart.models.head import fit_head

NETWORKS: dict[str, tuple[str, str, int, int]] = {
    "cifar10, classic": ("cifar10.tar.gz", "classic", 15_000, 12),
    "mnist, classic": ("mnist.tar.gz", "classic", 20_000, 2),
    "mnist, auto": ("mnist.tar.gz", "auto", 20_000, 2),
}
"""Archive, recipe, pictures to train on, epochs."""

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Predicted = tuple[Floats, Labels]


# --- Predictions --------------------------------------------------------------------------------


def from_scratch(archive: str, recipe_name: str, pictures: int, epochs: int) -> Predicted:
    """Probabilities and labels of the test part."""
    from tellapart.models import registry
    from tellapart.training import trainer
    from tellapart.training.recipe import choose_recipe

    dataset = tellapart.load(DATA / archive)
    options = {"epochs": epochs, "seed": 0, "validation_split": 0}
    recipe, _ = choose_recipe(dataset, recipe_name, options=options)
    pixels = open_store(dataset, recipe.image_spec).pixels
    parts = split(dataset, seed=0, validation_split=0)
    train = np.sort(np.random.default_rng(0).permutation(parts.train)[:pictures])
    parts = replace(parts, train=train)
    trainer.set_seed(0)
    classes = len(dataset.class_names)
    model = registry.build(recipe.model, recipe.image_spec.shape, classes).model
    trainer.fit(model, pixels, dataset.labels, parts, recipe, lambda event: None)
    return trainer.predict(model, pixels, parts.test), dataset.labels[parts.test]


def flowers() -> Predicted:
    """Probabilities of all pictures, each by the fold that did not learn from it, and labels."""
    from tellapart.models.backbones import get_backbone
    from tellapart.models.backbones.engine import FeatureExtractor

    dataset = tellapart.load(DATA / "flowers17.zip")
    pixels = open_store(dataset, ImageSpec(224, 224, 3, resize="crop")).pixels
    extractor = FeatureExtractor(get_backbone("efficientnet-lite0"), (224, 224))
    features = extractor.features(np.ascontiguousarray(pixels))
    folds = np.random.default_rng(0).permutation(len(dataset)) % 5
    p = np.zeros((len(dataset), len(dataset.class_names)), np.float32)
    for fold in range(5):
        held_out = folds == fold
        head = fit_head(features[~held_out], dataset.labels[~held_out])
        p[held_out] = head.probabilities(features[held_out])
    return p, dataset.labels


@cache
def predictions() -> dict[str, Predicted]:
    found = {name: from_scratch(*settings) for name, settings in NETWORKS.items()}
    return found | {"flowers17": flowers()}


def halves(count: int, first: int, seed: int) -> tuple[npt.NDArray[np.int64], ...]:
    order = np.random.default_rng(seed).permutation(count)
    return order[:first], order[first:]


# --- The calibration error ----------------------------------------------------------------------

TRUTHS: dict[str, Callable[[Any], Any]] = {
    "calibrated": lambda said: said,
    "0.02 too sure": lambda said: said - 0.02,
    "up to 0.125 too sure": lambda said: said - 0.5 * said * (1 - said),
    "wavy by 0.06": lambda said: np.clip(said + 0.06 * np.sin(20 * said), 0, 1),
    "said cubed": lambda said: said**3,
}


def measure_error(runs: int) -> None:
    """How often the interval holds the true error, beside the bootstrap's percentiles."""
    for (name, truth), count in (
        (item, n) for item in TRUTHS.items() for n in (60, 200, 1000, 5000)
    ):
        for shape in (5, 30):
            many = np.sort(np.random.default_rng(1).beta(shape, 1, 150_000))
            bins = np.array_split(many - truth(many), min(15, max(1, count // 10)))
            true = float(np.mean([abs(gaps.mean()) for gaps in bins]))
            rows = [_error_of(truth, shape, count, true, seed) for seed in range(runs)]
            plain, value, ours, usual = np.mean(rows, axis=0)
            print(
                f"{name:22} {count:5} pictures, Beta({shape}, 1): true {true:.4f}  plain "
                f"{plain:.4f}  less chance {value:.4f}  held {ours:.2f}  percentiles {usual:.2f}",
                flush=True,
            )


def _error_of(
    truth: Callable[[Any], Any], shape: int, count: int, true: float, seed: int
) -> tuple[float, float, bool, bool]:
    rng = np.random.default_rng(seed)
    said = rng.beta(shape, 1, count)
    # Two classes of which the second never comes out on top: any top probability is possible.
    p = np.stack([said, *[(1 - said) / 40] * 40], axis=1).astype(np.float32)
    labels = np.where(rng.random(count) < truth(said), p.argmax(axis=1), 40)
    error = expected_calibration_error(p, labels)
    assert error is not None
    resampled = []
    for _ in range(50):
        rows = rng.integers(0, count, count)
        bins = reliability(p[rows], labels[rows])
        gaps = [abs(one.confidence - one.accuracy.value) * one.accuracy.count for one in bins]
        resampled.append(sum(gaps) / count)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return error.plain, error.value, error.low <= true <= error.high, low <= true <= high


# --- The temperature ----------------------------------------------------------------------------


def measure_temperature(runs: int) -> None:
    """Change of the log loss on the rest, for numbers of made-up pictures."""
    for name, (p, labels) in predictions().items():
        for count in (1, 5, 20, 50, 200, 1000):
            if count > len(labels) // 2:
                continue
            cells = []
            for prior in (0.0, 1.0, 3.0, 10.0, 30.0):
                calibration.PRIOR_PICTURES = prior
                changes = []
                for seed in range(runs):
                    some, rest = halves(len(labels), count, seed)
                    temperature = fit_temperature(p[some], labels[some])
                    after = log_loss(apply_temperature(p[rest], temperature), labels[rest])
                    changes.append(after - log_loss(p[rest], labels[rest]))
                cells.append(f"{prior:2g}: {np.mean(changes):+.3f} (worst {max(changes):+.3f})")
            print(f"{name:18} {count:5} pictures  " + "  ".join(cells), flush=True)


# --- The unsure rule ----------------------------------------------------------------------------

Place = Callable[[Any, Any, int], int | None]
"""From sizes, mistakes and count to the place in the curve whose threshold is taken."""


def one_row(sizes: Any, mistakes: Any, count: int) -> int | None:
    fewest = selective._fewest(0.95, 0.1)
    return selective._lowest(sizes, selective._refuted(mistakes, sizes, 0.95, 0.1), (fewest,))


def two_rows(sizes: Any, mistakes: Any, count: int) -> int | None:
    starts, error = selective._starts(count, 0.95, 0.1)
    return selective._lowest(sizes, selective._refuted(mistakes, sizes, 0.95, error), starts)


def guaranteed_risk(sizes: Any, mistakes: Any, count: int) -> int | None:
    """Geifman & El-Yaniv, 2017: a binary search, whose steps share the chance of error."""
    steps = math.ceil(math.log2(max(len(sizes), 2)))
    refuted = selective._refuted(mistakes, sizes, 0.95, 0.1 / steps)
    low, high, best = 0, len(sizes) - 1, None
    for _ in range(steps):
        middle = (low + high + 1) // 2
        if refuted[middle]:
            best, low = middle, middle
        else:
            high = middle - 1
        if low >= high:
            break
    return best


def measure_unsure(runs: int) -> None:
    """Share answered, fits that break the promise on all pictures, and fits that prove none."""
    rules: dict[str, Place] = {
        "guaranteed risk": guaranteed_risk, "one row": one_row, "two rows": two_rows,
    }  # fmt: skip
    for name, (p, own_labels) in predictions().items():
        for wrong_labels in (0.0, 0.02):
            rng = np.random.default_rng(9)
            flipped = rng.random(len(own_labels)) < wrong_labels
            labels = np.where(flipped, rng.integers(0, p.shape[1], len(p)), own_labels)
            for count in (60, 100, 200, 500, 1000, 2000):
                if count > len(labels) // 2:
                    continue
                cells = []
                for rule, place in rules.items():
                    rows = [_unsure_of(p, labels, count, place, seed) for seed in range(runs)]
                    answered, broken, none = np.mean(rows, axis=0)
                    cells.append(f"{rule} {answered:.2f} (broken {broken:.2f}, none {none:.2f})")
                print(f"{name:18} {wrong_labels:4.0%} {count:5}  " + "  ".join(cells), flush=True)


def _unsure_of(
    p: Floats, labels: Labels, count: int, place: Place, seed: int
) -> tuple[float, bool, bool]:
    some, _ = halves(len(labels), count, seed)
    said = apply_temperature(p, fit_temperature(p[some], labels[some]))
    curve = risk_coverage(said[some], labels[some])
    found = place(*selective._counts(curve), count)
    if found is None:
        return 0.0, False, True
    answered = said.max(axis=1) >= curve.threshold[found]
    right = (said.argmax(axis=1) == labels)[answered].mean()
    return float(answered.mean()), bool(right < 0.95), False


# --- Prediction sets ----------------------------------------------------------------------------


def covered(p: Floats, labels: Labels, runs: int = 200) -> tuple[float, float, float]:
    """Share of sets that hold the right class, the same if sets could be empty, and mean size.

    Means over `runs` splits into 1,000 pictures to fit on and the rest.
    """
    rows = []
    for seed in range(runs):
        some, rest = halves(len(labels), 1000, seed)
        rule = fit_conformal(p[some], labels[some], coverage=0.9)
        held, index = rule.sets(p[rest]), np.arange(len(rest))
        empty_too = 1 - p[rest][index, labels[rest]].astype(np.float64) <= rule.quantile
        rows.append((held[index, labels[rest]].mean(), empty_too.mean(), held.sum(axis=1).mean()))
    share, with_empty, size = np.mean(rows, axis=0).tolist()
    return share, with_empty, size


def measure_sets(runs: int) -> None:
    for name, (p, labels) in predictions().items():
        if len(labels) < 5000:
            continue
        share, with_empty, size = covered(p, labels, runs)
        accuracy = (p.argmax(axis=1) == labels).mean()
        print(
            f"{name:18} accuracy {accuracy:.3f}: covered {share:.4f}, {with_empty:.4f} if sets "
            f"could be empty; {size:.2f} classes in a set"
        )


def main() -> None:
    what = {
        "error": measure_error,
        "temperature": measure_temperature,
        "unsure": measure_unsure,
        "sets": measure_sets,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="+", choices=tuple(what))
    parser.add_argument("--runs", type=int, default=200)
    arguments = parser.parse_args()
    for name in arguments.what:
        what[name](arguments.runs)


if __name__ == "__main__":
    main()
