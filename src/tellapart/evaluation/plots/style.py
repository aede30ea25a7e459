"""What all plots have in common: colours, sizes, a page in inches, and how it is saved.

The colours are those of Okabe and Ito (2008), told apart with every kind of colour vision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tellapart.evaluation.plots.text import fit, font
from tellapart.files import atomic_path
from tellapart.images import Pixels

BLUE = "#0072B2"
VERMILLION = "#D55E00"
INK = "#222222"
FAINT = "#6B6B6B"
GRID = "#E4E4E4"
EMPTY = "#F1F1F1"

DPI = 150
TITLE, LABEL, SMALL, TINY = 13.0, 10.0, 9.0, 7.5
"""Font sizes in points."""

MARGIN = 0.3
"""White space around a page, in inches."""

HEADER = 0.62
"""Room for the title and the line below it, in inches."""

LITERAL: dict[str, Any] = {"parse_math": False, "usetex": False}
"""For every text that may hold the user's words: a '$' is a dollar sign."""


class Page:
    """A figure laid out in inches from its top left corner.

    Explicit places instead of matplotlib's layout engines: those measure every text several
    times, which takes seconds for a matrix of 200 classes.

    Attributes:
        figure: what is drawn on.
        width: in inches.
        height: in inches.
    """

    def __init__(self, width: float, height: float, title: str, subtitle: str = "") -> None:
        self.width = width
        self.height = height
        self.figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
        self.figure.set_layout_engine("none")
        self._photos = False
        self._pictures: list[tuple[int, int, Pixels]] = []
        room = width - 2 * MARGIN
        self.text(MARGIN, MARGIN, fit(title, room, TITLE, bold=True), size=TITLE, bold=True)
        self.text(MARGIN, MARGIN + 0.27, fit(subtitle, room, SMALL), size=SMALL, colour=FAINT)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Adds axes without a frame, `left` and `top` in inches from the page's top left."""
        axes = self.figure.add_axes(
            (
                left / self.width,
                1 - (top + height) / self.height,
                width / self.width,
                height / self.height,
            ),
            facecolor="white",
        )
        axes.spines[:].set_visible(False)
        axes.tick_params(
            length=0, colors=INK, labelsize=SMALL, labelfontfamily=font(SMALL).get_family()
        )
        return axes

    def text(
        self,
        left: float,
        top: float,
        words: str,
        *,
        size: float = SMALL,
        colour: str = INK,
        bold: bool = False,
        align: Literal["left", "center", "right"] = "left",
        rotation: float = 0,
    ) -> None:
        """Writes words, the top of their line `left` and `top` inches from the page's corner."""
        self.figure.text(
            left / self.width,
            1 - top / self.height,
            words,
            font=font(size, bold=bold),
            color=colour,
            horizontalalignment=align,
            verticalalignment="center" if rotation else "top",
            rotation=rotation,
            **LITERAL,
        )

    def paste(self, left: float, top: float, pixels: Pixels, *, photo: bool = False) -> None:
        """Puts a picture, (height, width, 3) uint8, on the page, one of its pixels to one.

        It lies above everything drawn. Not through matplotlib, which would resample it.
        """
        self._photos |= photo
        self._pictures.append((round(left * DPI), round(top * DPI), pixels))

    def save(self, path: Path) -> None:
        """Writes the page as PNG, atomically.

        Photos take megabytes as PNG: a page with any is reduced to 256 dithered colours, a third
        of the size and hard to tell apart.

        Raises:
            TellapartError: the file cannot be written.
        """
        canvas = FigureCanvasAgg(self.figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        image = Image.fromarray(pixels).convert("RGB")
        for left, top, picture in self._pictures:
            image.paste(Image.fromarray(picture), (left, top))
        if self._photos:
            # Every fifth pixel is enough to find the colours, and takes a fraction of the time.
            sample = image.resize((image.width // 5, image.height // 5), Image.Resampling.NEAREST)
            palette = sample.quantize(256, method=Image.Quantize.MAXCOVERAGE)
            image = image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        with atomic_path(path) as temporary:
            image.save(temporary, format="PNG", dpi=(DPI, DPI))
