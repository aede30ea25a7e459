"""What is refused because it is too large or takes too long, and the variables that raise it.

| environment variable       | what is limited                                | unless it is set |
| -------------------------- | ---------------------------------------------- | ---------------- |
| `TELLAPART_MAX_FILE`       | the size of a picture's file                   | 512 MiB          |
| `TELLAPART_MAX_PIXELS`     | width x height of a picture                    | 178 million      |
| `TELLAPART_DECODE_SECONDS` | how long the decoder may take over a picture   | 60               |
| `TELLAPART_RUN_SECONDS`    | how long a classifier may take over a batch    | 300              |
| `TELLAPART_RUN_MEMORY`     | what classifiers may take meanwhile, in memory | 4 GiB            |

They are read when they are needed, so that a program may set them for itself.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from tellapart.errors import UsageError

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", re.IGNORECASE)


@dataclass(frozen=True)
class Limit:
    """A number that an environment variable may replace.

    Attributes:
        variable: its name.
        default: what holds where it is not set.
        example: of a value, for the error.
    """

    variable: str
    default: int
    example: str

    @property
    def value(self) -> int:
        """The limit that holds now.

        Raises:
            UsageError: the environment variable is not a number from 1.
        """
        text = os.environ.get(self.variable)
        if not text:
            return self.default
        number = parse_amount(text)
        if number is None or number < 1:
            raise UsageError(f"{self.variable}={text}: expected a number such as {self.example}.")
        return number


MAX_FILE_BYTES = Limit("TELLAPART_MAX_FILE", 512 * 2**20, "800MB or 2GB")
MAX_PIXELS = Limit("TELLAPART_MAX_PIXELS", 178_956_970, "500M")
DECODE_SECONDS = Limit("TELLAPART_DECODE_SECONDS", 60, "300")
RUN_SECONDS = Limit("TELLAPART_RUN_SECONDS", 300, "3600")
RUN_BYTES = Limit("TELLAPART_RUN_MEMORY", 4 * 2**30, "16GB")

LIMITS = (MAX_FILE_BYTES, MAX_PIXELS, DECODE_SECONDS, RUN_SECONDS, RUN_BYTES)


def parse_amount(text: str) -> int | None:
    """Reads "60", "500M", "20GB": a thousand thousands are an M. None where it is no such thing."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        return None
    return int(float(match[1]) * 1000 ** " kmgt".index(match[2].lower() or " "))
