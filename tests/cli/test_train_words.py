"""The last words of `tellapart train`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.cli.train import _print
from tellapart.evaluation.metrics import evaluate
from tellapart.evaluation.overlap import measure_overlap
from tellapart.finished_run import Run
from tellapart.training.recipe import Recipe


def words(seen: list[bool], capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed of ten test pictures, the first nine of them right."""
    labels = np.arange(10) % 2
    probabilities = np.full((10, 2), 0.1, np.float32)
    probabilities[np.arange(10), labels] = 0.9
    probabilities[9] = probabilities[9, ::-1]
    run = Run(
        Path("runs/x-1"),
        evaluate(
            probabilities, labels, class_names=("a", "b"), sources=[str(i) for i in range(10)]
        ),
        Recipe("auto", "fast", (8, 8), 1, epochs=1),
        [],
        overlap=measure_overlap(probabilities, labels, np.array(seen)),
    )
    _print(run, json=False)
    return capsys.readouterr().out


def test_pictures_without_copies_were_never_seen(capsys: pytest.CaptureFixture[str]) -> None:
    first = words([False] * 10, capsys).splitlines()[1]
    assert first.startswith("Test accuracy 0.900 (")
    assert first.endswith("), on 10 pictures that training never saw.")


def test_copies_in_training_are_counted_in_the_same_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = words([True] * 8 + [False] * 2, capsys)
    assert "never saw" not in text
    first, second = text.splitlines()[1:3]
    assert first.endswith("), on 10 pictures, of which training has seen 8 in copies.")
    # Of the other two one is right.
    assert second.strip().startswith("Without them 0.500 (")
    assert second.endswith("), on 2 pictures.")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([True] + [False] * 9, ["has seen 1 in a copy.", "Without it 0.889 (", "on 9 pictures."]),
        ([True] * 10, ["has seen 10 in copies.", "None of them is new."]),
    ],
)
def test_one_copy_and_nothing_but_copies(
    seen: list[bool], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = words(seen, capsys)
    assert all(part in text for part in expected)
