"""Text and numbers as they go into Markdown and into its YAML front matter.

Class names are other people's words: they must not become a link, a tag or a table's column.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment

from tellapart.report.environment import environment
from tellapart.text import printable

NONE = "–"
"""Stands in a table where nothing was measured."""


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


@cache
def markdown_environment() -> Environment:
    """The templates of Markdown files: every text is escaped, and no number is written as it is.

    A number needs a filter that says how to write it: `whole`, `share`, `interval`, ... All write
    a dash for None; a text that is None is "not known".
    """
    cards = environment().overlay(finalize=_written)
    cards.filters = {
        **cards.filters,
        "figure": figure,
        "interval": interval,
        "percent": percent,
        "seconds": seconds,
        "share": share,
        "span": span,
        "whole": whole,
        "yaml": yaml,
    }
    return cards


def escape(text: str) -> Markdown:
    r"""Escapes what Markdown or HTML would take for more than text.

    Control characters, line breaks among them, are spelled out first, as in "two\\nlines".
    """
    text = re.sub(r"([\\`*_\[\]|~$@])", r"\\\1", printable(text).strip())
    text = re.sub(r"^(?:([#+=-])|(\d+)([.)])(?=\s|$))", _not_a_mark, text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # What GitHub makes a link of without being asked.
    text = re.sub(r"(?i)\b(www)\.", r"\1\\.", text)
    return Markdown(text.replace("://", r"\://"))


def yaml(text: str) -> Markdown:
    """Writes a text as a YAML string in double quotes, of which JSON's are a part."""
    return Markdown(json.dumps(printable(text), ensure_ascii=False))


def whole(number: float | None) -> Markdown:
    """Returns a count as "1,797"."""
    return Markdown(NONE if number is None else f"{number:,.0f}")


def share(value: float | None) -> Markdown:
    """Returns a share as "0.994": more digits where it would seem to be all or none."""
    if value is None or not math.isfinite(value):
        return Markdown(NONE)
    digits = 3
    while 0 < value < 1 and round(value, digits) in (0, 1) and digits < 15:
        digits += 1
    return Markdown(f"{value:.{digits}f}")


def figure(value: float | None) -> Markdown:
    """Returns a number with three significant digits, such as "0.0168" or "9.24e-07"."""
    if value is None or not math.isfinite(value):
        return Markdown(NONE)
    return Markdown(f"{value:.3g}")


def percent(value: float | None) -> Markdown:
    """Returns a whole percentage, such as "95%"."""
    return Markdown(NONE if value is None else f"{value:.0%}")


def seconds(value: float) -> Markdown:
    """Returns "10.5 seconds"."""
    return Markdown(f"{value:,.1f} seconds")


def interval(found: Mapping[str, Any] | None) -> Markdown:
    """Returns "0.994 (95% interval 0.980 to 0.998)"; where there is no interval, the share."""
    if found is None or found["low"] is None:
        return share(None if found is None else found["value"])
    confidence = percent(found["confidence"])
    return Markdown(f"{share(found['value'])} ({confidence} interval {_ends(found)})")


def span(found: Mapping[str, Any] | None) -> Markdown:
    """Returns "0.994 (0.980 to 0.998)" for a table; a dash where there was nothing to count."""
    if found is None or found["low"] is None:
        return share(None if found is None else found["value"])
    return Markdown(f"{share(found['value'])} ({_ends(found)})")


def _not_a_mark(found: re.Match[str]) -> str:
    """Keeps what begins a text from beginning a heading or a list."""
    mark, number, closing = found.groups()
    return f"\\{mark}" if mark else f"{number}\\{closing}"


def _ends(found: Mapping[str, Any]) -> str:
    return f"{share(found['low'])} to {share(found['high'])}"


def _written(value: object) -> Markdown:
    if isinstance(value, Markdown):
        return value
    if value is None:
        return Markdown("not known")
    if isinstance(value, str):
        return escape(value)
    raise TypeError(f"{value!r} has no way to be written: expected text, or a filter for numbers.")
