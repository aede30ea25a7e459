"""What commands print: results to stdout, everything else to stderr.

Rich is imported when a table is printed and not before, so that `--help` stays quick.
"""

from __future__ import annotations

import io
import json
import os
import sys
import textwrap
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import zip_longest
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TextIO

from tellapart.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


TALLEST = 5
"""A table whose rows would take more lines becomes blocks, which say the same in fewer."""

LONG_WORD = 20
"""A table may break words that are longer, such as paths."""


def print_json(value: Any) -> None:
    """Prints one JSON document on stdout."""
    write_result(json_text(value, sys.stdout.encoding, indent=2) + "\n")


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str = "",
    right: Iterable[str] = (),
    file: TextIO | None = None,
) -> None:
    """Prints a table on stdout.

    On a terminal it fits the width and long cells go on in the next line; where words would be
    broken, or a row would be tall and thin, each row becomes a block of lines. In a pipe or a file
    every row is one line, however long.

    Args:
        columns: the headings.
        rows: cells by column; anything but text is shown as `str` does.
        title: printed above.
        right: the columns to align on the right, such as numbers.
        file: where to print instead.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    file = file or sys.stdout
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    console = Console(file=file, width=None if file.isatty() else 100_000, highlight=False)
    least = _least_widths(columns, cells)
    widest = [max(map(len, column)) for column in zip_longest(*cells, fillvalue="")]
    fixed = [most <= width for most, width in zip(widest, least, strict=False)]
    if _is_tall(widest, least, fixed, console.width - 3 * len(least) - 1):
        _write_blocks(columns, cells, file, console.width, title=printable(title))
        return
    naturally = sum(map(max, widest, map(len, columns))) if widest else 0
    tight = naturally + 3 * len(least) + 1 > console.width
    table = Table(box=box.SIMPLE, title=Text(printable(title)) if title else None)
    table.title_justify = "left"
    for number, column in enumerate(columns):
        side: Literal["left", "right"] = "right" if column in set(right) else "left"
        table.add_column(
            Text(column),
            justify=side,
            overflow="fold",
            # So that a heading of several words may be broken, and words may not.
            width=least[number] if tight and number < len(fixed) and fixed[number] else None,
        )
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def _is_tall(
    widest: Sequence[int], least: Sequence[int], fixed: Sequence[bool], width: int
) -> bool:
    """Whether words would be broken, or a row would take too many lines.

    Args:
        widest: characters of each column's longest cell.
        least: how narrow each column can get.
        fixed: which columns hold single words.
        width: that all columns have together.
    """
    if sum(least) > width:
        return True
    texts = [most for most, one_word in zip(widest, fixed, strict=True) if not one_word]
    if not texts:
        return False
    left = width - sum(n for n, one_word in zip(least, fixed, strict=False) if one_word)
    return max(texts) * len(texts) > TALLEST * left


def _least_widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """How narrow each column can get before words break, other than very long ones."""
    return [
        max(min(len(word), LONG_WORD) for cell in column for word in cell.split() or [""])
        for column in zip_longest(columns, *rows, fillvalue="")
    ]


def _write_blocks(
    columns: Sequence[str], rows: Sequence[Sequence[str]], file: TextIO, width: int, *, title: str
) -> None:
    if title:
        file.write(f"{title}\n\n")
    names = max(map(len, columns))
    for row in rows:
        for column, cell in zip(columns, row, strict=False):
            text = textwrap.wrap(
                cell, max(width - names - 2, LONG_WORD), break_long_words=False,
                break_on_hyphens=False,
            )  # fmt: skip
            file.write(f"{column:{names}}  " + f"\n{'':{names}}  ".join(text or [""]) + "\n")
        file.write("\n")
    file.flush()


def print_note(message: str) -> None:
    """Prints a line for the human on stderr."""
    print(printable(message, keep="\n"), file=sys.stderr, flush=True)


def local_time(iso: str | None) -> str:
    """Returns an ISO 8601 time as a clock on the wall here shows it, to the minute."""
    try:
        return f"{datetime.fromisoformat(iso or '').astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return iso or ""


def print_error(message: str) -> None:
    """Prints `Error: message` on stderr."""
    print_note(f"Error: {message}")


def json_text(value: Any, encoding: str, *, indent: int | None = None) -> str:
    """Returns strict JSON that `encoding` can carry.

    Names that it cannot carry, such as file names that are not Unicode, are escaped: the JSON
    means the same.

    Raises:
        ValueError: there is a NaN or an infinity in `value`.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, allow_nan=False)
    return text


def write_result(text: str) -> None:
    """Writes text to stdout at once, so that a reader at the other end of a pipe sees it."""
    sys.stdout.write(text)
    sys.stdout.flush()


def exact_stdout() -> TextIO:
    """Returns stdout set to UTF-8, with file names that are not Unicode byte for byte.

    For results that programs read, whatever the terminal's encoding.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="")
    return sys.stdout


class Progress:
    """A progress bar on stderr, for what takes longer than a second, where it is a terminal."""

    DELAY_SECONDS = 1.0

    def __init__(self, what: str, *, total: int | None = None, hidden: bool = False) -> None:
        """Starts the clock.

        Args:
            what: is going on.
            total: number of steps, where it is known.
            hidden: never show the bar.
        """
        self._what = what
        self._total = total
        # A dumb terminal cannot take a bar back, and would show an empty line for each.
        dumb = os.environ.get("TERM") in ("dumb", "unknown")
        self._hidden = hidden or dumb or not sys.stderr.isatty()
        self._started = time.monotonic()
        self._done = 0
        self._bar: RichProgress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.hide()

    def advance(self, steps: int = 1) -> None:
        """Says that `steps` more are done."""
        self.reach(self._done + steps, self._total)

    def reach(self, done: int, total: int | None) -> None:
        """Says that `done` steps are done of `total`."""
        self._done, self._total = done, total
        if self._hidden:
            return
        if self._bar is None:
            if time.monotonic() - self._started < self.DELAY_SECONDS:
                return
            self._bar = self._show()
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)

    def hide(self) -> None:
        """Clears the bar; the next step brings it back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _show(self) -> RichProgress:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        bar = RichProgress(
            "{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            transient=True,
        )
        bar.add_task(self._what, total=self._total)
        bar.start()
        return bar
