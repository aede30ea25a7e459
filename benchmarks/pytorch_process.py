"""Runs the opponents that need PyTorch, by a Python that has it: tellapart's own does not."""

from __future__ import annotations

import argparse
from pathlib import Path

import processes
from common import OPPONENTS

ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": "2000000000", "MALLOC_MMAP_THRESHOLD_": "2000000000"}
"""Lets the C library keep freed memory for the next batch instead of asking the system anew, which
on two cores took up to a third of the time in single precision."""


def add_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--torch-python",
        type=Path,
        metavar="PATH",
        help="the Python of a virtual environment with PyTorch, NumPy and Pillow",
    )


def find_version(python: Path | None) -> dict[str, str]:
    """Returns PyTorch's version by its package's name; without a Python says what is left out."""
    if python is None:
        print("Without --torch-python PATH: PyTorch's rows are left out.", flush=True)
        return {}
    finished = processes.run([str(python), "-c", "import torch; print(torch.__version__)"])
    return {"torch": finished.output.strip()}


def run(python: Path, script: str, *arguments: object) -> processes.Finished:
    """Runs a script of opponents/ to its end.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [str(python), str(OPPONENTS / script), *map(str, arguments)]
    return processes.run(command, ENVIRONMENT)
