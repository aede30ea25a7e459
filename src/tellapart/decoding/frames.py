"""How the two processes talk: a JSON object, and bytes behind it.

4 bytes: length of the JSON    8 bytes: length of the rest    JSON    rest
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import IO, Any

_LENGTHS = struct.Struct(">IQ")


def write_frame(
    stream: IO[bytes], head: dict[str, Any], parts: Sequence[bytes | memoryview]
) -> None:
    """Writes a JSON object and bytes, and flushes."""
    text = json.dumps(head).encode()
    stream.write(_LENGTHS.pack(len(text), sum(memoryview(part).nbytes for part in parts)) + text)
    for part in parts:
        stream.write(part)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Reads what `write_frame` wrote.

    Raises:
        EOFError: the other side is gone.
    """
    head_bytes, rest_bytes = _LENGTHS.unpack(_read(stream, _LENGTHS.size))
    head = json.loads(_read(stream, head_bytes))
    return head, _read(stream, rest_bytes)


def _read(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise EOFError
    return content
