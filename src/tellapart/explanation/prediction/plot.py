"""The prediction trace as one page: picture, answer, every block, and what is worked out."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from tellapart.evaluation.plots.style import (
    BLUE,
    DPI,
    EMPTY,
    FAINT,
    GRID,
    HEADER,
    INK,
    LABEL,
    MARGIN,
    SMALL,
    TINY,
    TITLE,
    VERMILLION,
    Page,
)
from tellapart.evaluation.plots.text import fit, printable, width
from tellapart.explanation.layers import times
from tellapart.explanation.prediction.activations import FeatureMap
from tellapart.explanation.prediction.blocks import Block
from tellapart.explanation.prediction.plot_worked import draw_worked, worked_height
from tellapart.explanation.prediction.text import (
    TOP,
    answer_columns,
    figures,
    number,
    percent,
    softmax_in_words,
    zeros_and_dead,
)
from tellapart.explanation.prediction.trace import PredictionTrace
from tellapart.images import Pixels

# In inches, but for _TILE and _PICTURE, which are pixels of the page, and _CHANNEL.
_WIDTH = 11.0
_PICTURE = 288  # a multiple of 8, 32 and 96: their enlarged pixels are all equally large
_TILE = 96
_CHANNEL = 6.0  # the font of the channels' numbers, in points
_LINE = 0.145  # from one line of small print to the next
_NAME, _GAP = 0.17, 0.14  # below the name of a block, and between two
_WORDS, _MAPS, _FIGURES = MARGIN, 3.75, 9.3  # where the columns begin
_ROOM = _MAPS - _WORDS - 0.15
_ANSWER = MARGIN + _PICTURE / DPI + 0.35
_BAR_ROW = 0.235
_NAMES = 2.6  # the most room for the names of classes
_HEADING = 0.42


def plot_prediction(trace: PredictionTrace, path: Path) -> None:
    """Draws a prediction trace as PNG.

    Args:
        trace: of one picture.
        path: the PNG to write.

    Raises:
        TellapartError: the file cannot be written.
    """
    draw_prediction(trace).save(path)


def draw_prediction(trace: PredictionTrace) -> Page:
    """Lays out the page of `plot_prediction`."""
    top = MARGIN + HEADER
    notes = [
        line for note in trace.notes for line in wrapped(note, _WIDTH - MARGIN - _ANSWER, TINY)
    ]
    first = max(_PICTURE / DPI, _answer_height(trace) + len(notes) * _LINE) + 0.3
    rows = [_row_height(trace, block) for block in trace.blocks]
    layers = _HEADING + sum(rows) + 0.1
    height = top + first + layers + worked_height(trace) + MARGIN
    page = Page(_WIDTH, height, _title(trace), _subtitle(trace))
    photo = trace.pixels.shape[-1] == 3 and max(trace.pixels.shape[:2]) > _TILE
    page.paste(MARGIN, top, _picture(trace), photo=photo)
    below = _draw_answer(page, trace, top)
    for place, line in enumerate(notes):
        page.text(_ANSWER, below + place * _LINE, line, size=TINY, colour=VERMILLION)
    top += first
    page.text(MARGIN, top, "Layer by layer", size=LABEL, bold=True)
    page.text(
        _MAPS,
        top + 0.03,
        "channels that vary most over the picture, with their numbers; dark: lowest value, "
        "yellow: highest",
        size=TINY,
        colour=FAINT,
    )
    for place, block in enumerate(trace.blocks):
        _draw_block(page, trace, block, top + _HEADING + sum(rows[:place]))
    draw_worked(page, trace, top + layers)
    return page


def wrapped(text: str, room: float, size: float, most: int = 99) -> list[str]:
    """Breaks printable text into lines of at most `room` inches; the last of `most` is cut."""
    lines: list[str] = []
    words = printable(text).split()
    while words and len(lines) < most - 1:
        count = 1
        while count < len(words) and width(" ".join(words[: count + 1]), size) <= room:
            count += 1
        lines.append(fit(" ".join(words[:count]), room, size))
        words = words[count:]
    return [*lines, fit(" ".join(words), room, size)] if words else lines


# --- The picture and the answer -----------------------------------------------------------------


def _title(trace: PredictionTrace) -> str:
    answer = trace.answer
    if answer.probabilities is None:
        return f"{trace.picture}: no answer"
    best = answer.order()[0]
    picture = fit(trace.picture, _WIDTH / 2 - MARGIN, TITLE, bold=True)
    said = percent(float(answer.probabilities[best]))
    return f"{picture}: {answer.class_names[best]}, {said}"


def _subtitle(trace: PredictionTrace) -> str:
    parameters = sum(block.parameters for block in trace.blocks)
    return (
        f"One picture of {times(trace.pixels.shape)} through the {len(trace.stages) - 1} layers of "
        f"{trace.model}, which has {parameters:,} parameters"
    )


def _picture(trace: PredictionTrace) -> Pixels:
    """Returns what the network saw, with a box where the convolution is worked out."""
    image = Image.fromarray(np.repeat(trace.pixels, 3 // trace.pixels.shape[-1], axis=-1))
    scale = _PICTURE / max(image.size)
    small = scale >= 3
    if small:
        scale = float(int(scale))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS)
    worked = trace.convolution
    if worked is not None and _looks_at_picture(trace, worked.layer):
        (left, right), (top, bottom) = (
            _around(worked.columns, scale),
            _around(worked.rows, scale),
        )
        draw = ImageDraw.Draw(image)
        draw.rectangle((left - 2, top - 2, right + 2, bottom + 2), outline="white", width=2)
        draw.rectangle((left, top, right, bottom), outline=VERMILLION, width=3)
    return np.asarray(image)


def _around(positions: tuple[int, ...], scale: float) -> tuple[float, float]:
    """Returns the sides of a box around pixels, wide enough to be found."""
    middle = (positions[0] + positions[-1] + 1) / 2 * scale
    half = max((positions[-1] + 1 - positions[0]) / 2 * scale + 2, 10)
    return middle - half, middle + half


def _looks_at_picture(trace: PredictionTrace, layer: str) -> bool:
    """Whether positions in a layer's input are positions in the picture."""
    stage = next(stage.stage for stage in trace.stages if stage.stage.name == layer)
    return tuple(stage.before[1:3]) == trace.pixels.shape[:2]


