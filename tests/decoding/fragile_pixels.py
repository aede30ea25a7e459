"""Makes pixels as `tellapart.decoding.pixels` does, but crashes or hangs at some names."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from tellapart.data.sizes import size_reader
from tellapart.decoding import Maker, pixel_maker
from tellapart.decoding.maker import Make, Rows
from tellapart.decoding.pixels import make_pixels
from tellapart.images import ImageSpec, Raw


def fragile_maker(spec: ImageSpec) -> Maker:
    made = pixel_maker(spec)
    function = "tests.decoding.fragile_pixels:make_fragile"
    return Maker(function, made.arguments, made.shape, made.dtype)


def make_fragile(spec: Any) -> Make:
    """Runs over there."""
    return _fragile(make_pixels(spec))


def make_fragile_sizes() -> Make:
    """Runs over there."""
    return _fragile(size_reader())


def _fragile(make: Make) -> Make:
    def fragile(raw: Raw, name: str) -> Rows:
        if "crash" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in name:
            time.sleep(3600)
        return make(raw, name)

    return fragile
