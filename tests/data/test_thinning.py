from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data import load
from tellapart.data.thinning import LEAST_OF_EACH, thin
from tests.data.test_split import dataset_of


def test_the_same_share_of_each_class_and_part() -> None:
    dataset = dataset_of(
        {}, {"train": {"a": 400, "b": 200, "c": 12}, "test": {"a": 100, "b": 8, "c": 0}}
    )
    chosen = thin(dataset, 180)
    # A quarter of 720: of train 100, 50 and, as the least, 10; of test 25 and all 8.
    counts = [
        int(((dataset.parts[chosen] == part) & (dataset.labels[chosen] == label)).sum())
        for part in (0, 3)
        for label in range(3)
    ]
    assert counts == [100, 50, 10, 25, 8, 0]
    assert chosen.tolist() == thin(dataset, 180).tolist()
    assert chosen.tolist() != thin(dataset, 180, seed=1).tolist()


def test_nothing_to_thin() -> None:
    assert thin(dataset_of({"a": 3, "b": 2}), 5).tolist() == [0, 1, 2, 3, 4]


@given(st.lists(st.integers(0, 300), min_size=2, max_size=6).filter(any), st.integers(1, 900))
def test_never_more_than_asked_but_for_the_least(counts: list[int], keep: int) -> None:
    dataset = dataset_of({"a": sum(counts), **{f"b{i}": 0 for i in range(len(counts) - 1)}})
    dataset.labels[:] = np.repeat(np.arange(len(counts)), counts)
    chosen = thin(dataset, keep)
    assert len(set(chosen.tolist())) == len(chosen)
    drawn = np.bincount(dataset.labels[chosen], minlength=len(counts))
    for own, number in zip(counts, drawn.tolist(), strict=True):
        assert number >= min(own, LEAST_OF_EACH)
        assert number <= max(np.ceil(own * keep / len(dataset)), LEAST_OF_EACH)


def test_a_selection_reads_the_pictures_that_it_names(colour_folder: Path) -> None:
    dataset = load(colour_folder)
    taken = dataset.take(np.array([30, 2]))
    assert taken.paths == [dataset.paths[30], dataset.paths[2]]
    assert taken.source.read(0) == dataset.source.read(30)
    assert taken.source.read(1) == dataset.source.read(2)
    assert taken.labels.tolist() == [2, 0]
    assert taken.source.key == dataset.take(np.array([30, 2])).source.key
    assert taken.source.key != dataset.take(np.array([2, 30])).source.key
