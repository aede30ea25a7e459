"""What TensorFlow says while it starts: notices are kept back, everything else is passed on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

NEEDS_GLIBC = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="C's stderr can be replaced with glibc alone"
)

TALKING = """
import ctypes, subprocess, sys
from tellapart.models.quiet_start import notices_hidden

c = ctypes.CDLL(None)
c.fputs.argtypes = (ctypes.c_char_p, ctypes.c_void_p)

def say(text):
    stream = ctypes.c_void_p.in_dll(c, "stderr").value
    c.fputs(text.encode(), stream)
    return stream

try:
    with notices_hidden():
        kept = say("WARNING: All log messages before absl::InitializeLog() is called\\n")
        say("I0000 00:00:1795617690.120273 1 port.cc:153] oneDNN custom operations are on.\\n")
        say("E0000 00:00:1795617690.120273 1 port.cc:153] something is wrong\\n")
        print("from Python", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('a child\\\\n')"])
        if sys.argv[1:]:
            raise ImportError
except ImportError:
    pass
say("afterwards\\n")
c.fputs(b"I0000 by who kept the stream\\n", kept)
"""


def talk(*arguments: str, level: str | None) -> list[str]:
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    if level is not None:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    done = subprocess.run(
        [sys.executable, "-c", TALKING, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stderr.splitlines()


@NEEDS_GLIBC
@pytest.mark.parametrize("arguments", [(), ("raise",)])
def test_only_notices_are_kept_back(arguments: tuple[str, ...]) -> None:
    assert talk(*arguments, level="2") == [
        "from Python",
        "a child",
        "E0000 00:00:1795617690.120273 1 port.cc:153] something is wrong",
        "afterwards",
        "I0000 by who kept the stream",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="C's stderr has another name elsewhere")
@pytest.mark.parametrize("level", [None, "0"])
def test_who_asks_for_everything_gets_it(level: str | None) -> None:
    said = talk(level=level)
    assert said[1].endswith("oneDNN custom operations are on.")
    assert len(said) == 7


def test_keras_starts_without_a_word() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-m", "tellapart", "summary", "classic-28"],
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"KERAS_BACKEND": "tensorflow"},
    )
    assert done.stderr == ""
