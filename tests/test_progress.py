"""What a run looks like in a terminal and in a log."""

from __future__ import annotations

import io

from rich.console import Console

from tellapart.progress import TerminalProgress
from tellapart.training.events import (
    BatchEnded,
    EpochEnded,
    Event,
    Exported,
    Noted,
    Progressed,
    RunStarted,
    TrainingEnded,
)

EPOCH = EpochEnded(2, 15, 0.5, 0.875, 0.75, 0.7, 0.001, 12.34, 1234.0)
BATCH = BatchEnded(2, 15, 30, 625, 0.5, 0.875, 1234.0)


def shown(*events: Event, terminal: bool) -> str:
    stream = io.StringIO()
    progress = TerminalProgress(
        Console(file=stream, force_terminal=terminal, width=140, highlight=False, no_color=True)
    )
    for event in events:
        progress(event)
    progress(TrainingEnded("finished", 15, None, 1.0))
    return stream.getvalue()


def test_a_log_has_a_line_an_epoch_and_no_bar() -> None:
    text = shown(BATCH, Progressed("decoding", 3, 9), EPOCH, terminal=False)
    assert text.splitlines() == [
        "epoch  2/15  loss 0.5000  accuracy 0.875  val_loss 0.7500  val_accuracy 0.700  "
        "1,234 images/s  12.3 s"
    ]


def test_the_bar_shows_loss_accuracy_speed_and_progress() -> None:
    text = shown(BATCH, terminal=True)
    assert "epoch 2/15" in text
    assert "655/9375" in text  # an epoch of 625 updates and 30 more, of 15 epochs
    assert "loss 0.5000  accuracy 0.875  1,234 images/s" in text


def test_an_epoch_without_validation() -> None:
    event = EpochEnded(1, 3, 0.5, 0.875, None, None, 0.001, 1.0, 99.0)
    assert "val_loss" not in shown(event, terminal=False)


def test_names_are_not_taken_for_markup() -> None:
    text = shown(Noted("a folder called [red]cats[/red]"), terminal=False)
    assert "[red]cats[/red]" in text


def test_the_start_says_what_will_happen() -> None:
    parts = {"train": 54_000, "validation": 6_000, "calibration": 0, "test": 10_000}
    recipe = {
        "model": "classic-28",
        "image_size": [28, 28],
        "epochs": 3,
        "batch_size": 32,
        "budget_seconds": None,
    }
    text = shown(RunStarted("runs/mnist-1", "mnist", parts, recipe), terminal=False)
    assert "54,000 train, 6,000 validation, 10,000 test pictures of 28x28" in text
    assert "Ctrl-C" in text


def test_an_interruption_says_which_weights_are_kept() -> None:
    text = shown(TrainingEnded("interrupted", 3, 2, 1.0), terminal=False)
    assert "Stopped by Ctrl-C; the weights of epoch 2 are kept, the best so far" in text


def test_the_export_says_how_far_it_agrees() -> None:
    text = shown(Exported("classifier.onnx", 10_000, 8e-7), terminal=False)
    assert "agrees with the network on 10,000 raw test pictures" in text
