"""What a run looks like in a terminal and in a log."""

from __future__ import annotations

import io

from rich.console import Console

from tellapart.progress import TerminalProgress
from tellapart.training.events import (
    BatchEnded,
    Diagnosed,
    EpochEnded,
    Event,
    Exported,
    Noted,
    Progressed,
    RunResumed,
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


def epochs(*val_losses: float) -> list[EpochEnded]:
    return [
        EpochEnded(n, len(val_losses), 1 / n, 0.5, loss, 0.7, 0.001, 12.34, 1234.0)
        for n, loss in enumerate(val_losses, start=1)
    ]


def test_each_epoch_of_a_log_ends_with_what_it_says() -> None:
    lines = shown(*epochs(1.0, 0.9, 0.95), terminal=False).splitlines()
    assert lines[0].endswith("12.3 s  70% right in validation in the first epoch.")
    assert lines[1].endswith("12.3 s  Both losses fell: the best epoch so far.")
    assert lines[2].endswith("12.3 s  Validation loss rose: a first sign of overfitting.")
    assert lines[2].startswith("epoch 3/3  loss 0.3333")


def test_the_first_epoch_is_compared_with_guessing() -> None:
    recipe = {"model": "a", "image_size": [8, 8], "epochs": 1, "batch_size": 8}
    start = RunStarted("run", "a", {}, {**recipe, "budget_seconds": None}, classes=4)
    assert "70% right in validation; guessing has 25%." in shown(
        start, *epochs(1.0), terminal=False
    )


def test_a_narrow_terminal_gets_whole_lines() -> None:
    stream = io.StringIO()
    progress = TerminalProgress(
        Console(file=stream, force_terminal=True, width=80, highlight=False, no_color=True)
    )
    for event in epochs(*[1.0 - 0.05 * n for n in range(15)]):
        progress(event)
    lines = stream.getvalue().splitlines()
    assert lines[2:4] == [
        "epoch  2/15  loss 0.5000  accuracy 0.500  val_loss 0.9500  val_accuracy 0.700",
        "  1,234 images/s  12.3 s  Both losses fell: the best epoch so far.",
    ]
    assert len(lines) == 2 * 15


def test_the_chart_is_shown_when_training_ends() -> None:
    text = shown(*epochs(1.0, 0.9), terminal=True)
    assert "loss   • training   ○ validation" in text
    assert "epoch\n" in text
    assert "training   " not in shown(*epochs(1.0), terminal=True)  # one epoch has no course


def test_a_console_without_these_characters_gets_others() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    progress = TerminalProgress(Console(file=stream, force_terminal=True, width=80))
    events: list[Event] = [*epochs(1.0, 0.9), TrainingEnded("finished", 2, None, 1.0)]
    for event in events:
        progress(event)
    stream.seek(0)
    assert "* training   o validation" in stream.read()


COMMAND = "tellapart train '" + "a very long name/" * 8 + "' --augment light"
DIAGNOSED = Diagnosed("overfitting", "warning", "A gap of 24.1 points.", (("Augment", COMMAND),))


def test_a_diagnosis_has_its_command_on_a_line_of_its_own() -> None:
    for terminal in (True, False):
        lines = shown(DIAGNOSED, terminal=terminal).splitlines()
        assert "Overfitting. A gap of 24.1 points." in lines
        assert "  Augment:" in lines
        assert f"    {COMMAND}" in lines  # never broken, to be copied


def test_the_command_that_was_just_given_is_not_repeated() -> None:
    remedies = (("Add pictures, and train again", "tellapart train x"), ("Augment", COMMAND))
    event = Diagnosed("chance level", "note", "Text.", remedies)
    lines = shown(event, terminal=False).splitlines()
    assert "  Add pictures, and train again." in lines
    assert "    tellapart train x" not in lines
    assert f"    {COMMAND}" in lines


def test_a_warning_is_yellow_and_a_note_is_not() -> None:
    def coloured(event: Diagnosed) -> str:
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=True, width=80, color_system="standard")
        TerminalProgress(console)(event)
        return stream.getvalue()

    assert "\x1b[33mOverfitting." in coloured(DIAGNOSED)
    assert "\x1b[33m" not in coloured(Diagnosed("still improving", "note", "Text.", ()))


def test_names_cannot_command_the_terminal() -> None:
    event = Diagnosed("chance level", "note", "'\x1b[2J' [b]", (("[b]", "tellapart \x1b[2J"),))
    text = shown(event, Noted("a\x1b[2J"), terminal=False)
    assert "\x1b" not in text
    assert "'\\x1b[2J' [b]" in text
    assert "    tellapart \\x1b[2J" in text


def test_a_resumed_run_says_where_it_goes_on() -> None:
    lines = [
        shown(RunResumed("runs/x-1", *position), terminal=False).strip()
        for position in ((0, 0), (1, 0), (3, 1200))
    ]
    assert lines == [
        "runs/x-1 is resumed from the beginning: no checkpoint had been written yet.",
        "runs/x-1 is resumed after 1 epoch.",
        "runs/x-1 is resumed after 3 epochs and 1,200 updates.",
    ]


def test_a_terminal_that_is_gone_ends_no_run() -> None:
    class Gone(io.StringIO):
        calls = 0

        def write(self, text: str) -> int:
            self.calls += 1
            raise OSError(5, "Input/output error")

    stream = Gone()
    progress = TerminalProgress(Console(file=stream, force_terminal=False))
    progress(EPOCH)
    tried = stream.calls
    progress(EPOCH)
    assert tried > 0
    assert stream.calls == tried  # it is not tried again
