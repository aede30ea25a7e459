from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tellapart.data.arrays import ArraySource
from tellapart.data.dataset import PARTS, UNASSIGNED, Dataset, Part
from tellapart.data.split import Split, apportion, read_split_rows, split, write_split_csv
from tellapart.errors import DataError, TellapartError, UsageError


def dataset_of(counts: dict[str, int], parts: dict[Part, dict[str, int]] | None = None) -> Dataset:
    """So many pictures of each class, without parts or in each part."""
    blocks = [(UNASSIGNED, counts)] if counts else []
    blocks += [(PARTS.index(part), own) for part, own in (parts or {}).items()]
    names = tuple(sorted({name for _, own in blocks for name in own}))
    labels = [names.index(name) for _, own in blocks for name in own for _ in range(own[name])]
    parts_of = [part for part, own in blocks for number in own.values() for _ in range(number)]
    return Dataset(
        name="x",
        location="x",
        class_names=names,
        paths=[f"{position}.png" for position in range(len(labels))],
        labels=np.array(labels, dtype=np.int64),
        parts=np.array(parts_of, dtype=np.int8),
        source=ArraySource([np.zeros((len(labels), 1, 1), np.uint8)], "key"),
        sizes=((1, 1, 1),),
    )


SHARES = st.floats(0.01, 0.6)


def by_class(
    dataset: Dataset, indices: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> list[int]:
    counts = np.bincount(dataset.labels[indices], minlength=len(dataset.class_names))
    return [int(number) for number in counts]


def test_without_parts() -> None:
    dataset = dataset_of({"a": 100, "b": 50})
    parts = split(dataset)
    # Test: 20% of 100 and 50. Validation: 20% of what is left, 80 and 40.
    assert by_class(dataset, parts.test) == [20, 10]
    assert by_class(dataset, parts.validation) == [16, 8]
    assert by_class(dataset, parts.train) == [64, 32]
    assert parts.counts() == {"train": 96, "validation": 24, "calibration": 0, "test": 30}
    assert parts.notes == ()
    assert parts.train.dtype == parts.calibration.dtype == np.int64


def test_ten_percent_of_mnist_are_6000() -> None:
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    digits = {str(digit): number for digit, number in enumerate(counts)}
    dataset = dataset_of({}, {"train": digits, "test": dict.fromkeys(digits, 10)})
    parts = split(dataset, validation_split=0.1)
    assert parts.counts() == {"train": 54_000, "validation": 6000, "calibration": 0, "test": 100}


def test_largest_remainders_are_rounded_up() -> None:
    # Quotas 1.5, 2.7, 3.3 add up to 7.5, which rounds to 8: one up for .7 and one for .5.
    assert apportion(np.array([5, 9, 11]), 0.3).tolist() == [2, 3, 3]
    # 0.1 · 30 is a little more than 3 in floating point, and still gives 3.
    assert apportion(np.array([30, 30]), 0.1).tolist() == [3, 3]
    # A share of less than one picture is one picture.
    assert apportion(np.array([1000, 3, 3]), 0.2).tolist() == [200, 1, 1]


def test_own_test_part_is_the_test_part() -> None:
    dataset = dataset_of({}, {"train": {"a": 20, "b": 20}, "test": {"a": 3, "b": 5}})
    parts = split(dataset, test_split=0.5, validation_split=0.25)
    assert parts.test.tolist() == list(range(40, 48))
    assert by_class(dataset, parts.validation) == [5, 5]
    assert by_class(dataset, parts.train) == [15, 15]


def test_own_validation_and_test_parts() -> None:
    own: dict[Part, dict[str, int]] = {
        "train": {"a": 4, "b": 4},
        "validation": {"a": 1, "b": 1},
        "test": {"a": 2, "b": 2},
    }
    parts = split(dataset_of({}, own))
    assert [part.tolist() for part in (parts.train, parts.validation, parts.test)] == [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [8, 9],
        [10, 11, 12, 13],
    ]


def test_validation_alone_becomes_the_test_part() -> None:
    dataset = dataset_of({}, {"train": {"a": 10, "b": 10}, "validation": {"a": 4, "b": 4}})
    parts = split(dataset)
    assert parts.test.tolist() == list(range(20, 28))
    assert by_class(dataset, parts.validation) == [2, 2]
    (note,) = parts.notes
    assert "its 8 pictures are kept for the final test" in note
    assert "--keep-validation" in note


def test_validation_can_be_kept() -> None:
    dataset = dataset_of({}, {"train": {"a": 10, "b": 10}, "validation": {"a": 4, "b": 4}})
    parts = split(dataset, validation_is_test=False)
    assert parts.validation.tolist() == list(range(20, 28))
    assert by_class(dataset, parts.test) == [2, 2]
    assert by_class(dataset, parts.train) == [8, 8]
    assert parts.notes == ()


def test_own_calibration_part_is_kept() -> None:
    own: dict[Part, dict[str, int]] = {"calibration": {"a": 2, "b": 2}}
    parts = split(dataset_of({"a": 10, "b": 10}, own))
    assert parts.calibration.tolist() == [20, 21, 22, 23]


def test_excluded_pictures_are_in_no_part() -> None:
    dataset = dataset_of({"a": 10, "b": 10})
    parts = split(dataset, exclude={0: "damaged", 13: "damaged"})
    everything = np.concatenate([parts.part(part) for part in PARTS])
    assert sorted(everything.tolist()) == [i for i in range(20) if i not in (0, 13)]


def test_seed_decides() -> None:
    dataset = dataset_of({"a": 100, "b": 100})
    assert split(dataset, seed=1).test.tolist() == split(dataset, seed=1).test.tolist()
    assert split(dataset, seed=1).test.tolist() != split(dataset, seed=2).test.tolist()
    # What is tested on does not depend on how much is validated on.
    shares = [split(dataset, validation_split=share).test.tolist() for share in (0, 0.1, 0.5)]
    assert shares[0] == shares[1] == shares[2]


def test_the_same_on_every_platform() -> None:
    parts = split(dataset_of({"a": 6, "b": 6}), seed=7)
    assert parts.test.tolist() == [4, 6]
    assert parts.validation.tolist() == [0, 11]


def test_no_validation() -> None:
    parts = split(dataset_of({"a": 10, "b": 10}), validation_split=0)
    assert parts.counts() == {"train": 16, "validation": 0, "calibration": 0, "test": 4}


def test_no_test_part() -> None:
    with pytest.raises(UsageError, match="without one there is no honest accuracy"):
        split(dataset_of({"a": 10, "b": 10}), test_split=0)
    own: dict[Part, dict[str, int]] = {"train": {"a": 9, "b": 9}, "test": {"a": 1, "b": 1}}
    assert len(split(dataset_of({}, own), test_split=0).test) == 2


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, float("nan")])
@pytest.mark.parametrize("option", ["test_split", "validation_split"])
def test_shares_out_of_range(option: str, share: float) -> None:
    with pytest.raises(UsageError, match=f"{option} {share}: expected a share from 0 to below 1"):
        split(dataset_of({"a": 10, "b": 10}), **{option: share})  # type: ignore[arg-type]


