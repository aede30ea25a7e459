"""Row 2: files that would grow, or are not what their name says, are refused with the reason.

    python tests/reliability/bombs.py

Made as they are needed, and small: nothing large is written, by this or by what is tried, other
than the temporary file of a compressed tar, which is given up at 1 GiB.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import lzma
import os
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from tests.reliability.lab import Case, Outcome, failures, report, try_all

SIDE = 50_000
MOST_BYTES = 2**30
MIB = 2**20

ARCHIVES = (".zip", ".tar", ".gz", ".bz2", ".xz", ".npz")


def open_it(name: str, content: bytes) -> str:
    """Runs in the other process: loads an archive as data, and decodes anything else."""
    from tellapart.data import load
    from tellapart.errors import TellapartError
    from tellapart.images import ImageSpec, decode

    try:
        if not name.endswith(ARCHIVES):
            decode(content, ImageSpec(32, 32), name)
            return "decoded"
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TELLAPART_CACHE"] = str(Path(folder, "cache"))
            path = Path(folder, name)
            path.write_bytes(content)
            dataset = load(path)
            for index in range(len(dataset)):
                dataset.source.read(index)
            return "loaded"
    except TellapartError as error:
        return f"refused: {error}"


# --- Pictures -----------------------------------------------------------------------------------


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + _crc(kind + content)


def _crc(content: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(content))


def png(width: int, height: int, bits: int, kind: int, pixels: bytes, extra: bytes = b"") -> bytes:
    """A PNG of any size, its pixels compressed already."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + extra
        + _chunk(b"IDAT", pixels)
        + _chunk(b"IEND", b"")
    )


def zeros(count: int) -> bytes:
    """So many zeros, deflated: about a thousandth."""
    packer = zlib.compressobj(1)
    parts = [packer.compress(bytes(MIB)) for _ in range(count // MIB)]
    return b"".join([*parts, packer.compress(bytes(count % MIB)), packer.flush()])


def tiff(width: int, height: int, **tags: int) -> bytes:
    """A TIFF that states a size and has hardly any pixels."""
    entries = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height}
    entries |= {279: 16} | {int(tag.removeprefix("tag")): value for tag, value in tags.items()}
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, entries[tag]) for tag in sorted(entries))
    return b"II*\0" + struct.pack("<I", 24) + bytes(16) + struct.pack("<H", len(entries)) + rows


def bmp(width: int, height: int, compression: int = 0) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, 0, 0, 0, 256, 0)
    colours = bytes(1024)
    start = 14 + len(header) + len(colours)
    content = header + colours + b"\xff\0" * 1000
    return b"BM" + struct.pack("<IHHI", start + 2000, 0, 0, start) + content


