"""`tellapart sort` and `tellapart undo`, as they are typed."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tellapart.cli import confirm, main, output, stages
from tellapart.collection import doing
from tellapart.collection.plan import Problem
from tests.cli.conftest import Run
from tests.test_classifier import LIGHT, run_python
from tests.tiny_classifier import save_classifier

SORT = ("sort", "run", "photos", "--into", "sorted")


def files(folder: str) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in Path(folder).rglob("*")
        if path.is_file() and ".tellapart" not in path.parts
    )


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says something at a terminal, which the tests have none of."""

    def say(run: Run, text: str, *arguments: object) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(io, "TextIOWrapper", Terminal)
            return run(*arguments, stdin=text.encode())

    return say


# --- Sorting ------------------------------------------------------------------------------------


def test_a_sort_and_its_undo(run: Run, here: Path) -> None:
    done = run(*SORT, "--yes")
    assert done.code == 1, "one picture cannot be read"
    assert done.out.splitlines()[0].strip() == "3 pictures of photos, to be copied into sorted"
    assert [line.split() for line in done.out.splitlines()[2:8] if line.strip()] == [
        ["Folder", "Pictures", "For", "example"],
        ["─" * len(done.out.splitlines()[3].strip())],
        ["blue", "1", "blue.png"],
        ["green", "1", "deeper/green.PNG"],
        ["red", "1", "red.png"],
    ]
    assert "2 other files stay where they are.\n" in done.out
    assert "These cannot be read, and stay where they are:\n  photos/broken.jpg: " in done.out
    assert done.out.endswith(
        "3 pictures are copied into sorted. `tellapart undo sorted` takes it back.\n"
    )
    assert files("sorted") == ["blue/blue.png", "green/green.PNG", "red/red.png"]
    back = run("undo", "sorted", "--yes")
    assert (back.code, back.out, back.err) == (0, "3 files are removed from sorted.\n", "")
    assert not Path("sorted").exists()


@pytest.mark.parametrize(
    ("options", "left", "verb", "back"),
    [
        (["--move", "--keep-folders"], 3, "moved", "returned to photos"),
        (["--link"], 6, "linked", "removed from sorted"),
        (["--symlink"], 6, "linked", "removed from sorted"),
    ],
)
def test_other_ways(
    run: Run, here: Path, options: list[str], left: int, verb: str, back: str
) -> None:
    before = files("photos")
    done = run(*SORT, *options, "-y")
    assert f"3 pictures are {verb} into sorted." in done.out
    assert len(files("photos")) == left
    green = "deeper/green.PNG" if "--keep-folders" in options else "green.PNG"
    assert files("sorted") == ["blue/blue.png", f"green/{green}", "red/red.png"]
    assert run("undo", "sorted", "-y").out == f"3 files are {back}.\n"
    assert files("photos") == before


def test_one_json_document(run: Run, here: Path) -> None:
    plan = run(*SORT, "--dry-run", "--json")
    assert (plan.code, plan.err) == (1, "")
    shown = json.loads(plan.out)
    assert (shown["pictures"], shown["how"], shown["others"]) == (3, "copy", 2)
    assert shown["groups"][0] == {
        "class": "blue", "folder": "blue", "pictures": 1, "examples": ["blue.png"],
    }  # fmt: skip
    done = run(*SORT, "--json", "--yes")
    found = json.loads(done.out)
    assert (found["pictures"], found["companions"], found["skipped"]) == (3, 0, [])
    assert found["plan"] == shown | {"free_bytes": found["plan"]["free_bytes"]}
    assert "takes it back" in done.err
    foreseen = run("undo", "sorted", "--dry-run", "--json")
    assert (foreseen.code, foreseen.err) == (0, "")
    assert json.loads(foreseen.out)["files"] == 3
    back = run("undo", "sorted", "--json", "--yes")
    assert json.loads(back.out) == {
        "folder": str(here / "photos"), "into": str(here / "sorted"), "how": "copy", "files": 3,
        "renamed": [], "kept": [], "failed": [], "earlier": 0,
    }  # fmt: skip


def test_a_dry_run_does_nothing(run: Run, here: Path) -> None:
    done = run(*SORT, "--dry-run")
    assert "to be copied into sorted" in done.out
    assert done.err == "Nothing was done.\n"
    assert not Path("sorted").exists()
    run(*SORT, "-y")
    foreseen = run("undo", "sorted", "--dry-run")
    assert foreseen.out.startswith("3 files of photos copied into sorted, 20")
    assert foreseen.out.endswith(": the copies are removed.\n")
    assert foreseen.err == "Nothing was done.\n"
    assert len(files("sorted")) == 3


