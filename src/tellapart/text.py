"""Other people's words, such as file and class names, made safe to show."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    r"""Returns the text with control characters escaped, as in "two\nlines".

    File and class names are other people's words: an escape sequence in one must not be able to
    rewrite what the terminal shows.

    Args:
        text: any.
        keep: control characters that stay as they are, such as a line break.
    """
    if text.isprintable():
        return text
    keep += "\u200d"  # joins emoji into one; it moves nothing
    return "".join(
        character
        if character.isprintable() or character in keep
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
