"""The same seed, several times: the same weights, figures and parts, for every recipe.

    python tests/reliability/same_seed.py --count 5

Each time is a process of its own. The cache is thrown away before every second one, so that
features and pixels are computed anew.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.reliability.trainings import RECIPES, begin, differences, must_end


def train_again(folder: Path, recipe: str, count: int) -> list[str]:
    """Trains so many times; returns what differs from the first time."""
    problems = []
    for number in range(count):
        if number % 2:
            shutil.rmtree(folder / "cache", ignore_errors=True)
        must_end(begin(folder, recipe, f"run-{number}", seed=7))
        differing = differences(folder / "run-0", folder / f"run-{number}")
        problems += [f"{recipe}, time {number + 1}: {what} differs" for what in differing]
    return problems


def main() -> None:
    """Prints a line a recipe; exits with 1 on any failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5, help="trainings of each recipe")
    parser.add_argument("--recipe", choices=list(RECIPES), help="only that one")
    options = parser.parse_args()
    failed = 0
    for recipe in [options.recipe] if options.recipe else list(RECIPES):
        with tempfile.TemporaryDirectory() as folder:
            problems = train_again(Path(folder), recipe, options.count)
        print(f"{recipe:10} {options.count} trainings: {len(problems)} problems", flush=True)
        for problem in problems:
            print(f"  {problem}")
        failed += len(problems)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
