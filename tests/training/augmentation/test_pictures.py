"""Every operation against pixels that can be worked out by hand, and what holds for all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.training.augmentation import Augmentation, augment, draw, mix, parse_augmentation
from tellapart.training.augmentation.geometry import transform
from tellapart.training.augmentation.numbers import NUMBERS, Numbers

Pictures = npt.NDArray[np.uint8]


def grey(*rows: list[int]) -> Pictures:
    """A batch of one grey picture."""
    return np.array(rows, np.uint8)[None, :, :, None]


def numbers(count: int = 1, **chosen: float) -> Numbers:
    """In the middle of their range, where nothing happens, but for those chosen."""
    return {name: np.full(count, chosen.get(name, 0.5)) for name in NUMBERS}


def rows_of(pictures: Pictures) -> Any:
    return pictures[0, :, :, 0].tolist()


def test_flips() -> None:
    picture = grey([1, 2, 3], [4, 5, 6])
    horizontal, vertical = Augmentation(flip="horizontal"), Augmentation(flip="vertical")
    both = Augmentation(flip="both")
    yes, no = numbers(flip_x=0.49, flip_y=0.49), numbers(flip_x=0.5, flip_y=0.5)
    assert rows_of(augment(picture, horizontal, yes)) == [[3, 2, 1], [6, 5, 4]]
    assert rows_of(augment(picture, vertical, yes)) == [[4, 5, 6], [1, 2, 3]]
    assert rows_of(augment(picture, both, yes)) == [[6, 5, 4], [3, 2, 1]]
    for flip in (horizontal, vertical, both):
        assert rows_of(augment(picture, flip, no)) == [[1, 2, 3], [4, 5, 6]]


def test_a_shift_fills_with_the_mirrored_picture() -> None:
    picture = grey([1, 2, 3, 4], [5, 6, 7, 8])
    # 0.25 of 4 columns is 1: at 1.0, the last of the range, columns are read one further right.
    # The row shift of 0.25 · 2 = 0.5 rounds to 0 (to the even number).
    moved = augment(picture, Augmentation(shift=0.25), numbers(shift_x=1.0))
    assert rows_of(moved) == [[2, 3, 4, 4], [6, 7, 8, 8]]
    moved = augment(picture, Augmentation(shift=0.5), numbers(shift_x=0.0))  # two to the right
    assert rows_of(moved) == [[2, 1, 1, 2], [6, 5, 5, 6]]
    moved = augment(picture, Augmentation(shift=0.5), numbers(shift_y=1.0))  # one up
    assert rows_of(moved) == [[5, 6, 7, 8], [5, 6, 7, 8]]


def test_a_quarter_turn() -> None:
    # The end of the range is 90 degrees clockwise: the left column becomes the top row.
    turned = augment(grey([1, 2], [3, 4]), Augmentation(rotate=90), numbers(rotate=1.0))
    assert rows_of(turned) == [[3, 1], [4, 2]]
    back = augment(grey([1, 2], [3, 4]), Augmentation(rotate=90), numbers(rotate=0.0))
    assert rows_of(back) == [[2, 4], [1, 3]]


def test_a_half_turn_of_an_oblong_picture() -> None:
    turned = augment(grey([1, 2, 3], [4, 5, 6]), Augmentation(rotate=180), numbers(rotate=1.0))
    assert rows_of(turned) == [[6, 5, 4], [3, 2, 1]]


def test_a_zoom() -> None:
    # A window of half the size: from the middle, 1.5, output columns -1.5, -0.5, 0.5, 1.5 are read
    # at 1.5 - 0.75 = 0.75, 1.25, 1.75, 2.25: between 0, 100, 200, 300 - here 0, 40, 80, 120.
    picture = grey([0, 40, 80, 120], [0, 40, 80, 120], [0, 40, 80, 120], [0, 40, 80, 120])
    closer = augment(picture, Augmentation(zoom=0.5), numbers(zoom=0.0))
    assert rows_of(closer)[0] == [30, 50, 70, 90]
    # One and a half times the size: read at 1.5 ± 2.25 and ± 0.75: -0.75 lies between two copies
    # of the first column, mirrored; 0.75 gives 30.
    further = augment(picture, Augmentation(zoom=0.5), numbers(zoom=1.0))
    assert rows_of(further)[0] == [0, 30, 90, 120]


def test_a_crop() -> None:
    # A window of 2x2 of 4x4 pixels, in the top left corner: it reaches from -0.5 to 1.5, and the
    # columns are read at -0.25, 0.25, 0.75, 1.25. What lies left of the picture mirrors it.
    picture = grey([0, 40, 80, 120], [0, 40, 80, 120], [8, 8, 8, 8], [9, 9, 9, 9])
    crop = Augmentation(crop=0.5)
    corner = augment(picture, crop, numbers(crop=0.0, crop_y=0.0, crop_x=0.0))
    assert rows_of(corner)[0] == [0, 10, 30, 50]
    right = augment(picture, crop, numbers(crop=0.0, crop_y=0.0, crop_x=1.0))
    assert rows_of(right)[0] == [70, 90, 110, 120]
    whole = augment(picture, crop, numbers(crop=1.0))
    assert (whole == picture).all()


def test_a_crop_stays_inside_the_picture() -> None:
    # A picture whose mirror image would show: only the outermost half pixel can be mirrored.
    ramp = np.arange(0, 200, 10, dtype=np.uint8)
    picture = np.broadcast_to(ramp[None, :, None], (20, 20, 1))[None].repeat(50, axis=0)
    seen = augment(picture, Augmentation(crop=0.3), draw(0, 0, 0, 50)).astype(int)
    assert (np.diff(seen[:, 0, :, 0], axis=1) >= 0).all()


def test_colour() -> None:
    # Luma of (100, 50, 0): 0.299 · 100 + 0.587 · 50 = 59.25; the mean of the picture as well.
    picture = np.full((1, 2, 2, 3), (100, 50, 0), np.uint8)
    half = Augmentation(colour=0.5)
    assert augment(picture, half, numbers(brightness=1.0))[0, 0, 0].tolist() == [150, 75, 0]
    # Saturation 0.5: halfway to grey: 79.6, 54.6, 29.6
    assert augment(picture, half, numbers(saturation=0.0))[0, 0, 0].tolist() == [80, 55, 30]
    # Saturation 0 is Pillow's grey.
    assert augment(picture, Augmentation(colour=1), numbers(saturation=0.0))[0, 0, 0].tolist() == [
        59, 59, 59,
    ]  # fmt: skip


def test_contrast_of_a_grey_picture() -> None:
    # The mean is 100; contrast 1.5 takes 60 to 40, 140 to 160, and 240 past 255.
    picture = grey([60, 140], [0, 200])
    changed = augment(picture, Augmentation(colour=0.5), numbers(contrast=1.0, saturation=0.0))
    assert rows_of(changed) == [[40, 160], [0, 250]]
    brighter = augment(picture, Augmentation(colour=0.5), numbers(brightness=1.0))
    assert rows_of(brighter) == [[90, 210], [0, 255]]


def test_erasing() -> None:
    picture = np.zeros((1, 10, 10, 1), np.uint8)
    picture[0, :5] = 100  # the mean is 50
    # Area: halfway from 2% to 33% of 100 pixels = 17.5; aspect exp(0) = 1: a side of 4.18 -> 4.
    # At 0, 0.5: from row 0 and column floor(0.5 · 7) = 3.
    covered = augment(picture, Augmentation(erase=0.3), numbers(erase=0.29, erase_y=0.0))
    assert (covered[0, :4, 3:7] == 50).all()
    assert (covered == 50).sum() == 16
    assert (augment(picture, Augmentation(erase=0.3), numbers(erase=0.31)) == picture).all()


LABELS = np.eye(3, dtype=np.float32)


def test_mixup() -> None:
    # Beta(1, 1) is uniform: the share is the number itself.
    pictures = np.stack([np.full((2, 2, 1), value, np.uint8) for value in (100, 200, 0)])
    mixed, labels = mix(pictures, LABELS, Augmentation(mixup=1.0), numbers(3, mix_share=0.75))
    assert mixed[:, 0, 0, 0].tolist() == [125, 150]  # 0.75 · 100 + 0.25 · 200; 0.75 · 200 + 0
    assert labels.tolist() == [[0.75, 0.25, 0], [0, 0.75, 0.25]]
    assert labels.dtype == np.float32


def test_cutmix() -> None:
    # A share of 0.75 leaves a quarter of the area to the other: half of each side, 2x2 pixels, in
    # the corner. The label follows the pixels.
    pictures = np.stack([np.full((4, 4, 1), value, np.uint8) for value in (1, 2, 3)])
    chosen = numbers(3, mix_share=0.75, mix_y=0.0, mix_x=0.999)
    mixed, labels = mix(pictures, LABELS, Augmentation(cutmix=1.0), chosen)
    assert rows_of(mixed) == [[1, 1, 2, 2], [1, 1, 2, 2], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert labels.tolist() == [[0.75, 0.25, 0], [0, 0.75, 0.25]]


def test_a_coin_decides_between_mixup_and_cutmix() -> None:
    pictures = np.stack([np.full((4, 4, 1), value, np.uint8) for value in (0, 200)])
    both = Augmentation(mixup=1.0, cutmix=1.0)
    blend, _ = mix(pictures, LABELS[:2], both, numbers(2, mix=0.49))
    cut, _ = mix(pictures, LABELS[:2], both, numbers(2, mix=0.5))
    assert set(blend.ravel().tolist()) == {100}
    assert set(cut.ravel().tolist()) == {0, 200}


def test_beta_has_the_shape_that_was_asked_for() -> None:
    """Beta(a, a) has the variance 1 / (4 (2a + 1)); for a = 0.2, 0.1786."""
    pictures = np.zeros((4001, 1, 1, 1), np.uint8)
    labels = np.tile(np.eye(2, dtype=np.float32), (2001, 1))[:4001]
    _, mixed = mix(pictures, labels, Augmentation(mixup=0.2), draw(0, 0, 0, 4001))
    assert np.var(mixed[:, 0]) == pytest.approx(1 / (4 * 1.4), abs=0.01)


strengths = st.builds(
    Augmentation,
    flip=st.sampled_from(["none", "horizontal", "vertical", "both"]),
    shift=st.floats(0, 1),
    rotate=st.floats(0, 180),
    zoom=st.floats(0, 0.9),
    crop=st.floats(0.1, 1),
    colour=st.floats(0, 1),
    erase=st.floats(0, 1),
    mixup=st.one_of(st.just(0.0), st.floats(0.05, 5)),
    cutmix=st.one_of(st.just(0.0), st.floats(0.05, 5)),
)
shapes = st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))


def noise(shape: tuple[int, ...], seed: int = 0) -> Pictures:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@settings(max_examples=150, deadline=None)
@given(strengths, shapes, st.integers(0, 1000))
def test_any_augmentation_of_any_picture(
    spec: Augmentation, shape: tuple[int, int, int, int], seed: int
) -> None:
    pictures = noise(shape, seed)
    before, drawn = pictures.copy(), draw(seed, 0, 0, len(pictures))
    changed = augment(pictures, spec, drawn)
    assert changed.shape == shape
    assert changed.dtype == np.uint8
    assert (pictures == before).all()
    assert (changed == augment(pictures, spec, drawn)).all()
    # Each picture by itself: the others in its batch make no difference.
    alone = augment(pictures[-1:], spec, draw(seed, 0, len(pictures) - 1, 1))
    assert (alone == changed[-1:]).all()
    if spec.mixes and len(pictures) > 1:
        labels = np.eye(4, dtype=np.float32)[np.arange(len(pictures)) % 4]
        mixed, shares = mix(changed, labels, spec, drawn)
        assert mixed.shape == (len(pictures) - 1, *shape[1:])
        assert mixed.dtype == np.uint8
        assert shares.sum(axis=1) == pytest.approx(1)
        assert shares.min() >= 0


@given(shapes, st.integers(0, 1000))
def test_without_strength_nothing_changes(shape: tuple[int, int, int, int], seed: int) -> None:
    pictures, drawn = noise(shape, seed), draw(seed, 0, 0, shape[0])
    assert (augment(pictures, Augmentation(), drawn) == pictures).all()
    assert (transform(pictures, Augmentation(), drawn) == pictures).all()
    # Through the resampling, with so little to do that it must round to nothing.
    assert (transform(pictures, Augmentation(rotate=1e-9), drawn) == pictures).all()


@given(shapes, st.integers(0, 1000), st.floats(0, 1))
def test_whole_pixels_are_moved_alike_with_and_without_resampling(
    shape: tuple[int, int, int, int], seed: int, shift: float
) -> None:
    spec = Augmentation(flip="both", shift=shift)
    pictures, drawn = noise(shape, seed), draw(seed, 0, 0, shape[0])
    exact = transform(pictures, spec, drawn)
    assert (transform(pictures, replace(spec, rotate=1e-9), drawn) == exact).all()


@pytest.mark.parametrize(
    "operation",
    ["flip", "shift=0.3", "rotate", "zoom", "crop", "colour", "erase=0.9", "light", "strong"],
)
def test_epochs_differ_and_repeat(operation: str) -> None:
    spec, pictures = parse_augmentation(operation), noise((8, 12, 12, 3))
    one, again, other = (augment(pictures, spec, draw(0, epoch, 0, 8)) for epoch in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()
    assert (one != augment(pictures, spec, draw(1, 1, 0, 8))).any()


def test_large_batches_in_parts_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, spec, drawn = noise((7, 10, 6, 3)), parse_augmentation("strong"), draw(0, 0, 0, 7)
    whole = transform(pictures, spec, drawn)
    monkeypatch.setattr("tellapart.training.augmentation.geometry.CHUNK", 130)  # two at a time
    assert (transform(pictures, spec, drawn) == whole).all()
