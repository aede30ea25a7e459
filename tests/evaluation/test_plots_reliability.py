from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import TellapartError
from tellapart.evaluation.calibration_error import (
    CalibrationError,
    ReliabilityBin,
    expected_calibration_error,
    reliability,
)
from tellapart.evaluation.plots.reliability import draw_reliability, plot_reliability
from tests.evaluation.pages import assert_readable, read_png, words

Bins = tuple[ReliabilityBin, ...]


def measured(count: int, *, over: float = 0.1, equal: bool = False) -> tuple[Bins, object]:
    rng = np.random.default_rng(0)
    top = np.full(count, 0.9) if equal else rng.uniform(0.55, 1, count)
    p = np.stack([top, 1 - top], axis=1).astype(np.float32)
    labels = (rng.random(count) > top - over).astype(int)
    return reliability(p, labels), expected_calibration_error(p, labels)


CASES = {
    "many": measured(5000),
    "some": measured(60),
    "three": measured(3),
    "one": measured(1),
    "none": measured(0),
    "all equal": measured(300, equal=True),
}


@pytest.mark.parametrize("name", CASES)
def test_any_number_of_pictures(name: str, tmp_path: Path) -> None:
    bins, error = CASES[name]
    assert error is None or isinstance(error, CalibrationError)
    title = "Reliability of $x$ 🚀 猫, a title that is far too long " * 4
    plot_reliability(bins, bins, tmp_path / "r.png", title=title, errors=(error, error))
    read_png(tmp_path / "r.png")
    assert_readable(draw_reliability(bins, bins, title, (error, error)))


def test_the_figures_are_written_on_it() -> None:
    error = CalibrationError(0.123, 0.1, 0.15, 0.13, 15, 5000)
    page = draw_reliability(CASES["many"][0], CASES["some"][0], "R", (error, None))
    text = " ".join(words(page))
    assert "5,000 test pictures" in text
    assert "calibration error 0.123 (0.100 to 0.150)" in text
    assert "too few pictures for a calibration error" in text
    assert "15 bins of 333 to 334" in text  # 5,000 / 15
    assert "6 bins of 10" in text


def test_points_and_intervals_are_those_of_the_bins() -> None:
    bins, _ = CASES["some"]
    axes = draw_reliability(bins, bins, "R").figure.axes[0]
    (container,) = axes.containers
    points, _, (bars,) = container.lines  # type: ignore[attr-defined]
    assert points.get_xdata() == pytest.approx([one.confidence for one in bins])
    assert points.get_ydata() == pytest.approx([one.accuracy.value for one in bins])
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    expected = [(one.accuracy.low, one.accuracy.high) for one in bins]
    assert ends == pytest.approx(np.array(expected))


def test_the_area_of_a_bar_is_its_share_of_the_pictures() -> None:
    bins, _ = CASES["many"]
    bars = draw_reliability(bins, bins, "R").figure.axes[1].patches
    areas = np.array([bar.get_width() * bar.get_height() for bar in bars])  # type: ignore[attr-defined]
    assert areas == pytest.approx([one.accuracy.count for one in bins])


def test_before_and_after_differ_in_more_than_colour() -> None:
    bins, _ = CASES["some"]
    before, _, after, _ = draw_reliability(bins, bins, "R").figure.axes
    first, second = (axes.containers[0].lines[0] for axes in (before, after))  # type: ignore[attr-defined]
    assert first.get_marker() != second.get_marker()


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(TellapartError, match="Cannot write"):
        plot_reliability((), (), tmp_path / "missing" / "r.png", title="R")
