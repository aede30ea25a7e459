r"""Words in a picture: any script, any length, never a missing glyph.

matplotlib brings DejaVu Sans, which has no Chinese, Japanese, Korean, Thai or most emoji. Fonts
that are installed fill in; what no font can draw is spelled out: 🚀 as ":rocket:", other
characters as their escape, such as "\u732b".
"""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font

FALLBACKS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "PingFang SC",
    "Hiragino Sans",
    "Hiragino Sans GB",
    "Apple SD Gothic Neo",
    "Arial Unicode MS",
    "Noto Sans Devanagari",
    "Nirmala UI",
    "Noto Sans Thai",
    "Leelawadee UI",
    "Noto Emoji",
    "Segoe UI Emoji",
)
"""Fonts worth asking for, in this order, where DejaVu Sans has no glyph."""


def printable(text: str) -> str:
    """Returns the text with every character that no font can draw spelled out."""
    return "".join(c if ord(c) in _glyphs() else _spelled(c) for c in text)


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Returns how wide a line of printable text is, in inches, at a font size in points.

    Kerning is left out: it makes words a little narrower, seldom wider.
    """
    return sum(_advance(character, bold) for character in text) * size / 72


def fit(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """Returns printable text that is at most `room` inches wide, its middle left out if need be.

    The middle, because names such as "traffic sign, 30 km/h" and "..., 50 km/h" differ at the end.
    """
    text = printable(text)
    if width(text, size, bold=bold) <= room:
        return text
    low, high = 0, len(text)  # so many characters fit, and do not fit
    while high - low > 1:
        middle = (low + high) // 2
        if width(_shortened(text, middle), size, bold=bold) <= room:
            low = middle
        else:
            high = middle
    return _shortened(text, low)


def font(size: float, *, bold: bool = False) -> FontProperties:
    """Returns the font of all plots, with the installed fallbacks."""
    return FontProperties(family=list(_families()), size=size, weight="bold" if bold else "normal")


def _shortened(text: str, characters: int) -> str:
    tail = characters // 2
    return text[: characters - tail].rstrip() + "…" + text[len(text) - tail :].lstrip()


def _spelled(character: str) -> str:
    category = unicodedata.category(character)
    if category == "So":  # emoji and other pictures in a letter's place
        return f":{unicodedata.name(character, hex(ord(character))).lower()}:"
    if category in ("Zs", "Zl", "Zp", "Cc"):
        return " "
    if category in ("Cf", "Mn", "Me", "Sk"):  # joiners, variation selectors, skin tones
        return ""
    return character.encode("ascii", "backslashreplace").decode()


@cache
def _families() -> tuple[str, ...]:
    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in FALLBACKS if name in installed))


@cache
def _glyphs() -> frozenset[int]:
    """The characters that can be drawn both in normal and in bold."""
    both = (_faces(bold=False), _faces(bold=True))
    drawn = [frozenset().union(*(characters for _, characters in faces)) for faces in both]
    return frozenset(c for c in drawn[0] & drawn[1] if unicodedata.category(chr(c)) != "Cc")


@cache
def _faces(*, bold: bool) -> tuple[tuple[FT2Font, frozenset[int]], ...]:
    """The fonts, each with the characters it has."""
    weight = "bold" if bold else "normal"
    files = (FontProperties(family=family, weight=weight) for family in _families())
    faces = (font_manager.get_font(font_manager.findfont(file)) for file in files)
    return tuple((face, frozenset(face.get_charmap())) for face in faces)


@lru_cache(maxsize=65536)
def _advance(character: str, bold: bool) -> float:
    """How far a character moves the pen, in ems."""
    for face, characters in _faces(bold=bold):
        if ord(character) in characters:
            face.set_size(100, 72)
            return face.load_char(ord(character)).linearHoriAdvance / 65536 / 100
    return 1.0
