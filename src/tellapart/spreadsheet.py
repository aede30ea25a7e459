"""Names in CSV files that a spreadsheet does not take for formulas, and that come back exactly.

A class may be called `=cmd|' /C calc'!A0`, and a spreadsheet would run it. So a name gets an
apostrophe before what could start a formula, and `unquoted` takes it away again; a name that has
apostrophes there already gets one more, so that nothing is ambiguous. What could start one stands
at the beginning of a cell, or behind what a spreadsheet may take for the end of one:

    =1+1        '=1+1
    -5.jpg      '-5.jpg
    '=1+1       ''=1+1
    a;=1+1      a;'=1+1
    it's        it's

The characters are those of OWASP's page on CSV injection, with their full-width forms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_BEFORE = r"(^|(?<=[;\t\r\n]))"
_FORMULA = r"(?='*[=+\-@\t\r\n＝＋－＠])"
_UNSAFE = re.compile(_BEFORE + _FORMULA)
_QUOTED = re.compile(_BEFORE + "'" + _FORMULA)


def quoted(name: str) -> str:
    """Returns the name as a cell of a CSV."""
    return _UNSAFE.sub("'", name)


def unquoted(cell: str) -> str:
    """Returns the name that `quoted` was given."""
    return _QUOTED.sub("", cell)


def quoted_row(names: Iterable[str]) -> list[str]:
    """Quotes every cell of a row."""
    return [quoted(name) for name in names]


def unquoted_row(cells: Iterable[str]) -> list[str]:
    """Unquotes every cell of a row; numbers stay as they are."""
    return [unquoted(cell) for cell in cells]
