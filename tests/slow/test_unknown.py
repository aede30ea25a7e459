"""Unknown pictures: the score on networks that were really trained."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import unknown_pictures
from common import DATA

pytestmark = pytest.mark.slow

OURS = "distance + entropy, means"


def areas(network: str, seed: int) -> dict[str, float]:
    """AUROC of our score for each kind of unknown pictures."""
    for archive in (*unknown_pictures.ARCHIVES.values(), "flowers17.zip", "ants-bees.zip"):
        if not (DATA / archive).exists():
            pytest.skip(f"{archive} is missing; TELLAPART_DATA names the folder that holds it")
    if network == "flowers17":
        case = unknown_pictures.flowers(seed)
    else:
        case = unknown_pictures.from_scratch(network, seed)
    return {
        kind: area
        for kind, score, area, _, _ in unknown_pictures.measure(case, "choose")
        if score == OURS
    }


def test_digits() -> None:
    found = areas("mnist-auto", 10)
    assert len(found) == 6
    assert found.pop("held-out classes") > 0.7
    assert min(found.values()) > 0.97


def test_photos() -> None:
    found = areas("flowers17", 10)
    assert found.pop("held-out classes") > 0.8
    assert min(found.values()) > 0.95


def test_a_weak_network_knows_noise_and_digits_at_least() -> None:
    found = areas("cifar10-auto", 10)
    assert min(found[kind] for kind in ("uniform noise", "Gaussian noise", "digits")) > 0.95
    assert min(found[kind] for kind in ("flowers", "ants and bees")) > 0.65