def gif(width: int, height: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0;"
    return screen + frame


def jpeg(width: int, height: int) -> bytes:
    import PIL.Image

    stream = io.BytesIO()
    PIL.Image.new("L", (16, 16)).save(stream, "JPEG")
    content = bytearray(stream.getvalue())
    start = content.index(b"\xff\xc0")
    content[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def webp(kind: bytes, body: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def webp_lossless(side: int) -> bytes:
    """The size is 14 bits a side, less one."""
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (side - 1) | (side - 1) << 14) + bytes(64))


def webp_canvas(side: int) -> bytes:
    sizes = struct.pack("<I", side - 1)[:3] * 2
    return webp(b"VP8X", b"\x02\0\0\0" + sizes)


def pictures() -> Iterator[Case]:
    """Pictures that claim, or have, 50,000 x 50,000 pixels, or hide something that grows."""
    yield "claims.png", png(SIDE, SIDE, 8, 2, zeros(MIB))
    # All of it is there: 2.5 billion black pixels of one bit each, in 300 KB.
    yield "whole.png", png(SIDE, SIDE, 1, 0, zeros(SIDE * (1 + SIDE // 8)))
    yield "deep.png", png(SIDE, SIDE, 16, 6, zeros(MIB))
    text = _chunk(b"zTXt", b"comment\0\0" + zeros(200 * MIB))
    yield "text.png", png(32, 32, 8, 0, zeros(33 * 32), text)
    profile = _chunk(b"iCCP", b"profile\0\0" + zeros(200 * MIB))
    yield "profile.png", png(32, 32, 8, 0, zeros(33 * 32), profile)
    yield "claims.tif", tiff(SIDE, SIDE)
    yield "deflate.tif", tiff(SIDE, SIDE, tag259=8)
    yield "tiles.tif", tiff(SIDE, SIDE, tag322=SIDE, tag323=SIDE, tag324=8, tag325=16)
    yield "tall.tif", tiff(1, 2**31 - 1)
    yield "vast.tif", tiff(2**32 - 1, 2**32 - 1)
    yield "claims.bmp", bmp(SIDE, SIDE)
    yield "run-lengths.bmp", bmp(SIDE, SIDE, 1)
    yield "upside-down.bmp", bmp(SIDE, -SIDE)
    yield "negative.bmp", bmp(-SIDE, SIDE)
    yield "claims.gif", gif(SIDE, SIDE)
    yield "claims.jpg", jpeg(SIDE, SIDE)
    yield "lossless.webp", webp_lossless(16_384)
    yield "canvas.webp", webp_canvas(2**24)


def renamed() -> Iterator[Case]:
    """Files of other kinds, under a picture's name."""
    yield "document.jpg", b"%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj\n"
    yield "postscript.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(x) run\n"
    yield "binary-eps.jpg", b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 32, 100) + b"%!PS" * 20
    yield "photoshop.jpg", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, SIDE, SIDE, 8, 3)
    yield (
        "drawing.jpg",
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    )
    yield "entities.jpg", b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "&b;&b;">]><x>&a;</x>'
    yield "apple.jpg", b"\0\0\0\x18ftypheic" + bytes(16)
    yield "metafile.jpg", struct.pack("<IIiiii", 1, 88, 0, 0, SIDE, SIDE) + b" EMF"[:0] + bytes(64)
    yield "icon.jpg", b"\0\0\1\0\1\0" + bytes(30)
    yield "fits.jpg", b"SIMPLE  =                    T" + b" " * 50


# --- Archives -----------------------------------------------------------------------------------


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def overlapping(members: int, size: int) -> bytes:
    """Many members that are the same few bytes: about 42 KB that become 4 GB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(size)) + packer.flush()
    numbers = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0, zlib.crc32(bytes(size)), len(packed), size)
    local = b"PK\3\4" + numbers + struct.pack("<HH", 7, 0) + b"a/0.png" + packed
    directory = b""
    for number in range(members):
        name = f"{'ab'[number % 2]}/{number}.png".encode()
        directory += (
            b"PK\1\2\x14\0" + numbers + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
        )
    end = struct.pack("<HHHHIIH", 0, 0, members, members, len(directory), len(local), 0)
    return local + directory + b"PK\5\6" + end


def tar_header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def negative_size(content: bytes) -> bytes:
    """A tar header whose size is below zero: the next member would come before it."""
    header = bytearray(content[:512])
    header[124:136] = b"\xff" * 10 + b"\xfc\0"
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + content[512:]


def repeated(
    pack: Callable[[bytes], bytes], first: bytes, times: int, size: int = 45 * MIB
) -> bytes:
    """Packed streams one after the other, which unpack as one."""
    return pack(first) + pack(bytes(size)) * times


def archives() -> Iterator[Case]:
    """Archives that grow, or hold themselves."""
    yield "overlapping.zip", overlapping(196, 21 * MIB)
    inner = zipped({"0.dll": bytes(40 * MIB)})
    for _ in range(5):
        inner = zipped({f"lib {number}.zip": inner for number in range(16)})
    yield "forty-two.zip", inner
    yield "one-level.zip", zipped({"a/1.png": zipped({"x": b""}), "b/1.png": inner})
    yield "claims.zip", _claiming(zipped({"a/1.png": b"1", "b/1.png": b"2"}), 2**32 - 2)
    yield "twice.tar.gz", gzip.compress(gzip.compress(bytes(64 * MIB)))
    yield "claims.tar", tar_header("a/1.png", 10**12) + bytes(1024)
    yield "negative.tar", negative_size(tar_header("a/1.png", 0) + bytes(1024))
    back = tar_header("a/1.png", 0) + negative_size(tar_header("b/1.png", 0)) + bytes(1024)
    yield "negative-second.tar", back
    name = negative_size(tar_header("././@LongLink", 0, tarfile.GNUTYPE_LONGNAME))
    yield "negative-name.tar", name + bytes(1024)
    yield "sparse.tar", tar_header("a/1.png", 2**40, tarfile.GNUTYPE_SPARSE) + bytes(10240)
    yield "array-claims.npz", _array(2**50, zipfile.ZIP_DEFLATED, there=0)


def large_archives() -> Iterator[Case]:
    """Archives that take seconds to make, or to give up."""
    header = tar_header("a/1.png", 4 * 2**30)
    yield "zeros.tar.bz2", repeated(bz2.compress, header, 91)
    yield "zeros.tar.gz", repeated(lambda part: gzip.compress(part, mtime=0), header, 91)
    yield "zeros.tar.xz", repeated(lzma.compress, header, 91)
    name = tar_header("././@LongLink", 900 * MIB, tarfile.GNUTYPE_LONGNAME)
    yield "long-name.tar.bz2", repeated(bz2.compress, name, 20)
    notes = tar_header("notes", 900 * MIB, tarfile.XHDTYPE)
    yield "notes.tar.bz2", repeated(bz2.compress, notes, 20)
    yield "array.npz", _array(2**32, zipfile.ZIP_BZIP2)


def _claiming(content: bytes, size: int) -> bytes:
    """A zip whose directory states another size for each member."""
    changed, place = bytearray(content), -1
    while (place := changed.find(b"PK\1\2", place + 1)) >= 0:
        changed[place + 24 : place + 28] = struct.pack("<I", size)
    return bytes(changed)


def _array(size: int, method: int, there: int | None = None) -> bytes:
    """An `.npz` whose x is so many zeros."""
    stream = io.BytesIO()
    header = io.BytesIO()
    shape = (size // 1024, 32, 32)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(stream, "w", method, compresslevel=9) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as member:
            member.write(header.getvalue())
            for _ in range((size if there is None else there) // (64 * MIB)):
                member.write(bytes(64 * MIB))
        labels = io.BytesIO()
        np.save(labels, np.zeros(4, np.int64))
        archive.writestr("y.npy", labels.getvalue())
    return stream.getvalue()


def cases(*, large: bool = True) -> Iterator[Case]:
    """All of them; without those that take seconds where not `large`."""
    yield from pictures()
    yield from renamed()
    yield from archives()
    if large:
        yield from large_archives()


def judge(outcomes: list[Outcome]) -> list[Outcome]:
    """Returns those that are not refused with a reason, or took more than 1 GiB of memory."""
    return failures(outcomes) + [
        outcome
        for outcome in outcomes
        if outcome.word != "refused" or not outcome.reason or outcome.peak_bytes > MOST_BYTES
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    outcomes = []
    for outcome in try_all("tests.reliability.bombs:open_it", cases()):
        outcomes.append(outcome)
        if options.verbose:
            peak = outcome.peak_bytes / MIB
            print(
                f"{outcome.name:20} {outcome.word:8} {outcome.seconds:6.2f} s {peak:6.0f} MiB  "
                f"{' '.join(outcome.reason.split())[:110]}",
                flush=True,
            )
    return report("bombs", outcomes, judge(outcomes))


if __name__ == "__main__":
    sys.exit(main())
