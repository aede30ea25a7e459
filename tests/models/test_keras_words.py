"""Errors of Keras, cut to what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.models.keras_words import LONGEST, first_sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("A total of 9 objects could not be loaded. Example: [1.0, 2.0]", "A total of 9 objects "),
        ("URL fetch failure on https://a.org/w.h5: None -- no address", "URL fetch failure on "),
        ("one\nsentence over\nthree lines. Another.", "one sentence over three lines"),
        (
            "Exception encountered when calling Bad.call().\n\n\x1b[1mWrong shape (1, 2).\x1b[0m"
            "\n\nArguments received by Bad.call():\n  args",
            "Wrong shape (1, 2)",
        ),
        (
            "Functional could not be read.\nconfig={}\n\nException encountered: No class.",
            "No class",
        ),
        ("", "ValueError"),
    ],
)
def test_what_matters_is_kept(text: str, sentence: str) -> None:
    assert first_sentence(ValueError(text)).startswith(sentence)
    assert "\n" not in first_sentence(ValueError(text))


def test_pages_of_numbers_are_cut() -> None:
    said = first_sentence(ValueError("Weights " + "0.123 " * 3000))
    assert said.startswith("Weights 0.123 ")
    assert said.endswith(" ...")
    assert len(said) <= LONGEST


@given(st.text())
def test_any_error_becomes_a_short_line(text: str) -> None:
    said = first_sentence(RuntimeError(text))
    assert 0 < len(said) <= LONGEST
    assert len(said.splitlines()) == 1
