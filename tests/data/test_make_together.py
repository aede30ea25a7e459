"""Signatures and pixels in one sweep are those that two sweeps make."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.data import load
from tellapart.data import sweep as sweep_module
from tellapart.data.audit import SIGNATURES
from tellapart.data.audit.signature import joint_maker, sign
from tellapart.data.columns import make_together, open_column
from tellapart.data.store import pixel_measure
from tellapart.decoding import Maker, make_rows, pool
from tellapart.errors import DataError
from tellapart.images import ImageSpec, decode
from tests.data.audit.pictures import photo


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Sizes around those where a JPEG is decoded at reduced size, and all kinds of colour."""
    root = tmp_path / "mixed"
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
    for number, side in enumerate((20, 31, 32, 55, 63, 64, 111, 112, 127, 128, 129, 300)):
        photo(number, (side, side + number % 3)).save(root / "a" / f"{side}.jpg")
    photo(50, (60, 40)).save(root / "b" / "plain.png")
    photo(51, (60, 40)).convert("L").save(root / "b" / "grey.png")
    photo(52, (60, 40)).convert("P").save(root / "b" / "palette.png", transparency=3)
    seen_through = photo(53, (60, 40)).convert("RGBA")
    seen_through.putalpha(Image.linear_gradient("L").resize((60, 40)))
    seen_through.save(root / "b" / "alpha.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    photo(54, (60, 40)).save(root / "b" / "turned.jpg", exif=turned)
    (root / "b" / "broken.jpg").write_bytes(b"%PDF-1.7")
    return root


@pytest.mark.parametrize(
    "spec",
    [
        ImageSpec(28, 28, 1),
        ImageSpec(28, 28),
        ImageSpec(32, 16, resize="crop"),
        ImageSpec(64, 64, resize="pad", background=(9, 8, 7)),
    ],
)
def test_the_same_rows(mixed: Path, own_cache: Path, spec: ImageSpec) -> None:
    dataset, pixels = load(mixed), pixel_measure(spec)
    apart = [open_column(dataset, measure) for measure in (SIGNATURES, pixels)]
    rows: list[Any] = [np.array(column.rows) for column in apart]
    shutil.rmtree(own_cache)
    own_cache.mkdir()
    seen: list[tuple[int, int]] = []
    maker = joint_maker(spec)
    assert make_together(
        dataset, (SIGNATURES, pixels), maker, on_progress=lambda *s: seen.append(s)
    )
    assert seen == [(len(dataset), len(dataset))]
    for measure, old, expected in zip((SIGNATURES, pixels), apart, rows, strict=True):
        column = open_column(dataset, measure)
        assert column.computed == 0
        assert np.array_equal(column.rows, expected)
        assert np.array_equal(column.digests, old.digests)
        assert (
            column.failures
            == old.failures
            == {
                dataset.paths.index("b/broken.jpg"): (
                    "is a PDF document, not a picture; expected JPEG, PNG, WEBP, GIF, TIFF, BMP"
                )
            }
        )


@pytest.mark.parametrize("many", [10, 10_000])
def test_arrays_here_or_in_other_processes(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(sweep_module, "MANY_ARRAYS", many)
    sent: list[int] = []

    def ask(maker: Maker, raws: Sequence[pool.Sent], names: Sequence[str]) -> list[Any]:
        sent.append(len(raws))
        return make_rows(maker, raws, names)

    monkeypatch.setattr(sweep_module, "make_rows", ask)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 12, 9, 3), dtype=np.uint8)
    dataset = load((pixels, np.arange(300) % 2))
    spec = ImageSpec(8, 6)
    assert make_together(dataset, (SIGNATURES, pixel_measure(spec)), joint_maker(spec))
    assert sum(sent) == (300 if many == 10 else 0)
    rows = open_column(dataset, pixel_measure(spec)).rows
    signatures = open_column(dataset, SIGNATURES).rows
    for number in range(0, 300, 7):
        np.testing.assert_array_equal(rows[number], decode(pixels[number], spec))
        assert signatures[number] == sign(pixels[number])


def test_nothing_is_made_where_something_is_known(
    colour_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = ImageSpec(8, 6)
    measures, maker = (SIGNATURES, pixel_measure(spec)), joint_maker(spec)
    assert make_together(load(colour_folder), measures, maker)
    Image.new("RGB", (12, 12), "orange").save(colour_folder / "red" / "new.png")
    monkeypatch.delattr(sweep_module, "make_rows")
    assert not make_together(load(colour_folder), measures, maker)


def test_none_can_be_decoded(colour_folder: Path, own_cache: Path) -> None:
    for path in colour_folder.rglob("*.png"):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    spec = ImageSpec(8, 6)
    dataset = load(colour_folder)
    with pytest.raises(DataError, match="None of the 36 pictures in .* can be decoded"):
        make_together(dataset, (SIGNATURES, pixel_measure(spec)), joint_maker(spec))
    assert list(own_cache.iterdir()) == []
