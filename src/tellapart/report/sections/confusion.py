"""The confusion matrix, whose cells open their pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tellapart.errors import TellapartError
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, Predictions, RunRecord
from tellapart.report.thumbnails import Thumbnail, image_uri, thumbnail
from tellapart.report.words import percent

MOST_CLASSES = 30
"""With more of them a table has no room on a screen: the matrix becomes a picture, and the most
frequent mix-ups a list."""

LISTED, LISTED_BELOW_TABLE = 50, 10
"""So many mix-ups are listed in place of a table, and below one."""

MISTAKES_SHOWN, RIGHT_SHOWN = 12, 6
"""Pictures of a cell. Mistakes are what a matrix is looked at for."""

MOST_PICTURES = 600
"""Of all cells together, so that a page is written in a second and ..."""

ROOM_BYTES = 2_500_000
"""... stays below 5 MB: the data URIs of all cells together."""

MATRIX_SIDE = 1000
"""Pixels of the picture of a matrix; with more classes, neighbours share one."""

LEVELS = 10
"""Shades of a cell, beside none."""

LONGEST_UPRIGHT = 2
"""Characters of a class name that fit above a column without being turned."""

# Of Okabe and Ito (2008), in the middle between light and dark, so that both pages show them.
_RIGHT, _WRONG = (0x2B, 0x8C, 0xC9), (0xE0, 0x6A, 0x10)

Cell = tuple[int, int]
"""Row, which is the actual class, and column, which is the predicted one."""


@dataclass(frozen=True)
class Shown:
    """A picture of a cell.

    Attributes:
        name: of the picture.
        probability: of the class it was taken for, in words.
        unsure: whether the answer is "unsure", being less probable than the rule asks for.
        thumbnail: None where there is no picture to show.
    """

    name: str
    probability: str
    unsure: bool
    thumbnail: Thumbnail | None = field(repr=False)


@dataclass(frozen=True)
class Pile:
    """The pictures of a cell, of which some are shown.

    Attributes:
        key: of its dialog.
        actual: class.
        predicted: class.
        count: how many pictures it has, by the confusion matrix.
        shown: of these.
    """

    key: str
    actual: str
    predicted: str
    count: int
    shown: tuple[Shown, ...]

    @property
    def right(self) -> bool:
        """Whether they were recognised."""
        return self.actual == self.predicted


def confusion(record: RunRecord, pictures: Pictures | NoPictures) -> dict[str, Any]:
    """Variables of the matrix."""
    matrix, names = record.confusion, record.class_names
    if not matrix.sum():
        raise AbsentError("There is no confusion matrix: the test part has no pictures.")
    table = len(names) <= MOST_CLASSES
    pairs = most_confused(matrix, LISTED_BELOW_TABLE if table else LISTED)
    wanted = [(int(row), int(column)) for row, column in np.argwhere(matrix)] if table else pairs
    piles, why_not = _piles(record, pictures, wanted)
    return {
        "names": names,
        "short_names": max(map(len, names)) <= LONGEST_UPRIGHT,
        "rows": _rows(matrix, names, piles) if table else [],
        "picture": None if table else matrix_picture(matrix),
        "pairs": [
            {"pile": piles[cell], "share": percent(matrix[cell] / matrix[cell[0]].sum())}
            for cell in pairs
        ],
        "pairs_left_out": int(np.count_nonzero(_mistakes(matrix))) - len(pairs),
        "piles": list(piles.values()),
        "untested": [name for name, total in zip(names, matrix.sum(axis=1), strict=True)
                     if not total],
        "wrong": int(_mistakes(matrix).sum()),
        "total": int(matrix.sum()),
        "why_not": why_not,
        "bounds": (MISTAKES_SHOWN, RIGHT_SHOWN),
    }  # fmt: skip


def most_confused(matrix: npt.NDArray[np.int64], count: int) -> list[Cell]:
    """The at most `count` cells with the most mistakes; of equals, the larger share of its row."""
    wrong = _mistakes(matrix)
    rows, columns = np.nonzero(wrong)
    shares = wrong[rows, columns] / matrix.sum(axis=1)[rows]
    order = np.lexsort((-shares, -wrong[rows, columns]))[:count]
    return [(int(rows[i]), int(columns[i])) for i in order]


def choose(predictions: Predictions, cells: Iterable[Cell]) -> dict[Cell, list[str]]:
    """Chooses the pictures of each cell.

    Of mistakes the surest, which are the ones to learn from; of right answers the least sure,
    which are the ones that were nearly lost. When there is not room for all of them, every cell
    gets its first before any gets its second, mistakes before right answers in each turn.
    """
    members: dict[Cell, list[int]] = {cell: [] for cell in cells}
    for row, cell in enumerate(
        zip(predictions.actual.tolist(), predictions.predicted.tolist(), strict=True)
    ):
        if cell in members:
            members[cell].append(row)
    sure = predictions.probability
    ordered = {
        (actual, said): sorted(rows, key=lambda row: sure[row] if actual == said else -sure[row])
        for (actual, said), rows in members.items()
    }
    return {
        cell: [
            predictions.names[row]
            for row in rows[: RIGHT_SHOWN if _is_right(cell) else MISTAKES_SHOWN]
        ]
        for cell, rows in ordered.items()
    }


def in_turns(chosen: Mapping[Cell, Sequence[str]]) -> list[str]:
    """The names of all cells in the order in which they get room: see `choose`."""
    cells = sorted(chosen, key=_is_right)
    turns = zip_longest(*(chosen[cell] for cell in cells))
    return [name for turn in turns for name in turn if name is not None]


def encode(names: Sequence[str], pictures: Pictures) -> dict[str, Thumbnail]:
    """Encodes pictures until MOST_PICTURES or ROOM_BYTES is reached.

    Raises:
        TellapartError: one cannot be read.
    """
    known = [name for name in names if name in pictures][:MOST_PICTURES]
    encoded: dict[str, Thumbnail] = {}
    room = ROOM_BYTES
    for name, pixels in pictures.stream(known):
        encoded[name] = thumbnail(pixels)
        room -= len(encoded[name].uri)
        if room < 0:
            break
    return encoded


def matrix_picture(matrix: npt.NDArray[np.int64]) -> str:
    """Draws a matrix with a pixel a cell: blue where recognised, orange where mistaken.

    Opacity is the share of the actual class, of mistakes its square root, so that rare ones can be
    seen at all. Where classes share a pixel it is the largest of theirs.
    """
    count = len(matrix)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    own = np.eye(count, dtype=bool)
    strength = np.where(own, shares, np.sqrt(shares))
    opacity = np.rint(np.where(matrix > 0, 40 + 215 * strength, 0)).astype(np.uint8)
    step = math.ceil(count / MATRIX_SIDE)
    if step > 1:
        padded = np.pad(opacity, (0, -count % step))
        side = len(padded) // step
        opacity = padded.reshape(side, step, side, step).max(axis=(1, 3))
        own = np.eye(side, dtype=bool)
    pixels = np.empty((*opacity.shape, 4), np.uint8)
    pixels[..., :3] = np.where(own[..., np.newaxis], np.array(_RIGHT), np.array(_WRONG))
    pixels[..., 3] = opacity
    return image_uri(Image.fromarray(pixels))


def _piles(
    record: RunRecord, pictures: Pictures | NoPictures, cells: Sequence[Cell]
) -> tuple[dict[Cell, Pile], str]:
    """The pictures of some cells, and why there are none where that is so."""
    names, matrix = record.class_names, record.confusion
    chosen: dict[Cell, list[str]] = {cell: [] for cell in cells}
    encoded: dict[str, Thumbnail] = {}
    why_not = pictures.reason if isinstance(pictures, NoPictures) else ""
    probability: dict[str, float] = {}
    try:
        found = record.predictions
        chosen = choose(found, cells)
        probability = dict(zip(found.names, found.probability.tolist(), strict=True))
        if isinstance(pictures, Pictures):
            encoded = encode(in_turns(chosen), pictures)
    except (AbsentError, TellapartError) as error:
        why_not = str(error)
    threshold = ((record.evaluation.get("unsure") or {}).get("rule") or {}).get("threshold", 0)
    piles = {
        (row, column): Pile(
            f"cell-{row}-{column}",
            names[row],
            names[column],
            int(matrix[row, column]),
            tuple(
                Shown(
                    name,
                    percent(probability[name]),
                    probability[name] < threshold,
                    encoded.get(name),
                )
                for name in chosen[row, column]
                if not encoded or name in encoded
            ),
        )
        for row, column in cells
    }
    return piles, why_not


def _rows(
    matrix: npt.NDArray[np.int64], names: Sequence[str], piles: Mapping[Cell, Pile]
) -> list[dict[str, Any]]:
    totals = matrix.sum(axis=1).tolist()
    return [
        {
            "name": name,
            "total": totals[row],
            "recall": percent(matrix[row, row] / totals[row] if totals[row] else None),
            "cells": [
                {
                    "pile": piles.get((row, column)),
                    "right": row == column,
                    "level": _level(int(number), totals[row], right=row == column),
                }
                for column, number in enumerate(matrix[row].tolist())
            ],
        }
        for row, name in enumerate(names)
    ]


def _level(number: int, total: int, *, right: bool) -> int:
    """The shade of a cell, 0 for none to LEVELS; the scale is that of `matrix_picture`."""
    if not number:
        return 0
    share = number / total
    return max(1, round(LEVELS * (share if right else math.sqrt(share))))


def _mistakes(matrix: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.where(np.eye(len(matrix), dtype=bool), 0, matrix)


def _is_right(cell: Cell) -> bool:
    return cell[0] == cell[1]
