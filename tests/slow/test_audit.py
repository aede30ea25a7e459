"""The audit on real data, from TELLAPART_DATA: what it finds, and what it must not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tellapart.data import load
from tellapart.data.audit import SIGNATURES, Audit, audit
from tellapart.data.columns import open_column

DATA = Path(os.environ.get("TELLAPART_DATA", Path(__file__).parents[2].parent / "shared" / "data"))

pytestmark = pytest.mark.slow


def look(name: str) -> Audit:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is missing; TELLAPART_DATA names the folder that holds it")
    dataset = load(path)
    return audit(dataset, open_column(dataset, SIGNATURES))


def test_flowers17_holds_72_photos_twice() -> None:
    found = look("flowers17.zip")  # each of the 72 was looked at: docs/audit.md
    assert 70 <= len(found.copies.first) <= 74
    assert np.bincount(found.groups).max() == 2
    assert {finding.topic for finding in found.findings} == {"copies"}


def test_ones_of_mnist_do_not_run_together() -> None:
    found = look("mnist.tar.gz")
    assert len(found.copies.first) < 0.005 * len(found.dataset)
    assert np.bincount(found.groups).max() <= 20


def test_known_copies_in_cifar10() -> None:
    found = look("cifar10.tar.gz")
    (across,) = (f for f in found.findings if f.topic == "copies across parts")
    # ciFAIR (Barz and Denzler, 2020) counts 3.3% of the test part, by looser rules.
    assert 180 <= len(across.items) <= 330
