"""Row 1: damaged picture files are predicted or named with a reason, and never more than that.

    python tests/reliability/mutated_pictures.py --count 10000

Pictures of all six formats, of several kinds each (grey, colour, palette, transparent, 16 bits,
progressive, animated, compressed in other ways): bits flipped, bytes set, cut at each percent,
headers swapped with those of other formats, pieces removed, doubled and exchanged.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from PIL import Image, features

from tests.reliability.lab import Case, Outcome, failures, report, try_all

MOST_SECONDS = 5.0
MOST_BYTES = 2**30


def predict_one(name: str, content: bytes) -> str:
    """Runs in the other process: decodes and classifies, as a decoding process and predict do."""
    from tellapart.errors import ImageError

    try:
        found = _classifier().predict(content)
    except ImageError as error:
        if not error.reason.strip():
            return "fault: no reason"
        return f"refused: {error.reason}"
    return f"predicted: {found.label}"


@cache
def _classifier() -> Any:
    from tellapart.bundle import attach
    from tellapart.classifier import Classifier
    from tests.tiny_classifier import make_bundle, make_model

    model = make_model()
    attach(model, make_bundle())
    return Classifier(model.SerializeToString(), Path("tiny.onnx"))


# --- Whole pictures -----------------------------------------------------------------------------


@cache
def originals() -> dict[str, bytes]:
    """The files that are mutated, by a name that ends in the format's ending."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, 64 * 48 * 3).reshape(48, 64, 3)
    pixels = (ramp + rng.normal(0, 20, ramp.shape)).clip(0, 255).astype(np.uint8)
    colour = Image.fromarray(pixels)
    grey, alpha = colour.convert("L"), colour.convert("RGBA")
    alpha.putalpha(grey)
    palette = colour.convert("P", palette=Image.Palette.ADAPTIVE)
    deep = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    frames = [colour, colour.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    saved: list[tuple[str, Image.Image, dict[str, Any]]] = [
        ("plain.jpg", colour, {"format": "JPEG"}),
        ("grey.jpg", grey, {"format": "JPEG", "exif": _exif()}),
        ("progressive.jpg", colour, {"format": "JPEG", "progressive": True}),
        ("cmyk.jpg", colour.convert("CMYK"), {"format": "JPEG"}),
        ("plain.png", colour, {"format": "PNG"}),
        ("transparent.png", alpha, {"format": "PNG", "exif": _exif()}),
        ("palette.png", palette, {"format": "PNG"}),
        ("deep.png", deep, {"format": "PNG"}),
        ("lossy.webp", colour, {"format": "WEBP"}),
        ("lossless.webp", alpha, {"format": "WEBP", "lossless": True}),
        ("moving.webp", frames[0], _moving("WEBP", frames)),
        ("plain.gif", palette, {"format": "GIF"}),
        ("moving.gif", frames[0].convert("P"), _moving("GIF", [f.convert("P") for f in frames])),
        ("plain.tif", colour, {"format": "TIFF"}),
        ("deep.tif", deep, {"format": "TIFF"}),
        ("deflate.tif", alpha, {"format": "TIFF", "compression": "tiff_adobe_deflate"}),
        ("lzw.tif", palette, {"format": "TIFF", "compression": "tiff_lzw"}),
        ("packbits.tif", grey, {"format": "TIFF", "compression": "packbits"}),
        ("jpeg.tif", colour, {"format": "TIFF", "compression": "jpeg"}),
        ("fax.tif", grey.convert("1"), {"format": "TIFF", "compression": "group4"}),
        ("plain.bmp", colour, {"format": "BMP"}),
        ("palette.bmp", palette, {"format": "BMP"}),
        ("transparent.bmp", alpha, {"format": "BMP"}),
    ]
    if not features.check("libtiff"):
        saved = [entry for entry in saved if "compression" not in entry[2]]
    return {name: _encoded(image, options) for name, image, options in saved}


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    return exif


def _moving(kind: str, frames: list[Image.Image]) -> dict[str, Any]:
    return {"format": kind, "save_all": True, "append_images": frames[1:], "duration": 50}


def _encoded(image: Image.Image, options: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    image.save(stream, **options)
    return stream.getvalue()


# --- Mutants ------------------------------------------------------------------------------------


def mutants(count: int, seed: int = 0) -> Iterator[Case]:
    """Yields so many mutants: every original in every way in turn, cut at each percent in turn."""
    names = list(originals())
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        original = names[number % len(names)]
        turn = number // len(names)
        way = WAYS[turn % len(WAYS)]
        content = way(originals()[original], rng, turn // len(WAYS))
        yield f"{number:05}-{way.__name__}-{original}", content


def few_bits(content: bytes, rng: random.Random, turn: int) -> bytes:
    return _flipped(content, rng, rng.choice((1, 2, 4)), len(content))


def many_bits(content: bytes, rng: random.Random, turn: int) -> bytes:
    return _flipped(content, rng, rng.choice((16, 64, 256)), len(content))


def header_bits(content: bytes, rng: random.Random, turn: int) -> bytes:
    return _flipped(content, rng, rng.choice((1, 2, 4)), min(len(content), 200))


def _flipped(content: bytes, rng: random.Random, bits: int, end: int) -> bytes:
    changed = bytearray(content)
    for _ in range(bits):
        changed[rng.randrange(end)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_bytes(content: bytes, rng: random.Random, turn: int) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 4))):
        start = rng.randrange(min(len(content), 400))
        value = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        for place in range(start, min(start + rng.choice((1, 2, 4)), len(content))):
            changed[place] = value
    return bytes(changed)


def cut_at_percent(content: bytes, rng: random.Random, turn: int) -> bytes:
    return content[: len(content) * (turn % 100) // 100]


def header_swapped(content: bytes, rng: random.Random, turn: int) -> bytes:
    other = rng.choice(list(originals().values()))
    size = rng.choice((2, 4, 8, 12, 16, 32, 64, 128))
    return other[:size] + content[size:]


def piece_removed(content: bytes, rng: random.Random, turn: int) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.choice((1, 2, 4, 16, 64)) :]


def piece_doubled(content: bytes, rng: random.Random, turn: int) -> bytes:
    start, size = rng.randrange(len(content)), rng.choice((1, 4, 16, 64, 1024))
    return content[: start + size] + content[start:]


def pieces_exchanged(content: bytes, rng: random.Random, turn: int) -> bytes:
    other = rng.choice(list(originals().values()))
    start = rng.randrange(min(len(content), len(other)))
    return content[:start] + other[start:]


Way = Callable[[bytes, random.Random, int], bytes]

WAYS: tuple[Way, ...] = (
    few_bits,
    many_bits,
    header_bits,
    set_bytes,
    cut_at_percent,
    header_swapped,
    piece_removed,
    piece_doubled,
    pieces_exchanged,
)


def judge(outcomes: list[Outcome]) -> list[Outcome]:
    """Returns what must not be: a crash, a fault, more than 5 s, more than 1 GiB."""
    return failures(outcomes) + [
        outcome
        for outcome in outcomes
        if outcome.seconds > MOST_SECONDS or outcome.peak_bytes > MOST_BYTES
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cases = mutants(options.count, options.seed)
    outcomes = list(try_all("tests.reliability.mutated_pictures:predict_one", cases))
    return report("mutated pictures", outcomes, judge(outcomes))


if __name__ == "__main__":
    sys.exit(main())