def test_negative_seed() -> None:
    with pytest.raises(UsageError, match="seed -1: expected a whole number from 0"):
        split(dataset_of({"a": 10, "b": 10}), seed=-1)


def test_a_class_with_one_picture() -> None:
    with pytest.raises(DataError) as caught:
        split(dataset_of({"cat": 1, "dog": 10}))
    assert str(caught.value) == (
        "Class 'cat' has 1 picture; a split needs at least 3 (one each to train, validate and "
        "test). Add pictures, leave the class out, or add a test/ folder of your own."
    )


def test_all_small_classes_are_named() -> None:
    counts = {f"c{number:02}": 2 for number in range(12)} | {"big": 10}
    with pytest.raises(DataError, match="12 classes too small; a split needs at least 3") as caught:
        split(dataset_of(counts))
    assert "Class 'c09' has 2 pictures\n  and 2 more" in str(caught.value)


def test_a_class_that_cannot_be_decoded() -> None:
    with pytest.raises(DataError, match="Class 'a' has 0 pictures"):
        split(dataset_of({"a": 3, "b": 10}), exclude=[0, 1, 2])


def test_own_parts_that_cannot_be_decoded() -> None:
    dataset = dataset_of({}, {"train": {"a": 9, "b": 9}, "test": {"a": 1, "b": 1}})
    with pytest.raises(DataError, match="none of the pictures in its test part can be decoded"):
        split(dataset, exclude=[18, 19])


