"""Hostile files, tried one after the other in another process: a crash there is an outcome here.

    for outcome in try_all("tests.reliability.mutated_pictures:predict_one", cases):
        print(outcome.name, outcome.word, outcome.seconds)

What is tried is a function of (name, content) that returns a word for what came of it, such as
"predicted", or "refused: is cut short". An exception that it lets through is a "fault".
"""

from __future__ import annotations

import importlib
import os
import resource
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from tellapart.decoding.frames import read_frame, write_frame

ROOT = Path(__file__).parents[2]

Case = tuple[str, bytes]
"""What errors call a file, and its content."""

BAD = ("crash", "hang", "fault")
"""Words for what must not come of any file."""

_SERVE = "import sys; from tests.reliability.lab import serve; serve(sys.argv[1])"


@dataclass(frozen=True)
class Outcome:
    """What came of a file.

    Attributes:
        name: of the file.
        word: "predicted", "refused", ..., or one of `BAD`.
        reason: what was said.
        seconds: that it took.
        peak_bytes: the most memory that the process has had so far.
    """

    name: str
    word: str
    reason: str
    seconds: float
    peak_bytes: int


def try_all(
    function: str, cases: Iterable[Case], *, seconds_each: float = 120.0
) -> Iterator[Outcome]:
    """Tries each case; the process is made anew when one has ended it.

    Args:
        function: "package.module:name".
        cases: the files.
        seconds_each: from then on a file hangs.
    """
    process = None
    try:
        for name, content in cases:
            process = process or _Process(function)
            outcome = process.ask(name, content, seconds_each)
            yield outcome
            if outcome.word in ("crash", "hang"):
                process.end()
                process = None
    finally:
        if process is not None:
            process.end()


class _Process:
    def __init__(self, function: str) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, function],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders say there what they think of each file
            env=os.environ | {"PYTHONPATH": path},
        )
        self._to = cast("IO[bytes]", self._process.stdin)
        self._from = cast("IO[bytes]", self._process.stdout)
        read_frame(self._from)

    def ask(self, name: str, content: bytes, seconds: float) -> Outcome:
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._process.kill()

        watch = threading.Timer(seconds, give_up)
        watch.daemon = True
        watch.start()
        started = time.monotonic()
        try:
            write_frame(self._to, {"name": name}, [content])
            answer, _ = read_frame(self._from)
        except (EOFError, OSError):
            code = self._process.wait()
            taken = time.monotonic() - started
            word = "hang" if late.is_set() else "crash"
            return Outcome(name, word, f"the process ended with {code}", taken, 0)
        finally:
            watch.cancel()
        return Outcome(name, answer["word"], answer["reason"], answer["seconds"], answer["peak"])

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._to.close()
        self._from.close()


def serve(function: str) -> None:
    """Answers, in the other process, until the first one goes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    module, _, name = function.partition(":")
    tried = getattr(importlib.import_module(module), name)
    requests = os.fdopen(0, "rb", closefd=False)
    write_frame(answers, {"ready": True}, [])
    while True:
        try:
            head, content = read_frame(requests)
        except EOFError:
            return
        started = time.monotonic()
        try:
            word, _, reason = tried(head["name"], content).partition(": ")
        except Exception:
            word, reason = "fault", traceback.format_exc()
        seconds = time.monotonic() - started
        peak = _peak_bytes()
        write_frame(answers, {"word": word, "reason": reason, "seconds": seconds, "peak": peak}, [])


def _peak_bytes() -> int:
    """The most memory that this process has had; `ru_maxrss` would count its parent's, too."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:  # not on Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def summary(row: str, outcomes: Sequence[Outcome]) -> str:
    """Returns one line: how many of each word, the slowest file, the peak of memory."""
    words = Counter(outcome.word for outcome in outcomes)
    counts = ", ".join(f"{number:,} {word}" for word, number in words.most_common())
    slowest = max(outcomes, key=lambda outcome: outcome.seconds)
    peak = max(outcome.peak_bytes for outcome in outcomes) / 2**20
    return (
        f"{row}: {len(outcomes):,} files: {counts}; slowest {slowest.seconds:.2f} s "
        f"({slowest.name}); peak memory {peak:,.0f} MiB"
    )


def failures(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Returns the outcomes that must not be."""
    return [outcome for outcome in outcomes if outcome.word in BAD]


def report(row: str, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> int:
    """Prints a row's line and what failed; returns the exit code."""
    print(summary(row, outcomes))
    for outcome in failed[:20]:
        print(f"  {outcome.word}: {outcome.name} ({outcome.seconds:.2f} s): {outcome.reason}")
    return 1 if failed else 0
