"""TensorFlow's notices about itself, kept away from what a user reads.

TF_CPP_MIN_LOG_LEVEL silences most of them, but not those that its libraries log while they are
being loaded ("oneDNN custom operations are on ..."): then the level is not looked at yet.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
from collections.abc import Iterator

from tellapart.tensorflow_variables import LEVEL

_NOTICE = re.compile(rb"I\d{4} |WARNING: All log messages before absl::InitializeLog\(\)")
_UNBUFFERED = 2  # _IONBF of stdio.h


@contextlib.contextmanager
def notices_hidden() -> Iterator[None]:
    """Keeps what C libraries of this process write to stderr, and passes on all but notices.

    For that, C's variable `stderr` leads elsewhere meanwhile, which glibc allows. Python's own
    `sys.stderr` and processes that are started meanwhile do not use it, and are not touched. On
    other systems, and where LEVEL asks for everything, it does nothing.
    """
    if os.environ.get(LEVEL, "0") == "0" or platform.libc_ver()[0] != "glibc":
        yield
        return
    c = ctypes.CDLL(None)
    c.fdopen.restype = ctypes.c_void_p
    c.setvbuf.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t)
    with open(os.memfd_create("stderr"), "rb") as kept:  # noqa: PTH123
        number = os.dup(kept.fileno())
        stream = c.fdopen(number, b"w")
        c.setvbuf(stream, None, _UNBUFFERED, 0)
        stderr = ctypes.c_void_p.in_dll(c, "stderr")
        before, stderr.value = stderr.value, stream
        try:
            yield
        finally:
            stderr.value = before
            with contextlib.suppress(OSError):  # there is no stderr: nothing to pass on either
                # A library may have kept the stream: from now on it leads to the real stderr.
                os.dup2(2, number)
                kept.seek(0)
                os.write(2, b"".join(line for line in kept if not _NOTICE.match(line)))