def test_fewer_parts_need_fewer_pictures() -> None:
    own: dict[Part, dict[str, int]] = {"train": {"a": 1, "b": 1}, "test": {"a": 1, "b": 1}}
    with pytest.raises(DataError, match=r"at least 2 \(one each to train and validate\)"):
        split(dataset_of({}, own))
    assert split(dataset_of({}, own), validation_split=0).train.tolist() == [0, 1]


def test_three_pictures_are_enough() -> None:
    for share in (0.01, 0.2, 0.9):
        parts = split(dataset_of({"a": 3, "b": 3}), test_split=share, validation_split=share)
        assert parts.counts() == {"train": 2, "validation": 2, "calibration": 0, "test": 2}


def test_class_without_test_pictures_is_noted() -> None:
    own: dict[Part, dict[str, int]] = {"train": {"a": 9, "b": 9}, "test": {"a": 1}}
    assert split(dataset_of({}, own)).notes == (
        "No test pictures of 'b': nothing is measured there.",
    )


def test_copies_stay_together() -> None:
    dataset = dataset_of({"a": 10, "b": 10})
    # Of "a": one picture five times, the others once. Of "b": five pictures, twice each.
    groups = np.array([0, 0, 0, 0, 0, 5, 6, 7, 8, 9, *np.repeat(np.arange(10, 15), 2)])
    for seed in range(20):
        parts = split(dataset, groups=groups, seed=seed)
        # Test: 2 of 10. "a" has no room there for the five copies, "b" has for one pair.
        assert by_class(dataset, parts.test) == [2, 2]
        # Validation: 20% of the other 8 is 1.6 in each class, 3 of 16 in all: 2 and 1. A pair
        # does not fit into one place, but it is the smallest group that there is.
        assert by_class(dataset, parts.validation) == [2, 2]
        assert sorted(np.concatenate([parts.train, parts.validation, parts.test])) == [*range(20)]
        of_part = {part: set(groups[parts.part(part)].tolist()) for part in PARTS}
        assert not of_part["test"] & of_part["train"]
        assert not of_part["test"] & of_part["validation"]
        assert not of_part["train"] & of_part["validation"]


def test_without_copies_groups_change_nothing() -> None:
    dataset = dataset_of({"a": 31, "b": 17})
    with_groups = split(dataset, groups=np.arange(48)[::-1].copy(), seed=7)
    without = split(dataset, seed=7)
    for part in PARTS:
        assert with_groups.part(part).tolist() == without.part(part).tolist()


def test_a_class_of_copies_is_too_small() -> None:
    dataset = dataset_of({"a": 9, "b": 9})
    groups = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, *range(9, 18)])
    with pytest.raises(
        DataError,
        match=r"Class 'a' has 9 pictures, 2 of them no copy of another "
        r"\(0\.png = 1\.png = 2\.png = \.\.\.\); a split needs at least 3 .*\. Remove "
        r"copies, correct labels \(--labels\), add pictures, leave the class out, or add a test/ "
        r"folder of your own\.$",
    ):
        split(dataset, groups=groups)


def test_a_class_of_copies_stops_no_run_of_many_classes() -> None:
    # "d" is one picture three times, "e" is two pictures.
    dataset = dataset_of({"a": 9, "b": 9, "c": 9, "d": 3, "e": 3})
    groups = np.array([*range(27), 27, 27, 27, 30, 30, 32])
    for seed in range(10):
        parts = split(dataset, groups=groups, seed=seed)
        assert by_class(dataset, parts.train)[3:] in ([3, 1], [3, 2])
        assert by_class(dataset, parts.validation)[3:] == [0, 0]
        assert by_class(dataset, parts.test)[3:] in ([0, 1], [0, 2])
        assert sum(parts.counts().values()) == 33
        assert parts.notes == (
            "Copies leave 'd', 'e' too few different pictures for every part: training comes "
            "first, then the test.",
            "No test pictures of 'd': nothing is measured there.",
        )


def test_copies_under_two_labels_stay_in_training_where_they_are_in_the_way() -> None:
    # Two of the three pictures of "d" are there as "a" and as "b" too.
    dataset = dataset_of({"a": 9, "b": 9, "c": 9, "d": 3})
    groups = np.array([*range(27), 0, 9, 29])
    for seed in range(10):
        parts = split(dataset, groups=groups, seed=seed)
        assert {0, 9, 27, 28} <= set(parts.train.tolist())
        # The third picture is left: the test comes before validation.
        assert [by_class(dataset, parts.part(part))[3] for part in PARTS] == [2, 0, 0, 1]
        assert parts.notes == (
            "4 pictures of which there are copies under another label stay in the training part, "
            "or classes would be too small to divide. Remove them, or correct their labels "
            "(--labels).",
            "Copies leave 'd' too few different pictures for every part: training comes first, "
            "then the test.",
        )


