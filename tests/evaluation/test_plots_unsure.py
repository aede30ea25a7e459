from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tellapart.errors import TellapartError
from tellapart.evaluation.plots.unsure import draw_unsure, plot_unsure
from tellapart.evaluation.selective import fit_unsure, risk_coverage
from tests.evaluation.pages import assert_readable, read_png, words


def pictures(
    count: int, *, top: float | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    sure = rng.beta(4, 1, count) / 2 + 0.5 if top is None else np.full(count, top)
    labels = (rng.random(count) > sure).astype(np.int64)
    return np.stack([sure, 1 - sure], axis=1).astype(np.float32), labels


RULE = fit_unsure(*pictures(2000))
CASES = {
    "many": pictures(5000),
    "some": pictures(60),
    "three": pictures(3),
    "one": pictures(1),
    "none": pictures(0),
    "all equal": pictures(300, top=0.9),
    "all wrong": (pictures(40)[0], np.ones(40, np.int64)),
}


@pytest.mark.parametrize("with_rule", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_any_number_of_pictures(name: str, with_rule: bool, tmp_path: Path) -> None:
    curve, rule = risk_coverage(*CASES[name]), RULE if with_rule else None
    title = "Unsure about $x$ 🚀 猫, a title that is far too long " * 4
    plot_unsure(curve, rule, tmp_path / "u.png", title=title)
    read_png(tmp_path / "u.png")
    assert_readable(draw_unsure(curve, rule, title))


def test_the_rule_is_marked_where_it_stops() -> None:
    p = np.repeat([[0.9, 0.1], [0.6, 0.4]], [100, 100], axis=0).astype(np.float32)
    labels = np.repeat([0, 1], [148, 52])  # at 0.6, 48 of 100 are right
    page = draw_unsure(risk_coverage(p, labels), fit_unsure(p, labels), "U")
    text = " ".join(words(page))
    assert "200 test pictures" in text
    assert "★ the rule: 50.0% answered, 100.0% of these rightly" in text
    assert "the promise: 95%" in text
    star = next(line for line in page.figure.axes[0].lines if line.get_marker() == "*")
    assert star.get_xydata().tolist() == [[0.5, 1.0]]  # type: ignore[union-attr]


def test_a_promise_that_is_not_proven() -> None:
    p, labels = pictures(30)
    text = " ".join(words(draw_unsure(risk_coverage(p, labels), fit_unsure(p, labels), "U")))
    assert "95%, not proven" in text


def test_a_rule_that_answers_nothing() -> None:
    p, labels = pictures(50, top=0.6)
    text = " ".join(words(draw_unsure(risk_coverage(p, labels), fit_unsure(p, labels), "U")))
    assert "★ the rule answers none of them" in text


def test_the_interval_is_wilsons() -> None:
    # The last point: 45 of 50 right, z² = 3.8415: centre (0.9 + 0.038415) / 1.076829 = 0.871462,
    # half = 1.959964 / 1.076829 · sqrt(0.09 / 50 + 3.8415 / 10000) = 0.085063
    p = np.full((50, 2), 0.5, np.float32)
    axes = draw_unsure(risk_coverage(p, np.repeat([0, 1], [45, 5])), None, "U").figure.axes[0]
    (band,) = axes.collections
    heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert heights.min() == pytest.approx(0.871462 - 0.085063, abs=1e-4)
    assert heights.max() == pytest.approx(0.871462 + 0.085063, abs=1e-4)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(TellapartError, match="Cannot write"):
        plot_unsure(risk_coverage(*pictures(3)), None, tmp_path / "missing" / "u.png", title="U")
