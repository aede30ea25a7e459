"""Prediction sets on the probabilities of a network that was really trained."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import tellapart as ta
from tellapart.data.split import split
from tellapart.data.store import open_store
from tellapart.evaluation.conformal import fit_conformal
from tellapart.models import registry
from tellapart.training import trainer
from tellapart.training.recipe import choose_recipe

DATA = Path(os.environ.get("TELLAPART_DATA", Path(__file__).parents[2].parent / "shared" / "data"))

pytestmark = pytest.mark.slow

Predicted = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]


def predictions(archive: str, pictures: int, epochs: int) -> Predicted:
    """Of a part of the data's test pictures, by the classic recipe on few training pictures."""
    if not (DATA / archive).exists():
        pytest.skip(f"{DATA / archive} is missing; TELLAPART_DATA names the folder that holds it")
    dataset = ta.load(DATA / archive)
    rng = np.random.default_rng(0)
    parts = split(dataset, seed=0)
    train = np.sort(rng.permutation(parts.train)[:pictures])
    test = np.sort(rng.permutation(parts.test)[:5000])
    few = dataset.take(np.concatenate([train, test]))
    recipe, _ = choose_recipe(few, "classic", options={"epochs": epochs, "seed": 0})
    pixels = open_store(few, recipe.image_spec).pixels
    nothing = np.empty(0, np.int64)
    rows = np.arange(len(few))
    parts = replace(
        parts, train=rows[:pictures], validation=nothing, calibration=nothing, test=rows[pictures:]
    )
    trainer.set_seed(0)
    model: Any = registry.build(recipe.model, recipe.image_spec.shape, len(few.class_names)).model
    trainer.fit(model, pixels, few.labels, parts, recipe, lambda event: None)
    return trainer.predict(model, pixels, parts.test), few.labels[parts.test]


def covered(p: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Mean share of sets that hold the right class, and mean size, over 200 splits."""
    shares, sizes = [], []
    for seed in range(200):
        order = np.random.default_rng(seed).permutation(len(labels))
        first, rest = order[:1000], order[1000:]
        rule = fit_conformal(p[first], labels[first], coverage=0.9)
        held = rule.sets(p[rest])
        shares.append(held[np.arange(len(rest)), labels[rest]].mean())
        sizes.append(held.sum(axis=1).mean())
    return float(np.mean(shares)), float(np.mean(sizes))


def test_sets_at_90_percent_cover_90_percent() -> None:
    p, labels = predictions("cifar10.tar.gz", pictures=6000, epochs=3)
    assert (p.argmax(axis=1) == labels).mean() < 0.8  # so that the top class alone is not enough
    share, size = covered(p, labels)
    assert 0.895 <= share <= 0.905
    assert 1 < size < 8


def test_a_network_that_is_right_more_often_covers_as_often_as_it_is_right() -> None:
    p, labels = predictions("mnist.tar.gz", pictures=6000, epochs=2)
    accuracy = float((p.argmax(axis=1) == labels).mean())
    assert accuracy > 0.92
    share, size = covered(p, labels)
    assert share == pytest.approx(accuracy, abs=0.005)
    assert size == pytest.approx(1, abs=0.05)