def test_copies_under_two_labels_that_leave_enough_change_nothing() -> None:
    # Of "d" three other pictures are left: a split needs no more.
    dataset = dataset_of({"a": 9, "b": 9, "d": 4})
    groups = np.array([0, *range(1, 18), 0, 19, 20, 21])
    drawn = set()
    for seed in range(40):
        parts = split(dataset, groups=groups, seed=seed)
        assert parts.notes == ()
        drawn |= {0, 18} & set(parts.test.tolist())
    assert drawn == {0, 18}  # together, and like any other group


def test_two_classes_of_which_one_is_the_other() -> None:
    dataset = dataset_of({"cat": 4, "dog": 3})
    with pytest.raises(DataError) as caught:
        split(dataset, groups=np.array([0, 1, 2, 3, 0, 1, 2]))
    assert str(caught.value) == (
        "x: 2 classes too small; a split needs at least 3 (one each to train, validate and test).\n"
        "  Class 'cat' has 4 pictures, 1 of them no copy of another (0.png = 4.png, 1.png = 5.png, "
        "2.png = 6.png)\n"
        "  Class 'dog' has 3 pictures, 0 of them no copy of another (0.png = 4.png, 1.png = 5.png, "
        "2.png = 6.png)\n"
        "Remove copies, correct labels (--labels), add pictures, leave the class out, or add a "
        "test/ folder of your own."
    )


def test_five_hundred_classes_of_three_with_copies_in_some() -> None:
    classes = 500
    dataset = dataset_of({f"c{number:03}": 3 for number in range(classes)})
    groups = np.arange(3 * classes)
    for number in range(17):  # two pictures of each are in the next two classes, too
        groups[9 * number + 3], groups[9 * number + 6] = groups[9 * number], groups[9 * number + 1]
    parts = split(dataset, groups=groups)
    assert min(by_class(dataset, parts.train)) >= 1
    assert min(by_class(dataset, parts.test)) >= 1
    # The 17 classes with a single picture of their own have none to validate on.
    assert by_class(dataset, parts.validation).count(0) == 17
    assert "68 pictures of which there are copies under another label stay" in parts.notes[0]
    assert "'c000', 'c003', " in parts.notes[1]
    assert " and 7 more too few different pictures" in parts.notes[1]


def test_own_parts_are_kept_whatever_they_share() -> None:
    dataset = dataset_of({}, {"train": {"a": 4, "b": 4}, "test": {"a": 1, "b": 1}})
    parts = split(dataset, groups=np.array([0, 1, 2, 3, 4, 5, 6, 7, 0, 4]))
    assert parts.test.tolist() == [8, 9]


