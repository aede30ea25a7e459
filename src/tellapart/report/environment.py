"""Where the templates lie, and how values become text in them."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from tellapart.text import printable


@cache
def environment() -> Environment:
    """The templates of `report/templates/`; a name that is not there is an error.

    What goes into HTML is escaped: class names and paths are the user's.
    """
    return Environment(
        loader=PackageLoader("tellapart.report", "templates"),
        autoescape=select_autoescape(["html", "html.j2", "svg"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def html_environment() -> Environment:
    """The same for pages: other people's words are made printable, whatever they are made of.

    The filter `bdi` keeps a name in its own direction of writing, so that one in Hebrew or Arabic
    leaves the words around it where they are.
    """
    pages = environment().overlay(finalize=_shown)
    pages.filters["bdi"] = lambda text: Markup("<bdi>{}</bdi>").format(_shown(text))
    pages.filters["prose"] = _prose
    return pages


def _prose(text: str) -> Markup:
    """Sentences as notes and findings have them: `commands` in backticks, lines kept."""
    lines = []
    for line in text.splitlines():
        pieces = [Markup.escape(printable(piece)) for piece in line.split("`")]
        pieces[1::2] = [Markup("<code>{}</code>").format(piece) for piece in pieces[1::2]]
        lines.append(Markup("").join(pieces))
    return Markup("<br>").join(lines)


def _shown(value: object) -> object:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
