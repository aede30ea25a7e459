"""Decoding in processes of its own: on all cores, and without risk to the run.

Of a small picture, Python's own share of the work is most of it, and threads of one process take
turns at it; processes do not. And a decoder that crashes or hangs takes its process with it, and
not the run: the picture is named, the others go on.
"""

from tellapart.decoding.maker import Maker
from tellapart.decoding.pixels import decode_apart, pixel_maker
from tellapart.decoding.pool import can_be_sent, make_rows, start_ahead

__all__ = ["Maker", "can_be_sent", "decode_apart", "make_rows", "pixel_maker", "start_ahead"]
