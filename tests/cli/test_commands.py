"""`summary`, `trace`, `runs`, `datasets` and `cache`: for people, and with --json for programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tellapart.cli import complete, output
from tellapart.cli.output import local_time, print_table
from tellapart.data.catalog import CATALOG
from tests.cli.conftest import Run
from tests.conftest import save_picture

NETWORK_PY = """
import keras

def build(input_shape, classes):
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(classes)]
    )
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two classes were trained on: runs/photos-1."""
    folder = tmp_path_factory.mktemp("workplace")
    for name, colour in {"red": (210, 50, 40), "blue": (40, 60, 200)}.items():
        for number in range(6):
            save_picture(folder / "photos" / name / f"{number}.png", colour, size=(8, 8))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TELLAPART_CACHE", str(folder / "cache"))
        from tellapart import train

        train("photos", epochs=1, observers=[])
    return folder


@pytest.fixture
def here(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("TELLAPART_CACHE", str(workplace / "cache"))
    return workplace


def load_json(run: Run, *arguments: object) -> Any:
    """Runs a command with --json; stdout must be one document, and stderr empty."""
    done = run(*arguments, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


# --- summary ------------------------------------------------------------------------------------


def test_summary_of_a_name(run: Run) -> None:
    found = load_json(run, "summary", "classic-28")
    assert (found["model"], found["parameters"]) == ("classic-28", 347_146)
    assert [layer["name"] for layer in found["layers"]][-2:] == ["dense", "output"]
    assert found["layers"][2]["output_shape"][1:] == [26, 26, 32]
    shown = run("summary", "classic-28").out
    assert "347,146 parameters, 347,146 of them trained." in shown
    assert "3x3x1x32 + 32" in shown


def test_summary_of_a_run_and_of_its_keras_file(run: Run, here: Path) -> None:
    found = load_json(run, "summary", "runs/photos-1")
    assert found["layers"][-1]["output_shape"][1:] == [2]
    assert load_json(run, "summary", "runs/photos-1/model.keras") == found


def test_summary_of_a_function(run: Run, here: Path) -> None:
    Path("net.py").write_text(NETWORK_PY, encoding="utf-8")
    found = load_json(run, "summary", "net.py:build", "--image-size", "4x5", "--classes", "3")
    assert found["parameters"] == 4 * 5 * 3 * 3 + 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("classic-3",), 2, "Unknown model 'classic-3'. Did you mean 'classic-32'?"),
        (("classic-28", "--image-size", "0"), 2, "Image height 0: expected a whole number"),
        (("classic-28", "--channels", "7"), 2, "Image channels 7: expected 1 (grey) or 3"),
        (("runs",), 1, "runs holds runs; name one of them, such as runs/photos-1."),
        (("photos",), 1, "photos has no run.json: it is not a run folder."),
        (("runs/photo-1",), 2, "no run folder or file runs/photo-1. Did you mean 'runs/photos-1'?"),
        (("photos-1",), 2, "There is no folder photos-1. Did you mean 'runs/photos-1'?"),
        (("runs/photos-1/classifier.onnx",), 2, "Name the run folder."),
        (("runs/photos-1", "--classes", "3"), 2, "runs/photos-1 is trained, so that its sizes"),
        (("absent.keras",), 2, "There is no model file absent.keras."),
        (("absent.py:build",), 2, "There is no file absent.py"),
    ],
)
def test_what_is_no_network(
    run: Run, here: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    for command in ("summary", "trace"):
        done = run(command, *arguments)
        assert (done.code, done.out) == (code, "")
        assert message in done.err


# --- trace --------------------------------------------------------------------------------------


def test_trace_is_the_one_of_the_textbook(run: Run) -> None:
    found = load_json(run, "trace", "classic-64", "--images", "1000")
    assert [stage["after"] for stage in found["data_flow"]] == [
        [1000, 64, 64, 3],
        [1000, 64, 64, 3],
        [1000, 62, 62, 32],
        [1000, 31, 31, 32],
        [1000, 29, 29, 64],
        [1000, 14, 14, 64],
        [1000, 12544],
        [1000, 128],
        [1000, 10],
    ]
    assert "pixel 128 becomes 0.5" in run("trace", "classic-64").out


def test_trace_of_a_run(run: Run, here: Path) -> None:
    found = load_json(run, "trace", "runs/photos-1", "--images", "7")
    assert found["data_flow"][0]["after"] == [7, 8, 8, 3]


# --- runs ---------------------------------------------------------------------------------------


def test_runs(run: Run, here: Path) -> None:
    (found,) = load_json(run, "runs")
    assert (found["run"], found["status"], found["epochs"]) == ("runs/photos-1", "finished", 1)
    assert 0 <= found["accuracy"]["low"] <= found["accuracy"]["value"] <= 1
    shown = run("runs").out
    assert "runs/photos-1" in shown
    assert local_time(found["started"]) in shown


def test_no_runs(run: Run, here: Path) -> None:
    assert load_json(run, "runs", "photos") == []
    done = run("runs", "photos")
    assert (done.code, done.out) == (0, "")
    assert done.err == "No runs in photos. `tellapart train` makes one.\n"
    assert "There is no folder absent." in run("runs", "absent").err


def test_a_damaged_run_does_not_hide_the_others(run: Run, here: Path) -> None:
    damaged = here / "runs" / "damaged-1"
    damaged.mkdir()
    (damaged / "run.json").write_text("{", encoding="utf-8")
    done = run("runs", "--json")
    assert [found["run"] for found in json.loads(done.out)] == ["runs/photos-1"]
    assert "Left out: runs/damaged-1/run.json cannot be read" in done.err


# --- datasets and cache -------------------------------------------------------------------------


def test_datasets(run: Run) -> None:
    found = load_json(run, "datasets")
    assert [entry["name"] for entry in found] == list(CATALOG)
    assert found[0]["needs_download"] is False
    assert "fashion-mnist" in run("datasets").out


def test_cache_is_shown_and_cleared(run: Run, here: Path) -> None:
    from tellapart.data import load, open_store
    from tellapart.images import ImageSpec

    open_store(load("photos"), ImageSpec(8, 8))
    found = load_json(run, "cache")
    assert {"photos"} == {entry["location"] for entry in found["entries"]}
    assert found["bytes"] == sum(entry["bytes"] for entry in found["entries"]) > 0
    assert f"in {here / 'cache'}." in run("cache").out
    freed = load_json(run, "cache", "--clear")
    assert freed["freed_bytes"] >= found["bytes"]
    assert load_json(run, "cache")["entries"] == []
    assert run("cache").out == f"0 B in {here / 'cache'}.\n"
    assert (here / "photos" / "red" / "0.png").exists()


# --- Streams, completion, narrow terminals ------------------------------------------------------


@pytest.mark.parametrize(
    ("redirected", "code", "said"),
    [
        ("datasets >&-", 0, ""),
        ("train absent 2>&-", 1, ""),
        ("datasets >/dev/full", 1, "Error: The disk is full. Free some space, and start again.\n"),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a shell and /dev/full")
def test_closed_and_full_streams(redirected: str, code: int, said: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m tellapart {redirected}', sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


def test_tab_offers_names_and_leaves_paths_to_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "photos", ".hidden"):
        Path(name).mkdir()
    Path("made.csv").touch()
    assert complete.complete_data("dig") == ["digits"]
    assert complete.complete_data("m") == ["mnist", "made.csv", "mine/"]
    assert complete.complete_data("ph") == []
    assert complete.complete_models("classic-3") == ["classic-32"]


def test_a_table_too_narrow_for_its_words_becomes_blocks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(("name", "accuracy"), [("classic-28", "0.99"), ("b", "0.5")], title="Runs")
    assert capsys.readouterr().out == (
        "Runs\n\nname      classic-28\naccuracy  0.99\n\nname      b\naccuracy  0.5\n\n"
    )


def printed_at(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *table: Any
) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(*table)
    return re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)


WORDS = "Slides 32 filters over the picture; each answers where its pattern is, " * 2


def test_a_table_of_tall_thin_rows_becomes_blocks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # 18 and 9 letters of single words leave 40 columns of 80 to two texts: 140 letters in 20
    # columns would be 7 lines.
    table = (
        ("stage", "before", "does", "for example"),
        [("convolution_number", "1000x20x2", WORDS.strip(), "one output: 9 inputs")],
    )
    lines = printed_at(80, monkeypatch, capsys, *table).splitlines()
    assert lines[0] == "stage        convolution_number"
    assert lines[2] == (
        "does         Slides 32 filters over the picture; each answers where its pattern"
    )
    assert lines[3].startswith("             is, Slides")
    assert max(map(len, lines)) <= 80
    # Given room, it is a table.
    assert printed_at(200, monkeypatch, capsys, *table).split()[:4] == [
        "stage", "before", "does", "for",
    ]  # fmt: skip


def test_headings_break_between_words_where_it_is_tight(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = ("epoch", "validation loss", "validation accuracy", "observation")
    rows = [(1, "2.2705", "0.0625", "6% right in validation, no better than guessing.")]
    text = printed_at(64, monkeypatch, capsys, columns, rows)
    assert [line.split() for line in text.splitlines()[1:3]] == [
        ["validation", "validation"],
        ["epoch", "loss", "accuracy", "observation"],
    ]
    assert "2.2705" in text
    assert max(map(len, text.splitlines())) <= 64


def test_no_bar_on_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(output.Progress, "DELAY_SECONDS", 0.0)
    with output.Progress("Predicting", total=2) as progress:
        progress.advance()
        assert progress._bar is None


KILLED = """
import sys, time
from pathlib import Path
from tellapart.runs import RunFolder
run = RunFolder.create("x", out=Path(sys.argv[1]))
run.write_info({"status": "running"})
print("there", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_a_killed_run_is_not_running(run: Run, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "one")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert load_json(run, "runs", tmp_path)[0]["status"] == "running"
        process.kill()
    assert load_json(run, "runs", tmp_path)[0]["status"] == "killed"


def test_no_first_sentence_of_the_help_is_cut(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    commands = run("--help").out.partition("Commands:")[2].partition("Examples:")[0]
    assert "evaluate" in commands
    assert "..." not in commands


def test_a_choice_that_is_none_is_named_first(run: Run) -> None:
    done = run("train", "digits", "--loss", "mse")
    assert "Invalid value for '--loss': 'mse' is not one of 'sparse_cat" in done.err


def test_pictures_that_were_trained_on_are_called_that(run: Run, here: Path) -> None:
    done = run("evaluate", "runs/photos-1", "photos", "--part", "all")
    assert "with --part all pictures are measured that it has learnt from" in done.err
    assert "learnt from" not in run("evaluate", "runs/photos-1", "photos").err


def test_what_a_killed_process_left_in_the_cache_is_called_that(run: Run, own_cache: Path) -> None:
    left = own_cache / ".building-0"
    left.mkdir()
    entry = {"made_by": "tellapart", "kind": "pixels", "format": 2, "location": "x", "created": ""}
    (left / "index.json").write_text(json.dumps(entry))
    (left / "rows.npy").write_bytes(bytes(4000))
    assert "pixels (left unfinished)" in run("cache").out
    (found,) = load_json(run, "cache")["entries"]
    assert (found["complete"], found["bytes"] > 4000) == (False, True)
