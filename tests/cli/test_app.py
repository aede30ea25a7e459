"""What all commands share: help, versions, suggestions, exit codes, light imports."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.cli import main, output
from tellapart.cli.app import COMMANDS
from tellapart.cli.output import Progress, json_text, print_json, print_table
from tellapart.errors import TellapartError
from tellapart.version import __version__
from tests.cli.conftest import Run

NAMES = [module.__name__.rpartition(".")[2] for module in COMMANDS]


def run_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tellapart", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def test_garbage_is_looked_for_seldom_and_not_when_the_process_ends() -> None:
    code = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_threshold()[0], gc.get_freeze_count()))\n"
        "from tellapart.cli import main; main(['--version'])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    threshold, frozen = map(int, ended.stdout.split()[-2:])
    assert threshold == 10_000
    assert frozen > 1_000


# --- Help ---------------------------------------------------------------------------------------


def test_help_lists_the_commands_and_keeps_the_lines_of_its_examples(run: Run) -> None:
    for option in ("--help", "-h"):
        done = run(option)
        assert done.code == 0
        assert not done.err
        for name in NAMES:
            assert f"\n  {name} " in done.out
        assert "\n    tellapart predict runs/photos-1 new.jpg\n" in done.out
        assert "--install-completion" in done.out


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_examples(run: Run, name: str) -> None:
    done = run(name, "--help")
    assert done.code == 0
    assert "Examples:\n" in done.out
    module = next(module for module in COMMANDS if module.__name__.endswith(f".{name}"))
    for line in module.EXAMPLES.strip().splitlines():
        assert "tellapart " in line
        assert f"    {line}\n" in done.out + "\n"


def test_no_command_shows_the_help(run: Run) -> None:
    done = run()
    assert done.code == 2
    assert "Commands:" in done.err


def test_version(run: Run) -> None:
    assert run("--version").out == f"tellapart {__version__}\n"


def test_python_m_tellapart() -> None:
    done = run_process("--version")
    assert (done.returncode, done.stdout) == (0, f"tellapart {__version__}\n")
    assert run_process("predict").stderr.startswith("Usage: tellapart predict ")


def test_completion_scripts_are_offered() -> None:
    done = run_process(
        "--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"
    )
    assert done.returncode == 0
    assert "_TELLAPART_COMPLETE=complete_bash" in done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import tellapart",
        "from tellapart.cli import main; main(['--help'])",
        "from tellapart.cli import main; main(['predict', '--help'])",
        "from tellapart.cli import main; main(['no-such-command'])",
    ],
)
def test_what_needs_no_numbers_imports_none(code: str) -> None:
    heavy = ["PIL", "keras", "numpy", "onnx", "onnxruntime", "rich", "tensorflow"]
    program = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("[]\n")


# --- Wrong usage --------------------------------------------------------------------------------


def test_a_wrong_command_is_corrected(run: Run) -> None:
    done = run("predct")
    assert done.code == 2
    assert "Error: No such command 'predct'. Did you mean 'predict'?" in done.err
    assert not done.out


def test_a_wrong_option_is_corrected(run: Run) -> None:
    done = run("predict", "--top-l", "3", "a", "b")
    assert done.code == 2
    assert "Error: No such option: --top-l (Possible options: --top-k)" in done.err


# --- Exit codes ---------------------------------------------------------------------------------


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """`tellapart evaluate` raises the exception put into this list."""
    raised: list[BaseException] = []

    def load(path: Path) -> None:
        raise raised[0]

    monkeypatch.setattr("tellapart.classifier.Classifier.load", load)
    return raised


def test_our_errors_are_a_message_without_a_traceback(
    run: Run, failing: list[BaseException]
) -> None:
    failing.append(TellapartError("Too few pictures in a\x1b[2Jb.\nAdd some."))
    done = run("evaluate", "classifier", "data")
    assert (done.code, done.out) == (1, "")
    assert done.err == "Error: Too few pictures in a\\x1b[2Jb.\nAdd some.\n"


def test_ctrl_c(run: Run, failing: list[BaseException]) -> None:
    failing.append(KeyboardInterrupt())
    done = run("evaluate", "classifier", "data")
    assert (done.code, done.out, done.err) == (130, "", "Interrupted.\n")


def test_a_bug_keeps_its_traceback(failing: list[BaseException]) -> None:
    failing.append(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        main(["evaluate", "classifier", "data"])


def test_warnings_are_for_those_who_ask() -> None:
    code = (
        "import warnings\nfrom tellapart.cli import main\n"
        "try:\n    main(['--version'])\nexcept SystemExit:\n    warnings.warn('decoder says')"
    )
    for extra, shown in (([], False), (["-W", "default"], True)):
        done = subprocess.run(
            [sys.executable, *extra, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"},
        )
        assert ("decoder says" in done.stderr) is shown


# --- Output -------------------------------------------------------------------------------------


def test_json_is_strict_and_fits_the_encoding() -> None:
    value = {"猫": "\udcff"}
    assert json_text({"猫": 1}, "utf-8") == '{"猫": 1}'
    assert json_text({"猫": 1}, "latin-1") == '{"\\u732b": 1}'
    assert json.loads(json_text(value, "utf-8")) == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text(float("nan"), "utf-8")


def test_print_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1, None]})
    assert json.loads(capsys.readouterr().out) == {"a": [1, None]}


def test_a_table_in_a_pipe_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = "deep/" * 100 + "[bold]name[/bold] :cat: 1234.png"
    print_table(["File", "n"], [[long, 1], ["short", 20]], title="All [x]", right=["n"])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "All [x]"
    assert any(line.split() == [*long.split(), "1"] for line in lines)
    assert any(line.startswith("  short ") and line.endswith(" 20") for line in lines)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_table_on_a_terminal_folds_long_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Terminal()
    print_table(["File"], [["x" * 100]], file=screen)
    assert screen.getvalue().count("x") == 100
    lines = re.sub(r"\x1b\[[01]m", "", screen.getvalue()).splitlines()  # bold, but no colours
    assert max(map(len, lines)) <= 40


def test_progress_appears_after_a_while_and_on_terminals_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for stream, delay, hidden, shown in (
        (Terminal(), 0.0, False, True),
        (Terminal(), 1e9, False, False),
        (Terminal(), 0.0, True, False),
        (io.StringIO(), 0.0, False, False),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(output.Progress, "DELAY_SECONDS", delay)
        with Progress("Predicting", total=3, hidden=hidden) as progress:
            progress.advance()
            progress.advance()
        assert ("Predicting" in stream.getvalue() and "2/3" in stream.getvalue()) is shown


def test_without_typer_the_command_line_says_what_it_needs() -> None:
    code = (
        "import sys; sys.modules['typer'] = None\n"
        "from tellapart.cli import main\n"
        "main(['--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "Error: The command line needs Typer, which is not installed: pip install typer\n"
    )
