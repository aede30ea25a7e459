"""What is wrong with a data set, in plain words, the most important first.

    dataset = load("photos/")
    found = audit(dataset, open_column(dataset, SIGNATURES))
    for finding in found.findings:
        print(finding.text, finding.remedy)

Nothing is decoded here and nothing is changed: everything rests on the signatures.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tellapart.data.audit.copies import KINDS, Copies
from tellapart.data.audit.description import deviations
from tellapart.data.audit.kept import keep_copies
from tellapart.data.audit.search import Indices
from tellapart.data.audit.signature import format_name
from tellapart.data.columns import Column
from tellapart.data.dataset import PARTS, UNASSIGNED, Dataset
from tellapart.data.wording import SHOWN, count

Level = Literal["warning", "note"]

FEW_PICTURES = 20
"""A class with fewer is said to be small; results there are a matter of luck."""

IMBALANCE, STRONG_IMBALANCE = 3.0, 10.0
"""Largest class to smallest, from which it is noted, and warned of."""

ONE_COLOUR = 2.0
"""Mean deviation of a blank picture's thumbnail, of 255 levels, in brightness and colour."""

VERY_DARK = 64
"""In a very dark picture, no part of the thumbnail is brighter, of 255."""

ODD_SIZE = 4.0
"""A side so many times shorter or longer than that of the middle picture is odd."""

ODD_SHAPE = 3.0
"""As is a picture so many times wider or narrower than the middle one."""

_EXTENSIONS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
}


