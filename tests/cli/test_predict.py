"""`tellapart predict`, with probabilities worked out in tests/tiny_classifier.py."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tellapart.spreadsheet import unquoted
from tests.cli.conftest import Outcome, Run
from tests.test_classifier import LIGHT, run_python
from tests.tiny_classifier import save_classifier

ALL = ["photos/blue.png", "photos/broken.jpg", "photos/deeper/green.PNG", "photos/red.png"]


def rows(done: Outcome) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(done.out)))


def sources(done: Outcome) -> list[str]:
    return [row["source"] for row in rows(done)]


# --- Formats ------------------------------------------------------------------------------------


def test_csv_exactly(run: Run, here: Path) -> None:
    done = run("predict", "run", "photos/red.png", "photos/absent.png", "--format", "csv", "-k2")
    assert done.out == (
        "source,label,probability,label_2,probability_2,unsure,unsure_because,novelty,error\n"
        "photos/red.png,red,0.800000,blue,0.100000,false,,,\n"
        "photos/absent.png,,,,,,,,no such file or directory\n"
    )
    assert (done.code, done.err) == (1, "1 of 2 pictures failed.\n")


def test_json_lines(run: Run, here: Path) -> None:
    done = run("predict", "run/classifier.onnx", "photos/red.png", "--format", "jsonl", "-k", "1")
    assert (done.code, done.err) == (0, "")
    (found,) = map(json.loads, done.out.splitlines())
    assert found == {
        "source": "photos/red.png",
        "label": "red",
        "probability": pytest.approx(0.8),
        "novelty": None,
        "unsure": False,
        "unsure_because": None,
        "top": [{"label": "red", "probability": pytest.approx(0.8)}],
    }


@pytest.mark.parametrize(
    "options", [["--json"], ["--format", "json"], ["--json", "--format", "json"]]
)
def test_one_json_document(run: Run, here: Path, options: list[str]) -> None:
    done = run("predict", "run", "photos", *options)
    found = json.loads(done.out)
    assert found["classifier"] == "run/classifier.onnx"
    assert [item["source"] for item in found["predictions"]] == ALL
    assert [item.get("label") for item in found["predictions"]] == ["blue", None, "green", "red"]
    assert "error" in found["predictions"][1]
    assert (found["count"], found["failed"]) == (4, 1)


def test_a_table(run: Run, here: Path) -> None:
    done = run("predict", "run", "photos")
    lines = [line.split() for line in done.out.splitlines() if line.strip()]
    assert lines[0] == ["Picture", "Class", "Probability", "Next", "Error"]
    assert lines[2] == ["photos/blue.png", "blue", "0.800", "green", "0.100,", "red", "0.100"]
    assert lines[3][:4] == ["photos/broken.jpg", "-", "-", "-"]
    assert len(lines) == 6


def test_a_table_comes_in_pages(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.cli.predict.TABLE_PAGE", 3)
    done = run("predict", "run", *["photos/red.png"] * 7, "-k1")
    assert done.out.count("Probability") == 3
    assert done.out.count("photos/red.png") == 7
    assert "Next" not in done.out


def test_names_play_no_tricks_on_the_terminal_and_stay_exact_in_csv(run: Run, here: Path) -> None:
    name = 'photos/a,"b"\n\x1b[2J=1+1.png'
    shutil.copy("photos/red.png", name)
    table = run("predict", "run", name).out
    assert "\x1b" not in table
    assert 'photos/a,"b"\\n\\x1b[2J=1+1.png' in table
    done = run("predict", "run", name, "--format", "csv")
    assert sources(done) == [name]


def test_names_in_csv_are_no_formulas_and_come_back(run: Run, here: Path) -> None:
    classes = ("=cmd|' /C calc'!A0", "a;=1+1", "red")
    rules = [{"coverage": 0.9, "quantile": 1.0}]
    save_classifier(here / "evil" / "classifier.onnx", class_names=classes, sets=rules)
    shutil.copy("photos/red.png", "=1+1.png")
    shutil.copy("photos/broken.jpg", "@broken.jpg")
    done = run("predict", "evil", "=1+1.png", "@broken.jpg", "--format", "csv", "--sets", "0.9")
    first, failed = rows(done)
    assert not [
        cell
        for row in csv.reader(io.StringIO(done.out))
        for cell in row
        if cell[:1] in "=@+-" and cell
    ]
    assert (first["source"], failed["source"]) == ("'=1+1.png", "'@broken.jpg")
    names = [first["label"], first["label_2"], first["label_3"]]
    assert sorted(names) == ["'=cmd|' /C calc'!A0", "a;'=1+1", "red"]
    assert sorted(map(unquoted, names)) == sorted(classes)
    assert ";" not in first["set"]
    assert sorted(json.loads(first["set"])) == sorted(classes)
    lines = run("predict", "evil", "=1+1.png", "--format", "json").out
    assert json.loads(lines)["predictions"][0]["source"] == "=1+1.png"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize(
    ("format_", "encoding", "shown"),
    [
        ("csv", "latin-1", b"photos/caf\xe9 \xe7\x8c\xab.png,red,0.8"),
        ("jsonl", "ascii", b'"photos/caf\\udce9 \\u732b.png"'),
        ("json", "utf-8", b'"photos/caf\\udce9 \\u732b.png"'),
        ("table", "utf-8", b"photos/caf\\udce9 \xe7\x8c\xab.png"),
    ],
)
def test_names_that_are_not_unicode(here: Path, format_: str, encoding: str, shown: bytes) -> None:
    name = b"photos/caf\xe9 \xe7\x8c\xab.png"
    shutil.copy(b"photos/red.png", name)
    done = subprocess.run(
        [sys.executable, "-m", "tellapart", "predict", "run", name, "--format", format_],
        stdout=subprocess.PIPE,
        check=True,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"},
    )
    assert shown in done.stdout


def test_formats_that_contradict_each_other(run: Run, here: Path) -> None:
    done = run("predict", "run", "photos", "--json", "--format", "csv")
    assert done.code == 2
    assert done.err == "Error: --json and --format csv contradict each other; give one.\n"


# --- Top k --------------------------------------------------------------------------------------


def test_never_more_classes_than_there_are(run: Run, here: Path) -> None:
    done = run("predict", "run", "photos/red.png", "-k", "99", "--format", "csv")
    assert done.out.splitlines()[0].count("label") == 3
    done = run("predict", "run", "photos/red.png", "-k", "99", "--format", "jsonl")
    assert len(json.loads(done.out)["top"]) == 3


@pytest.mark.parametrize("option", ["--top-k", "--batch-size"])
@pytest.mark.parametrize("value", ["0", "-1", "x"])
def test_numbers_below_one_are_wrong_usage(run: Run, here: Path, option: str, value: str) -> None:
    done = run("predict", "run", "photos", option, value)
    assert done.code == 2
    assert f"Invalid value for '{option}'" in done.err


# --- Which pictures -----------------------------------------------------------------------------


def test_a_folder_is_searched_in_the_order_of_names(run: Run, here: Path) -> None:
    assert sources(run("predict", "run", "photos", "--format", "csv")) == ALL


def test_links_to_folders_are_not_followed(run: Run, here: Path) -> None:
    Path("photos/up").symlink_to("..")
    Path("photos/zlink.png").symlink_to("red.png")
    found = sources(run("predict", "run", "photos", "--format", "csv"))
    assert found == [*ALL, "photos/zlink.png"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("photos/*.png", ["photos/blue.png", "photos/red.png"]),
        ("photos/**/*", ALL),
        ("photos/**", ALL),
        ("photos/[br]*.png", ["photos/blue.png", "photos/red.png"]),
    ],
)
def test_patterns(run: Run, here: Path, pattern: str, found: list[str]) -> None:
    assert sources(run("predict", "run", pattern, "--format", "csv")) == found


def test_a_file_whose_name_looks_like_a_pattern(run: Run, here: Path) -> None:
    shutil.copy("photos/red.png", "photos/[x].png")
    assert sources(run("predict", "run", "photos/[x].png", "--format", "csv")) == ["photos/[x].png"]


def test_a_file_named_by_itself_is_tried_whatever_its_name(run: Run, here: Path) -> None:
    shutil.copy("photos/red.png", "upload.tmp")
    (row,) = rows(run("predict", "run", "upload.tmp", "--format", "csv"))
    assert row["label"] == "red"


@pytest.mark.parametrize(
    ("options", "listed"),
    [
        ([], b"photos/red.png\nphotos/blue.png"),
        ([], b"photos/red.png\r\n\nphotos/blue.png\r\n"),
        (["--null"], b"photos/red.png\0photos/blue.png\0"),
        (["-0"], b"photos/red.png\0photos/blue.png"),
    ],
)
def test_a_list_on_stdin(run: Run, here: Path, options: list[str], listed: bytes) -> None:
    done = run("predict", "run", "-", "--format", "csv", *options, stdin=listed)
    assert [row["label"] for row in rows(done)] == ["red", "blue"]
    assert done.code == 0


def test_arguments_and_stdin_together(run: Run, here: Path) -> None:
    done = run("predict", "run", "photos/blue.png", "-", "--format", "csv", stdin=b"photos/red.png")
    assert sources(done) == ["photos/blue.png", "photos/red.png"]


def test_an_empty_list(run: Run, here: Path) -> None:
    done = run("predict", "run", "-", "--format", "csv")
    assert done.code == 1
    assert done.err == "Error: The list on stdin is empty: expected a path a line.\n"


def test_what_names_no_picture_is_a_row(run: Run, here: Path) -> None:
    (here / "empty").mkdir()
    done = run("predict", "run", "photos/red.png", "empty", "*.gif", "no.png", "--format", "csv")
    found = {row["source"]: row["error"] for row in rows(done)}
    assert found["photos/red.png"] == ""
    assert found["empty"].startswith("the folder holds no pictures (.bmp, .gif, ")
    assert found["*.gif"].startswith("the pattern matches no pictures (.bmp, ")
    assert found["no.png"] == "no such file or directory"
    assert (done.code, done.err) == (1, "3 of 4 pictures failed.\n")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_that_may_not_be_listed_is_a_row(run: Run, here: Path) -> None:
    (here / "photos" / "deeper").chmod(0)
    found = rows(run("predict", "run", "photos", "--format", "csv"))
    assert found[2]["error"] == "the folder cannot be listed (Permission denied)"


def test_when_every_argument_is_missing_it_is_said_clearly(run: Run, here: Path) -> None:
    done = run("predict", "run", "phtos", "*.gif")
    assert (done.code, done.out) == (1, "")
    assert done.err == "Error: No such picture or folder: phtos, *.gif. Did you mean 'photos'?\n"


def test_classifier_and_picture_swapped(run: Run, here: Path) -> None:
    done = run("predict", "photos/red.png", "run")
    assert done.code == 1
    assert "photos/red.png is a picture (PNG), not a classifier." in done.err


# --- Output files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.csv", "source,label,"), ("a.jsonl", '{"source": '), ("a.json", '{\n"classifier"')],
)
def test_the_name_of_the_file_decides_the_format(
    run: Run, here: Path, name: str, start: str
) -> None:
    done = run("predict", "run", "photos/red.png", "--output", name)
    assert (done.code, done.out, done.err) == (0, "", f"{name} has 1 prediction.\n")
    assert (here / name).read_text().startswith(start)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.xlsx", "a.xlsx: no format goes with '.xlsx'. Name a file that ends in .csv, "),
        ("photos", "photos: no format goes with ''. "),
        ("photos/deeper.csv", "photos/deeper.csv is a folder. Name a file to write to."),
        ("absent/a.csv", "there is no folder absent. Make it first, or name another; if"),
    ],
)
def test_an_output_that_makes_no_sense(run: Run, here: Path, name: str, message: str) -> None:
    (here / "photos" / "deeper.csv").mkdir()
    done = run("predict", "run", "photos/red.png", "--output", name)
    assert (done.code in (1, 2), done.out) == (True, "")
    assert message in done.err


def test_an_existing_file_is_replaced_only_by_force(run: Run, here: Path) -> None:
    (here / "a.csv").write_text("precious")
    done = run("predict", "run", "photos/red.png", "-o", "a.csv")
    assert done.code == 2
    assert done.err == "Error: a.csv exists. Add --force to replace it, or name another file.\n"
    assert (here / "a.csv").read_text() == "precious"
    assert run("predict", "run", "photos/red.png", "-o", "a.csv", "--force").code == 0
    assert (here / "a.csv").read_text().startswith("source,")


def test_an_output_that_cannot_be_written(run: Run, here: Path) -> None:
    done = run("predict", "run", "photos/red.png", "-o", "no/a.csv")
    assert done.code == 1
    assert done.err.startswith("Error: Cannot write no/a.csv: ")


def test_an_interrupted_run_leaves_nothing_half_written(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.network import Network

    run_some = Network.run_on_one_core

    def interrupted(self: Network, pixels: Any) -> Any:
        monkeypatch.setattr(Network, "run_on_one_core", press_ctrl_c)
        return run_some(self, pixels)

    def press_ctrl_c(self: Network, pixels: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Network, "run_on_one_core", interrupted)
    before = sorted(here.iterdir())
    arguments = ["photos/red.png"] * 5
    done = run("predict", "run", *arguments, "--batch-size", "2", "-o", "a.csv")
    assert (done.code, done.err) == (130, "Interrupted.\n")
    assert sorted(here.iterdir()) == before


# --- A process of its own -----------------------------------------------------------------------


def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tellapart", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_heed_ctrl_c,
        **options,
    )


def _heed_ctrl_c() -> None:
    """Undoes what a shell does to the jobs that it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_rows_appear_while_the_list_goes_on_and_ctrl_c_ends_it(here: Path) -> None:
    process = start(
        "predict", "run", "-", "--format", "jsonl", "--batch-size", "4", stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"photos/red.png\n" * 20)
    process.stdin.flush()  # and it stays open
    assert json.loads(process.stdout.readline())["label"] == "red"
    process.send_signal(signal.SIGINT)
    # Its input stays open until it has ended: the end of the list would be no interruption.
    assert process.wait() == 130
    _, err = process.communicate()
    assert err == b"Interrupted.\n"


