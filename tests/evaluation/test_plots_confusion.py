from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from tellapart.evaluation import evaluate
from tellapart.evaluation.plots import plot_confusion
from tellapart.evaluation.plots.confusion import draw_confusion
from tellapart.results import Evaluation
from tests.evaluation.pages import assert_readable, read_png, words


def evaluated(names: list[str], *, count: int = 600, seed: int = 0) -> Evaluation:
    """Two thirds right, the rest taken for one of three neighbours."""
    rng = np.random.default_rng(seed)
    classes = len(names)
    labels = rng.integers(0, classes, count)
    predicted = (labels + rng.integers(1, 4, count) * (rng.random(count) < 1 / 3)) % classes
    return evaluate(
        np.eye(classes)[predicted],
        labels,
        class_names=names,
        sources=[f"{i}.png" for i in range(count)],
    )


DRAWN_BELOW = ("25", "50, 40 letters", "100")  # where it is measured, too


def plain(count: int) -> list[str]:
    return [f"class {i}" for i in range(count)]


NAMES = {
    "2": ["ants", "bees"],
    "3, with strange names": ["$x$ and $y_1", "猫 🚀", "قطة\nطويلة"],
    "10 digits": [str(i) for i in range(10)],
    "10, 40 letters": [f"{i} {'abcdefghi ' * 4}"[:40] for i in range(10)],
    "25": plain(25),
    "26": plain(26),
    "50, 40 letters": [f"{i:02} traffic sign of Europe, at most {i} km/h"[-40:] for i in range(50)],
    "100": plain(100),
    "200, 40 letters": [f"{i:03} {'abcdefghi ' * 4}"[:40] for i in range(200)],
    "1600": plain(1600),
}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DRAWN_BELOW])
def test_any_number_of_classes(name: str, tmp_path: Path) -> None:
    evaluation = evaluated(NAMES[name])
    before = evaluation.confusion.copy()
    plot_confusion(evaluation, tmp_path / "confusion.png", title="Confusion of $x$ 🚀 猫")
    read_png(tmp_path / "confusion.png")
    assert np.array_equal(evaluation.confusion, before)


@pytest.mark.parametrize("name", ["2", "10 digits", "50, 40 letters", "100"])
def test_words_do_not_overlap(name: str) -> None:
    assert_readable(draw_confusion(evaluated(NAMES[name]), "Confusion"))


@pytest.mark.parametrize("name", ["10, 40 letters", "25"])
def test_slanted_words_do_not_overlap(name: str) -> None:
    """Boxes around slanted words overlap although the words do not; their base lines count."""
    page = draw_confusion(evaluated(NAMES[name]), "Confusion")
    places = words(page)
    assert all(box.x0 >= 0 and box.y0 >= 0 for box in places.values())
    labels = page.figure.axes[0].get_xticklabels()
    assert {label.get_rotation() for label in labels} == {45}
    across = np.diff([label.get_window_extent().x1 for label in labels])
    line = 9 * 150 / 72  # points to pixels
    assert (across * np.sin(np.pi / 4) > 0.9 * line).all()


def cells(page_words: dict[str, object]) -> list[str]:
    return [word.split(": ", 1)[1] for word in page_words]


def test_cells_hold_counts_and_percents() -> None:
    # cat: 199 right, 1 taken for dog; dog: 1 right, 3 taken for cat
    labels = np.array([0] * 200 + [1] * 4)
    predicted = np.array([0] * 199 + [1] + [1] + [0] * 3)
    evaluation = evaluate(
        np.eye(2)[predicted], labels, class_names=("cat", "dog"), sources=["x"] * 204
    )
    page = draw_confusion(evaluation, "Confusion")
    texts = [text.get_text() for text in page.figure.axes[0].texts]
    assert texts == ["199", "99%", "1", "<1%", "3", "75%", "1", "25%"]
    assert any("on 204 pictures" in word for word in words(page))


def test_many_classes_have_a_list_of_mix_ups_instead() -> None:
    labels = np.repeat(np.arange(100), 10)
    predicted = labels.copy()
    predicted[[30, 31, 32]] = 77  # three of class 3
    predicted[50] = 60  # one of class 5
    evaluation = evaluate(
        np.eye(100)[predicted], labels, class_names=plain(100), sources=["x"] * 1000
    )
    page = draw_confusion(evaluation, "Confusion")
    assert not page.figure.axes[0].texts
    texts = [text.get_text() for text in page.figure.findobj(Text) if isinstance(text, Text)]
    first = texts.index("class 3 → class 77")
    assert texts[first : first + 4] == [
        "class 3 → class 77",
        "3 of 10",
        "class 5 → class 60",
        "1 of 10",
    ]
    named = [label.get_text() for label in page.figure.axes[0].get_yticklabels()]
    assert named[:2] == ["class 0", "class 3"]
    assert page.figure.axes[0].get_yticks()[1] == 3


def test_all_right_and_many_classes() -> None:
    names = plain(30)
    evaluation = evaluate(np.eye(30), np.arange(30), class_names=names, sources=names)
    assert any(
        "every picture was recognised" in word for word in words(draw_confusion(evaluation, ""))
    )


def test_a_class_without_pictures_has_a_grey_row() -> None:
    evaluation = evaluate(np.eye(3)[:2], np.array([0, 1]), class_names="abc", sources="xy")
    page = draw_confusion(evaluation, "Confusion")
    assert any("grey: no test pictures" in word for word in words(page))
    shown = page.figure.axes[0].images[0].get_array()
    assert shown is not None
    assert np.ma.getmaskarray(np.ma.masked_invalid(shown)).tolist() == [
        [False] * 3,
        [False] * 3,
        [True] * 3,
    ]


@pytest.mark.parametrize("classes", [3, 40])
def test_no_pictures_at_all(classes: int, tmp_path: Path) -> None:
    evaluation = evaluate(
        np.zeros((0, classes)), np.zeros(0, dtype=int), class_names=plain(classes), sources=[]
    )
    plot_confusion(evaluation, tmp_path / "confusion.png", title="Confusion")
    read_png(tmp_path / "confusion.png")


def test_another_evaluation_is_another_picture(tmp_path: Path) -> None:
    for seed in (0, 1):
        evaluation = evaluated(plain(30), seed=seed)
        plot_confusion(evaluation, tmp_path / f"{seed}.png", title="Confusion")
    assert not np.array_equal(read_png(tmp_path / "0.png"), read_png(tmp_path / "1.png"))
