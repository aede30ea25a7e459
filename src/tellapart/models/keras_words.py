"""What Keras says of an error, without the pages of shapes and numbers that follow."""

from __future__ import annotations

import re
import textwrap

LONGEST = 300
"""A sentence that goes on is cut there, in characters."""

_BOLD = re.compile(r"\x1b\[\d*m")
_AROUND = re.compile(
    r"^(Exception encountered when calling \S+\s+)?(.*(Error|Exception) encountered:\s+)?", re.S
)
_END = re.compile(r"(?<=[.!?])\s|\n\s*\n")


def first_sentence(error: BaseException) -> str:
    """Returns the first sentence of an error, in at most LONGEST characters.

    Keras puts bold type around what went wrong inside a layer, and "Exception encountered when
    calling ..." or all that it was doing before it.
    """
    text = _AROUND.sub("", _BOLD.sub("", str(error)).strip())
    sentence = _END.split(text, maxsplit=1)[0].strip().rstrip(".")
    return textwrap.shorten(sentence, LONGEST, placeholder=" ...") or type(error).__name__
