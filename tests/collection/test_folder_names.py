"""Folders for classes, whatever these are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.collection.folder_names import folder_names, safe_name


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("cat", "cat"),
        ("water lily", "water lily"),
        ("猫", "猫"),
        ("a/b\\c", "a_b_c"),
        ("..", "_"),
        (".", "_"),
        ("", "_"),
        ("   ", "_"),
        (".hidden", "_hidden"),
        ("...", "_"),
        ("../../etc", "__.._etc"),  # the dots in front go, the others are harmless
        ("CON", "CON_"),
        ("nul.txt", "nul.txt_"),
        ("com1", "com1_"),
        ("ends with dot. ", "ends with dot"),
        ('what? "this" <is> a|b*:', "what_ _this_ _is_ a_b__"),
        ("two\nlines\x1b[2J", "two_lines_[2J"),
        ("\udcff", "_"),
    ],
)
def test_a_safe_name(name: str, folder: str) -> None:
    assert safe_name(name) == folder


def test_a_long_name_leaves_room_for_a_suffix() -> None:
    assert len(os.fsencode(safe_name("x" * 300))) == 200
    assert len(os.fsencode(safe_name("猫" * 300))) == 198  # 66 whole characters of 3 bytes


def test_names_that_would_share_a_folder() -> None:
    assert folder_names(["Cat", "cat", "CAT"]) == ["Cat", "cat (2)", "CAT (3)"]
    assert folder_names(["unsure", "Unsure"]) == ["unsure (2)", "Unsure (3)"]
    assert folder_names(["a/b", "a_b"]) == ["a_b (2)", "a_b"], "what is safe keeps its name"
    assert folder_names(["é", "e\u0301"]) == ["é", "é (2)"]
    assert folder_names(["x" * 300, "x" * 301])[1] == "x" * 200 + " (2)"


@given(st.lists(st.text(max_size=300), max_size=8))
def test_any_names_make_different_folders_in_one_folder(names: list[str]) -> None:
    folders = folder_names(names)
    assert len({folder.casefold() for folder in folders} | {"unsure"}) == len(names) + 1
    for folder in folders:
        assert Path("into", folder).parent == Path("into")
        assert not folder.startswith(".")
        assert 1 <= len(os.fsencode(folder)) < 240
