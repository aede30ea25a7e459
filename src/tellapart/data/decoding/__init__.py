"""Decoding in processes of its own: on all cores, and without risk to the run.

Of a small picture, Python's own share of the work is most of it, and threads of one process take
turns at it; processes do not. And a decoder that crashes or hangs takes its process with it, and
not the run: the picture is named, the others go on.
"""

from tellapart.data.decoding.maker import Maker
from tellapart.data.decoding.pool import make_rows

__all__ = ["Maker", "make_rows"]