def _answer_height(trace: PredictionTrace) -> float:
    shown = min(len(trace.answer.class_names), TOP) if trace.answer.probabilities is not None else 0
    return 0.3 + (shown + 2) * _BAR_ROW + 2 * _LINE


def _draw_answer(page: Page, trace: PredictionTrace, top: float) -> float:
    """Draws bars, and the numbers from logit to probability; returns where the next may go."""
    answer = trace.answer
    if answer.probabilities is None:
        page.text(_ANSWER, top, "No probabilities", size=LABEL, bold=True)
        return top + 0.35
    page.text(_ANSWER, top, "The answer", size=LABEL, bold=True)
    shown, columns = answer.order()[:TOP], answer_columns(answer)
    rights = [_WIDTH - MARGIN - 2.6, _WIDTH - MARGIN - 1.0, _WIDTH - MARGIN][-len(columns) :]
    widest = max(width(printable(answer.class_names[place]), SMALL) for place in shown)
    names = min(widest, _NAMES)
    bars = _ANSWER + names + 0.15
    top += 0.3
    for heading, right in zip(columns, rights, strict=True):
        page.text(right, top, heading, size=TINY, colour=FAINT, align="right")
    axes = page.axes(bars, top + _BAR_ROW - 0.02, rights[0] - 0.75 - bars, len(shown) * _BAR_ROW)
    axes.set(xlim=(0, 1), ylim=(len(shown) - 0.5, -0.5), xticks=[], yticks=[])
    for row, place in enumerate(shown):
        top += _BAR_ROW
        share = float(answer.probabilities[place])
        axes.barh(row, 1, height=0.62, color=EMPTY)
        axes.barh(row, share, height=0.62, color=BLUE)
        page.text(_ANSWER, top + 0.03, fit(answer.class_names[place], names, SMALL))
        for figure, right in zip(figures(answer, place), rights, strict=True):
            page.text(right, top + 0.03, figure, align="right")
    rest = answer.order()[TOP:]
    if rest:
        top += _BAR_ROW
        left = sum(float(answer.probabilities[place]) for place in rest)
        said = "1 other class" if len(rest) == 1 else f"{len(rest)} other classes together"
        page.text(_ANSWER, top + 0.03, said, colour=FAINT)
        page.text(rights[-1], top + 0.03, percent(left), colour=FAINT, align="right")
    top += _BAR_ROW + 0.08
    for line in wrapped(softmax_in_words(answer), _WIDTH - MARGIN - _ANSWER, TINY):
        page.text(_ANSWER, top, line, size=TINY, colour=FAINT)
        top += _LINE
    return top + 0.06