@dataclass(frozen=True)
class Finding:
    """One thing to know about a data set.

    Attributes:
        topic: a short name for programs: "unreadable", "two labels", "copies across parts", ...
        level: "warning": results suffer from it. "note": good to know.
        text: what was found, a sentence.
        remedy: what to do, or what tellapart does, a sentence.
        items: which pictures, all of them.
    """

    topic: str
    level: Level
    text: str
    remedy: str
    items: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name, with all items."""
        return vars(self) | {"items": list(self.items)}


@dataclass(frozen=True, eq=False)
class Audit:
    """What the audit found.

    Attributes:
        dataset: what was looked at.
        counts: pictures that can be read, by class and then by part; "unassigned" where the
            source has no parts.
        copies: which pictures are copies of which.
        signatures: what it rests on.
        findings: the most important first.
    """

    dataset: Dataset
    counts: dict[str, dict[str, int]]
    copies: Copies = field(repr=False)
    signatures: Column = field(repr=False)
    findings: tuple[Finding, ...]

    @property
    def failures(self) -> dict[int, str]:
        """Index to reason, of the pictures that cannot be decoded."""
        return self.signatures.failures

    @property
    def groups(self) -> Indices:
        """(n,) int64; equal numbers are copies of one picture, to be kept on one side of a split.

        A picture that cannot be read is alone in its group.
        """
        return self.copies.groups

    def notes(self) -> list[tuple[str, Level]]:
        """Returns the lines to show before a training: (text, level), warnings first.

        Unreadable pictures are left out: the pipeline lists them itself.
        """
        shown = [
            finding
            for finding in self.findings
            if finding.topic not in ("unreadable", "ignored")
            and (finding.level == "warning" or finding.topic in ("copies", "imbalance"))
        ]
        lines: list[tuple[str, Level]] = [
            (f"{finding.text} {finding.remedy}".strip(), finding.level) for finding in shown
        ]
        if any(finding.items for finding in shown):
            lines.append((f"`tellapart check {self.dataset.location}` lists them.", "note"))
        return lines

    def to_json(self) -> dict[str, Any]:
        """Returns everything but the pixels, for `--json` and `run.json`."""
        paths, copies = self.dataset.paths, self.copies
        return {
            "data": self.dataset.location,
            "pictures": len(self.dataset),
            "unreadable": len(self.failures) + len(self.dataset.excluded),
            "ignored": self.dataset.ignored,
            "classes": self.counts,
            "findings": [finding.to_json() for finding in self.findings],
            "pairs": [
                {
                    "first": paths[one],
                    "second": paths[other],
                    "kind": KINDS[kind],
                    "similarity": round(similarity, 4),
                }
                for one, other, kind, similarity in zip(
                    copies.first.tolist(),
                    copies.second.tolist(),
                    copies.kinds.tolist(),
                    copies.similarities.tolist(),
                    strict=True,
                )
            ],
        }


def audit(dataset: Dataset, signatures: Column) -> Audit:
    """Looks for everything that makes results worse than they seem, or than they need be.

    Args:
        dataset: the pictures.
        signatures: `open_column(dataset, SIGNATURES)`.

    Returns:
        The findings. Time is nearly linear in the number of pictures; memory about 5 KB each.
    """
    readable = np.ones(len(dataset), bool)
    readable[list(signatures.failures)] = False
    copies = keep_copies(signatures, dataset.location)
    looked = _Looked(dataset, signatures.rows, signatures.failures, readable, copies)
    findings = tuple(finding for look in _LOOKS for finding in look(looked))
    ordered = sorted(findings, key=lambda finding: finding.level != "warning")  # else as in _LOOKS
    return Audit(dataset, _counts(dataset, readable), copies, signatures, tuple(ordered))


@dataclass(frozen=True, eq=False)
class _Looked:
    """What there is to judge by; `rows` (n,) SIGNATURE, `readable` (n,)."""

    dataset: Dataset
    rows: npt.NDArray[Any]
    failures: dict[int, str]
    readable: npt.NDArray[np.bool_]
    copies: Copies

    def names(self, mask: npt.NDArray[np.bool_]) -> tuple[str, ...]:
        return tuple(self.dataset.paths[i] for i in np.flatnonzero(mask).tolist())

    def label(self, index: int) -> str:
        return self.dataset.class_names[int(self.dataset.labels[index])]


def _counts(dataset: Dataset, readable: npt.NDArray[np.bool_]) -> dict[str, dict[str, int]]:
    columns = [*PARTS, "unassigned"]
    table = np.zeros((len(dataset.class_names), len(columns)), int)
    np.add.at(table, (dataset.labels[readable], dataset.parts[readable]), 1)  # UNASSIGNED is last
    used = np.flatnonzero(table.any(axis=0)).tolist()
    return {
        name: {columns[k]: int(row[k]) for k in used}
        for name, row in zip(dataset.class_names, table, strict=True)
    }


def _unreadable(looked: _Looked) -> Iterator[Finding]:
    excluded = [f"{item.path}: {item.reason}" for item in looked.dataset.excluded]
    failed = [f"{looked.dataset.paths[i]}: {why}" for i, why in sorted(looked.failures.items())]
    if excluded or failed:
        total = len(looked.dataset) + len(excluded)
        number = len(excluded) + len(failed)
        yield Finding(
            "unreadable",
            "warning",
            f"{number:,} of {count(total, 'picture')} cannot be read.",
            "They are left out, and stay as they are.",
            (*failed, *excluded),
        )


def _two_labels(looked: _Looked) -> Iterator[Finding]:
    labels = looked.dataset.labels
    groups = _groups_with_several(looked.copies.groups, labels)
    if groups:
        yield Finding(
            "two labels",
            "warning",
            f"{count(len(groups), 'picture is', 'pictures are')} there under two labels or more.",
            "At most one of them is right: correct or remove the others.",
            tuple(
                " = ".join(f"{looked.dataset.paths[i]} ({looked.label(i)})" for i in members)
                for members in groups
            ),
        )


def _across_parts(looked: _Looked) -> Iterator[Finding]:
    groups, parts = looked.copies.groups, looked.dataset.parts
    known = looked.readable & (parts != UNASSIGNED)
    train = PARTS.index("train")
    for number, part in enumerate(PARTS):
        inside = known & (parts == number)
        if number == train or not inside.any():
            continue
        shared = inside & np.isin(groups, groups[known & (parts == train)])
        if shared.any():
            yield Finding(
                "copies across parts",
                "warning",
                f"{shared.sum():,} of {inside.sum():,} {part} pictures "
                f"{'has' if shared.sum() == 1 else 'have'} a copy in the training part.",
                "What is measured on them is memory, not skill.",
                looked.names(shared),
            )


def _small_classes(looked: _Looked) -> Iterator[Finding]:
    counts = _class_counts(looked)
    small = {name: number for name, number in counts.items() if number < FEW_PICTURES}
    if small:
        yield Finding(
            "small classes",
            "warning",
            f"{count(len(small), 'class has', 'classes have')} fewer than {FEW_PICTURES} pictures.",
            "Add pictures, or leave the class out.",
            tuple(f"{name}: {number:,}" for name, number in small.items()),
        )


def _blank(looked: _Looked) -> Iterator[Finding]:
    flat = looked.readable.copy()
    for plane in (looked.rows["grey"], looked.rows["chroma"][:, 0], looked.rows["chroma"][:, 1]):
        flat &= deviations(plane) < ONE_COLOUR
    if flat.any():
        yield Finding(
            "blank",
            "warning",
            f"{count(int(flat.sum()), 'picture is', 'pictures are')} blank: nearly of one colour.",
            "Look at them: nothing can be learnt from them.",
            looked.names(flat),
        )
    dark = looked.readable & ~flat & (looked.rows["grey"].max(axis=(1, 2)) < VERY_DARK)
    if dark.any():
        yield Finding(
            "very dark",
            "note",
            f"{count(int(dark.sum()), 'picture is', 'pictures are')} very dark.",
            "Look at them: a person could hardly tell what they show.",
            looked.names(dark),
        )


def _copies(looked: _Looked) -> Iterator[Finding]:
    copies, labels = looked.copies, looked.dataset.labels
    inside = labels[copies.first] == labels[copies.second]
    if not inside.any():
        return
    sizes = np.bincount(copies.groups[looked.readable])
    spare = int((sizes[sizes > 1] - 1).sum())
    kinds = Counter(KINDS[kind] for kind in copies.kinds[inside].tolist())
    said = ", ".join(
        f"{count(kinds[kind], _PAIRS[kind][0], _PAIRS[kind][1])}" for kind in _PAIRS if kinds[kind]
    )
    order = np.flatnonzero(inside)
    yield Finding(
        "copies",
        "note",
        f"{count(spare, 'picture is a copy', 'pictures are copies')} of another one "
        f"(pairs within a class: {said}).",
        _remedy_for_copies(looked.dataset),
        tuple(
            f"{looked.dataset.paths[copies.first[k]]} = {looked.dataset.paths[copies.second[k]]} "
            f"({KINDS[copies.kinds[k]]}, {copies.similarities[k]:.3f})"
            for k in order
        ),
    )


def _remedy_for_copies(dataset: Dataset) -> str:
    if (dataset.parts == UNASSIGNED).all():
        return "Copies are kept on one side of the split."
    return "The data's own parts stay as they are; what is split off them keeps copies on one side."


_PAIRS = {
    "identical file": ("identical file", "identical files"),
    "same pixels": ("with the same pixels", "with the same pixels"),
    "near copy": ("near copy", "near copies"),
    "mirrored copy": ("mirrored copy", "mirrored copies"),
}


def _wrong_names(looked: _Looked) -> Iterator[Finding]:
    wrong = []
    for code in np.unique(looked.rows["format"][looked.readable]).tolist():
        name = format_name(code)
        if not name:
            continue
        of_it = looked.readable & (looked.rows["format"] == code)
        for index in np.flatnonzero(of_it).tolist():
            path = looked.dataset.paths[index]
            suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 (ten times as fast)
            if suffix and suffix not in _EXTENSIONS[name]:
                wrong.append(f"{path}: is {name}")
    if wrong:
        yield Finding(
            "wrong names",
            "note",
            f"{count(len(wrong), 'picture is', 'pictures are')} not of the format that the name "
            "says.",
            "They are used all the same.",
            tuple(wrong),
        )


def _imbalance(looked: _Looked) -> Iterator[Finding]:
    counts = _class_counts(looked)
    largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    ratio = counts[largest] / max(counts[smallest], 1)
    if ratio >= IMBALANCE:
        yield Finding(
            "imbalance",
            "warning" if ratio >= STRONG_IMBALANCE else "note",
            f"The largest class, '{largest}' ({counts[largest]:,}), has {ratio:,.1f} times as many "
            f"pictures as the smallest, '{smallest}' ({counts[smallest]:,}).",
            "Look at the accuracy of each class: the overall one hides the small ones.",
        )


def _odd_sizes(looked: _Looked) -> Iterator[Finding]:
    height, width = (looked.rows[side].astype(float) for side in ("height", "width"))
    usable = looked.readable
    typical = np.median(np.sqrt(height * width)[usable])
    shape = np.median(width[usable] / height[usable])
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.abs(np.log(np.sqrt(height * width) / typical))
        stretch = np.abs(np.log(width / height / shape))
    odd = usable & ((scale >= np.log(ODD_SIZE)) | (stretch >= np.log(ODD_SHAPE)))
    if odd.any():
        yield Finding(
            "odd sizes",
            "note",
            f"{count(int(odd.sum()), 'picture is', 'pictures are')} far smaller, larger, wider or "
            f"narrower than the rest (about {typical:,.0f} pixels a side).",
            "Look at them: they may be icons, panoramas or parts of pages.",
            tuple(
                f"{looked.dataset.paths[i]}: {int(height[i])}x{int(width[i])}"
                for i in np.flatnonzero(odd).tolist()
            ),
        )


def _ignored(looked: _Looked) -> Iterator[Finding]:
    if looked.dataset.ignored:
        number = looked.dataset.ignored
        yield Finding(
            "ignored",
            "note",
            f"{count(number, 'file is', 'files are')} hidden or not a picture by name.",
            "Passed over.",
        )


_LOOKS: tuple[Callable[[_Looked], Iterator[Finding]], ...] = (
    _unreadable, _two_labels, _across_parts, _small_classes, _blank,
    _copies, _imbalance, _wrong_names, _odd_sizes, _ignored,
)  # fmt: skip
"""In the order of importance; warnings come before notes whatever the order."""


def _class_counts(looked: _Looked) -> dict[str, int]:
    labels = looked.dataset.labels[looked.readable]
    counts = np.bincount(labels, minlength=len(looked.dataset.class_names)).tolist()
    return dict(zip(looked.dataset.class_names, counts, strict=True))


def _groups_with_several(groups: Indices, values: npt.NDArray[Any]) -> list[list[int]]:
    """Returns the groups whose members have different values, as lists of their members."""
    distinct = np.unique(np.stack([groups, values.astype(np.int64)]), axis=1)[0]
    names, kinds = np.unique(distinct, return_counts=True)
    members: dict[int, list[int]] = {}
    for index in np.flatnonzero(np.isin(groups, names[kinds > 1])).tolist():
        members.setdefault(int(groups[index]), []).append(index)
    return list(members.values())


def shorten(items: Sequence[str], limit: int = SHOWN) -> list[str]:
    """Returns the first items, and "and N more" for the rest."""
    rest = len(items) - limit
    return [*items[:limit], *([f"and {rest:,} more"] if rest > 0 else [])]
