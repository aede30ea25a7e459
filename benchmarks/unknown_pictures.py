"""Pictures like nothing a network was trained on: which score finds them out?

    python benchmarks/unknown_pictures.py choose --seeds 10 11 12
    python benchmarks/unknown_pictures.py learn --seeds 10 11
    python benchmarks/unknown_pictures.py report --seeds 0 1 2

With `--csv benchmarks/results/unknown_pictures.csv` the rows are kept.

Five networks, each trained without some classes of its data:

    mnist-auto, mnist-classic        classic-28, 10,000 digits of 8 classes, 3 epochs
    cifar10-auto, cifar10-classic    classic-32, 12,000 pictures of 8 classes, 10 epochs
    flowers17                        EfficientNet-Lite0 at 224 pixels and a head, 14 classes

Each score is fitted on the training pictures and tried on pictures of the same classes and on
those of six kinds that the network does not know. `choose` takes validation pictures of the known
classes and every second unknown one, and so does `learn`, which tries the chosen score fitted on
fewer and other pictures; `report` takes the test part and the other unknown ones. A row for
each network, seed, kind and score: AUROC, and with the threshold that keeps 95% of the calibration
part, the share of known pictures kept and of unknown ones found out.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import tellapart
from common import DATA
from tellapart.approaches.scratch import LEARNED_FROM
from tellapart.data.split import Split
from tellapart.data.store import open_store
from tellapart.evaluation.auroc import auroc
from tellapart.evaluation.calibration import apply_temperature, fit_temperature
from tellapart.evaluation.novelty import fit_novelty, fit_novelty_cross_validated, thin
from tellapart.evaluation.novelty_threshold import fit_novelty_threshold
from tellapart.images import ImageSpec
from tellapart.models.head import fit_head

NETWORKS = ("mnist-auto", "mnist-classic", "cifar10-auto", "cifar10-classic", "flowers17")
COLUMNS = ("purpose", "network", "seed", "unknown", "score", "auroc", "kept", "found")
SCRATCH = {"mnist": (10_000, 3, (28, 28, 1)), "cifar10": (12_000, 10, (32, 32, 3))}
"""Pictures to train on, epochs, shape."""

ARCHIVES = {"mnist": "mnist.tar.gz", "cifar10": "cifar10.tar.gz"}
FLOWERS, INSECTS = "flowers17.zip", "ants-bees.zip"
CALIBRATION = VALIDATION = 1_000
UNKNOWN = 800

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Seen:
    """What a network makes of some pictures.

    Attributes:
        last: (n, d) float32, the input of the last layer.
        means: (n, channels) float32, the means of the last maps; of a backbone these are `last`.
        logits: (n, classes) float32.
        temperature: of the calibration part.
    """

    last: Floats
    means: Floats
    logits: Floats
    temperature: float = 1.0

    def __getitem__(self, rows: Any) -> Seen:
        return Seen(self.last[rows], self.means[rows], self.logits[rows], self.temperature)

    @property
    def softened(self) -> Floats:
        """(n, classes) float32, calibrated probabilities."""
        return apply_temperature(softmax(self.logits), self.temperature)


@dataclass(frozen=True)
class Case:
    """A trained network's view of the pictures that a score is fitted and tried on."""

    train: Seen
    labels: Labels
    calibration: Seen
    calibration_labels: Labels
    validation: Seen
    test: Seen
    unknown: dict[str, Seen]
    accuracy: float


# --- Networks -----------------------------------------------------------------------------------


