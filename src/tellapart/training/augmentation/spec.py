"""An augmentation: which operations, how strong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from tellapart.errors import UsageError

Flip = Literal["none", "horizontal", "vertical", "both"]


@dataclass(frozen=True)
class Augmentation:
    """How much training pictures are changed; every strength at its default changes nothing.

    Each picture draws its own amounts, uniformly. Geometry is one resampling, bilinear, and what
    comes in from outside is the picture mirrored at its edge, as in Keras (`fill_mode="reflect"`).

    Attributes:
        flip: mirrored left to right ("horizontal"), upside down ("vertical") or each by itself
            ("both"), half of the time.
        shift: moved by up to this share of height and width, by whole pixels; 0 to 1.
        rotate: turned by up to so many degrees either way; 0 to 180.
        zoom: enlarged or reduced by up to this share; 0 to below 1.
        crop: a window of between this share and all of height and width, anywhere inside, is
            enlarged to the whole; above 0, to 1.
        colour: brightness, contrast and saturation each times 1 - colour to 1 + colour; 0 to 1.
            Grey pictures have no saturation.
        erase: how often a rectangle of 2% to 33% of the area becomes the picture's mean colour;
            0 to 1. Random erasing (Zhong et al., 2020) with the fill of DeVries and Taylor (2017).
        mixup: a blend with another picture and its label, the share drawn from Beta(mixup,
            mixup); 0: none. Zhang et al., 2018.
        cutmix: a rectangle of another picture, and its share of the label; the share drawn from
            Beta(cutmix, cutmix); 0: none. Yun et al., 2019. With both, each picture gets one of
            the two.
    """

    flip: Flip = "none"
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    crop: float = 1.0
    colour: float = 0.0
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value!r}, expected {RANGES[name].words}"
            for name, value in asdict(self).items()
            if not RANGES[name].holds(value)
        ]
        if problems:
            raise UsageError("Augmentation: " + "; ".join(problems) + ".")

    def __bool__(self) -> bool:
        return self != Augmentation()

    @property
    def only_moves(self) -> bool:
        """Whether each output pixel is one of the picture's own, and its label is the picture's."""
        return replace(self, flip="none", shift=0.0) == Augmentation()

    @property
    def mixes(self) -> bool:
        """Whether labels become shares of two classes."""
        return self.mixup > 0 or self.cutmix > 0

    def __str__(self) -> str:
        changed = [
            (field.name, getattr(self, field.name))
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return ",".join(f"{name}={value}" for name, value in changed) or "none"


@dataclass(frozen=True)
class _Range:
    words: str
    holds: Callable[[Any], bool]


def _numbers(low: float, high: float, words: str, *, open_at: float | None = None) -> _Range:
    def holds(value: Any) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and math.isfinite(value) and low <= value <= high and value != open_at

    return _Range(words, holds)


RANGES: Mapping[str, _Range] = {
    "flip": _Range(" or ".join(get_args(Flip)), lambda value: value in get_args(Flip)),
    "shift": _numbers(0, 1, "a share of the sides from 0 to 1"),
    "rotate": _numbers(0, 180, "degrees from 0 to 180"),
    "zoom": _numbers(0, 1, "a share of at least 0 and below 1", open_at=1),
    "crop": _numbers(0, 1, "a share of the sides above 0, to 1", open_at=0),
    "colour": _numbers(0, 1, "a share from 0 to 1"),
    "erase": _numbers(0, 1, "a probability from 0 to 1"),
    "mixup": _numbers(0, 100, "a number from 0 to 100, the alpha of the paper"),
    "cutmix": _numbers(0, 100, "a number from 0 to 100, the alpha of the paper"),
}
