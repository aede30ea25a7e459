"""What is given up for a budget; the clock is made up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tellapart.approaches import within_budget
from tellapart.approaches.within_budget import MEASURED_ON, Fit, fit_decoding, fit_features
from tellapart.data import load
from tellapart.data.dataset import Dataset
from tellapart.images import ImageSpec, Pixels
from tellapart.models.backbones import get_backbone

SPEC = ImageSpec(224, 224, resize="crop")


class NoExtractor:
    """Stands in for an engine that takes no time but that of the clock."""

    def __init__(self, backbone: object, image_size: tuple[int, int]) -> None:
        """Is ready at once."""

    def features(self, pixels: Pixels) -> None:
        """Looks at nothing."""


def clock(*seconds: float) -> Iterator[float]:
    yield from seconds


@pytest.fixture
def dataset(colour_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(within_budget, "FeatureExtractor", NoExtractor)
    return load(colour_folder)


def fit(dataset: Dataset, each: float, budget: float, *, may_shrink: bool = True) -> Fit:
    # Begun at 0, measured from 0 to MEASURED_ON * each; what is left is counted from there.
    times = clock(0, 0, MEASURED_ON * each, MEASURED_ON * each)
    return fit_features(
        dataset,
        get_backbone("efficientnet-lite0"),
        SPEC,
        np.arange(36),
        budget,
        may_shrink=may_shrink,
        clock=lambda: next(times),
    )


def test_time_enough(dataset: Dataset) -> None:
    # 36 pictures of 0.1 s, after 15 s for the end and 1.6 s for the measurement.
    assert fit(dataset, 0.1, 15 + 1.6 + 3.7) == Fit((224, 224), 36)


def test_smaller_pictures(dataset: Dataset) -> None:
    # 36 pictures take 3.6 s at 224 pixels, 36/49 of that, 2.6 s, at 192, and 25/49, 1.8 s, at 160.
    found = fit(dataset, 0.1, 15 + 1.6 + 2.0)
    assert (found.image_size, found.keep) == ((160, 160), 36)
    assert found.note == (
        "Pictures of 160x160 instead of 224x224 pixels, to keep within the budget."
    )


def test_fewer_pictures(dataset: Dataset) -> None:
    # At 128 pixels one takes 1 s * 16/49: of 36 pictures 15 fit into 5 s.
    found = fit(dataset, 1.0, 15 + 16 + 5)
    assert (found.image_size, found.keep) == ((128, 128), 15)
    assert found.note == (
        "The budget is too short for all 36 pictures: about 15 are used, of 128x128 pixels, evenly "
        "from each class and part."
    )


def test_the_users_size_is_kept(dataset: Dataset) -> None:
    found = fit(dataset, 1.0, 15 + 16 + 5, may_shrink=False)
    assert (found.image_size, found.keep) == ((224, 224), 5)


def test_decoding(dataset: Dataset) -> None:
    # 30% of 10 s are 3 s, enough for 12 pictures of a quarter second.
    times = clock(0, MEASURED_ON * 0.25)
    found = fit_decoding(dataset, SPEC, np.arange(36), 10, clock=lambda: next(times))
    assert (found.image_size, found.keep) == ((224, 224), 12)
