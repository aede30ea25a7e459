"""HiResCAM (Draelos and Carin, 2020): where the values of a layer speak for a class.

    map = relu( sum over channels of  value · d logit / d value )

Where the mean of each channel and a linear head follow the layer, the gradient is the same
everywhere, and this is Grad-CAM (Selvaraju et al., 2017) and CAM (Zhou et al., 2016). Where the
layers behind weigh places differently, as behind Flatten, Grad-CAM's mean over places loses that,
and this does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tellapart.explanation.heatmaps.grids import Floats, Heat, cell_centres, enlarge, normalise


@dataclass(frozen=True, eq=False)
class Sight:
    """What a layer saw in pictures.

    Attributes:
        values: (n, rows, columns, channels) float32, the layer's output.
        gradients: of the same shape, d logit of a class / d values.
    """

    values: npt.NDArray[np.float32]
    gradients: npt.NDArray[np.float32]


def hires_cam(sight: Sight) -> Floats:
    """Returns (n, rows, columns): what each place adds to the logit, to first order."""
    return np.asarray((sight.values * sight.gradients).sum(axis=-1))


def as_large_as(grids: Floats, size: tuple[int, int]) -> Heat:
    """Turns a layer's grid into maps of the pictures it saw.

    Args:
        grids: (n, rows, columns).
        size: height and width of the pictures, in pixels.

    Returns:
        (n, height, width) float32, 0 to 1; 0 everywhere where nothing speaks for the class.

    Raises:
        ModelError: the network gave no numbers.
    """
    rows = cell_centres(grids.shape[1], size[0])
    columns = cell_centres(grids.shape[2], size[1])
    return normalise(enlarge(grids, rows, columns, size))
