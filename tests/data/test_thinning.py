from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data import load
from tellapart.data.dataset import PARTS
from tellapart.data.split import Split
from tellapart.data.thinning import LEAST_OF_EACH, thin


def split_of(
    train: list[int], test: list[int]
) -> tuple[Split, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """So many pictures of each class in two parts, and the labels of all."""
    labels = np.concatenate([np.repeat(np.arange(len(own)), own) for own in (train, test)])
    everything, none = np.arange(len(labels)), np.empty(0, np.int64)
    parts = Split(everything[: sum(train)], none, none, everything[sum(train) :], seed=4)
    return parts, labels


def test_the_same_share_of_each_class_and_part() -> None:
    parts, labels = split_of([400, 200, 12], [100, 8, 0])
    fewer = thin(parts, labels, 180)
    # A quarter of 720: of train 100, 50 and, as the least, 10; of test 25 and all 8.
    assert np.bincount(labels[fewer.train]).tolist() == [100, 50, 10]
    assert np.bincount(labels[fewer.test]).tolist() == [25, 8]
    assert set(fewer.train.tolist()) < set(parts.train.tolist())
    assert fewer.train.tolist() == thin(parts, labels, 180).train.tolist()
    assert fewer.train.tolist() == sorted(set(fewer.train.tolist()))


def test_nothing_to_thin() -> None:
    parts, labels = split_of([3, 2], [1, 1])
    assert thin(parts, labels, 7) is parts


counts = st.lists(st.integers(0, 300), min_size=3, max_size=3).filter(any)


@given(counts, counts, st.integers(1, 900))
def test_never_more_than_asked_but_for_the_least(
    train: list[int], test: list[int], keep: int
) -> None:
    parts, labels = split_of(train, test)
    fewer = thin(parts, labels, keep)
    share = keep / len(labels)
    for part, own in (("train", train), ("test", test)):
        kept = np.bincount(labels[fewer.part(part)], minlength=3).tolist()  # type: ignore[arg-type]
        for number, drawn in zip(own, kept, strict=True):
            assert min(number, LEAST_OF_EACH) <= drawn <= number
            assert drawn <= max(np.ceil(number * share), LEAST_OF_EACH)
    assert all(len(fewer.part(part)) <= len(parts.part(part)) for part in PARTS)


def test_a_selection_reads_the_pictures_that_it_names(colour_folder: Path) -> None:
    dataset = load(colour_folder)
    taken = dataset.take(np.array([30, 2]))
    assert taken.paths == [dataset.paths[30], dataset.paths[2]]
    assert taken.source.read(0) == dataset.source.read(30)
    assert taken.source.read(1) == dataset.source.read(2)
    assert taken.labels.tolist() == [2, 0]
    assert taken.source.key == dataset.take(np.array([30, 2])).source.key
    assert taken.source.key != dataset.take(np.array([2, 30])).source.key
