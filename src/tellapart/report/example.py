"""Which test picture is followed through the network: an ordinary one, by a rule."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def choose_example(
    probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> int | None:
    """Chooses the right answer with the median probability.

    Neither the surest nor the least sure: what the network usually does. Of an even number of
    right answers it is the one below the middle; of equally sure ones the first. Where no answer
    is right, it is the median of all.

    Args:
        probabilities: (n, classes).
        labels: (n,), the actual classes.

    Returns:
        Its row; None where there are no pictures.
    """
    if not len(labels):
        return None
    top = probabilities.max(axis=1)
    right = np.flatnonzero(probabilities.argmax(axis=1) == labels)
    among = right if len(right) else np.arange(len(labels))
    order = among[np.argsort(top[among], kind="stable")]
    return int(order[(len(order) - 1) // 2])
