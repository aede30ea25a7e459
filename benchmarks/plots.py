"""Draws a picture of each result, from the tables in results/.

    python benchmarks/plots.py
    python benchmarks/plots.py --results FOLDER

Writes time_to_accuracy.png, training_speed.png, profile.png, prediction.png, loading.png and
growth.png beside the tables; a picture whose table is missing is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from charts.growth import draw_growth, draw_loading
from charts.prediction import draw_prediction
from charts.time_to_accuracy import draw_time_to_accuracy
from charts.training import draw_profile, draw_training_speed
from common import RESULTS
from tellapart.evaluation.plots import style

COLOURS = 128
"""Of a picture that is kept: flat ones and the edges of letters need no more, and half as many
bytes."""

PICTURES: dict[str, Callable[[Path], style.Page | None]] = {
    "time_to_accuracy": draw_time_to_accuracy,
    "training_speed": draw_training_speed,
    "profile": draw_profile,
    "prediction": draw_prediction,
    "loading": draw_loading,
    "growth": draw_growth,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    for name, draw in PICTURES.items():
        page = draw(arguments.results)
        path = arguments.results / f"{name}.png"
        if page is None:
            print(f"{path.name}: no table to draw")
            continue
        page.save(path)
        Image.open(path).quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
