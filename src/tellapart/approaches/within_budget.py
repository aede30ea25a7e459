"""What fits into a time budget: how large a network and its pictures, and how many of them.

Asked before the long work begins, so that a budget always ends with a classifier. What a picture
costs is measured on a few of them, on this machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tellapart.data.dataset import Dataset
from tellapart.errors import ImageError
from tellapart.images import ImageSpec, Pixels, decode
from tellapart.machine import usable_cores
from tellapart.models.backbones import Backbone
from tellapart.models.backbones.engine import FeatureExtractor

MEASURED_ON = 32
"""So many pictures, evenly spread, tell what one costs."""

SIDES = (224, 192, 160, 128)
"""Pictures of a transfer are made smaller in these steps before pictures are left out."""

FINISHING_SECONDS = 6.0
FINISHING_PICTURES = 1_500
"""A transfer takes so long beside the features, or as long as the features of so many pictures on
a slower machine: Keras's start, export and its proof, plots. Measured on two cores: 5.6 s, where a
picture takes 3.7 ms (benchmarks/budgets.py)."""

HEAD_COST = 0.006
"""A picture's share in fitting the head, for each class, of what its features cost. Measured on two
cores with 1,000 to 8,000 pictures of 17 and 100 classes: 20 microseconds a picture and class."""

DECODING_SHARE = 0.3
"""From scratch, so much of a budget may go by before training begins."""

ENOUGH_SEEN = 100_000
"""The network `fast` learns more than its narrow sister in a time in which it sees so many training
pictures, each as often as it comes. Measured on validation parts of CIFAR-10 and MNIST, of 2,000 to
48,000 pictures (docs/fast.md)."""

PLENTY_SEEN = 1_000_000
"""Its wide sister learns more than `fast` in a time in which `fast` sees so many. Measured on a
validation part of CIFAR-10 (docs/fast.md)."""

COMPILING_SECONDS = 3.0
FINISHING_FROM_SCRATCH = 3.0
FINISHING_A_PICTURE = 4e-4
"""A training from scratch takes so long beside its updates, also for each test picture."""

SPEED_OF_TRAINING = 0.7
"""The share of the machine's fastest product of matrices at which `fast` is trained: measured 0.79
in bfloat16 and in float32 (benchmarks/training_speed.py)."""


@dataclass(frozen=True)
class Fit:
    """What fits.

    Attributes:
        image_size: height and width of the pictures.
        keep: how many pictures.
        note: what was given up, in words; "" where nothing had to be.
    """

    image_size: tuple[int, int]
    keep: int
    note: str = ""


def fit_features(
    dataset: Dataset,
    backbone: Backbone,
    spec: ImageSpec,
    pictures: npt.NDArray[np.int64],
    seconds: float,
    *,
    may_shrink: bool,
    clock: Callable[[], float] = time.monotonic,
) -> Fit:
    """Says how to compute the features of those pictures in that time.

    Args:
        dataset: where they are.
        backbone: what computes them.
        spec: what it would see of them if there were time enough.
        pictures: those that are needed.
        seconds: for everything that is still to do.
        may_shrink: whether the user has left the size of the pictures open.
        clock: seconds, from any beginning.
    """
    began = clock()
    extractor = FeatureExtractor(backbone, (spec.height, spec.width))
    sample = _some(pictures)
    extractor.features(_decode(dataset, spec, sample[:1]))  # the first call is slower
    started = clock()
    measured = _decode(dataset, spec, sample)
    decoded = clock()
    extractor.features(measured)  # on all cores, as decoding will be
    each = ((decoded - started) / usable_cores() + clock() - decoded) / len(measured)
    finishing = max(FINISHING_SECONDS, FINISHING_PICTURES * each)
    left = max(1.0, seconds - finishing - (clock() - began))
    sizes = [(spec.height, spec.width)]
    if may_shrink:
        sizes += [(side, side) for side in SIDES if side < min(spec.height, spec.width)]
    for size in sizes:
        share = size[0] * size[1] / (spec.height * spec.width)
        cost = each * (share + HEAD_COST * len(dataset.class_names))
        if cost * len(pictures) <= left:
            break
    keep = min(len(pictures), int(left / cost))
    return Fit(size, keep, _note(spec, size, len(pictures), keep))


def fit_decoding(
    dataset: Dataset,
    spec: ImageSpec,
    pictures: npt.NDArray[np.int64],
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Fit:
    """Says how many of those pictures can be decoded in `DECODING_SHARE` of that time."""
    _decode(dataset, spec, pictures[:1])  # a packed archive is unpacked for the first one
    started = clock()
    measured = _decode(dataset, spec, _some(pictures))
    each = (clock() - started) / usable_cores() / len(measured)
    keep = min(len(pictures), max(1, int(DECODING_SHARE * seconds / max(each, 1e-9))))
    size = (spec.height, spec.width)
    return Fit(size, keep, _note(spec, size, len(pictures), keep))


def seen_in(seconds: float, tested: int, operations: int, operations_per_second: float) -> int:
    """Says how many pictures a network would be trained on in that time.

    Args:
        seconds: for everything that is still to do.
        tested: how many test pictures there are.
        operations: that training takes a picture; see `models.speed`.
        operations_per_second: of the machine.
    """
    beside = COMPILING_SECONDS + FINISHING_FROM_SCRATCH + FINISHING_A_PICTURE * tested
    speed = SPEED_OF_TRAINING * operations_per_second
    return int(max(0.0, seconds - beside) * speed / operations)


def _some(pictures: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return pictures[np.linspace(0, len(pictures) - 1, MEASURED_ON).astype(np.int64)]


def _decode(dataset: Dataset, spec: ImageSpec, indices: npt.NDArray[np.int64]) -> Pixels:
    decoded = []
    for index in indices.tolist():
        try:
            decoded.append(decode(dataset.source.read(index), spec, dataset.paths[index]))
        except ImageError:  # it has vanished since the audit
            decoded.append(np.zeros(spec.shape, np.uint8))
    return np.stack(decoded)


def _note(spec: ImageSpec, size: tuple[int, int], pictures: int, keep: int) -> str:
    if keep < pictures:
        shrunk = f", of {size[0]}x{size[1]} pixels" if size != (spec.height, spec.width) else ""
        return (
            f"The budget is too short for all {pictures:,} pictures: about {keep:,} are used"
            f"{shrunk}, evenly from each class and part."
        )
    if size != (spec.height, spec.width):
        return (
            f"Pictures of {size[0]}x{size[1]} instead of {spec.height}x{spec.width} pixels, to "
            "keep within the budget."
        )
    return ""
