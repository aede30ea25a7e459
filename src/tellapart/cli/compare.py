"""`tellapart compare`: whether one run is really better than another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tellapart.cli.output import print_json, print_table, write_result
from tellapart.errors import UsageError
from tellapart.text import printable

if TYPE_CHECKING:  # it needs NumPy, which `--help` can do without
    from tellapart.evaluation.comparison import ClassChange, Comparison

EXAMPLES = """
tellapart compare runs/photos-1 runs/photos-2
tellapart compare runs/photos-1 runs/photos-2 --json
"""

MOST_CLASSES = 10


def compare(
    first: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder; `tellapart runs` lists them.")
    ],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say whether one run is really better than another.

    Both must have been measured on the same test pictures: same data, same --seed. Compared are
    their answers picture by picture (exact McNemar test), so that small differences show which
    the intervals of the two accuracies would hide.
    """
    from tellapart.evaluation.answers import Answers, pair_answers
    from tellapart.evaluation.comparison import compare as compare_answers

    if os.path.abspath(first) == os.path.abspath(second):  # noqa: PTH100 (links stay as named)
        raise UsageError(f"{first} is named twice. Name two runs; `tellapart runs` lists them.")
    test = pair_answers(Answers.read(first), Answers.read(second))
    found = compare_answers(test.first, test.second, test.labels, test.class_names)
    names = printable(str(first)), printable(str(second))
    if as_json:
        about = {"runs": [str(first), str(second)], "verdict": verdict(found, *names)}
        print_json(about | found.to_json())
        return
    _print(found, *names)


def verdict(found: Comparison, first: str, second: str) -> str:
    """The conclusion, in sentences."""
    from tellapart.data.wording import count

    differing = found.only_first + found.only_second
    if not differing:
        return "Both are right on the same pictures: there is no difference."
    if found.only_first == found.only_second:
        return (
            "There is no difference to be seen: each alone is right on "
            f"{count(found.only_first, 'picture')}."
        )
    better = second if found.only_second > found.only_first else first
    chance = (
        f"between equals, a difference at least as large comes about by chance in "
        f"{_percent(found.p_value)} of test parts"
    )
    if found.real:
        return f"The difference is real: {better} is better; {chance}."
    return (
        f"The difference could be chance: {chance}. If it is as large as it looks, about "
        f"{found.needed:,} test pictures would be needed to tell."
    )


def _print(found: Comparison, first: str, second: str) -> None:
    gap = found.difference
    width = max(len(first), len(second))
    write_result(
        f"{first:{width}}  accuracy {found.first}\n"
        f"{second:{width}}  accuracy {found.second}\n\n"
        f"Difference {gap.value:+.3f} ({gap.confidence:.0%} interval {gap.low:+.3f} to "
        f"{gap.high:+.3f}), on the same {gap.count:,} test pictures:\n"
        f"both are right on {found.both:,}, only {first} on {found.only_first:,}, only {second} "
        f"on {found.only_second:,}, neither on {found.neither:,}.\n\n"
        f"{verdict(found, first, second)}\n"
    )
    _print_classes(found.classes)


def _print_classes(classes: tuple[ClassChange, ...]) -> None:
    changed = [change for change in classes if change.only_first + change.only_second]
    if not changed:
        return
    changed.sort(key=lambda one: (one.p_value, -abs(one.second_right - one.first_right)))
    print_table(
        ["Class", "Pictures", "First right", "Second right", "Change"],
        [
            (
                change.name,
                change.count,
                change.first_right,
                change.second_right,
                "real" if change.real else "could be chance",
            )
            for change in changed[:MOST_CLASSES]
        ],
        right=["Pictures", "First right", "Second right"],
    )
    if len(changed) > MOST_CLASSES:
        write_result(f"... and {len(changed) - MOST_CLASSES:,} more classes: --json has them.\n")
    write_result(
        f"With {len(classes):,} classes some always seem to change: called real is only what "
        "stands out in view of how many there are (Holm's correction).\n"
    )


def _percent(share: float) -> str:
    return "less than 0.1%" if share < 0.001 else f"{share:.1%}"
