from __future__ import annotations

import os
from pathlib import Path

import pytest

from tellapart.data import load, open_store, split
from tellapart.images import ImageSpec

FOLDER = Path(
    os.environ.get("TELLAPART_DATA", Path(__file__).parents[2].parent / "shared" / "data")
)

pytestmark = pytest.mark.slow


def needs(name: str) -> Path:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{path} is missing; name the folder that holds it in TELLAPART_DATA")
    return path


@pytest.mark.parametrize(
    ("name", "spec", "counts", "classes"),
    [
        ("cifar10.tar.gz", ImageSpec(32, 32), [40_000, 10_000, 10_000], 10),
        ("mnist.tar.gz", ImageSpec(28, 28, 1), [48_000, 12_000, 10_000], 10),
        ("flowers17.zip", ImageSpec(64, 64), [870, 218, 272], 17),
        ("ants-bees.zip", ImageSpec(64, 64), [196, 49, 153], 2),
    ],
)
def test_archives(name: str, spec: ImageSpec, counts: list[int], classes: int) -> None:
    dataset = load(needs(name))
    store = open_store(dataset, spec)
    parts = split(dataset, exclude=store.failures)
    assert len(dataset.class_names) == classes
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == counts
    assert store.failures == {}
    warm = open_store(load(needs(name)), spec)
    assert warm.was_cached
    assert warm.fingerprint == store.fingerprint
    assert warm.pixels.shape == (len(dataset), *spec.shape)
