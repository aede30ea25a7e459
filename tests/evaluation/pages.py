"""What the tests of the plots share: reading a PNG back, and measuring the words on a page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from tellapart.evaluation.plots.style import Page


def read_png(path: Path) -> npt.NDArray[np.uint8]:
    """Checks that a file is a PNG of sensible size and returns its pixels."""
    assert path.stat().st_size < 1_000_000
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert 500 <= image.width <= 2400
        assert 100 <= image.height <= 2400
        return np.asarray(image.convert("RGB"))


def words(page: Page) -> dict[str, Bbox]:
    """Returns the words that are drawn on a page and where they are, in pixels."""
    canvas = FigureCanvasAgg(page.figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    hidden = {id(text) for axes in page.figure.axes for text in _out_of_view(axes)}
    texts = [text for text in page.figure.findobj(Text) if isinstance(text, Text)]
    return {
        f"{number}: {text.get_text()}": text.get_window_extent()
        for number, text in enumerate(texts)
        if text.get_text() and text.get_visible() and id(text) not in hidden
    }


def _out_of_view(axes: Axes) -> Iterator[Text]:
    """Ticks outside the axes have labels, too, but they are not drawn."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def assert_readable(page: Page) -> None:
    """No words reach over the edge of the page, none lie on others."""
    places = words(page)
    width, height = page.figure.canvas.get_width_height()
    for word, box in places.items():
        assert box.x0 >= 0, word
        assert box.y0 >= 0, word
        assert box.x1 <= width, word
        assert box.y1 <= height, word
    for (one, first), (other, second) in combinations(places.items(), 2):
        shared = Bbox.intersection(first, second)
        if shared is not None:  # a pixel of shared space between two lines is no overlap
            assert min(shared.width, shared.height) <= 1.5, f"{one!r} lies on {other!r}"
