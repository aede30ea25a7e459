"""The classic recipes on all of their data: the accuracies that the tutorials promise.

Minutes each; the pictures come from TELLAPART_DATA.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import tellapart as ta

DATA = Path(os.environ.get("TELLAPART_DATA", Path(__file__).parents[2].parent / "shared" / "data"))

pytestmark = pytest.mark.slow


def archive(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is missing; TELLAPART_DATA names the folder that holds it")
    return path


def test_mnist_classic(tmp_path: Path) -> None:
    run = ta.train(archive("mnist.tar.gz"), recipe="classic", out=tmp_path / "run")
    assert run.recipe.model == "classic-28"
    assert len(run.history) == 3
    assert run.evaluation.accuracy.count == 10_000
    assert 0.980 <= run.evaluation.accuracy.value <= 0.989
    parity = json.loads((run.path / "run.json").read_text())["parity"]
    assert parity["checked"] == 2_551  # evenly spread over the 10,000 (`export.parity.sample`)
    assert parity["max_difference"] <= 1e-4


def test_cifar10_classic(tmp_path: Path) -> None:
    run = ta.train(archive("cifar10.tar.gz"), recipe="classic", out=tmp_path / "run")
    assert run.recipe.model == "classic-32"
    assert len(run.history) == 15
    assert run.evaluation.accuracy.count == 10_000
    assert 0.62 <= run.evaluation.accuracy.value <= 0.71
    # The textbook's case of overfitting.
    assert run.history[-1]["accuracy"] > run.evaluation.accuracy.value + 0.15


def test_val_of_ants_and_bees_is_the_test_part(tmp_path: Path) -> None:
    run = ta.train(archive("ants-bees.zip"), recipe="classic", epochs=2, out=tmp_path / "run")
    assert run.recipe.model == "classic-64"
    assert run.evaluation.class_names == ("ants", "bees")
    assert run.evaluation.accuracy.count == 153  # the pictures in val/


def test_flowers17_is_split_by_class(tmp_path: Path) -> None:
    run = ta.train(archive("flowers17.zip"), recipe="classic", epochs=2, out=tmp_path / "run")
    assert run.evaluation.accuracy.count == 272  # a fifth of 17 * 80
    assert {score.count for score in run.evaluation.class_scores} == {16}
