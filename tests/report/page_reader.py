"""Reads a page as a strict browser would, and knows what makes it whole and accessible."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input"}
"""Elements without an end tag; those of SVG that end in themselves are told by their slash."""


@dataclass
class Element:
    """An element of a page.

    Attributes:
        tag: its name.
        attributes: by name.
        parent: what it is in; None for the root.
        children: elements and texts, in order.
    """

    tag: str
    attributes: dict[str, str]
    parent: Element | None
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, white space made one blank."""
        words = "".join(
            child if isinstance(child, str) else f" {child.text} " for child in self.children
        )
        return re.sub(r"\s+", " ", words).strip()

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """The elements below it of a tag and with some attributes."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                fits = not tag or child.tag == tag
                if fits and all(child.attributes.get(k) == v for k, v in attributes.items()):
                    found.append(child)
                found += child.all(tag, **attributes)
        return found

    def one(self, tag: str = "", **attributes: str) -> Element:
        """The only such element."""
        (found,) = self.all(tag, **attributes)
        return found

    def having(self, name: str) -> list[Element]:
        """The elements below it of a class."""
        return [found for found in self.all() if name in found.attributes.get("class", "").split()]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {}, None)
        self.problems: list[str] = []
        self._open = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, number in Counter(name for name, _ in attrs).items():
            if number > 1:
                self.problems.append(f"<{tag}> has {name} twice")
        element = Element(tag, {name: value or "" for name, value in attrs}, self._open)
        self._open.children.append(element)
        if tag not in VOID:
            self._open = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if self._open.tag != tag:
            self.problems.append(f"</{tag}> where <{self._open.tag}> is open")
        if self._open.parent is not None:
            self._open = self._open.parent

    def handle_data(self, data: str) -> None:
        self._open.children.append(data)


def read_page(text: str) -> Element:
    """Parses a page; the elements must be properly nested."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.problems == []
    return reader.root


def problems_of(page: Element) -> list[str]:
    """What is wrong with a page: ids, headings, names for what is seen, things from outside."""
    looks = (_ids, _headings, _names, _tables, _outside, _inline)
    return [problem for look in looks for problem in look(page)]


def _ids(page: Element) -> list[str]:
    ids = Counter(found.attributes["id"] for found in page.all() if "id" in found.attributes)
    problems = [f"id {name} is there {number} times" for name, number in ids.items() if number > 1]
    for found in page.all():
        problems += [
            f"{name} leads to {target}, which is not there"
            for name in ("aria-labelledby", "popovertarget", "aria-describedby")
            for target in found.attributes.get(name, "").split()
            if target not in ids
        ]
        link = found.attributes.get("href", "")
        if link.startswith("#") and link[1:] not in ids:
            problems.append(f"a link leads to {link}, which is not there")
    return problems


def _headings(page: Element) -> list[str]:
    levels = [int(found.tag[1]) for found in page.all() if re.fullmatch(r"h[1-6]", found.tag)]
    problems = [] if levels[:1] == [1] and levels.count(1) == 1 else ["there is not one h1 first"]
    return problems + [
        f"h{after} follows h{before}"
        for before, after in itertools.pairwise(levels)
        if after > before + 1
    ]


def _names(page: Element) -> list[str]:
    problems = [
        f"an image without alt: {found.attributes.get('src', '')[:40]}"
        for found in page.all("img")
        if not found.attributes.get("alt")
    ]
    for found in page.all("svg"):
        hidden = found.attributes.get("aria-hidden") == "true"
        named = found.attributes.get("role") == "img" and found.attributes.get("aria-label")
        if not (hidden or named):
            problems.append("a drawing that is neither named nor hidden")
    problems += [
        "a button without a name"
        for found in page.all("button")
        if not (found.attributes.get("aria-label") or found.text)
    ]
    return problems + [
        f"section {found.attributes.get('id')} has no name"
        for found in page.all("section")
        if "aria-labelledby" not in found.attributes
    ]


def _tables(page: Element) -> list[str]:
    problems = []
    for table in page.all("table"):
        if not table.all("caption"):
            problems.append(f"a table without caption: {table.text[:60]}")
        problems += [
            f"a heading without scope: {cell.text}"
            for cell in table.all("th")
            if cell.attributes.get("scope") not in ("row", "col", "colgroup")
        ]
    return problems


def _outside(page: Element) -> list[str]:
    problems = []
    for found in page.all():
        for name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            value = found.attributes.get(name, "")
            if value and not value.startswith(("#", "data:")):
                problems.append(f"<{found.tag} {name}={value[:60]}> leads outside")
    for style in page.all("style"):
        problems += [f"{word} in a style" for word in ("url(", "@import") if word in style.text]
    return problems


def _inline(page: Element) -> list[str]:
    """The content security policy allows neither styles nor scripts in attributes."""
    return [
        f"<{found.tag} {name}>"
        for found in page.all()
        for name in found.attributes
        if name == "style" or name.startswith("on")
    ]
