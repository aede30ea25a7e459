"""A time budget as people write it: `60s`, `5m`, `2h`, `1.5h`, `90`."""

from __future__ import annotations

import re

from tellapart.errors import UsageError

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
MOST_SECONDS = 30 * 24 * 3600


def parse_budget(text: str | float) -> float:
    """Returns a budget in seconds; a number without a unit is seconds.

    Raises:
        UsageError: it is not a time from 1 second to 30 days.
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([smh]?)", str(text).strip().lower())
    seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
    if not 1 <= seconds <= MOST_SECONDS:
        raise UsageError(
            f"Budget {text!r}: expected a time from 1s to 30 days (720h), such as 60s, 5m or 2h."
        )
    return seconds
