"""Small ICC profiles, made by hand after ICC.1:2001-04, whose effect can be computed by hand."""

from __future__ import annotations

import struct

RED, GREEN, BLUE = (0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
"""The primaries of sRGB as XYZ under D50, as every sRGB profile states them."""


def rgb_profile(
    red: tuple[float, ...] = RED,
    green: tuple[float, ...] = GREEN,
    blue: tuple[float, ...] = BLUE,
    *,
    name: str = "by hand",
) -> bytes:
    """A display whose values are proportional to light (gamma 1), with the given primaries."""
    tags = {b"rXYZ": _xyz(red), b"gXYZ": _xyz(green), b"bXYZ": _xyz(blue)}
    tags |= {b"rTRC": _GAMMA_1, b"gTRC": _GAMMA_1, b"bTRC": _GAMMA_1}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags, name)


def grey_profile() -> bytes:
    """Grey values that are proportional to light."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _GAMMA_1}, "by hand")


def cmyk_profile() -> bytes:
    """A press on which any full ink at all gives black, and no ink paper white."""
    lines = bytes(range(256))
    white, black = bytes((255, 128, 128)), bytes((0, 128, 128))  # L*, a*, b*
    one = struct.pack(">9i", *(65536 if k in (0, 4, 8) else 0 for k in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + one
    table += 4 * lines + white + 15 * black + 3 * lines
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table}, "by hand")


_GAMMA_1 = b"curv" + bytes(8)


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _profile(
    kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes], name: str
) -> bytes:
    text = name.encode() + b"\0"
    described = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {b"desc": described, b"wtpt": _xyz((0.9642, 1.0, 0.8249)), **tags}
    place = 132 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        table += tag + struct.pack(">II", place + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">I", place + len(body)) + bytes(4) + bytes((2, 0x40, 0, 0))
    header += kind + space + connection + bytes(12) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)  # D50
    return header.ljust(128, b"\0") + table + body
