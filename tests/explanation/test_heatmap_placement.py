"""From the network's view back onto the picture, with boxes worked out by hand."""

from __future__ import annotations

import io
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.explanation.heatmaps.placement import Box, Placement, onto_picture, place
from tellapart.images import ImageSpec, decode


def test_squash_sees_everything() -> None:
    found = place(ImageSpec(20, 10, 3, "squash"), 60, 80)
    assert found == Placement(60, 80, seen=Box(0, 0, 80, 60), view=Box(0, 0, 10, 20))


def test_crop_of_a_wide_picture_cuts_both_sides() -> None:
    # 100x60 to a view of 10 wide and 20 high: 60 · 10/20 = 30 columns, (100 - 30) / 2 = 35 cut off
    found = place(ImageSpec(20, 10, 3, "crop"), 60, 100)
    assert found == Placement(60, 100, seen=Box(35, 0, 65, 60), view=Box(0, 0, 10, 20))


def test_crop_of_a_high_picture_cuts_top_and_bottom() -> None:
    # 40 wide, view twice as wide as high: 20 rows, (50 - 20) / 2 = 15 cut off
    found = place(ImageSpec(10, 20, 3, "crop"), 50, 40)
    assert found == Placement(50, 40, seen=Box(0, 15, 40, 35), view=Box(0, 0, 20, 10))


def test_pad_of_a_wide_picture_has_bars_above_and_below() -> None:
    # 100x60 in 20x20: 60/100 · 20 = 12 rows, (20 - 12) / 2 = 4 of bar
    found = place(ImageSpec(20, 20, 3, "pad"), 60, 100)
    assert found == Placement(60, 100, seen=Box(0, 0, 100, 60), view=Box(0, 4, 20, 16))


def test_pad_of_a_high_picture_rounds_as_pillow_does() -> None:
    # 33x100 in 20x20: round(6.6) = 7 columns, round((20 - 7) / 2 = 6.5) = 6, to even, of bar
    found = place(ImageSpec(20, 20, 3, "pad"), 100, 33)
    assert found == Placement(100, 33, seen=Box(0, 0, 33, 100), view=Box(6, 0, 13, 20))


def test_a_map_of_a_crop_leaves_out_what_was_cut() -> None:
    placement = place(ImageSpec(2, 2, 3, "crop"), 2, 6)  # columns 2 and 3 are seen
    heat = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
    unseen = [np.nan] * 2
    np.testing.assert_allclose(
        onto_picture(heat, placement), [[*unseen, 0.1, 0.2, *unseen], [*unseen, 0.3, 0.4, *unseen]]
    )


def test_a_map_of_a_padded_view_leaves_out_the_bars() -> None:
    placement = place(ImageSpec(4, 4, 3, "pad"), 2, 4)  # rows 1 and 2 of the view
    heat = np.array([[9] * 4, [1, 2, 3, 4], [5, 6, 7, 8], [9] * 4], np.float32)
    np.testing.assert_allclose(onto_picture(heat, placement), heat[1:3])


def test_a_squashed_map_is_stretched_in_both_directions_by_its_own() -> None:
    placement = place(ImageSpec(1, 2, 3, "squash"), 3, 4)
    heat = np.array([[0.0, 1.0]], np.float32)
    # Of four columns the middles lie at 0.25, 0.75, 1.25 and 1.75 of the view's two, whose own are
    # 0.5 and 1.5: linear between them, and held beyond.
    np.testing.assert_allclose(onto_picture(heat, placement), [[0, 0.25, 0.75, 1]] * 3)


def test_maps_of_several_classes_at_another_size() -> None:
    placement = place(ImageSpec(8, 8, 3, "crop"), 3000, 6000)
    heat = np.random.default_rng(0).random((2, 8, 8)).astype(np.float32)
    found = onto_picture(heat, placement, (30, 60))
    assert found.shape == (2, 30, 60)
    assert np.isnan(found[..., :15]).all()  # a quarter on each side is cut off
    assert np.isnan(found[..., 45:]).all()
    assert np.isfinite(found[..., 15:45]).all()
    np.testing.assert_allclose(onto_picture(heat[1], placement, (30, 60)), found[1])


def test_padding_that_leaves_not_a_pixel() -> None:
    placement = place(ImageSpec(20, 20, 3, "pad"), 1, 5000)  # round(1/5000 · 20) = 0 rows
    assert placement.view.height == 0
    assert np.isnan(onto_picture(np.ones((20, 20), np.float32), placement)).all()


