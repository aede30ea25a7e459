"""Who trains, who validates, who tests: disjoint parts, stratified by class, decided by a seed."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tellapart.data.dataset import PARTS, UNASSIGNED, Dataset, Part
from tellapart.data.wording import SHOWN, bullets, count, listed
from tellapart.errors import DataError, UsageError
from tellapart.files import write_text
from tellapart.spreadsheet import quoted_row, unquoted_row

Indices = npt.NDArray[np.int64]
"""Sorted positions of pictures in a data set."""

_TEST_STREAM, _VALIDATION_STREAM = 0, 1

_SHOWN_COPIES = 3
"""An error names so many of a class's pictures that have copies, and so many copies of each."""


@dataclass(frozen=True, eq=False)
class Split:
    """The parts of a data set, as sorted (k,) int64 indices of its pictures; no two overlap.

    Attributes:
        train: to fit the weights on.
        validation: to watch training and to choose by.
        calibration: to fit the temperature on.
        test: touched once, for the number that is reported.
        seed: what it was drawn with.
        notes: what the user should know.
    """

    train: Indices = field(repr=False)
    validation: Indices = field(repr=False)
    calibration: Indices = field(repr=False)
    test: Indices = field(repr=False)
    seed: int
    notes: tuple[str, ...] = ()

    def part(self, part: Part) -> Indices:
        """Returns the indices of a part by its name."""
        indices: Indices = getattr(self, part)
        return indices

    def without(self, gone: Sequence[int]) -> Split:
        """Returns the parts without those pictures."""
        train, validation, calibration, test = (
            np.setdiff1d(self.part(part), gone) for part in PARTS
        )
        return Split(train, validation, calibration, test, self.seed, self.notes)

    def counts(self) -> dict[Part, int]:
        """Number of pictures of each part."""
        return {part: len(self.part(part)) for part in PARTS}


def split(
    dataset: Dataset,
    *,
    test_split: float = 0.2,
    validation_split: float = 0.2,
    seed: int = 0,
    validation_is_test: bool | None = None,
    exclude: Collection[int] = (),
    groups: Indices | None = None,
) -> Split:
    """Splits a data set into its parts.

    The source's own test part is the test part. With train/ and val/ alone, val/ is what was held
    out, so it becomes the test part and validation comes from train/. Otherwise the test part is
    split off. Validation is a share of what is left to train on, unless the source has its own.

    A part takes round(share · n) pictures, from each class within one of its fair share: the
    largest fractions are rounded up (Hamilton's method). A class whose share is less than one
    picture gives one nevertheless, so that parts of very small classes may come out larger.
    Copies of one picture stay together, on one side of every split that is drawn here; where a
    class's share cannot be filled with whole groups, it stays below. Where copies under several
    labels would leave a class too few groups, they stay in training, whole; a class that has too
    few nevertheless is trained on first, then tested on, and the notes say so. Parts that the
    source itself has are never changed.

    Args:
        dataset: the pictures.
        test_split: share of all pictures to test on, where the source has no such part.
        validation_split: share of the training pictures to validate on, as in Keras, but shuffled
            and stratified.
        seed: the same seed gives the same parts on any machine.
        validation_is_test: False keeps the source's validation part for validation and splits
            the test part off the training part.
        exclude: pictures that belong to no part, because they cannot be decoded.
        groups: (n,) int64, equal numbers for copies of one picture; None: there are none.

    Raises:
        UsageError: a share is not in 0..1, or nothing would be left to test on.
        DataError: classes are too small to be in every part, or copies leave fewer than two that
            are not; all of them are named.
    """
    _check_shares(test_split, validation_split, seed)
    own = _own_parts(dataset, exclude)
    pool, notes = own["train"], []
    test, validation = own["test"], own["validation"]
    if not len(test) and dataset.has_part("validation") and validation_is_test is not False:
        test, validation = validation, test
        notes.append(
            f"The source has a validation part but no test part: its {count(len(test), 'picture')} "
            "are kept for the final test, and validation comes from the training part "
            "(--keep-validation says otherwise)."
        )
    draw_test = not len(test)
    draw_validation = not len(validation) and validation_split > 0
    if draw_test and test_split == 0:
        raise UsageError(
            "test_split 0: the data has no test part of its own, and without one there is no "
            "honest accuracy. Choose a share above 0, or add a test/ folder."
        )
    groups = np.arange(len(dataset)) if groups is None else groups
    uses = ["train"] + ["validate"] * draw_validation + ["test"] * draw_test
    _check_classes(dataset, pool, uses)
    kept = _contradictory(dataset, pool, groups, len(uses))
    notes += _check_copies(dataset, pool, groups, kept, uses)
    needed = np.where(_count(dataset, kept) > 0, 0, 1)
    pool = np.setdiff1d(pool, kept)
    if draw_test:
        stream = (seed, _TEST_STREAM)
        pool, test = _draw(
            dataset.labels, groups, pool, test_split, needed, stream, and_another=draw_validation
        )
    if draw_validation:
        stream = (seed, _VALIDATION_STREAM)
        pool, validation = _draw(dataset.labels, groups, pool, validation_split, needed, stream)
    untested = _absent(dataset, test)
    if untested:
        notes.append(f"No test pictures of {listed(untested)}: nothing is measured there.")
    train = np.union1d(pool, kept)
    return Split(train, validation, own["calibration"], test, seed, tuple(notes))


