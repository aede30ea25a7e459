"""Budgets: runs that end in time, and the network and augmentation that suit them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tellapart as ta
from tellapart import fast_within_budget
from tellapart.approaches.scratch import LOOKS_OF_HEAT_MAPS
from tellapart.explanation.heatmaps.rise import MASKS
from tellapart.report.sections.mistakes import SHOWN
from tellapart.training.events import EpochEnded, Event, Noted, Progressed
from tests.small_runs import read_json


def train_for_seven_seconds(out: Path, options: dict[str, Any]) -> tuple[ta.Run, list[str]]:
    """Returns a run on sixty pictures of cats and dogs, and what it noted."""
    pixels = np.random.default_rng(0).integers(0, 200, (60, 16, 16, 1), dtype=np.uint8)
    pixels[::2, 4:12] += 50
    data = (pixels, np.array(["cat", "dog"] * 30))
    seen: list[Event] = []
    run = ta.train(data, budget=7, out=out, observers=[seen.append], **options)
    return run, [event.text for event in seen if isinstance(event, Noted)]


def of_the_network(told: list[str]) -> list[str]:
    """Why it is another one than `fast`; how many pictures that would see is measured."""
    return [re.sub(r"about [\d,]+", "about 41", text) for text in told if "instead of" in text]


def test_a_budget_ends_with_a_classifier(tmp_path: Path) -> None:
    run = ta.train("digits", budget="9s", out=tmp_path / "run", observers=[])
    assert run.recipe.budget_seconds == 9
    assert 1 <= len(run.history) < run.recipe.epochs
    assert ta.Classifier.load(run.path).class_names == tuple("0123456789")
    assert read_json(run, "run.json")["status"] == "finished"


NARROW = "with fewer than 100,000, the narrow one learns more."
WIDE = "with 1,000 and more, the wide one learns more."


@pytest.mark.parametrize(
    ("speed", "plenty", "options", "model", "why"),
    [
        (1e9, 1_000_000, {}, "fast-narrow", NARROW),
        (1e15, 1_000_000, {}, "fast", None),  # no more than 200 epochs of a few pictures
        (1e15, 1_000, {}, "fast-wide", WIDE),
        (1e15, 1_000, {"model": "fast"}, "fast", None),
        (1e9, 1_000_000, {"model": "fast"}, "fast", None),
        (1e9, 1_000_000, {"recipe": "classic"}, "classic-28", None),
    ],
)
def test_how_long_a_budget_is_decides_how_wide_the_network(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    speed: float,
    plenty: int,
    options: dict[str, Any],
    model: str,
    why: str | None,
) -> None:
    monkeypatch.setattr(fast_within_budget, "operations_per_second", lambda: speed)
    monkeypatch.setattr(fast_within_budget, "PLENTY_SEEN", plenty)
    run, told = train_for_seven_seconds(tmp_path / "run", options)
    assert run.recipe.model == model
    assert run.model.name == model
    expected = (
        f"Network {model} instead of fast, which would be trained on about 41 pictures in the "
        f"time that there is, each as often as it comes: {why}"
    )
    assert of_the_network(told) == ([expected] if why else [])


@pytest.mark.parametrize(
    ("expected", "most", "name"),
    [
        (0, 0, "fast-narrow"),
        (99_999, 10_000_000, "fast-narrow"),
        (100_000, 12_000, "fast"),  # a few pictures, seen until no more is learned of them
        (999_999, 10_000_000, "fast"),
        (1_000_000, 999_999, "fast"),
        (1_000_000, 1_000_000, "fast-wide"),
    ],
)
def test_how_wide_a_network_is_for_how_many_pictures(expected: int, most: int, name: str) -> None:
    assert fast_within_budget._network_for(expected, most)[0] == name


@pytest.mark.parametrize(
    ("expected", "about"), [(0, "0"), (7, "7"), (41, "41"), (349, "350"), (2_080_237, "2,100,000")]
)
def test_what_is_reckoned_is_told_to_two_digits(expected: int, about: str) -> None:
    why = fast_within_budget._network_for(expected, expected)[1]
    assert f"would be trained on about {about} pictures in the time that there is" in why


@pytest.mark.parametrize(
    ("speed", "options", "augment", "looks"),
    [
        (1e7, {}, "none", "none"),
        (1e7, {"augment": "auto"}, "none", "none"),
        (1e7, {"model": "fast-narrow"}, "none", "none"),
        (1e7, {"test_time_augmentation": "flip"}, "none", "flip"),
        (1e7, {"augment": "light"}, "light", "flip"),
        (1e7, {"recipe": "classic"}, "none", "none"),  # the textbook's has none in any time
        (1e7, {"recipe": "classic", "model": "fast"}, "none", "none"),
        (1e15, {}, "light", "flip"),
    ],
)
def test_pictures_that_are_seen_too_seldom_are_not_augmented(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    speed: float,
    options: dict[str, Any],
    augment: str,
    looks: str,
) -> None:
    monkeypatch.setattr(fast_within_budget, "operations_per_second", lambda: speed)
    run, told = train_for_seven_seconds(tmp_path / "run", options)
    assert (run.recipe.augment, run.recipe.test_time_augmentation) == (augment, looks)
    assert [layer.name for layer in run.model.layers if "look" in layer.name] == (
        ["look"] if looks == "flip" else []
    )
    expected = (
        "No augmentation: in the time that there is, each training picture is seen less than "
        "4 times, too seldom to be learned by heart (--augment asks for it all the same)."
    )
    if "test_time_augmentation" not in options:
        expected += " So it is classified without its mirror image."
    left_open = augment == "none" and options.get("recipe") != "classic"
    assert [text for text in told if text.startswith("No augmentation")] == (
        [expected] if left_open else []
    )


def test_the_shortest_budget_ends_with_a_classifier_that_has_learned(tmp_path: Path) -> None:
    seen: list[Event] = []
    run = ta.train("digits", budget="1s", out=tmp_path / "run", observers=[seen.append])
    (warning,) = [e.text for e in seen if isinstance(e, Noted) and "exceeded" in e.text]
    assert warning.startswith("The budget is short and may be exceeded: some training is done in ")
    rates = [event.learning_rate for event in seen if isinstance(event, EpochEnded)]
    assert max(rates) > 0
    # Small pictures are decoded in the first look, which the budget does not count.
    assert "decoding" not in {e.stage for e in seen if isinstance(e, Progressed)}
    assert run.evaluation.accuracy.value > 0.15  # 0.1 is chance; here it is 0.9 and more


def test_a_slow_machine_keeps_more_of_a_budget_for_what_follows_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellapart.approaches.scratch.python_slowness", lambda: 20.0)
    seen: list[Event] = []
    ta.train("digits", budget="20s", out=tmp_path / "run", observers=[seen.append])
    (warning,) = [e.text for e in seen if isinstance(e, Noted) and "exceeded" in e.text]
    # 20 x (2.2 + 3e-7 for each of 74,162 weights + 1.2e-4 for each of 359 test pictures) is 45.3,
    # beside the network's looks at some four thousand pictures.
    told = re.search(r"what follows takes about (\d+) s\.$", warning)
    assert told
    assert int(told[1]) >= 45
    assert LOOKS_OF_HEAT_MAPS == SHOWN * MASKS
