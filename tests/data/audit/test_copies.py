"""Copies of every kind are found, and nothing else is called one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tellapart.data.audit import copies as module
from tellapart.data.audit import search
from tellapart.data.audit.copies import KINDS, Copies, find_copies
from tellapart.data.audit.description import describe
from tellapart.data.audit.search import find_candidates
from tellapart.data.audit.verify import _line_up
from tests.data.audit.pictures import COPIES, altered, jpeg, photo, signatures

ORIGINALS = 150


@pytest.fixture(scope="module")
def originals() -> npt.NDArray[Any]:
    return signatures(*(jpeg(photo(seed)) for seed in range(ORIGINALS)))


def digests(rows: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """As if all files differed."""
    numbers = np.arange(1, 2 * len(rows) + 1, dtype=np.uint64)
    return numbers.view(np.uint8).reshape(-1, 16)


def found(rows: npt.NDArray[Any], **changes: Any) -> Copies:
    return find_copies(rows, changes.get("digests", digests(rows)), np.ones(len(rows), bool))


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_and_named(originals: npt.NDArray[Any], how: str) -> None:
    sources = (3, 50, 149)
    rows = np.concatenate([originals, signatures(*(altered(photo(k), how) for k in sources))])
    copies = found(rows)
    pairs = list(zip(copies.first.tolist(), copies.second.tolist(), strict=True))
    assert sorted(pairs) == [(3, 150), (50, 151), (149, 152)]
    kind = "mirrored copy" if how == "mirrored" else "near copy"
    assert {KINDS[k] for k in copies.kinds} == {kind}
    assert copies.groups[[150, 151, 152]].tolist() == [3, 50, 149]
    assert (copies.similarities > 0.92).all()


def test_different_pictures_are_no_copies(originals: npt.NDArray[Any]) -> None:
    copies = found(originals)
    assert len(copies.first) == 0
    assert copies.groups.tolist() == list(range(ORIGINALS))


def test_equal_files_and_equal_pixels(originals: npt.NDArray[Any]) -> None:
    rows = np.concatenate([originals[:20], originals[[4, 4, 9]]])
    files = digests(rows)
    files[20] = files[4]  # 21 has other bytes and the same pixels, as has 22 with 9
    copies = found(rows, digests=files)
    named = {
        (one, other): KINDS[kind]
        for one, other, kind in zip(
            copies.first.tolist(), copies.second.tolist(), copies.kinds.tolist(), strict=True
        )
    }
    assert named == {
        (4, 20): "identical file",
        (4, 21): "same pixels",
        (9, 22): "same pixels",
    }
    assert copies.groups[20:].tolist() == [4, 4, 9]
    assert (copies.similarities == 1).all()


def test_pictures_that_cannot_be_read_are_no_copies_of_each_other() -> None:
    rows = np.zeros(4, signatures().dtype)
    copies = find_copies(rows, np.zeros((4, 16), np.uint8), np.zeros(4, bool))
    assert copies.groups.tolist() == [0, 1, 2, 3]
    assert len(copies.first) == 0


def test_blank_pictures_of_different_colours_are_no_copies() -> None:
    rows = signatures(*(jpeg(photo(0).point(lambda _, k=k: k)) for k in (10, 90, 200)))
    assert found(rows).groups.tolist() == [0, 1, 2]


def test_the_same_shapes_in_another_colour_are_no_copy(originals: npt.NDArray[Any]) -> None:
    rows = np.concatenate([originals, originals[:1]])
    rows["pixels"][-1] = 1
    assert len(found(rows).first) == 1  # as it is
    rows["chroma"][-1] = 255 - rows["chroma"][-1]
    rows["chroma"][[0, -1], 0] = [[[60]], [[190]]]
    assert len(found(rows).first) == 0


def test_copies_in_large_numbers_are_one_group(originals: npt.NDArray[Any]) -> None:
    # Far more than a hundredth of all pictures: the crowd around them is themselves.
    again = [jpeg(photo(7), quality) for quality in range(50, 90)]
    rows = np.concatenate([originals, signatures(*again)])
    copies = found(rows)
    assert (copies.groups[ORIGINALS:] == 7).all()


def test_a_chain_of_likenesses_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    # 0 ~ 1 ~ ... ~ 40 turns into another picture step by step; each pair is alike, the ends not.
    first, last = (np.asarray(photo(seed).convert("L").resize((32, 32)), float) for seed in (1, 2))
    steps = np.linspace(0, 1, 41)[:, None, None]
    grey = ((1 - steps) * first + steps * last).astype(np.uint8)
    one = np.arange(40)
    none = np.zeros(40, np.int8)
    roots = module._join(grey, one, one + 1, none + 2, np.ones(40, np.float32))
    assert roots[0] == 0
    assert roots[40] > 5
    described = describe(grey)
    for root in np.unique(roots):
        members = np.flatnonzero(roots == root)
        assert (1 - described[members] @ described[root]).max() < 0.3


def test_a_crop_is_lined_up_to_where_it_was_cut() -> None:
    picture = photo(5, (640, 640)).convert("L")
    # From 2% to 96% across, from 4% to 99% down.
    crop = picture.crop((13, 26, 614, 634))
    grey = np.stack([np.asarray(im.resize((32, 32))) for im in (picture, crop)])
    start = np.array([[0.025, 0.95, 0.025, 0.95]], np.float32)
    box = _line_up(grey[:1].astype(np.float32), describe(grey[1:]), start)[0]
    assert box == pytest.approx((13 / 640, 601 / 640, 26 / 640, 608 / 640), abs=0.006)


def test_a_set_of_copies_alone(originals: npt.NDArray[Any]) -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(originals[:1], 500)
    noise = rng.integers(-2, 3, rows["grey"].shape)
    rows["grey"] = np.clip(rows["grey"].astype(int) + noise, 0, 255)
    rows["pixels"] = rng.integers(0, 256, rows["pixels"].shape)
    assert (found(rows).groups == 0).all()


def test_pairs_that_are_given_up_early_are_no_copies(
    originals: npt.NDArray[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    altered_ones = signatures(*(altered(photo(k), "cropped") for k in range(40)))
    grey = np.concatenate([originals, altered_ones])["grey"]

    def pairs() -> list[tuple[int, int, int]]:
        # Closeness such that a part of what the search comes upon is let through.
        found = find_candidates(grey, np.ones(len(grey), np.int64), closeness=(0.5, 0.5), always=0)
        return list(
            zip(found.first.tolist(), found.second.tolist(), found.views.tolist(), strict=True)
        )

    early = pairs()
    monkeypatch.setattr(search, "ROUNDING", np.inf)  # all of them are compared in full
    assert early == pairs()
    assert len(early) > 40


def test_the_search_looks_at_a_bounded_number_of_pairs() -> None:
    # 2,000 pictures that are all but equal: two million pairs, of which few are looked at.
    rng = np.random.default_rng(0)
    base = np.asarray(photo(0).convert("L").resize((32, 32))).astype(int)
    grey = np.clip(base + rng.integers(-2, 3, (2000, 32, 32)), 0, 255).astype(np.uint8)
    areas = np.ones(2000, np.int64)
    candidates = find_candidates(grey, areas, closeness=(1, 1), always=1)
    # tables (10) * (13 neighbours + 6 views * 5 neighbours) of each
    assert 2000 <= len(candidates.first) <= 2000 * 430
