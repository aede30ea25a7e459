"""What is given up for a budget; the clock is made up."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pytest

from tellapart.approaches import within_budget
from tellapart.approaches.within_budget import (
    MEASURED_ON,
    Fit,
    fit_decoding,
    fit_features,
    seen_in,
)
from tellapart.data import archive, load
from tellapart.data.dataset import Dataset
from tellapart.data.listing import open_tar
from tellapart.images import ImageSpec, Pixels, decode
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


ALL = np.arange(36)


def fit(
    dataset: Dataset,
    each: float,
    budget: float,
    *,
    pictures: npt.NDArray[np.int64] = ALL,
    may_shrink: bool = True,
) -> Fit:
    # Begun at 0. Decoding takes half of a picture's time, on one of two cores; features the rest.
    halves = MEASURED_ON * each, MEASURED_ON * each / 2
    times = clock(0, 0, halves[0], sum(halves), sum(halves))
    return fit_features(
        dataset,
        get_backbone("efficientnet-lite0"),
        SPEC,
        pictures,
        budget,
        may_shrink=may_shrink,
        clock=lambda: next(times),
    )


MEASURING = 1.5 * MEASURED_ON
"""Times a picture's time on both cores."""


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(within_budget, "usable_cores", lambda: 2)


def test_time_enough(dataset: Dataset) -> None:
    # The end takes 6 s, or as long as 1,500 pictures: 150 s. 36 pictures of 0.1 s take 3.6 s, and
    # fitting the head 36 times 0.6% of that for each of 3 classes, 0.06 s.
    budget = 150 + 0.1 * MEASURING
    assert fit(dataset, 0.1, budget + 3.7) == Fit((224, 224), 36)
    assert fit(dataset, 0.1, budget + 3.6) == Fit(
        (192, 192), 36, "Pictures of 192x192 instead of 224x224 pixels, to keep within the budget."
    )


def test_the_end_takes_a_while_on_any_machine(dataset: Dataset) -> None:
    # 1,500 pictures of 2 ms would take 3 s, but the end takes 6; 1,000 of them and the head 2.04 s.
    budget, pictures = 6 + 0.002 * MEASURING, np.arange(1_000) % 36
    assert fit(dataset, 0.002, budget + 2.1, pictures=pictures).image_size == (224, 224)
    assert fit(dataset, 0.002, budget + 2.0, pictures=pictures).image_size == (192, 192)


def test_smaller_pictures(dataset: Dataset) -> None:
    # 36 pictures take 2.6 s at 192 pixels, 36/49 of 3.6 s, and 25/49, 1.8 s, at 160.
    found = fit(dataset, 0.1, 150 + 0.1 * MEASURING + 2.0)
    assert (found.image_size, found.keep) == ((160, 160), 36)


def test_fewer_pictures(dataset: Dataset) -> None:
    # At 128 pixels one takes 1 s * (16/49 + 3 * 0.6%): of 36 pictures 14 fit into 5 s.
    found = fit(dataset, 1.0, 1500 + MEASURING + 5)
    assert (found.image_size, found.keep) == ((128, 128), 14)
    assert found.note == (
        "The budget is too short for all 36 pictures: about 14 are used, of 128x128 pixels, evenly "
        "from each class and part."
    )


def test_the_users_size_is_kept(dataset: Dataset) -> None:
    # 5 s hold 4 pictures of 1 s * (1 + 3 * 0.6%).
    found = fit(dataset, 1.0, 1500 + MEASURING + 5, may_shrink=False)
    assert (found.image_size, found.keep) == ((224, 224), 4)


def test_decoding(dataset: Dataset) -> None:
    # 30% of 10 s are 3 s, enough for 12 pictures of half a second on two cores.
    times = clock(0, MEASURED_ON * 0.5)
    found = fit_decoding(dataset, SPEC, np.arange(36), 10, clock=lambda: next(times))
    assert (found.image_size, found.keep) == ((224, 224), 12)


class Clock:
    """Made-up seconds: a call takes none, and what is done with `takes` as many as it says."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def takes(self, seconds: float, function: Any) -> Any:
        """The same function, but the clock goes on at each call."""

        def slow(*args: Any, **options: Any) -> Any:
            self.seconds += seconds
            return function(*args, **options)

        return slow


def test_unpacking_an_archive_is_no_time_of_decoding(
    colour_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the audit kept from the last run, the first picture to decode unpacks the archive."""
    packed = tmp_path / "colours.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(colour_folder, "colours")
    load(packed)  # the next time its list is known, and it is not opened
    clock, opened = Clock(), []

    def unpack(*args: Any) -> IO[bytes]:
        opened.append(args)
        return real(*args)

    real = open_tar
    monkeypatch.setattr(archive, "open_tar", clock.takes(30.0, unpack))
    monkeypatch.setattr(within_budget, "decode", clock.takes(0.0625, decode))
    found = fit_decoding(load(packed), SPEC, np.arange(36), 10, clock=clock)
    assert len(opened) == 1
    # 3 s are enough for 96 pictures of a sixteenth second on two cores, and there are 36; with 30 s
    # for the archive shared among the 32 that are measured, only five would be left.
    assert found == Fit((224, 224), 36)


def test_how_many_pictures_a_network_would_see() -> None:
    # At 0.7 of 100 Gflop/s, 70 Mflop take a millisecond. 3 s go by in compiling, 3 s at the end,
    # and 0.4 ms for each test picture.
    assert seen_in(20, 10_000, 70_000_000, 100e9) == pytest.approx(10_000, abs=1)
    assert seen_in(20, 0, 70_000_000, 100e9) == pytest.approx(14_000, abs=1)
    assert seen_in(5, 0, 70_000_000, 100e9) == 0
