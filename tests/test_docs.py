"""The documents against what they describe: commands, links, names, files, versions."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

import tellapart
from tellapart import runs
from tellapart.cli.app import app
from tellapart.data.catalog import CATALOG
from tellapart.training import events

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")], key=lambda path: path.as_posix()
)
README = ROOT / "README.md"

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]

pytestmark = pytest.mark.skipif(not README.is_file(), reason="the documents are not installed")


def code_blocks(text: str, *languages: str) -> list[str]:
    """The fenced blocks in one of these languages."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [code for language, code in blocks if language in languages]


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def shell_lines(text: str) -> list[str]:
    """What a reader types: all lines of `sh` blocks, those after `$` of `console` blocks."""
    typed = [line for code in code_blocks(text, "sh") for line in code.splitlines()]
    consoles = code_blocks(text, "console")
    typed += [line[2:] for code in consoles for line in code.splitlines() if line[:2] == "$ "]
    return [line for line in typed if line.strip()]


def invocations(text: str) -> list[list[str]]:
    """The arguments of each `tellapart` that a document runs, in blocks and in backticks."""
    # A bare `tellapart train` in a sentence names the subcommand; in a block it is to be run.
    quoted = re.findall(r"`(tellapart [^`\n]*)`", prose(text))
    lines = shell_lines(text) + [
        line for line in quoted if len(line.split()) > 2 or line.split()[1] not in COMMANDS
    ]
    found = []
    for line in lines:
        words = shlex.split(line, comments=True)
        while "tellapart" in words:
            words = words[words.index("tellapart") + 1 :]
            ends = [words.index(word) for word in ("|", ">", "&&", ";") if word in words]
            found.append(words[: min(ends, default=len(words))])
    return found


def problem_of(arguments: list[str]) -> str | None:
    """Parses the arguments with the real command line, without running anything."""
    if not arguments:
        return "no subcommand"
    name, *rest = arguments
    if name == "--version" or (name == "COMMAND" and rest == ["--help"]):
        return None
    if name not in COMMANDS:
        return f"no subcommand {name}"
    if "--help" in rest:  # would print the help and exit
        return None
    try:
        COMMANDS[name].make_context(name, rest)
    except Exception as error:  # of the click that typer has chosen
        return str(getattr(error, "message", "") or error) or type(error).__name__
    return None


