"""Maps in colours, and the page with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.classifier import Classifier
from tellapart.errors import ImageError, UsageError
from tellapart.explanation.heatmaps import (
    Explanation,
    explain_picture,
    explainer_of_classifier,
    heat_overlay,
)
from tellapart.explanation.heatmaps.overlay import MOST_OPAQUE, colour_bar
from tellapart.explanation.heatmaps.page import draw_page, format_probability, save_page
from tellapart.images import ImageSpec, Raw
from tests.evaluation.pages import assert_readable, words
from tests.tiny_classifier import save_classifier

# --- Colours ------------------------------------------------------------------------------------


def test_overlay_by_hand() -> None:
    pixels = np.zeros((1, 3, 3), np.uint8)
    pixels[0, :] = (100, 200, 50)
    heat = np.array([[0, 1, np.nan]], np.float32)
    found = heat_overlay(pixels, heat)
    # Luma: 0.299·100 + 0.587·200 + 0.114·50 = 153. Where there is no heat, the picture in grey.
    assert found[0, 0].tolist() == [153, 153, 153]
    # At 1, 72% of viridis's last colour, (253, 231, 37), and 28% of the grey.
    expected = np.rint(0.28 * 153 + 0.72 * np.array([253, 231, 37]))
    assert MOST_OPAQUE == 0.72
    np.testing.assert_allclose(found[0, 1], expected, atol=1)
    # Not seen: three quarters of the way to white, 255 - 102/4 = 229.5.
    assert set(found[0, 2].tolist()) <= {229, 230}


def test_overlay_leaves_its_arguments_alone() -> None:
    pixels = np.full((4, 5, 3), 9, np.uint8)
    heat = np.random.default_rng(0).random((4, 5)).astype(np.float32)
    before = heat.copy()
    found = heat_overlay(pixels, heat)
    assert found.shape == (4, 5, 3)
    assert found.dtype == np.uint8
    assert (pixels == 9).all()
    np.testing.assert_array_equal(heat, before)


def test_overlay_of_another_size_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"pixels \(4, 5, 3\) and heat \(5, 4\): expected one size"
    ):
        heat_overlay(np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4), np.float32))


def test_stronger_is_lighter_also_without_colours() -> None:
    """Over the middle grey, the luma of the bar never falls by more than rounding from 0.2 on."""
    luma = colour_bar(1, 256)[0] @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(luma[64:]) > -0.6).all()
    assert luma[-1] - luma[64] > 60


# --- Pages --------------------------------------------------------------------------------------


def explain(
    tmp_path: Path, raw: Raw, spec: ImageSpec | None = None, name: str = "x.png"
) -> Explanation:
    changes = {} if spec is None else {"image_spec": spec}
    classifier = Classifier.load(save_classifier(tmp_path / "classifier.onnx", **changes))
    return explain_picture(classifier, explainer_of_classifier(classifier), raw, name)


def two_colours(height: int, width: int) -> Image.Image:
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 255
    pixels[:, width // 2 :, 2] = 255
    return Image.fromarray(pixels)


def test_each_class_is_where_its_colour_is(tmp_path: Path) -> None:
    found = explain(tmp_path, two_colours(60, 80))
    # Half of each colour: logits ln(8)/2 for both, a tie that the first of the names wins.
    assert [item.label for item in found.maps] == ["blue", "red"]
    assert found.maps[0].probability == pytest.approx(found.maps[1].probability)
    blue, red = (item.heat for item in found.maps)
    assert blue.shape == (60, 80)
    assert blue[:, 60:].mean() > 4 * blue[:, :20].mean()
    assert red[:, :20].mean() > 4 * red[:, 60:].mean()
    assert "right" in str(found.maps[0].focus)
    assert "left" in str(found.maps[1].focus)


def test_orientation_is_respected(tmp_path: Path) -> None:
    upright = two_colours(60, 80)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    turned.save(path, exif=exif, quality=95)
    found = explain(tmp_path, path)
    assert (found.placement.height, found.placement.width) == (60, 80)
    assert found.pixels.shape == (60, 80, 3)
    assert found.pixels[30, 10, 0] > 200  # red is on the left
    expected = explain(tmp_path, upright)
    for item, other in zip(found.maps, expected.maps, strict=True):
        np.testing.assert_allclose(item.heat, other.heat, atol=0.05)


@pytest.mark.parametrize("resize", ["crop", "pad", "squash"])
@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (40, 30), (1300, 900)])
def test_pages_of_any_shape(tmp_path: Path, resize: str, size: tuple[int, int]) -> None:
    spec = ImageSpec(32, 32, 3, resize)  # type: ignore[arg-type]
    found = explain(tmp_path, two_colours(*size), spec, name="a $strange$ name \N{ROCKET}.png")
    assert max(found.pixels.shape) <= 720
    assert_readable(draw_page(found))
    save_page(found, tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as page:
        assert page.format == "PNG"
        assert 900 <= page.width <= 2400


def test_grey_pictures_and_networks(tmp_path: Path) -> None:
    found = explain(tmp_path, two_colours(30, 30).convert("L"))
    assert found.pixels.shape == (30, 30, 3)
    assert_readable(draw_page(found))


def test_the_words_on_the_page(tmp_path: Path) -> None:
    found = explain(tmp_path, two_colours(60, 200), ImageSpec(16, 16, 3, "crop"), "in/a folder.png")
    shown = [word.partition(": ")[2] for word in words(draw_page(found))]
    assert shown[0] == "a folder.png"
    assert shown[1].startswith("RISE: what raises the class when it is seen")
    assert "200x60 pixels" in shown
    assert "blue (42%)" in shown  # sqrt(8) / (2 sqrt(8) + 1) = 0.425
    assert any(word.startswith("the answer; strongest: ") for word in shown)
    assert "Pale: cut off before the network sees the picture." in shown
    assert any(word.startswith("Coloured: what speaks for the class") for word in shown)


def test_one_colour_says_that_there_is_nothing(tmp_path: Path) -> None:
    found = explain(tmp_path, Image.new("RGB", (50, 50), (90, 90, 90)))
    assert [item.focus for item in found.maps] == [None, None]
    # Grey gives all three the same logit: a tie, in the order of the names.
    assert [item.label for item in found.maps] == ["blue", "green"]
    shown = [word.partition(": ")[2] for word in words(draw_page(found))]
    assert shown.count("nothing in it speaks for this class") == 2
    assert found.to_json()["maps"][0]["focus"] is None


def test_another_class(tmp_path: Path) -> None:
    classifier = Classifier.load(save_classifier(tmp_path / "classifier.onnx"))
    explainer = explainer_of_classifier(classifier)
    picture = two_colours(60, 80)
    found = explain_picture(classifier, explainer, picture, "x", label="green")
    assert [item.label for item in found.maps] == ["blue", "green"]
    same = explain_picture(classifier, explainer, picture, "x", label="blue")
    assert [item.label for item in same.maps] == ["blue"]
    assert_readable(draw_page(same))
    with pytest.raises(UsageError) as caught:
        explain_picture(classifier, explainer, picture, "x", label="gren")
    assert str(caught.value) == (
        f"{classifier.path} knows no class 'gren'. Did you mean 'green'? It knows blue, green, red."
    )


def test_what_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="x.png: is not a picture that can be read"):
        explain(tmp_path, b"no picture at all")


def test_probabilities_are_never_rounded_to_certainty() -> None:
    found = [format_probability(p) for p in (0.0, 0.001, 0.934, 0.999, 1.0)]
    assert found == ["0%", "<1%", "93%", ">99%", "100%"]