def test_everything_that_is_special_is_said(run: Run, here: Path) -> None:
    shutil.copy("photos/red.png", "photos/twin.png")
    Path("photos/red.xmp").write_text("of red")
    Path("photos/link.png").symlink_to("red.png")
    Path("sorted/blue").mkdir(parents=True)
    Image.new("RGB", (3, 3), (255, 0, 0)).save("sorted/blue/blue.png")
    Path("photos/old/.tellapart").mkdir(parents=True)
    done = run(*SORT, "-y")
    for sentence in (
        "1 file goes with its picture (.xmp, RAW, .mov, ...).",
        "1 name is taken: a suffix is added, as in 'name (2).jpg'.",
        "1 picture is the same as another, byte for byte, and not stored again.",
        "1 symbolic link is not followed.",
        "1 folder is left out: something was sorted into it.",
        "3 pictures are copied into sorted, and 1 file with them.",
    ):
        assert sentence in done.out
    again = run(*SORT, "-y")
    assert "There is nothing to sort in photos.\n4 pictures are there already" in again.out
    assert again.out.endswith("Nothing was sorted.\n")


def test_the_unsure_ones_have_a_folder(run: Run, here: Path) -> None:
    save_classifier(here / "run" / "classifier.onnx", unsure={"threshold": 0.81})
    run(*SORT, "-y")
    assert files("sorted") == ["unsure/blue.png", "unsure/green.PNG", "unsure/red.png"]


def test_a_class_whose_folder_is_called_otherwise(run: Run, here: Path) -> None:
    save_classifier(here / "run" / "classifier.onnx", class_names=("..", "green", "red"))
    assert "_ (the class '..')" in run(*SORT, "--dry-run").out


# --- The question -------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["n", "", "no", "what?"])
def test_anything_but_yes_is_a_no(run: Run, here: Path, answer: Any, word: str) -> None:
    done = answer(run, word + "\n", *SORT)
    assert done.code == 1
    assert done.err == "Copy 3 pictures? [y/N] Nothing was done.\n"
    assert not Path("sorted").exists()


def test_a_yes(run: Run, here: Path, answer: Any) -> None:
    assert answer(run, "y\n", *SORT, "--move").err == "Move 3 pictures? [y/N] "
    assert len(files("sorted")) == 3
    refused = answer(run, "n\n", "undo", "sorted")
    assert (refused.code, refused.err) == (1, "Take it back? [y/N] Nothing was done.\n")
    assert len(files("sorted")) == 3
    assert answer(run, "Yes\n", "undo", "sorted").code == 0
    assert not Path("sorted").exists()


def test_ctrl_c_at_the_question(
    run: Run, here: Path, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(question: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tellapart.cli.sort.ask", interrupt)
    done = answer(run, "", *SORT)
    assert (done.code, done.err) == (130, "Nothing was done.\nInterrupted.\n")
    assert not Path("sorted").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (SORT, "--dry-run shows the plan."),
        (("sort", "--resume", "sorted"), "--dry-run shows the plan."),
        (("undo", "sorted"), "--dry-run shows what would be done."),
    ],
)
def test_without_a_terminal_and_without_yes(
    run: Run, here: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: There is no terminal to ask you at. Add --yes to go ahead without a question; "
        f"{words}\n"
    )
    assert not Path("sorted").exists()


