from __future__ import annotations

import pytest

from tellapart.errors import UsageError
from tellapart.training.budget import parse_budget


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("90", 90), ("5m", 300), ("1.5h", 5400), (" 2 H ", 7200), (45, 45), (2.5, 2.5)],
)
def test_times(text: str | float, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "0.5", "-3", "1d", "5 min", "721h", "nan", "1e9", "٣"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="expected a time from 1s to 30 days"):
        parse_budget(text)