def test_a_reader_that_has_seen_enough(here: Path) -> None:
    """As in `tellapart predict ... | head -1`."""
    (here / "list").write_text("photos/red.png\n" + "photos/absent.png\n" * 5_000)
    with (here / "list").open() as stream:
        process = start("predict", "run", "-", "--format", "csv", stdin=stream)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"source,")
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() != 0
    process.stderr.close()


CLI = [
    *LIGHT,
    *("typer", "pydantic", "pydantic_core", "annotated_types", "annotated_doc"),
    *("typing_extensions", "typing_inspection", "shellingham"),
    *("rich", "pygments", "markdown_it", "mdurl"),
]


def test_the_command_needs_typer_and_rich_beside_the_three(here: Path) -> None:
    code = "from tellapart.cli import main; main(['predict', 'run', 'photos/red.png'])"
    assert "red" in run_python(code, allowed=CLI)


def test_tensorflow_and_keras_are_never_imported(here: Path) -> None:
    code = """
    from tellapart.cli import main
    try:
        main(['predict', 'run', 'photos/red.png', '--format', 'jsonl'])
    except SystemExit:
        pass
    print({"tensorflow", "keras", "onnx", "sklearn", "matplotlib"} & set(sys.modules))
    """
    assert run_python(code, allowed=CLI).endswith("\nset()\n")


