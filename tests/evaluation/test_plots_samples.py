from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.evaluation.plots import choose_samples, plot_mistakes, plot_samples
from tellapart.evaluation.plots.samples import TILES, draw_sheet
from tests.evaluation.pages import assert_readable, read_png, words


def pictures(count: int, *shape: int) -> npt.NDArray[np.uint8]:
    """Coarse patterns: photos, too, have neighbouring pixels that are alike."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, 8, 8, shape[-1]), dtype=np.uint8)
    rows, columns = (np.arange(side) * 8 // side for side in shape[:2])
    return coarse[:, rows][:, :, columns]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_samples_are_fair(n: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, predicted = rng.integers(0, classes, n), rng.integers(0, classes, n)
    chosen = choose_samples(labels, predicted, count=20, seed=seed)
    assert len(chosen) == len(set(chosen.tolist())) == min(20, n)
    assert (np.diff(labels[chosen]) >= 0).all()
    # Systematic sampling takes the expected number of every stratum, rounded up or down.
    expected = len(chosen) * (labels == predicted).mean()
    assert abs((labels == predicted)[chosen].sum() - expected) < 1
    for label in range(classes):  # two strata a class: right and wrong
        assert abs((labels[chosen] == label).sum() - len(chosen) * (labels == label).mean()) < 4


def test_every_picture_has_the_same_chance() -> None:
    labels = np.array([0] * 8 + [1] * 2)
    predicted = np.array([0] * 7 + [1] + [1, 0])
    times = np.zeros(10)
    for seed in range(1000):
        times[choose_samples(labels, predicted, count=3, seed=seed)] += 1
    # 1000 draws with chance 3/10: 300, standard deviation sqrt(1000 · 0.3 · 0.7) = 14.5
    assert (abs(times - 300) < 5 * 14.5).all()


def test_seeds_decide() -> None:
    labels = np.arange(1000) % 10
    one, again, other = (choose_samples(labels, labels, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert np.bincount(labels[one]).min() >= 3  # 36 of 10 equal classes
    assert len(choose_samples(labels[:0], labels[:0])) == 0


@pytest.mark.parametrize(
    "shape",
    [(8, 8, 1), (28, 28, 1), (32, 32, 3), (64, 48, 3), (224, 224, 3), (20, 300, 3), (1, 1, 3)],
)
@pytest.mark.parametrize(
    "names", [("cat", "dog"), ("$x$ 🚀 猫", "a name of forty letters, all of them")]
)
def test_any_picture(shape: tuple[int, ...], names: tuple[str, str], tmp_path: Path) -> None:
    images = pictures(8, *shape)
    before = images.copy()
    said = [names[i % 2] for i in range(8)]
    path = tmp_path / "samples.png"
    plot_samples(images, [names[0]] * 8, said, [0.5] * 8, path, title="Samples")
    read_png(tmp_path / "samples.png")
    assert np.array_equal(images, before)


def test_more_pictures_than_a_sheet_holds(tmp_path: Path) -> None:
    names = ["cat"] * 40
    for count in (TILES, 40):
        plot_samples(
            pictures(40, 224, 224, 3)[:count],
            names[:count],
            names[:count],
            [0.5] * count,
            tmp_path / f"{count}.png",
            title="Samples",
        )
    assert np.array_equal(read_png(tmp_path / f"{TILES}.png"), read_png(tmp_path / "40.png"))


def sheet_words(probability: float = 0.5, said: str = "cat") -> list[str]:
    page = draw_sheet(pictures(1, 8, 8, 1), ["cat"], [said], [probability], "", "")
    return [word.split(": ", 1)[1] for word in words(page)]


def test_right_and_wrong_are_told_in_words() -> None:
    assert sheet_words() == ["✓ cat", "50%"]
    assert sheet_words(said="dog") == ["✗ dog", "50%", "is cat"]


@pytest.mark.parametrize(
    ("probability", "shown"), [(0.9999, ">99%"), (1.0, "100%"), (0.994, "99%"), (0.126, "13%")]
)
def test_percents_promise_no_certainty(probability: float, shown: str) -> None:
    assert sheet_words(probability)[1] == shown


@pytest.mark.parametrize("name", ["cat", "a name of forty letters, every one of it"])
def test_words_do_not_overlap(name: str) -> None:
    other = name[::-1]
    page = draw_sheet(
        pictures(TILES, 8, 8, 1),
        [name] * TILES,
        [name, other] * (TILES // 2),
        [0.999] * TILES,
        "T",
        "t",
    )
    assert_readable(page)


def test_small_pictures_are_enlarged_without_a_blur(tmp_path: Path) -> None:
    image = np.array([[0, 80], [160, 240]], dtype=np.uint8).reshape(1, 2, 2, 1)
    plot_samples(image, ["a"], ["a"], [1.0], tmp_path / "samples.png", title="")
    page = read_png(tmp_path / "samples.png")
    top, left = round((0.3 + 0.62) * 150) + 5, round(0.3 * 150) + 5
    expected = image[0].repeat(96, axis=0).repeat(96, axis=1).repeat(3, axis=2)
    assert np.array_equal(page[top : top + 192, left : left + 192], expected)


def test_a_wrong_answer_has_a_thicker_frame(tmp_path: Path) -> None:
    image = np.zeros((1, 8, 8, 1), dtype=np.uint8)
    thickness = {}
    for said in ("a", "b"):
        plot_samples(image, ["a"], [said], [1.0], tmp_path / "samples.png", title="")
        column = read_png(tmp_path / "samples.png")[138 : 138 + 5, 45 + 100]
        thickness[said] = int((column.min(axis=1) < 250).sum())
    assert thickness == {"a": 2, "b": 5}


def test_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "mistakes.png"
    plot_mistakes(pictures(3, 8, 8, 3), ["a"] * 3, ["b"] * 3, [0.9] * 3, path, title="Mistakes")
    some = read_png(path)
    plot_mistakes(pictures(0, 8, 8, 3), [], [], [], path, title="Mistakes")
    assert read_png(path).shape[0] < some.shape[0]


def test_lengths_that_differ(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        plot_mistakes(pictures(2, 8, 8, 1), ["a"], ["a"], [1.0], tmp_path / "samples.png", title="")
    assert list(tmp_path.iterdir()) == []


def test_pyplot_is_never_imported() -> None:
    code = "import sys, tellapart.evaluation.plots; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
