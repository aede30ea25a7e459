"""`tellapart report`, with a run folder that was made for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart import runs
from tellapart.data import load
from tests.cli.conftest import Run
from tests.report.made_runs import COLOURS, Made, make_run


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """A run whose data is gone, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return make_run(tmp_path / "run")


def test_the_page_in_the_run_folder(run: Run, made: Made) -> None:
    done = run("report", "run")
    assert (done.code, done.out) == (0, "run/report.html\n")
    assert done.err.startswith(
        "The page has no pictures. There is no file, folder or catalog data set 'photos/'."
    )
    page = made.folder.path / "report.html"
    assert "This page shows no test pictures." in page.read_text(encoding="utf-8")
    assert run("report", "run").code == 0  # replaces its own


def test_json(run: Run, made: Made) -> None:
    done = run("report", "run", "--json", "--out", "page.html")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert document["run"] == "run"
    assert document["report"] == "page.html"
    assert document["without_pictures"].startswith("There is no file, folder or catalog")
    assert Path("page.html").is_file()
    assert not (made.folder.path / "report.html").exists()


def test_pictures_of_the_data_that_is_named(run: Run, made: Made, colour_folder: Path) -> None:
    about = made.read(runs.RUN_JSON)["data"]
    made.change(runs.RUN_JSON, data=about | {"fingerprint": "of something else"})
    done = run("report", "run", "--data", colour_folder)
    assert done.code == 0
    assert f"{colour_folder} is not what this run was trained on" in done.err
    done = run("report", "run", "--data", "nowhere")
    assert (done.code, done.out) == (1, "")
    assert "There is no file, folder or catalog data set 'nowhere'." in done.err


def test_other_files_are_not_replaced(run: Run, made: Made) -> None:
    Path("mine.html").write_text("<p>mine", encoding="utf-8")
    done = run("report", "run", "--out", "mine.html")
    assert (done.code, done.out) == (2, "")
    assert (
        "mine.html exists and is no tellapart report. Add --force to replace it, or name another "
        "file." in done.err
    )
    assert Path("mine.html").read_text(encoding="utf-8") == "<p>mine"
    assert run("report", "run", "--out", "mine.html", "--force").code == 0
    assert run("report", "run", "--out", "mine.html").code == 0  # now it is one
    done = run("report", "run", "--out", ".")
    assert (done.code, done.err) == (2, "Error: . is a folder. Name a file to write to.\n")


def test_no_run(run: Run, made: Made) -> None:
    done = run("report", "rum")
    assert (done.code, done.out) == (1, "")
    assert "rum does not exist. Did you mean 'run'?" in done.err


def test_neither_tensorflow_nor_keras(tmp_path: Path, colour_folder: Path) -> None:
    """Not even for pictures and heat maps."""
    paths = [f"{name}/{number:02}.png" for name in COLOURS for number in range(12)]
    made = make_run(tmp_path / "run", counts=(12, 12, 12), paths=paths)
    about = made.read(runs.RUN_JSON)["data"]
    key = load(colour_folder).source.key
    made.change(runs.RUN_JSON, data=about | {"location": str(colour_folder), "key": key})
    code = """
import sys
from tellapart.cli import main
try:
    main(["report", sys.argv[1]])
except SystemExit as done:
    assert not done.code, done.code
print(sorted({"tensorflow", "keras", "tf2onnx"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "run"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    page, imported = done.stdout.splitlines()
    assert imported == "[]"
    assert "Heat map of what speaks for" in Path(page).read_text(encoding="utf-8")
