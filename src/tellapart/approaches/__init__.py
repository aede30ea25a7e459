"""The ways from pictures to a trained network: from scratch, or on pretrained features.

A `Session` records a run, whichever way it takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tellapart.bundle import Bundle
from tellapart.data.split import Split
from tellapart.data.streaming import PixelRows
from tellapart.evaluation.calibration import FittedPart
from tellapart.training.events import Observer, TrainingEnded
from tellapart.training.interruption import Interruption

Probabilities = npt.NDArray[np.float32]
"""(pictures, classes); each row sums to 1."""


@dataclass(frozen=True, eq=False)
class Unseen:
    """What is said of pictures that were not trained on and are not tested on.

    Attributes:
        probabilities: (k, classes) float32; by cross-validation, each by the fold that did not
            learn from the picture.
        labels: (k,) int64, their actual classes.
        part: which pictures they are.
    """

    probabilities: Probabilities = field(repr=False)
    labels: npt.NDArray[np.int64] = field(repr=False)
    part: FittedPart


class Approach(Protocol):
    """A network, how it is trained on the pictures, and how it is written down."""

    @property
    def model(self) -> Any:
        """The `keras.Model`; None where it is in no memory but in the file of `save_model`."""
        ...

    @property
    def pixels(self) -> PixelRows:
        """What the network sees of each picture of the data set."""
        ...

    @property
    def parameters(self) -> int:
        """The number of weights."""
        ...

    @property
    def backend(self) -> str:
        """Keras's backend that trains: "tensorflow", "jax", "torch"; "" where none is needed."""
        ...

    def fit(self, parts: Split, emit: Observer, interruption: Interruption) -> TrainingEnded:
        """Trains, on the training part alone; choices are made by the validation part."""
        ...

    def predict(self, indices: npt.NDArray[np.int64]) -> Probabilities:
        """What the trained network makes of those pictures."""
        ...

    def unseen(self, parts: Split) -> Unseen:
        """What probabilities are calibrated on: the calibration part or what stands in for it."""
        ...

    def save_model(self, path: Path) -> None:
        """Writes the network as a `.keras` file, which is there at the latest after `prove`."""
        ...

    def export(self, bundle: Bundle, path: Path) -> None:
        """Writes the network as a classifier file."""
        ...

    def prove(self) -> None:
        """Makes sure that the network that `save_model` wrote is the one that `predict` is of.

        Raises:
            ExportError: it is not.
        """
        ...

    def data_flow(self) -> list[dict[str, Any]]:
        """The data-flow trace for as many pictures as the data set has; see `explanation.flow`."""
        ...

    def close(self) -> None:
        """Gives up what it holds outside this process."""
        ...