# --- The blocks ---------------------------------------------------------------------------------


def _words(trace: PredictionTrace, block: Block) -> tuple[list[str], str]:
    """Returns the lines that say what a block does, and the one that counts its parameters."""
    lines = wrapped(f"{block.does}.", _ROOM, TINY, 4)
    if not block.parameters:
        return lines, ""
    counted = trace.stages[block.last].stage.counted if block.first == block.last else ""
    said = f"{block.parameters:,} parameters" + (f" = {counted}" if counted else "")
    return lines, fit(said, _ROOM, TINY)


def _row_height(trace: PredictionTrace, block: Block) -> float:
    lines, counted = _words(trace, block)
    tiles = [_tile(feature_map).shape[0] / DPI for feature_map in trace.stages[block.last].maps]
    figures = 4 * _LINE
    return _GAP + max(
        _NAME + (len(lines) + bool(counted)) * _LINE, figures, max(tiles, default=0) + _LINE
    )


def _draw_block(page: Page, trace: PredictionTrace, block: Block, top: float) -> None:
    leaving = trace.stages[block.last]
    rule = page.axes(MARGIN, top - _GAP / 2, _WIDTH - 2 * MARGIN, 0.01)
    rule.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    rule.axhline(0.5, color=GRID, linewidth=0.8)
    shape = times(leaving.stage.after[1:])
    name = fit(block.name, _ROOM - width(shape, SMALL) - 0.1, SMALL, bold=True)
    page.text(_WORDS, top, name, bold=True)
    page.text(_WORDS + _ROOM, top, shape, align="right")
    lines, counted = _words(trace, block)
    for place, line in enumerate([*lines, counted]):
        colour = INK if place == len(lines) else FAINT
        page.text(_WORDS, top + _NAME + place * _LINE, line, size=TINY, colour=colour)
    left = _MAPS
    for feature_map in leaving.maps:
        tile = _tile(feature_map)
        page.paste(left, top, tile)
        if feature_map.channel is not None:
            below = top + tile.shape[0] / DPI + 0.01
            page.text(left, below, str(feature_map.channel), size=_CHANNEL, colour=FAINT)
        left += _TILE / DPI + 0.045
    for place, line in enumerate(_figures(trace, block)):
        page.text(_FIGURES, top + place * _LINE, line, size=TINY)


def _figures(trace: PredictionTrace, block: Block) -> list[str]:
    found = trace.stages[block.last].activations
    if found.not_finite:
        return [f"{found.not_finite:,} numbers", "are not finite"]
    if found.minimum is None:
        return ["not measured"]
    lines = [
        f"{number(found.minimum)} to {number(found.maximum)}",
        f"mean {number(found.mean)}",
    ]
    zeros, dead = zeros_and_dead(trace, block)
    if zeros:
        lines += [f"zeros after ReLU: {zeros}", f"dead: {dead}"]
    return lines


def _tile(feature_map: FeatureMap) -> Pixels:
    """Returns a feature map in colour, as large as its place on the page."""
    height, wide = feature_map.pixels.shape
    rows = feature_map.pixels
    if feature_map.channel is None:
        scale = max(1, min(18, round((_FIGURES - _MAPS - 0.2) * DPI) // wide, 84 // height))
        rows = np.repeat(np.repeat(rows, scale, axis=0), scale, axis=1)
    else:
        factor = _TILE / max(height, wide)
        small = factor >= 3
        factor = float(int(factor)) if small else factor
        size = (max(1, round(wide * factor)), max(1, round(height * factor)))
        rule = Image.Resampling.NEAREST if small else Image.Resampling.BICUBIC
        rows = np.asarray(Image.fromarray(rows).resize(size, rule))
    return _coloured(rows)


def _coloured(values: Pixels) -> Pixels:
    """Returns viridis, which keeps the order of brightness with every kind of colour vision."""
    palette: npt.NDArray[np.float64] = mpl.colormaps["viridis"](np.arange(256))
    return np.round(255 * palette[:, :3]).astype(np.uint8)[values]