sides = st.integers(1, 300)


@settings(max_examples=200, deadline=None)
@given(sides, sides, st.integers(2, 40), st.integers(2, 40), st.sampled_from(["crop", "pad"]))
def test_boxes_are_true_to_the_picture(
    height: int, width: int, rows: int, columns: int, resize: str
) -> None:
    spec = ImageSpec(rows, columns, 3, resize)  # type: ignore[arg-type]
    found = place(spec, height, width)
    for inner, outer in ((found.seen, (width, height)), (found.view, (columns, rows))):
        assert 0 <= inner.left <= inner.right <= outer[0] + 1e-9
        assert 0 <= inner.top <= inner.bottom <= outer[1] + 1e-9
    if resize == "crop":  # scaled alike in both directions, and all of one side is seen
        assert math.isclose(found.seen.width / columns, found.seen.height / rows)
        assert found.seen.width == width or found.seen.height == height
    else:  # but for the rounding to whole pixels
        scale = min(columns / width, rows / height)
        assert abs(found.view.width - width * scale) <= 0.5 + 1e-9
        assert abs(found.view.height - height * scale) <= 0.5 + 1e-9


@settings(max_examples=60, deadline=None)
@given(
    st.integers(8, 120),
    st.integers(8, 120),
    st.integers(8, 40),
    st.integers(8, 40),
    st.sampled_from(["crop", "pad", "squash"]),
    st.sampled_from([1, 3, 6, 8]),
)
def test_what_decoding_does_is_undone(
    height: int, width: int, rows: int, columns: int, resize: str, orientation: int
) -> None:
    """A ramp from left to right and one from top to bottom come back where they were."""
    spec = ImageSpec(rows, columns, 3, resize)  # type: ignore[arg-type]
    ramps = np.zeros((height, width, 3), np.uint8)
    ramps[..., 0] = np.rint((np.arange(width) + 0.5) / width * 255)
    ramps[..., 1] = np.rint((np.arange(height) + 0.5) / height * 255)[:, np.newaxis]
    upright = Image.fromarray(ramps)
    turned = upright.transpose(TURN[orientation]) if orientation in TURN else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = io.BytesIO()
    turned.save(encoded, format="PNG", exif=exif)
    view = decode(encoded.getvalue(), spec).astype(np.float32)
    placement = place(spec, height, width)
    for channel in (0, 1):
        back = onto_picture(view[..., channel], placement)
        seen = np.isfinite(back)
        # What a pixel of the view is of the ramp; at the rim, its middle is held for half of it.
        box, shown = placement.seen, placement.view
        step = (
            255 * box.width / width / max(shown.width, 1)
            if channel == 0
            else 255 * box.height / height / max(shown.height, 1)
        )
        inside = _without_rim(seen, placement, height, width)
        error = np.abs(back - ramps[..., channel])[inside]
        assert error.max(initial=0) <= step + 3


TURN = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
"""What was done to a picture that the orientation undoes."""


def _without_rim(
    seen: npt.NDArray[np.bool_], placement: Placement, height: int, width: int
) -> npt.NDArray[np.bool_]:
    """Leaves out where the filter mixes in the bars: three pixels of the view at each end."""
    rows = np.arange(height) + 0.5
    columns = np.arange(width) + 0.5
    box, view = placement.seen, placement.view
    down = 3 * box.height / max(view.height, 1)
    across = 3 * box.width / max(view.width, 1)
    inner = ((rows > box.top + down) & (rows < box.bottom - down))[:, np.newaxis] & (
        (columns > box.left + across) & (columns < box.right - across)
    )
    return np.asarray(seen & inner)


@pytest.mark.parametrize("resize", ["crop", "pad", "squash"])
def test_a_spot_comes_back_where_it_was(resize: str) -> None:
    picture = np.zeros((90, 150, 3), np.uint8)
    picture[30:40, 70:85] = 255
    spec = ImageSpec(32, 32, 3, resize)  # type: ignore[arg-type]
    heat = (decode(picture, spec)[..., 0] / 255).astype(np.float32)
    back = np.nan_to_num(onto_picture(heat, place(spec, 90, 150)))
    rows, columns = np.nonzero(back > 0.5)
    # To half a pixel of the view on each side: 150 / 32 / 2 columns, or less, are 3.
    assert abs(rows.min() - 30) <= 3
    assert abs(rows.max() - 39) <= 3
    assert abs(columns.min() - 70) <= 3
    assert abs(columns.max() - 84) <= 3