def from_scratch(name: str, seed: int) -> Case:
    import keras

    from tellapart.models import registry
    from tellapart.models.penultimate import penultimate
    from tellapart.training import trainer
    from tellapart.training.recipe import choose_recipe

    data, _, recipe_name = name.partition("-")
    count, epochs, shape = SCRATCH[data]
    dataset = tellapart.load(DATA / ARCHIVES[data])
    options = {"seed": seed, "epochs": epochs}
    recipe, _ = choose_recipe(dataset, recipe_name, options=options)
    assert recipe.image_spec.shape == shape
    pixels = open_store(dataset, recipe.image_spec).pixels
    held_out = {seed % 10, (seed + 5) % 10}
    known = [k for k in range(10) if k not in held_out]
    labels = np.searchsorted(known, dataset.labels)
    is_known = np.isin(dataset.labels, known)
    is_test = dataset.parts == dataset.parts.max()
    rng = np.random.default_rng(seed)
    pool = rng.permutation(np.flatnonzero(is_known & ~is_test))
    train, calibration, validation = np.split(
        pool[: count + CALIBRATION + VALIDATION], [count, count + CALIBRATION]
    )
    test = rng.permutation(np.flatnonzero(is_known & is_test))[: 2 * VALIDATION]
    strangers = rng.permutation(np.flatnonzero(~is_known & is_test))[:UNKNOWN]
    nothing = np.empty(0, np.int64)
    parts = Split(np.sort(train), nothing, nothing, np.sort(test), seed)
    trainer.set_seed(seed)
    model = registry.build(recipe.model, shape, len(known)).model
    recipe = replace(recipe, early_stopping=None, restore_best_weights=False)
    trainer.fit(model, pixels, labels, parts, recipe, lambda event: None)
    means, logits = penultimate(model).outputs
    opened = keras.Model(model.inputs, [model.get_layer("output").input, means, logits])

    def see(rows: Any) -> Seen:
        return Seen(*opened.predict(rows, batch_size=256, verbose=0))

    tested = see(pixels[np.sort(test)])
    unknown = {"held-out classes": see(pixels[np.sort(strangers)])}
    unknown |= {kind: see(rows) for kind, rows in other_pictures(data, shape)}
    return Case(
        train=see(pixels[parts.train]),
        labels=labels[parts.train],
        calibration=see(pixels[np.sort(calibration)]),
        calibration_labels=labels[np.sort(calibration)],
        validation=see(pixels[np.sort(validation)]),
        test=tested,
        unknown=unknown,
        accuracy=float((tested.logits.argmax(axis=1) == labels[np.sort(test)]).mean()),
    )


def flowers(seed: int) -> Case:
    features, labels, others = flower_features()
    held_out = np.array([seed % 17, (seed + 6) % 17, (seed + 11) % 17])
    known = np.setdiff1d(np.arange(17), held_out)
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(np.isin(labels, known)))
    own = np.searchsorted(known, labels)
    # 1,120 pictures of 14 classes: 60% to learn from, and the rest in three equal parts.
    train, calibration, validation, test = np.split(rows, np.cumsum([672, 149, 149]))
    head = fit_head(features[train], own[train], classes=len(known), seed=seed)

    def see(found: Floats) -> Seen:
        return Seen(found, found, head.logits(found))

    tested = see(features[test])
    unknown = {"held-out classes": see(features[np.isin(labels, held_out)])}
    return Case(
        train=see(features[train]),
        labels=own[train],
        calibration=see(features[calibration]),
        calibration_labels=own[calibration],
        validation=see(features[validation]),
        test=tested,
        unknown=unknown | {kind: see(rows) for kind, rows in others.items()},
        accuracy=float((tested.logits.argmax(axis=1) == own[test]).mean()),
    )


_FLOWERS: list[tuple[Floats, Labels, dict[str, Floats]]] = []


def flower_features() -> tuple[Floats, Labels, dict[str, Floats]]:
    """Features of all flowers, their labels, and features of the other pictures; once a process."""
    from tellapart.models.backbones import get_backbone
    from tellapart.models.backbones.engine import FeatureExtractor

    if not _FLOWERS:
        extractor = FeatureExtractor(get_backbone("efficientnet-lite0"), (224, 224))
        dataset = tellapart.load(DATA / FLOWERS)
        pixels = open_store(dataset, ImageSpec(224, 224, 3, resize="crop")).pixels
        others = {
            kind: extractor.features(np.ascontiguousarray(rows))
            for kind, rows in other_pictures("flowers17", (224, 224, 3))
        }
        found = extractor.features(np.ascontiguousarray(pixels))
        _FLOWERS.append((found, dataset.labels, others))
    return _FLOWERS[0]


