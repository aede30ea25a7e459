"""Words that are safe to show, and who may import them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tellapart
from tellapart.text import printable

SOURCE = Path(tellapart.__file__).parent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode 猫", "plain ünïcode 猫"),
        ("two\nlines", "two\\nlines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("bytes \udcff", "bytes \\udcff"),
        ("family \N{WOMAN}\u200d\N{GIRL}", "family \N{WOMAN}\u200d\N{GIRL}"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_what_to_keep() -> None:
    assert printable("two\nlines\x1b", keep="\n") == "two\nlines\\x1b"


def test_nothing_imports_the_command_line_but_itself() -> None:
    """Imports point upward in the list of CONTRIBUTING.md, and `cli/` stands at its end."""
    importing = re.compile(r"^\s*(from|import) tellapart\.cli\b", re.MULTILINE)
    found = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE).parts[0] != "cli" and importing.search(path.read_text("utf-8"))
    ]
    assert found == ["__main__.py"]
