"""A picture followed through a real network, from the approach that trained it to the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart import runs
from tellapart.approaches.scratch import FromScratch
from tellapart.data import load
from tellapart.files import write_json
from tellapart.report.page import draw_report
from tellapart.training.recipe import Recipe
from tests.explanation.prediction.network import PIXELS, build_tiny
from tests.report.made_runs import make_run
from tests.report.page_reader import problems_of, read_page


def test_a_network_in_memory(tmp_path: Path) -> None:
    """Its numbers are worked out by hand in tests/explanation/prediction/network.py."""
    pixels = np.stack([np.zeros_like(PIXELS), PIXELS])
    dataset = load((pixels, np.array([0, 1])), class_names=["no", "yes"])
    recipe = Recipe("auto", "classic-28", (4, 4), 1, 1)
    approach = FromScratch(build_tiny(), recipe, dataset, pixels)
    with pytest.raises(RuntimeError, match="before a picture was named"):
        approach.followed()
    approach.follow(1, 2.0)
    made = make_run(tmp_path / "run")
    write_json(made.folder.path / runs.PREDICTION_TRACE_JSON, approach.followed())
    page = read_page(draw_report(made.folder, made.pictures))
    assert problems_of(page) == []
    found = page.one("section", id="trace")
    assert found.having("absent") == []
    first, second = found.all("table")[0].one("tbody").all("tr")
    # Logits 2 and 1, at temperature 2: e^0 = 1 and e^-0.5 = 0.606531, of a sum of 1.606531.
    assert first.text == "no 2.0000 1.000000 62.25%"
    assert second.text == "yes 1.0000 0.606531 37.75%"
    assert "less the largest, the difference divided by the temperature 2;" in found.text
    assert "1.606531" in found.text
    # 2x1 + 0x(-1) + 4x2 + 0x0.5 - 0.5 = 9.5
    steps = [row.text for row in found.having("steps")[0].one("tbody").all("tr")]
    assert steps == [
        "the 4 products add up to 10.0000",
        "plus the bias of the filter -0.5000",
        "makes 9.5000",
        "ReLU sets negative sums to 0 9.5000",
    ]
    assert "1 of 2 channels dead in this picture" in found.text