def other_pictures(data: str, shape: tuple[int, int, int]) -> Iterable[tuple[str, Any]]:
    """Kinds of pictures that have nothing to do with the data, as (n, height, width, channels)."""
    rng = np.random.default_rng(0)
    size = (UNKNOWN // 2 if shape[0] > 100 else UNKNOWN, *shape)
    yield "uniform noise", rng.integers(0, 256, size, np.uint8)
    yield "Gaussian noise", np.clip(rng.normal(127, 50, size), 0, 255).astype(np.uint8)
    for kind, archive in (
        ("flowers", FLOWERS),
        ("ants and bees", INSECTS),
        ("digits", ARCHIVES["mnist"]),
        ("CIFAR-10", ARCHIVES["cifar10"]),
    ):
        if archive in (ARCHIVES.get(data), FLOWERS if data == "flowers17" else None):
            continue
        dataset = tellapart.load(DATA / archive)
        chosen = np.sort(rng.permutation(len(dataset))[: size[0]])
        yield kind, open_store(dataset.take(chosen), ImageSpec(*shape, resize="crop")).pixels


# --- Scores -------------------------------------------------------------------------------------

Score = Callable[[Seen], npt.NDArray[np.floating[Any]]]
"""(n,) of n pictures: higher is stranger."""


def softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def fit_scores(case: Case) -> dict[str, Score]:
    """All candidates, fitted on the training pictures and scaled on the calibration part."""
    scores: dict[str, Score] = {
        "max probability": lambda seen: -softmax(seen.logits).max(axis=1),
        "max logit": lambda seen: -seen.logits.max(axis=1),
        "energy": energy,
        "entropy": lambda seen: -(seen.softened * np.log(seen.softened + 1e-12)).sum(axis=1),
        "ViM, last": virtual_logit(case.train),
    }
    kinds: tuple[tuple[str, Callable[[Seen], Floats]], ...] = (
        ("last", lambda seen: seen.last),
        ("means", _means),
    )
    for where, get in kinds:
        found = {
            "Mahalanobis": mahalanobis(get(case.train), case.labels),
            "relative Mahalanobis": relative(get(case.train), case.labels),
            "cosine": cosine(get(case.train), case.labels),
            "nearest neighbours": neighbours(get(case.train)),
            "distance": distance(get(case.train)),
        }
        for name, score in found.items():
            scores[f"{name}, {where}"] = _of(get, score)
        scores[f"distance + energy, {where}"] = both(
            scores[f"distance, {where}"], scores["energy"], case.calibration
        )
        scores[f"distance + max probability, {where}"] = both(
            scores[f"distance, {where}"], scores["max probability"], case.calibration
        )
        train = thin(get(case.train), LEARNED_FROM)
        model = fit_novelty(train, get(case.calibration), case.calibration.softened)
        scores[f"distance + entropy, {where}"] = _ours(model, get)
    return scores


def fit_on_fewer(case: Case) -> dict[str, Score]:
    """The chosen score, fitted on so many training pictures, or on calibration pictures alone."""
    scores = {}
    known, softened = case.calibration.means, case.calibration.softened
    for count in (5_000, 2_000, LEARNED_FROM):
        model = fit_novelty(thin(case.train.means, count), known, softened)
        scores[f"{count} of the training part"] = _ours(model, _means)
    for count in (1_000, 300, 149, 60):
        if count <= len(known):
            model, _ = fit_novelty_cross_validated(known[:count], softened[:count])
            scores[f"{count} that judge each other"] = _ours(model, _means)
    return scores


def _means(seen: Seen) -> Floats:
    return seen.means


def _of(get: Callable[[Seen], Floats], score: Callable[[Floats], Any]) -> Score:
    return lambda seen: score(get(seen))


def _ours(model: Any, get: Callable[[Seen], Floats]) -> Score:
    return lambda seen: model.score(get(seen), seen.softened)


def both(first: Score, second: Score, calibration: Seen) -> Score:
    """The sum, each in standard deviations of the calibration part."""
    scales = [(np.mean(s(calibration)), np.std(s(calibration)) + 1e-9) for s in (first, second)]
    return lambda seen: sum(
        (score(seen) - mean) / deviation
        for score, (mean, deviation) in zip((first, second), scales, strict=True)
    )


def energy(seen: Seen) -> npt.NDArray[np.floating[Any]]:
    """Liu et al., 2020."""
    from scipy.special import logsumexp

    return -np.asarray(logsumexp(seen.logits, axis=1))


def distance(train: Floats) -> Callable[[Floats], Any]:
    """Ours without the entropy: from the mean of all classes."""
    model = fit_novelty(train, train[:2], np.full((2, 2), 0.5, np.float32))
    unweighted = replace(model, distance_weight=1.0, entropy_weight=0.0, offset=0.0)
    return lambda rows: unweighted.score(rows, np.full((len(rows), 2), 0.5, np.float32))


def mahalanobis(train: Floats, labels: Labels) -> Callable[[Floats], Any]:
    """Lee et al., 2018: from the nearest class mean, with a shared covariance."""
    means = np.stack([train[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    centred = (train - means[labels]).astype(np.float64)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(train))
    whiten = axes / np.sqrt(np.maximum(variances, 0) + 0.01 * variances.mean())
    turned = means @ whiten

    def score(rows: Floats) -> Any:
        here = rows @ whiten
        return np.min([np.square(here - mean).sum(axis=1) for mean in turned], axis=0)

    return score


def relative(train: Floats, labels: Labels) -> Callable[[Floats], Any]:
    """Ren et al., 2021: less the distance from the mean of all."""
    of_class, of_all = mahalanobis(train, labels), mahalanobis(train, np.zeros_like(labels))
    return lambda rows: of_class(rows) - of_all(rows)


def cosine(train: Floats, labels: Labels) -> Callable[[Floats], Any]:
    """To the nearest class mean, about the mean of all."""
    centre = train.mean(axis=0)
    means = unit(
        np.stack([train[labels == k].mean(axis=0) for k in range(labels.max() + 1)]) - centre
    )
    return lambda rows: -(unit(rows - centre) @ means.T).max(axis=1)


def neighbours(train: Floats, bank: int = 1_000, k: int = 10) -> Callable[[Floats], Any]:
    """Sun et al., 2022: the k-th nearest of a bank of training pictures, at length 1."""
    kept = unit(train[np.random.default_rng(0).permutation(len(train))[:bank]])
    return lambda rows: -np.sort(unit(rows) @ kept.T, axis=1)[:, -k]


def virtual_logit(train: Seen) -> Score:
    """Wang et al., 2022: what the principal axes leave of the features, and energy."""
    width = train.last.shape[1]
    centre = train.last.mean(axis=0)
    centred = (train.last - centre).astype(np.float64)
    principal = min(512, width // 2, len(train.last) // 2)
    others = np.linalg.eigh(centred.T @ centred)[1][:, : width - principal]

    def left(seen: Seen) -> Any:
        return np.linalg.norm((seen.last - centre) @ others, axis=1)

    scale = train.logits.max(axis=1).mean() / left(train).mean()
    return lambda seen: scale * left(seen) + energy(seen)


def unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


# --- Measuring ----------------------------------------------------------------------------------


def measure(case: Case, purpose: str) -> Iterable[tuple[str, str, float, float, float]]:
    """Yields kind of unknown pictures, score, AUROC, and shares kept and found out."""
    logits = softmax(case.calibration.logits)
    temperature = fit_temperature(logits, case.calibration_labels)
    case = replace(
        case,
        **{
            part: replace(getattr(case, part), temperature=temperature)
            for part in ("train", "calibration", "validation", "test")
        },
    )
    known = case.test if purpose == "report" else case.validation
    every_second = slice(1 if purpose == "report" else 0, None, 2)
    scores = fit_on_fewer(case) if purpose == "learn" else fit_scores(case)
    for name, score in scores.items():
        limit = fit_novelty_threshold(score(case.calibration), kept=0.95)
        usual = score(known)
        for kind, seen in case.unknown.items():
            strange = score(replace(seen, temperature=temperature)[every_second])
            yield (
                kind,
                name,
                auroc(usual, strange).value,
                1 - float(limit.is_unknown(usual).mean()),
                float(limit.is_unknown(strange).mean()),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("purpose", choices=("choose", "learn", "report"))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seeds", nargs="+", type=int, required=True)
    parser.add_argument("--csv", type=Path, help="rows are added to this file")
    arguments = parser.parse_args()
    rows: list[tuple[Any, ...]] = []
    for network, seed in itertools.product(arguments.networks, arguments.seeds):
        case = flowers(seed) if network == "flowers17" else from_scratch(network, seed)
        print(f"{network} {seed}: accuracy {case.accuracy:.3f}", file=sys.stderr, flush=True)
        found = measure(case, arguments.purpose)
        rows += [(arguments.purpose, network, seed, *row) for row in found]
    if arguments.csv:
        write(arguments.csv, rows)
    summarise(rows)


def write(path: Path, rows: list[tuple[Any, ...]]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as stream:
        out = csv.writer(stream, lineterminator="\n")
        if new:
            out.writerow(COLUMNS)
        for *labels, area, kept, found in rows:
            out.writerow([*labels, f"{area:.4f}", f"{kept:.4f}", f"{found:.4f}"])


def summarise(rows: list[tuple[Any, ...]]) -> None:
    """Prints AUROC and, in brackets, the share found out: means over kinds and seeds."""
    networks = list(dict.fromkeys(row[1] for row in rows))
    print(f"{'score':32}" + "".join(f"{name:>18}" for name in (*networks, "mean", "worst kind")))
    for score in dict.fromkeys(row[4] for row in rows):
        own = [row for row in rows if row[4] == score]
        pairs = [
            [statistics.mean(row[k] for row in own if row[1] == name) for k in (5, 7)]
            for name in networks
        ]
        pairs.append([statistics.mean(pair[k] for pair in pairs) for k in (0, 1)])
        worst = min(
            statistics.mean(row[5] for row in own if row[1:4:2] == kind)
            for kind in {row[1:4:2] for row in own}
        )
        cells = "".join(f"{f'{area:.3f} ({found:.2f})':>18}" for area, found in pairs)
        print(f"{score:32}{cells}{worst:18.3f}")


if __name__ == "__main__":
    main()