# --- Unsure -------------------------------------------------------------------------------------


def test_below_the_threshold_the_answer_is_unsure(run: Run, here: Path) -> None:
    # A pure red picture is red with a probability of 0.8; see tests/tiny_classifier.py.
    save_classifier(here / "sure" / "classifier.onnx", unsure={"threshold": 0.81})
    table = run("predict", "sure", "photos/red.png")
    assert "unsure (red?)" in table.out
    assert "unknown" not in table.out
    found = json.loads(run("predict", "sure", "photos/red.png", "--json").out)["predictions"][0]
    assert (found["label"], found["unsure"]) == ("red", True)
    assert found["unsure_because"] == "probability"
    (row,) = rows(run("predict", "sure", "photos/red.png", "--format", "csv"))
    assert (row["label"], row["unsure"]) == ("red", "true")
    assert row["unsure_because"] == "probability"
    save_classifier(here / "less" / "classifier.onnx", unsure={"threshold": 0.79})
    assert "unsure" not in run("predict", "less", "photos/red.png").out


def test_a_picture_like_nothing_it_was_trained_on_is_unsure(run: Run, here: Path) -> None:
    # A pure colour has a novelty of 1.
    save_classifier(here / "known" / "classifier.onnx", novelty={"threshold": 0.9})
    table = run("predict", "known", "photos/red.png")
    assert "unsure (unknown, red?)" in table.out
    found = json.loads(run("predict", "known", "photos/red.png", "--json").out)["predictions"][0]
    assert (found["label"], found["unsure"], found["unsure_because"]) == ("red", True, "unknown")
    assert found["novelty"] == pytest.approx(1)
    options = ("photos/red.png", "photos/broken.jpg", "--format", "csv")
    row, broken = rows(run("predict", "known", *options))
    assert (row["unsure"], row["unsure_because"], row["novelty"]) == ("true", "unknown", "1.000")
    assert (broken["unsure"], broken["unsure_because"], broken["novelty"]) == ("", "", "")
    save_classifier(here / "more" / "classifier.onnx", novelty={"threshold": 1.1})
    (row,) = rows(run("predict", "more", "photos/red.png", "--format", "csv"))
    assert (row["unsure"], row["unsure_because"], row["novelty"]) == ("false", "", "1.000")


def test_sets_of_classes(run: Run, here: Path) -> None:
    # Red has 0.8, the others 0.1 each: 1 - 0.1 = 0.9.
    rules = ({"coverage": 0.9, "quantile": 0.5}, {"coverage": 0.95, "quantile": 0.91})
    save_classifier(here / "sets" / "classifier.onnx", sets=rules)
    narrow = run("predict", "sets", "photos/red.png", "--json", "--sets", "0.9").out
    assert json.loads(narrow)["predictions"][0]["set"] == ["red"]
    (row,) = rows(
        run("predict", "sets", "photos/red.png", "--format", "csv", "-k1", "--sets", "0.95")
    )
    assert json.loads(row["set"]) == ["red", "blue", "green"]
    assert "red, blue, green" in run("predict", "sets", "photos/red.png", "--sets", "0.95").out
    wrong = run("predict", "sets", "photos/red.png", "--sets", "0.99")
    assert wrong.code == 2
    assert "has no prediction sets with a coverage of 0.99: it has 0.9, 0.95." in wrong.err