def slug(heading: str) -> str:
    """The anchor that a heading gets: lower case, spaces to hyphens, nothing else but words."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def broken_links(document: Path) -> list[str]:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        if not target.exists():
            broken.append(link)
        elif anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            if anchor not in map(slug, headings):
                broken.append(link)
    return broken


def table_names(text: str, heading: str) -> list[str]:
    """What stands in backticks in the first column of the first table below a heading."""
    section = text.partition(f"{heading}\n")[2]
    rows = re.findall(r"^\| `([^`]+)`.*\|$", section.partition("\n## ")[0], re.MULTILINE)
    return [row.rstrip("/") for row in rows]


def identify(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=identify)
def test_commands_parse(document: Path) -> None:
    found = invocations(document.read_text(encoding="utf-8"))
    problems = {" ".join(words): problem for words in found if (problem := problem_of(words))}
    assert problems == {}


def test_readme_shows_every_subcommand() -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"tellapart {name}" not in text] == []
    assert len(invocations(text)) >= len(COMMANDS)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tellapart trian digits", "no subcommand trian"),
        ("tellapart train digits --epoch-count 3", "--epoch-count"),
        ("tellapart train digits --epochs many", "integer"),
        ("find . | tellapart predict", "Missing"),
        ("find . | tellapart predict runs/a-1 - --format xml", "xml"),
        ("tellapart predict runs/a-1 b.jpg > out.txt", None),
    ],
)
def test_wrong_commands_are_noticed(line: str, words: str | None) -> None:
    (arguments,) = invocations(f"```sh\n{line}\n```")
    problem = problem_of(arguments)
    assert problem is None if words is None else words in (problem or "")


@pytest.mark.parametrize("document", DOCUMENTS, ids=identify)
def test_options_in_sentences_exist(document: Path) -> None:
    known = {
        option
        for command in COMMANDS.values()
        for parameter in command.params
        for option in parameter.opts
    } | {"--help", "--version"}
    sentences = prose(document.read_text(encoding="utf-8"))
    quoted = " ".join(re.findall(r"`([^`\n]*)`", sentences))
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", quoted))
    assert used - known == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=identify)
def test_links_lead_somewhere(document: Path) -> None:
    assert broken_links(document) == []


def test_broken_links_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One thing\n[a](#one-thing) [b](#two) ![c](no.png) [d](https://e.org/x)\n")
    assert broken_links(page) == ["#two", "no.png"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=identify)
def test_make_targets_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    typed = shell_lines(text) + re.findall(r"`(make [^`\n]*)`", prose(text))
    used = {
        word
        for line in typed
        if line.startswith("make ")
        for word in shlex.split(line, comments=True)[1:]
        if "=" not in word
    }
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert used - set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE)) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=identify)
def test_python_blocks_use_names_that_exist(document: Path) -> None:
    for code in code_blocks(document.read_text(encoding="utf-8"), "python"):
        names = {
            node.attr
            for node in ast.walk(ast.parse(code))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "ta"
        }
        assert names <= set(tellapart.__all__)


def test_table_of_run_folder_is_complete() -> None:
    constants = {
        runs.RUN_JSON,
        runs.AUDIT_JSON,
        runs.SPLIT_CSV,
        runs.EVENTS_JSONL,
        runs.RESULTS_CSV,
        runs.MODEL_KERAS,
        runs.CLASSIFIER_ONNX,
        runs.EVALUATION_JSON,
        runs.PREDICTIONS_CSV,
        runs.TRACE_JSON,
        runs.PREDICTION_TRACE_JSON,
        runs.REPORT_HTML,
        runs.MODEL_CARD,
        runs.PLOTS,
        runs.TRACES,
        runs.EXPLANATIONS,
        runs.CLASSIFIER_INT8,
        runs.CHECKPOINTS,
    }
    named = {
        value
        for name, value in vars(runs).items()
        if name.isupper() and isinstance(value, str) and name != "FORMAT_VERSION"
    }
    assert named == constants, "tellapart.runs names another file: document it here and below"
    readme = README.read_text(encoding="utf-8")
    assert set(table_names(readme, "## What is in a run folder")) == constants
    formats = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    described = re.findall(r"^## `([^`]+)`$", formats, re.MULTILINE)
    assert {name.rstrip("/") for name in described} == constants


def test_recorded_events_are_described() -> None:
    formats = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    recorded = {
        event.__name__
        for event in vars(events).values()
        if isinstance(event, type)
        and event.__module__ == events.__name__
        and event not in events.UNRECORDED
    }
    assert set(table_names(formats, "## `events.jsonl`")) == recorded


def test_catalog_is_described() -> None:
    formats = (ROOT / "docs" / "data-formats.md").read_text(encoding="utf-8")
    assert table_names(formats, "## The catalog") == list(CATALOG)
    for entry in CATALOG.values():
        (row,) = re.findall(rf"^\| `{entry.name}` .*$", formats, re.MULTILINE)
        assert f"{entry.pictures:,}" in row
        height, width, _ = entry.picture_size
        assert f"{height}x{width}" in row


def test_public_names_are_sorted_importable_and_documented() -> None:
    assert tellapart.__all__ == sorted(tellapart.__all__)
    documented = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    for name in tellapart.__all__:
        assert getattr(tellapart, name) is not None
        assert re.search(rf"\bta\.{name}\b", documented), f"ta.{name} is described nowhere"


def test_changelog_has_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (newest, *_) = re.findall(r"^## \[([^\]]+)\]", changelog, re.MULTILINE)
    assert newest == tellapart.__version__


def test_pictures_are_small() -> None:
    pictures = sorted((ROOT / "docs" / "images").iterdir())
    assert pictures
    large = [picture.name for picture in pictures if picture.stat().st_size >= 300_000]
    assert large == []
