"""Trainings that are killed, disturbed and repeated: a few in every test, many in the slow ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.reliability.full_disk import DISTURBED_RECIPES, disturb, small_disk
from tests.reliability.same_seed import train_again
from tests.reliability.training_kills import KILLED_RECIPES, kill_and_resume
from tests.reliability.trainings import RECIPES

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are ended by signals")


def test_a_training_that_is_killed_goes_on(tmp_path: Path) -> None:
    hit, problems = kill_and_resume(tmp_path, "classic", 2, kills_a_run=2)
    assert hit.total() == 2
    assert problems == []


@pytest.mark.slow
@pytest.mark.parametrize("recipe", KILLED_RECIPES)
def test_a_hundred_kills(recipe: str, tmp_path: Path) -> None:
    hit, problems = kill_and_resume(tmp_path, recipe, 100 // len(KILLED_RECIPES))
    assert hit.total() == 100 // len(KILLED_RECIPES)
    assert problems == []


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_five_times_the_same_seed(recipe: str, tmp_path: Path) -> None:
    assert train_again(tmp_path, recipe, 5) == []


@pytest.mark.slow
@pytest.mark.parametrize("recipe", DISTURBED_RECIPES)
def test_thirty_broken_disks(recipe: str, tmp_path: Path) -> None:
    try:
        with small_disk(tmp_path / "may-mount"):
            pass
    except PermissionError as error:
        pytest.skip(str(error))
    ended, problems = disturb(tmp_path, recipe, 30 // len(DISTURBED_RECIPES))
    assert problems == []
    assert ended["ended with a message"] > 0