# --- Wrong usage --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("sort", "run", "photos"), 2, "Name a classifier, a folder and where to: `tellapart sort"),
        (("sort", "run", "--into", "s"), 2, "`tellapart sort CLASSIFIER FOLDER --into DIR`."),
        (("sort", "run", "photo", "--into", "s"), 1, "no folder photo. Did you mean 'photos'?"),
        (("sort", "run", "photos", "--into", "photos"), 2, "cannot be sorted into itself."),
        (("sort", "run", "photos", "--into", "a/b"), 2, "There is no folder a to make b in."),
        (("sort", "photos", "photos", "--into", "s"), 1, "photos"),
        ((*SORT, "--move", "--symlink"), 2, "--move and --symlink contradict each other; give one"),
        (("sort", "--resume", "photos"), 1, "Nothing was sorted into photos: there is nothing to"),
        (("sort", "--resume", "photo"), 1, "There is no folder photo. Did you mean 'photos'?"),
        (("sort", "run", "--resume", "s"), 2, "give it the folder alone, as in `tellapart sort "),
        (("sort", "--resume", "s", "--move"), 2, "--resume goes on as the sort was begun"),
        (("undo", "photos"), 1, "Nothing was sorted into photos: there is nothing to take back."),
    ],
)
def test_what_cannot_be_done(
    run: Run, here: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run(*arguments, "--yes")
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert not Path("sorted").exists()
    assert not Path("s").exists()


# --- Stopping and going on ----------------------------------------------------------------------


def test_ctrl_c_says_how_to_go_on(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("my photos").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(doing, "fsync_all", lambda folders: signal.raise_signal(signal.SIGINT))
        done = run("sort", "run", "photos", "--into", "my photos", "-y")
    assert done.code == 130
    assert done.err == (
        "3 of 3 files are sorted; `tellapart sort --resume 'my photos'` goes on, `tellapart undo "
        "'my photos'` takes it back.\nInterrupted.\n"
    )
    again = run("sort", "run", "photos", "--into", "my photos", "-y")
    assert "The last sort into my photos has not ended. `tellapart sort --resume" in again.err
    on = run("sort", "--resume", "my photos", "-y")
    assert on.out.splitlines()[-1] == (
        "3 pictures are copied into my photos. `tellapart undo 'my photos'` takes it back."
    )


def test_a_sort_that_was_killed_while_it_predicted_goes_on_with_its_classifier(
    run: Run, here: Path
) -> None:
    code = (
        "import os, tellapart as ta\n"
        "stop = lambda what, done, total: os._exit(9) if what == 'Predicting' else None\n"
        "ta.sort('run', 'photos', into='sorted', on_progress=stop)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    on = run("sort", "--resume", "sorted", "-y")
    assert "3 pictures of photos, to be copied into sorted" in on.out
    assert len(files("sorted")) == 3


def test_what_stays_is_named_by_undo(run: Run, here: Path) -> None:
    run(*SORT, "--move", "-y")
    Path("photos/red.png").write_text("new")
    Path("sorted/blue/blue.png").unlink()
    foreseen = run("undo", "sorted", "--dry-run")
    assert foreseen.code == 1
    assert "2 files of photos moved into sorted" in foreseen.out
    assert "These stay where they are:\n  sorted/blue/blue.png: it is no longer" in foreseen.out
    done = run("undo", "sorted", "-y")
    assert done.code == 1
    assert done.out == (
        "Their places are taken, and they came back beside:\n"
        "  photos/red.png: red (2).png\n"
        "These stay where they are:\n"
        "  sorted/blue/blue.png: it is no longer there\n"
        "2 files are returned to photos.\n"
    )


def test_earlier_sorts_are_counted(run: Run, here: Path) -> None:
    run(*SORT, "-y")
    Path("more").mkdir()
    Image.new("RGB", (9, 9), (0, 0, 255)).save("more/b.png")
    run("sort", "run", "more", "--into", "sorted", "-y")
    words = "1 earlier sort into this folder can be taken back after this one.\n"
    assert run("undo", "sorted", "--dry-run").out.endswith(words)
    assert run("undo", "sorted", "-y").out == "1 file is removed from sorted.\n" + words


def test_a_long_list_of_problems_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    problems = [Problem(f"/x/{number}.jpg", "gone") for number in range(1_030)]
    stages.say_problems(said.append, "These:", problems)
    assert said[:2] == ["These:", "  /x/0.jpg: gone"]
    assert (len(said), said[-1]) == (22, "  and 1,010 more (--json names all)")


def test_progress_has_a_bar_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(output.Progress, "DELAY_SECONDS", 0.0)
    with stages.stages() as shown:
        shown("Predicting", 1, 3)
        shown("Sorting", 2, 4)
    assert "Predicting" in screen.getvalue()
    assert "Sorting" in screen.getvalue()


def test_names_play_no_tricks_on_the_terminal(run: Run, here: Path) -> None:
    Path("photos/\x1b[2J.jpg").write_bytes(b"no picture")
    done = run(*SORT, "-y")
    assert "\x1b" not in done.out
    assert "photos/\\x1b[2J.jpg: " in done.out


# --- Processes ----------------------------------------------------------------------------------


def test_sorting_needs_what_predicting_needs(here: Path) -> None:
    code = """
    import tellapart as ta
    done = ta.sort(sys.argv[1], sys.argv[2], into=sys.argv[3])
    print(done.pictures, ta.undo_sort(sys.argv[3]).files)
    print([name for name in ("keras", "tensorflow", "typer") if name in sys.modules])
    """
    out = run_python(code, here / "run", here / "photos", here / "sorted", allowed=LIGHT)
    assert out == "3 3\n[]\n"


def test_the_command_imports_no_tensorflow(here: Path) -> None:
    code = (
        "import sys\nfrom tellapart.cli import main\n"
        "try:\n    main(['sort', 'run', 'photos', '--into', 'sorted', '--yes'])\n"
        "except SystemExit:\n    print({'keras', 'tensorflow', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_ctrl_c_in_a_process_of_its_own(here: Path) -> None:
    for number in range(2_000):
        shutil.copy("photos/red.png", f"photos/{number}.png")
    with subprocess.Popen(
        [sys.executable, "-m", "tellapart", *SORT, "--move", "--yes"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        while process.poll() is None and not Path("sorted/red").exists():
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert "files are sorted; `tellapart sort --resume sorted` goes on" in errors
    assert "Traceback" not in errors
    back = subprocess.run(
        [sys.executable, "-m", "tellapart", "undo", "sorted", "--yes"], check=False
    )
    assert back.returncode == 0
    assert len(files("photos")) == 2_006
    assert not Path("sorted").exists()


def test_the_question_is_asked_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    confirm.ask("Go?")
    assert capsys.readouterr() == ("", "Go? [y/N] ")


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("sort", "undo"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        shown = capsys.readouterr().out
        assert "Examples:" in shown
        assert "tellapart undo sorted/" in shown