@given(
    st.lists(st.integers(0, 2), max_size=80),
    st.integers(1, 4),
    SHARES,
    SHARES,
    st.integers(0, 1000),
)
def test_no_group_is_on_two_sides(
    more: list[int], mean_size: int, test: float, validation: float, seed: int
) -> None:
    # Three pictures of each class that are no copies are enough for every part.
    labels = [0, 1, 2] * 3 + more
    dataset = replace(dataset_of({"a": len(labels), "b": 0, "c": 0}), labels=np.array(labels))
    drawn = np.random.default_rng(seed).integers(0, max(1, len(more) // mean_size), len(more))
    groups = np.concatenate([np.arange(9), 9 + drawn])
    parts = split(dataset, test_split=test, validation_split=validation, seed=seed, groups=groups)
    of_part = [set(groups[parts.part(part)].tolist()) for part in PARTS]
    assert sum(map(len, of_part)) == len(set(groups.tolist()))
    assert sum(len(parts.part(part)) for part in PARTS) == len(labels)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20)), min_size=5, max_size=60),
    st.integers(0, 99),
)
def test_every_class_is_trained_on_whatever_is_a_copy_of_what(
    pictures: list[tuple[int, int]], seed: int
) -> None:
    # Of each class three pictures at least; any of them may be copies of any other.
    labels = np.array([label for label, _ in pictures] + [*range(5)] * 3)
    groups = np.array([group for _, group in pictures] + [pictures[k % 5][1] for k in range(15)])
    counts = dict.fromkeys("abcde", 0) | {"a": len(labels)}
    dataset = replace(dataset_of(counts), labels=labels)
    try:
        parts = split(dataset, groups=groups, seed=seed)
    except DataError:
        return  # fewer than two classes can be divided
    assert min(by_class(dataset, parts.train)) >= 1
    assert np.count_nonzero(by_class(dataset, parts.test)) >= 2
    assert np.count_nonzero(by_class(dataset, parts.validation)) >= 1
    assert sum(parts.counts().values()) == len(labels)
    of_part = [set(groups[parts.part(part)].tolist()) for part in PARTS]
    assert sum(map(len, of_part)) == len(set(groups.tolist()))


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    names = ["a", "b", "c", "d"][: draw(st.integers(2, 4))]
    many = st.fixed_dictionaries(dict.fromkeys(names, st.integers(1, 40)))
    some = st.fixed_dictionaries(dict.fromkeys(names, st.integers(0, 9)))
    own: dict[Part, dict[str, int]] = {"train": draw(many)} if draw(st.booleans()) else {}
    for part in ("validation", "test"):
        if draw(st.booleans()):
            own[part] = draw(some)
    return dataset_of({} if "train" in own else draw(many), own)


@given(datasets(), SHARES, SHARES, st.integers(0, 2**63), st.sampled_from([None, True, False]))
def test_parts_are_disjoint_complete_and_repeatable(
    dataset: Dataset, test: float, validation: float, seed: int, validation_is_test: bool | None
) -> None:
    def run() -> Split:
        return split(
            dataset,
            test_split=test,
            validation_split=validation,
            seed=seed,
            validation_is_test=validation_is_test,
        )

    try:
        first = run()
    except TellapartError:
        assume(False)
    second = run()
    everything = np.concatenate([first.part(part) for part in PARTS])
    assert sorted(everything.tolist()) == list(range(len(dataset)))
    for part in PARTS:
        assert first.part(part).tolist() == sorted(second.part(part).tolist())
    assert min(by_class(dataset, first.train)) >= 1


@given(st.lists(st.integers(3, 500), min_size=2, max_size=12), st.floats(0.01, 0.33))
def test_stratified_within_one(counts: list[int], share: float) -> None:
    names = [f"{position:02}" for position in range(len(counts))]
    dataset = dataset_of(dict(zip(names, counts, strict=True)))
    parts = split(dataset, test_split=share, validation_split=share)
    total = sum(counts)
    for number, drawn in zip(counts, by_class(dataset, parts.test), strict=True):
        assert abs(drawn - share * number) < 1 + 1e-6
    if all(share * number >= 1 for number in counts):
        assert abs(len(parts.test) - share * total) <= 0.5 + 1e-6


def test_split_csv(tmp_path: Path) -> None:
    dataset = dataset_of({"a": 3, "=b, c": 3})
    paths = ["=cmd.png", "-2.png", "@x.png", 'quo"te.png', "com,ma.png", "new\nline.png"]
    object.__setattr__(dataset, "paths", paths)
    parts = split(dataset, exclude=[])
    write_split_csv(tmp_path / "split.csv", dataset, parts)
    with (tmp_path / "split.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["path", "label", "part"]
    quoted = ["'=cmd.png", "'-2.png", "'@x.png", *paths[3:]]  # so that none is a formula
    assert [row[0] for row in rows[1:]] == quoted
    assert {row[1] for row in rows[1:]} == {"a", "'=b, c"}
    read = read_split_rows(tmp_path / "split.csv")
    assert [row.path for row in read] == paths
    assert {row.label for row in read} == {"a", "=b, c"}
    part_of = {row.path: row.part for row in read}
    for part in PARTS:
        assert [part_of[paths[index]] for index in parts.part(part)] == [part] * len(
            parts.part(part)
        )


def test_split_csv_leaves_out_excluded(tmp_path: Path) -> None:
    dataset = dataset_of({"a": 4, "b": 4})
    write_split_csv(tmp_path / "split.csv", dataset, split(dataset, exclude=[2]))
    assert "2.png" not in (tmp_path / "split.csv").read_text()
