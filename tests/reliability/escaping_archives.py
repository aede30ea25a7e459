"""Row 3: archives that would write, or point, beyond themselves are refused, and write nothing.

    python tests/reliability/escaping_archives.py

Each is loaded as data and every picture of it decoded, in a folder full of files that must stay as
they are: the working folder, the home, the folder for temporary files, and one beside the archive.
Names that are only odd may be loaded; nothing is ever written under a member's name.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image

from tests.reliability.lab import Case, Outcome, failures, report, try_all


def open_and_watch(name: str, content: bytes) -> str:
    """Runs in the other process: what the archive changes around it."""
    from tellapart import data
    from tellapart.errors import TellapartError
    from tellapart.images import ImageSpec

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        for place in ("work", "home", "temporary", "beside", "data/deep"):
            (root / place).mkdir(parents=True)
            (root / place / "sentinel.txt").write_text("stays as it is")
        os.environ |= {
            "TELLAPART_CACHE": str(Path(folder, "cache")),
            "HOME": str(root / "home"),
            "TMPDIR": str(root / "temporary"),
        }
        tempfile.tempdir = None
        os.chdir(root / "work")
        archive = root / "data" / "deep" / name.partition(" ")[0]
        archive.write_bytes(content)
        before = state(root)
        try:
            dataset = data.load(archive)
            store = data.open_store(dataset, ImageSpec(8, 8))
            answer = f"loaded: {len(dataset) - len(store.failures)} pictures"
            dataset.source.close()  # type: ignore[attr-defined]  # or Windows keeps the folder
        except TellapartError as error:
            answer = f"refused: {error}"
        after = state(root)
        os.chdir(folder)
        if after != before:
            changed = sorted(str(path) for path in dict(before.items() ^ after.items()))
            return f"written: {changed}"
        kept = {path.name for path in Path(folder, "cache").rglob("*") if path.is_file()}
        odd = kept - {"index.json", "rows.npy", "listing.json", "digests.npy", "failures.json"}
        strange = [found for found in odd if not found.endswith((".npy", ".json"))]
        return f"written: {strange}" if strange else answer


def state(root: Path) -> dict[str, str]:
    """Every path below a folder, and the digest of what it holds."""
    found = {}
    for path in sorted(root.rglob("*")):
        about = "folder"
        if path.is_symlink():
            about = f"link to {path.readlink()}"
        elif path.is_file():
            about = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(root))] = about
    return found


# --- The archives -------------------------------------------------------------------------------


def picture(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


GOOD = {f"{label}/{number}.png": picture(20 * number) for label in "ab" for number in range(3)}

UNSAFE_NAMES = {
    "absolute": "/tmp/a/evil.png",
    "twice absolute": "//a/evil.png",
    "up": "../evil.png",
    "up and in": "a/../../../beside/evil.png",
    "up behind": "a/..",
    "dotted up": "./a/./../../evil.png",
    "drive": "C:/a/evil.png",
    "drive without slash": "C:evil.png",
    "backslashes": "a\\evil.png",
    "up with backslashes": "..\\..\\evil.png",
    "mixed": "a/..\\../evil.png",
    "share": "\\\\server\\share\\evil.png",
}
"""Refused in every archive."""

ODD_NAMES = {
    "wide slash": "a/..／..／evil.png",
    "division slash": "a/..∕..∕evil.png",
    "two dot leader": "a/‥/evil.png",
    "escaped": "a/%2e%2e/%2e%2e/evil.png",
    "home": "~/evil.png",
    "variable": "$HOME/evil.png",
    "stream": "a/evil.png:hidden.png",
    "name of a device": "a/CON.png",
    "dots at the end": "a../evil.png",
    "line break": "a/evil\n.png",
    "return": "a/evil\r.png",
    "escape codes": "a/\x1b]0;evil\x07.png",
    "right to left": "a/\u202egnp.exe.png",
    "option": "-rf/evil.png",
    "formula": "=cmd|' /C calc'!A0/evil.png",
    "code": "a/__init__.py",
    "path configuration": "evil.pth",
    "long": f"a/{'x' * 5000}.png",
    "deep": f"a/{'x/' * 2000}evil.png",
}
"""Only odd: refused, or loaded without harm."""


def zip_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in {**GOOD, **members}.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename = name  # ZipInfo would tidy it up
            archive.writestr(info, content)
    return stream.getvalue()


def tar_of(members: list[tarfile.TarInfo], form: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for info in [_file(name) for name in GOOD] + members:
            content = GOOD.get(info.name, picture(7))
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return stream.getvalue()


def _file(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def _special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def refused() -> Iterator[Case]:
    """Archives that must be refused."""
    for title, name in UNSAFE_NAMES.items():
        yield f"x.zip {title}", zip_of({name: picture(7)})
        yield f"x.tar {title}", tar_of([_file(name)])
    yield "x.tar long absolute name", tar_of([_file("/" + "x" * 300)], tarfile.GNU_FORMAT)
    notes = _file("a/innocent.png")
    notes.pax_headers = {"path": "../../beside/evil.png"}
    yield "x.tar a path in its notes", tar_of([notes])
    notes = _file("a/innocent.png")
    notes.pax_headers = {"path": "a/evil.png\0.txt"}
    yield "x.tar NUL in its notes", tar_of([notes])
    links = {
        "link to a file": _special("a/evil.png", tarfile.SYMTYPE, "/etc/passwd"),
        "link up": _special("a/evil.png", tarfile.SYMTYPE, "../../beside/sentinel.txt"),
        "hard link": _special("a/evil.png", tarfile.LNKTYPE, "/etc/passwd"),
        "hard link inside": _special("a/evil.png", tarfile.LNKTYPE, "a/0.png"),
        "pipe": _special("a/evil.png", tarfile.FIFOTYPE),
        "character device": _special("a/evil.png", tarfile.CHRTYPE),
        "block device": _special("a/evil.png", tarfile.BLKTYPE),
    }
    for title, info in links.items():
        yield f"x.tar {title}", tar_of([info])
    through = [_special("a/out", tarfile.SYMTYPE, "../../beside"), _file("a/out/evil.png")]
    yield "x.tar through a link", tar_of(through)
    yield "x.zip link", _zip_with_mode({"a/evil.png": b"/etc/passwd"}, 0o120777)
    yield "x.zip device", _zip_with_mode({"a/evil.png": b""}, 0o020666)
    yield "x.zip NUL in a name", zip_of({"a/evil.png?.txt": picture(7)}).replace(b"?", b"\0")
    yield "x.tar twice", tar_of([_file("./a/0.png")])
    yield "x.zip twice", zip_of({"a//0.png": picture(7)})


def odd() -> Iterator[Case]:
    """Archives that may be loaded: nothing is written under a member's name in any case."""
    for title, name in ODD_NAMES.items():
        yield f"x.zip {title}", zip_of({name: picture(7)})
        yield f"x.tar {title}", tar_of([_file(name)])
    yield "x.zip another name inside", _renamed_inside(zip_of({"a/evil.png": picture(7)}))
    yield "x.zip a path in an extra field", _zip_with_unicode_path("../../beside/evil.png")
    overlong = zip_of({"a/é__é__é/evil.png": picture(7)})
    yield (
        "x.zip overlong UTF-8",
        overlong.replace("é__é__é".encode(), b"\xc0\xae\xc0\xae\xc0\xaf\xc0\xae__"),
    )
    yield "x.zip composed twice", zip_of({"a/\u00e9.png": picture(7), "a/e\u0301.png": picture(8)})
    yield "x.tar case", tar_of([_file("A/0.png"), _file("A/1.png")])


