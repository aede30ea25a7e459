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
from tellapart.evaluation.novelty import NoveltyModel
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.events import Observer, TrainingEnded
from tellapart.training.interruption import Interruption

Probabilities = npt.NDArray[np.float32]
"""(pictures, classes); each row sums to 1."""

Features = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network makes of pictures.

    Attributes:
        probabilities: (n, classes) float32.
        features: (n, d) float32, by which unknown pictures are told; None where the network cannot
            be opened (see `models.penultimate`).
    """

    probabilities: Probabilities = field(repr=False)
    features: Features | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Unseen:
    """What is said of pictures that were not trained on and are not tested on.

    Attributes:
        probabilities: (k, classes) float32; by cross-validation, each by the fold that did not
            learn from the picture.
        labels: (k,) int64, their actual classes.
        part: which pictures they are.
        chose: whether they also decided which weights are kept, and so are not quite new.
        features: (k, d) float32 of them; see `Seen`.
        trained: (m, d) float32 of training pictures, from which is learned what known ones look
            like; None where there are no features, and with cross-validation.
    """

    probabilities: Probabilities = field(repr=False)
    labels: npt.NDArray[np.int64] = field(repr=False)
    part: FittedPart
    chose: bool = False
    features: Features | None = field(default=None, repr=False)
    trained: Features | None = field(default=None, repr=False)


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

    def fit(
        self,
        parts: Split,
        emit: Observer,
        interruption: Interruption,
        checkpoints: Checkpoints | None = None,
    ) -> TrainingEnded:
        """Trains, on the training part alone; choices are made by the validation part.

        Where it takes long, it goes on from the newest checkpoint, and adds more.
        """
        ...

    def see(self, indices: npt.NDArray[np.int64]) -> Seen:
        """What the trained network makes of those pictures."""
        ...

    def unseen(self, parts: Split) -> Unseen:
        """What probabilities are calibrated on: the calibration part or what stands in for it."""
        ...

    def save_model(self, path: Path) -> None:
        """Writes the network as a `.keras` file, which is there at the latest after `prove`."""
        ...

    def export(self, bundle: Bundle, path: Path, novelty: NoveltyModel | None) -> None:
        """Writes the network as a classifier file, with the score for unknown pictures, if any."""
        ...

    def prove(self) -> None:
        """Makes sure that the network that `save_model` wrote is the one that `see` is of.

        Raises:
            ExportError: it is not.
        """
        ...

    def follow(self, index: int, temperature: float) -> None:
        """Begins to follow a picture through every layer; `followed` has the trace.

        Args:
            index: which picture of the data set.
            temperature: what the classifier file divides logits by.
        """
        ...

    def followed(self) -> dict[str, Any]:
        """The trace of the picture that `follow` named, as docs/trace.md has it; after `prove`.

        Raises:
            ModelError: the network cannot be followed.
        """
        ...

    def data_flow(self) -> list[dict[str, Any]]:
        """The data-flow trace for as many pictures as the data set has; see `explanation.flow`."""
        ...

    def close(self) -> None:
        """Gives up what it holds outside this process."""
        ...
