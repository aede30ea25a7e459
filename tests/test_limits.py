"""The limits that environment variables raise."""

from __future__ import annotations

import pytest

from tellapart import limits
from tellapart.errors import UsageError
from tellapart.limits import LIMITS, MAX_PIXELS, parse_amount


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("60", 60),
        ("500M", 500_000_000),
        ("1.5 GB", 1_500_000_000),
        ("20gb", 20_000_000_000),
        (" 7kB ", 7_000),
        ("2T", 2 * 10**12),
        ("many", None),
        ("-1", None),
        ("", None),
        ("1e9", None),
    ],
)
def test_amounts(text: str, number: int | None) -> None:
    assert parse_amount(text) == number


def test_a_variable_raises_its_limit_and_none_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in LIMITS:
        monkeypatch.delenv(limit.variable, raising=False)
        assert limit.value == limit.default
        monkeypatch.setenv(limit.variable, "3k")
        assert limit.value == 3000
        monkeypatch.setenv(limit.variable, "")
        assert limit.value == limit.default


@pytest.mark.parametrize("text", ["much", "0", "-5", "1 M M"])
def test_what_is_no_limit(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_MAX_PIXELS", text)
    with pytest.raises(UsageError) as error:
        _ = MAX_PIXELS.value
    assert str(error.value) == f"TELLAPART_MAX_PIXELS={text}: expected a number such as 500M."


def test_every_limit_is_in_the_table_of_its_module() -> None:
    assert limits.__doc__ is not None
    assert all(f"| `{limit.variable}`" in limits.__doc__ for limit in LIMITS)
