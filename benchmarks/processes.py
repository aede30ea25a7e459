"""Runs a command, and says how long it took and how much memory it held with all its children."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLED_EVERY_SECONDS = 0.1

_AS_CALLED = dict(os.environ)
"""Before tellapart, in this process, tells TensorFlow something that an opponent would not."""


@dataclass(frozen=True)
class Finished:
    """A command that succeeded.

    Attributes:
        seconds: from its start to its end.
        peak_bytes: the most memory that it and its children held at one time: the sum of their
            proportional set sizes, sampled ten times a second (Linux; 0 elsewhere).
        output: what it wrote to stdout.
    """

    seconds: float
    peak_bytes: int
    output: str


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
    """Runs a command to its end, in the environment that this process was called in.

    Args:
        command: and its arguments.
        environment: what to add to it.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    began = time.monotonic()
    with subprocess.Popen(
        command, env={**_AS_CALLED, **(environment or {})}, stdout=subprocess.PIPE, text=True
    ) as process:
        peak = _Peak(process.pid)
        output, _ = process.communicate()
        seconds = time.monotonic() - began
        peak.stop()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Finished(seconds, peak.bytes, output)


class _Peak:
    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLED_EVERY_SECONDS):
            self.bytes = max(self.bytes, sum(map(_held, _family(self._pid))))


def _family(pid: int) -> set[int]:
    """The process and all below it."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "pid (name) state parent ...", and the name may hold anything.
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):  # it has just ended
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _held(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