def _zip_with_mode(members: dict[str, bytes], mode: int) -> bytes:
    stream = io.BytesIO(zip_of({}))
    with zipfile.ZipFile(stream, "a") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return stream.getvalue()


def _renamed_inside(content: bytes) -> bytes:
    """The member itself has another name than the directory says."""
    start = content.index(b"a/evil.png")
    return content[:start] + b"../ev1.png" + content[start + 10 :]


def _zip_with_unicode_path(path: str) -> bytes:
    """Info-ZIP's extra field that gives a member another name."""
    name = b"a/evil.png"
    field = struct.pack("<BI", 1, zlib.crc32(name)) + path.encode()
    stream = io.BytesIO(zip_of({}))
    with zipfile.ZipFile(stream, "a") as archive:
        info = zipfile.ZipInfo(name.decode())
        info.extra = struct.pack("<HH", 0x7075, len(field)) + field
        archive.writestr(info, picture(7))
    return stream.getvalue()


def judge(outcomes: list[Outcome]) -> list[Outcome]:
    """Returns those that wrote something, or were loaded and must not be."""
    must = {name for name, _ in refused()}
    return failures(outcomes) + [
        outcome
        for outcome in outcomes
        if outcome.word == "written" or (outcome.name in must and outcome.word != "refused")
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    outcomes = []
    for cases in (refused(), odd()):
        for outcome in try_all("tests.reliability.escaping_archives:open_and_watch", cases):
            outcomes.append(outcome)
            if options.verbose:
                reason = " ".join(outcome.reason.split())[:150]
                print(f"{outcome.name:32} {outcome.word:8} {reason!r}", flush=True)
    return report("escaping archives", outcomes, judge(outcomes))


if __name__ == "__main__":
    sys.exit(main())
