"""`tellapart explain`, with a classifier of three colours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.cli.test_predict import CLI
from tests.test_classifier import run_python
from tests.tiny_classifier import save_classifier

DRAWING = [*CLI, "matplotlib", "mpl_toolkits", "numpy", "dateutil", "six", "pyparsing", "cycler"]


@pytest.fixture
def flag(here: Path) -> Path:
    """flag.png: red on the left half, blue on the right."""
    picture = Image.new("RGB", (80, 60), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 40, 60))
    picture.save(here / "flag.png")
    return here / "flag.png"


def test_a_page_in_the_run_and_what_is_said(run: Run, here: Path, flag: Path) -> None:
    done = run("explain", "run", "flag.png")
    assert (done.code, done.err) == (0, "")
    first, blue, red, page = done.out.splitlines()
    # Half of each: sqrt(8) / (2 sqrt(8) + 1) = 0.42; green has the rest.
    assert first == "flag.png: blue (42%), red (42%), green (15%)"
    assert blue.startswith("  blue: ")
    assert "right" in blue
    assert blue.endswith(" of the picture")
    assert red.startswith("  red: ")
    assert "left" in red
    assert page == "  run/explanations/flag-1.png (rise)"
    with Image.open(here / "run" / "explanations" / "flag-1.png") as image:
        assert image.format == "PNG"


def test_the_next_free_name(run: Run, here: Path, flag: Path) -> None:
    for _ in range(2):
        assert run("explain", "run", "flag.png").code == 0
    assert run("explain", "run/classifier.onnx", "flag.png", "flag.png").code == 0
    pages = sorted(path.relative_to(here).as_posix() for path in here.glob("**/explanations/*"))
    assert pages == [
        "explanations/flag-1.png",  # of a lone classifier, in the working folder
        "explanations/flag-2.png",
        "run/explanations/flag-1.png",
        "run/explanations/flag-2.png",
    ]


def test_json(run: Run, here: Path, flag: Path) -> None:
    done = run("explain", "run", "flag.png", "--json", "--method", "occlusion", "--out", "pages")
    document = json.loads(done.out)
    assert document["classifier"] == "run/classifier.onnx"
    (found,) = document["pictures"]
    assert (found["source"], found["label"], found["method"]) == ("flag.png", "blue", "occlusion")
    assert found["page"] == "pages/flag-1.png"
    assert [item["label"] for item in found["maps"]] == ["blue", "red"]
    focus = found["maps"][0]["focus"]
    assert "right" in focus["where"]
    assert 0 < focus["area"] <= 0.5
    assert focus["area"] < focus["weight"] <= 1


def test_another_class(run: Run, here: Path, flag: Path) -> None:
    done = run("explain", "run", "flag.png", "--class", "green", "--json")
    (found,) = json.loads(done.out)["pictures"]
    assert [item["label"] for item in found["maps"]] == ["blue", "green"]
    assert found["maps"][1]["focus"] is None  # nothing in a red and blue picture is green
    done = run("explain", "run", "flag.png", "--class", "green")
    assert "  green: nothing in it speaks for this class\n" in done.out
    done = run("explain", "run", "flag.png", "--class", "gren")
    assert (done.code, done.out) == (2, "")
    assert "run/classifier.onnx knows no class 'gren'. Did you mean 'green'?" in done.err


def test_a_file_is_replaced_on_request_alone(run: Run, here: Path, flag: Path) -> None:
    page = here / "why.png"
    assert run("explain", "run", "flag.png", "--out", "why.png").code == 0
    page.write_bytes(b"mine")
    done = run("explain", "run", "flag.png", "--out", "why.png")
    assert done.code == 2
    assert "why.png exists. Add --force to replace it, or name another file." in done.err
    assert page.read_bytes() == b"mine"
    assert run("explain", "run", "flag.png", "--out", "why.png", "--force").code == 0
    assert page.read_bytes().startswith(b"\x89PNG")


def test_places_that_cannot_be_written_to(run: Run, here: Path, flag: Path) -> None:
    done = run("explain", "run", "flag.png", "photos/red.png", "--out", "why.png")
    assert done.code == 2
    assert "why.png is one page, and there are 2 pictures: name a folder." in done.err
    (here / "folder.png").mkdir()
    done = run("explain", "run", "flag.png", "--out", "folder.png")
    assert "folder.png is a folder. Name a file to write to." in done.err
    done = run("explain", "run", "flag.png", "--out", "photos/notes.txt")
    assert "photos/notes.txt is a file: expected a name that ends in .png, or a folder." in done.err
    done = run("explain", "run", "flag.png", "--out", "photos/notes.txt/deeper")
    assert done.code == 1
    assert done.err.startswith("Error: Cannot write photos/notes.txt/deeper: ")
    assert not list(here.glob("explanations"))


def test_what_cannot_be_read_is_named_and_the_others_go_on(
    run: Run, here: Path, flag: Path
) -> None:
    done = run("explain", "run", "photos/broken.jpg", "flag.png", "fleg.png")
    assert done.code == 1
    assert done.out.splitlines()[0].startswith("photos/broken.jpg: is ")
    assert "flag.png: blue (42%)" in done.out
    assert "fleg.png: no such file or directory. Did you mean 'flag.png'?" in done.out
    assert done.err == "2 of 3 pictures failed.\n"
    assert len(list(here.glob("run/explanations/*"))) == 1
    document = json.loads(run("explain", "run", "fleg.png", "--json").out)
    assert set(document["pictures"][0]) == {"source", "error"}


def test_a_method_that_does_not_fit(run: Run, here: Path, flag: Path) -> None:
    done = run("explain", "run", "flag.png", "--method", "hires-cam")
    assert done.code == 0  # this file ends in a mean over places
    assert "(hires-cam)" in done.out
    done = run("explain", "run", "flag.png", "--method", "gradcam")
    assert done.code == 2
    assert "Invalid value for '--method'" in done.err


def test_names_cannot_rewrite_the_terminal(run: Run, here: Path, flag: Path) -> None:
    odd = here / "a\x1b[2Jb.png"
    flag.rename(odd)
    done = run("explain", "run", odd.name)
    assert "\x1b" not in done.out
    assert done.out.startswith("a\\x1b[2Jb.png: blue")
    assert (here / "run" / "explanations" / "a\x1b[2Jb-1.png").is_file()


def test_a_long_name_is_shortened(run: Run, here: Path, flag: Path) -> None:
    long = here / ("\N{CJK UNIFIED IDEOGRAPH-732B}" * 80 + ".png")  # 3 bytes each
    flag.rename(long)
    done = run("explain", "run", long.name, "--json")
    page = json.loads(done.out)["pictures"][0]["page"]
    assert Path(page).name == "\N{CJK UNIFIED IDEOGRAPH-732B}" * 40 + "-1.png"


def test_tensorflow_and_keras_are_not_needed(here: Path, flag: Path) -> None:
    code = """
    from tellapart.cli import main
    try:
        main(["explain", "run", "flag.png"])
    except SystemExit as exit_:
        print(exit_.code)
    print({"tensorflow", "keras", "jax", "torch"} & set(sys.modules))
    """
    out = run_python(code, allowed=[*DRAWING, "kiwisolver", "contourpy", "fontTools"])
    assert out.endswith("\nset()\n")
    assert "run/explanations/flag-1.png" in out


def complete_class(start: str, *, shell: str = "bash", classifier: str = "run") -> str:
    """What the Tab key offers behind `tellapart explain run flag.png --class `."""
    words = ["tellapart", "explain", *classifier.split(), "flag.png", "--class"]
    return subprocess.run(
        [sys.executable, "-m", "tellapart"],
        capture_output=True,
        text=True,
        check=False,  # a shell that finds nothing to complete is told so by the exit code
        env=os.environ
        | {
            "_TELLAPART_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": " ".join([*words, start]),
            "COMP_CWORD": str(len(words)),
            "_TYPER_COMPLETE_ARGS": " ".join([*words, start]),
        },
    ).stdout.rstrip("\n")


def test_tab_completes_the_classes(here: Path) -> None:
    assert complete_class("").splitlines() == ["blue", "green", "red"]
    assert complete_class("gr").splitlines() == ["green"]
    assert complete_class("gr", classifier="run/classifier.onnx").splitlines() == ["green"]
    assert complete_class("x") == ""
    assert complete_class("", classifier="--method rise run").splitlines()[0] == "blue"
    for nothing in ("absent", "photos", "--method rise"):
        assert complete_class("", classifier=nothing) == ""


def test_tab_writes_names_as_the_shell_reads_them(here: Path) -> None:
    names = ("$HOME", "water lily", "water \x1b[2Jrose", "Ähre-1.5")
    save_classifier(here / "run" / "classifier.onnx", class_names=names)
    assert complete_class("").splitlines() == [r"\$HOME", r"water\ lily", "Ähre-1.5"]
    assert complete_class("wa").splitlines() == [r"water\ lily"]
    assert '"water lily"' in complete_class("wa", shell="zsh")


def test_help_is_light() -> None:
    code = """
    from tellapart.cli import main
    try:
        main(["explain", "--help"])
    except SystemExit:
        pass
    print({"numpy", "PIL", "onnxruntime", "matplotlib", "rich"} & set(sys.modules))
    """
    out = run_python(code, allowed=CLI)
    assert "Show where the network looked" in out
    assert out.endswith("\nset()\n")