def write_split_csv(path: Path, dataset: Dataset, split: Split) -> None:
    """Writes the columns path, label and part, a row a picture, atomically.

    A name that a spreadsheet would take for a formula is quoted: see `spreadsheet`.
    """
    part_of = np.full(len(dataset), UNASSIGNED, dtype=np.int8)
    for number, part in enumerate(PARTS):
        part_of[split.part(part)] = number
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "label", "part"))
    for name, label, number in zip(
        dataset.paths, dataset.labels.tolist(), part_of.tolist(), strict=True
    ):
        if number != UNASSIGNED:
            writer.writerow(quoted_row((name, dataset.class_names[label], PARTS[number])))
    write_text(path, text.getvalue())


@dataclass(frozen=True)
class SplitRow:
    """A picture of a split: its path in the source, its class and its part."""

    path: str
    label: str
    part: str


def read_split_csv(path: Path) -> dict[str, str]:
    """Reads the part of each picture, by its path; see `read_split_rows`."""
    return {row.path: row.part for row in read_split_rows(path)}


def read_split_rows(path: Path) -> list[SplitRow]:
    """Reads what `write_split_csv` wrote.

    Raises:
        DataError: the file cannot be read, or lacks one of the columns.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return [
                SplitRow(*unquoted_row((row["path"], row["label"], row["part"])))
                for row in csv.DictReader(stream, restval="")
            ]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a split: {error}") from error


def _check_shares(test_split: float, validation_split: float, seed: int) -> None:
    for name, share in (("test_split", test_split), ("validation_split", validation_split)):
        if not 0 <= share < 1:
            raise UsageError(f"{name} {share}: expected a share from 0 to below 1, such as 0.2.")
    if seed < 0:
        raise UsageError(f"seed {seed}: expected a whole number from 0.")


def _own_parts(dataset: Dataset, exclude: Collection[int]) -> dict[Part, Indices]:
    """The parts as the source has them; what it leaves open is there to train on."""
    usable = np.ones(len(dataset), dtype=bool)
    usable[np.fromiter(exclude, dtype=np.int64, count=len(exclude))] = False
    parts = np.where(dataset.parts == UNASSIGNED, PARTS.index("train"), dataset.parts)
    own = {part: np.flatnonzero(usable & (parts == n)) for n, part in enumerate(PARTS)}
    for part in ("validation", "test"):
        if dataset.has_part(part) and not len(own[part]):
            raise DataError(
                f"{dataset.location}: none of the pictures in its {part} part can be decoded."
            )
    return own


def _check_classes(dataset: Dataset, pool: Indices, uses: Sequence[str]) -> None:
    """Raises an error where a class has fewer pictures than there are parts for it."""
    short = [
        f"Class '{name}' has {count(number, 'picture')}"
        for name, number in zip(dataset.class_names, _count(dataset, pool).tolist(), strict=True)
        if number < len(uses)
    ]
    if short:
        raise _too_small(dataset, short, uses, ["Add pictures", "leave the class out"], len(short))


def _contradictory(dataset: Dataset, pool: Indices, groups: Indices, parts: int) -> Indices:
    """Copies under several labels, where a class has too few groups for all parts otherwise.

    In training they do the least harm: at most one of their labels is right.
    """
    labels = dataset.labels
    short = _count_groups(dataset, pool, groups) < parts
    if parts == 1 or not short.any():
        return pool[:0]
    group, label = np.unique(np.stack([groups[pool], labels[pool]]), axis=1)
    names, first, kinds = np.unique(group, return_index=True, return_counts=True)
    of_short = np.logical_or.reduceat(short[label], first)
    return pool[np.isin(groups[pool], names[(kinds > 1) & of_short])]


def _check_copies(
    dataset: Dataset, pool: Indices, groups: Indices, kept: Indices, uses: Sequence[str]
) -> list[str]:
    """Says what is done about classes that copies leave too few different pictures.

    Raises:
        DataError: fewer than two classes can be in every part.
    """
    if len(uses) == 1:
        return []
    distinct = _count_groups(dataset, np.setdiff1d(pool, kept), groups)
    short = np.flatnonzero(distinct + (_count(dataset, kept) > 0) < len(uses)).tolist()
    names = [dataset.class_names[k] for k in short]
    if len(short) > len(dataset.class_names) - 2:
        counts = _count(dataset, pool).tolist()
        described = [
            f"Class '{dataset.class_names[k]}' has {count(counts[k], 'picture')}, {distinct[k]} of "
            f"them no copy of another ({_copies_of(dataset, pool, groups, k)})"
            for k in short[:SHOWN]
        ]
        remedies = ["Remove copies", "correct labels (--labels)", "add pictures"]
        remedies.append("leave the class out")
        raise _too_small(dataset, described, uses, remedies, len(short))
    notes = []
    if len(kept):
        notes.append(
            f"{count(len(kept), 'picture')} of which there are copies under another label stay in "
            "the training part, or classes would be too small to divide. Remove them, or correct "
            "their labels (--labels)."
        )
    if names:
        notes.append(
            f"Copies leave {listed(names)} too few different pictures for every part: training "
            "comes first, then the test."
        )
    return notes


def _copies_of(dataset: Dataset, pool: Indices, groups: Indices, label: int) -> str:
    """Returns "a/1.png = b/2.png, a/3.png = a/4.png and 5 more" of a class."""
    own = np.unique(groups[pool[dataset.labels[pool] == label]])
    inside = pool[np.isin(groups[pool], own)]
    order = inside[np.argsort(groups[inside], kind="stable")]
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    copies = [
        " = ".join(dataset.paths[i] for i in some[:_SHOWN_COPIES])
        + (" = ..." if len(some) > _SHOWN_COPIES else "")
        for some in members
        if len(some) > 1
    ]
    more = len(copies) - _SHOWN_COPIES
    return ", ".join(copies[:_SHOWN_COPIES]) + (f" and {more:,} more" if more > 0 else "")


def _too_small(
    dataset: Dataset, short: Sequence[str], uses: Sequence[str], remedies: list[str], total: int
) -> DataError:
    """The error for `total` classes, of which the first are described in `short`."""
    each = f" (one each to {' and '.join(', '.join(uses).rsplit(', ', 1))})"
    needed = f"a split needs at least {len(uses)}{each if len(uses) > 1 else ''}"
    places = {"test": "a test/ folder", "validate": "a val/ folder"}.get(uses[-1])
    *others, last = [*remedies, *([f"add {places} of your own"] if places else [])]
    remedy = f"{', '.join(others)}, or {last}."
    if total == 1:
        return DataError(f"{short[0]}; {needed}. {remedy}")
    return DataError(
        f"{dataset.location}: {total:,} classes too small; {needed}."
        f"{bullets(short, total)}\n{remedy}"
    )


def _count(dataset: Dataset, indices: Indices) -> Indices:
    """Pictures of each class: (classes,)."""
    return np.bincount(dataset.labels[indices], minlength=len(dataset.class_names))


def _count_groups(dataset: Dataset, pool: Indices, groups: Indices) -> Indices:
    """Groups of each class, each counted for the class of its first picture: (classes,)."""
    _, first = np.unique(groups[pool], return_index=True)
    return _count(dataset, pool[first])


def _draw(
    labels: Indices,
    groups: Indices,
    pool: Indices,
    share: float,
    needed: Indices,
    seed: tuple[int, int],
    *,
    and_another: bool = False,
) -> tuple[Indices, Indices]:
    """Draws a stratified share of the pool, in whole groups.

    Args:
        labels: (n,) of all pictures. A group counts for the class of its first picture.
        groups: (n,) of all pictures.
        pool: sorted indices to draw from.
        share: how much to draw.
        needed: (classes,), so many groups of each class are not drawn.
        seed: the second number keeps draws for different parts independent.
        and_another: leave one more group for another draw, where there is more than one.

    Returns:
        What is left, and what was drawn, both sorted.
    """
    _, first, member, sizes = np.unique(
        groups[pool], return_index=True, return_inverse=True, return_counts=True
    )
    # In the order of their first pictures, so that without copies a group is a picture's place.
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    member, sizes, label = place[member], sizes[order], labels[pool[first[order]]]
    counts = np.bincount(label, weights=sizes).astype(np.int64)
    seats = apportion(counts, share)
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(len(sizes))
    by_class = shuffled[np.argsort(label[shuffled], kind="stable")]
    drawn = np.zeros(len(sizes), dtype=bool)
    for number, own in enumerate(np.split(by_class, np.cumsum(np.bincount(label))[:-1])):
        most = max(0, len(own) - int(needed[number]))
        most -= and_another and most > 1
        drawn[own[_fill(sizes[own], seats[number], most)]] = True
    return pool[~drawn[member]], pool[drawn[member]]


def _fill(sizes: Indices, seats: int, most: int) -> list[int]:
    """Takes groups in order while they fit into the seats; at least one, and at most `most`."""
    taken: list[int] = []
    left = seats
    for position, size in enumerate(sizes.tolist()):
        if left == 0 or len(taken) == most:
            break
        if size <= left:
            taken.append(position)
            left -= size
    if not taken and most > 0:
        taken = [int(sizes.argmin())]  # every group is larger than the share
    return taken


def apportion(counts: Indices, share: float) -> Indices:
    """Returns how many pictures each class gives to a part of that share: at least one.

    Args:
        counts: (classes,) pictures of each class.
        share: above 0, below 1.
    """
    quotas = share * counts
    # 0.1 · 30 is 3.0000000000000004: what floating point adds is not a fraction to hand out.
    quotas = np.where(np.abs(quotas - np.rint(quotas)) < 1e-9, np.rint(quotas), quotas)
    seats = np.maximum(np.floor(quotas), 1).astype(np.int64)
    left = int(np.floor(share * counts.sum() + 0.5 + 1e-9)) - int(seats.sum())
    if left > 0:
        largest = np.argsort(seats - quotas, kind="stable")[:left]
        seats[largest] += 1
    return np.asarray(seats)


def _absent(dataset: Dataset, indices: Indices) -> list[str]:
    counts = _count(dataset, indices)
    return [name for name, n in zip(dataset.class_names, counts, strict=True) if not n]
