"""Comparing two classifiers: real differences, chance, and classes in view of their number."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tellapart.evaluation.comparison import Comparison, compare


def answers(both: int, first: int, second: int, neither: int) -> Comparison:
    """All pictures of one class."""
    one = np.repeat([True, True, False, False], [both, first, second, neither])
    other = np.repeat([True, False, True, False], [both, first, second, neither])
    return compare(one, other, np.zeros(len(one), np.int64), ["cat"])


def test_a_real_difference() -> None:
    found = answers(both=244, first=2, second=14, neither=12)
    assert found.first.value == pytest.approx(246 / 272)
    assert found.second.value == pytest.approx(258 / 272)
    assert found.difference.value == pytest.approx(12 / 272)
    assert found.difference.low > 0
    assert (found.both, found.only_first, found.only_second, found.neither) == (244, 2, 14, 12)
    assert found.p_value == pytest.approx(2 * (1 + 16 + 120) / 2**16)
    assert found.real
    assert found.needed is None


def test_a_difference_that_could_be_chance() -> None:
    found = answers(both=90, first=2, second=5, neither=3)
    assert not found.real
    assert found.needed is not None
    assert 0 in found.difference
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert value["real"] is False
    assert value["needed_pictures"] == found.needed
    assert value["classes"][0]["only_second"] == 5


def test_classes_are_judged_in_view_of_their_number() -> None:
    """Cat: 0 against 8, p = 2/256 = 0.0078, times 7 classes = 0.055; alone it would be real."""
    labels = np.repeat(np.arange(7), 20)
    first, second = np.ones(140, bool), np.ones(140, bool)
    first[:8] = False
    names = ["cat", *"bcdefg", "unseen"]
    found = compare(first, second, labels, names)
    cat = found.classes[0]
    assert (cat.name, cat.count, cat.first_right, cat.second_right) == ("cat", 20, 12, 20)
    assert cat.p_value == pytest.approx(2 / 256)
    assert cat.adjusted_p_value == pytest.approx(14 / 256)
    assert not cat.real
    assert found.real
    assert [change.name for change in found.classes] == ["cat", *"bcdefg"]
    first[8] = False  # 2/512 · 7 = 0.027
    assert compare(first, second, labels, names).classes[0].real


def test_what_cannot_be_compared() -> None:
    one, two = np.ones(1, bool), np.ones(2, bool)
    with pytest.raises(ValueError, match="1 and 2 answers for 2 pictures"):
        compare(one, two, np.zeros(2, np.int64), "ab")
    with pytest.raises(ValueError, match="at least one"):
        compare(one[:0], one[:0], np.zeros(0, np.int64), "ab")
