"""From the scores of the classes (logits) to probabilities, with every number in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.explanation.layers import activation_name
from tellapart.explanation.walk import AGREEMENT, Step

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answer:
    """probability = e^((logit - largest) / temperature) / the sum of these over all classes.

    The largest logit is taken away first: the probabilities are the same, and no e^x overflows.

    Attributes:
        layer: whose answer it is.
        class_names: in the order of the network's outputs.
        logits: (classes,); None where the network does not end in a softmax.
        temperature: what logits are divided by (Guo et al., 2017); 1 changes nothing.
        exponentials: (classes,) e^(...) as above; None likewise.
        probabilities: (classes,); None where they are not finite.
    """

    layer: str
    class_names: tuple[str, ...]
    logits: Numbers | None
    temperature: float
    exponentials: Numbers | None
    probabilities: Numbers | None

    def order(self) -> list[int]:
        """The classes, the most probable first; in their own order where there are no numbers."""
        if self.probabilities is None:
            return list(range(len(self.class_names)))
        return [int(place) for place in np.argsort(-self.probabilities, kind="stable")]

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name, with a list of classes, the most probable first."""
        none = np.full(len(self.class_names), None)
        logits, exponentials, probabilities = (
            none if numbers is None else numbers.tolist()
            for numbers in (self.logits, self.exponentials, self.probabilities)
        )
        return {
            "layer": self.layer,
            "temperature": self.temperature,
            "largest_logit": None if self.logits is None else float(self.logits.max()),
            "sum": None if self.exponentials is None else float(self.exponentials.sum()),
            "classes": [
                {
                    "index": place,
                    "name": self.class_names[place],
                    "logit": logits[place],
                    "exponential": exponentials[place],
                    "probability": probabilities[place],
                }
                for place in self.order()
            ],
        }


def work_out_softmax(step: Step, class_names: Sequence[str], temperature: float = 1.0) -> Answer:
    """Works out a network's answer from its last step.

    The logits are what a softmax layer is given, or inputs x kernel + bias of a dense layer with
    softmax. They must give the network's own probabilities, or they are left out.

    Args:
        step: the last that changes a number: (1, classes) comes out.
        class_names: one a class.
        temperature: what the classifier file divides logits by.
    """
    own = step.output[0].astype(np.float64)
    names = tuple(class_names)
    if not np.isfinite(own).all():
        return Answer(step.layer.name, names, None, temperature, None, None)
    logits = _logits(step)
    if logits is None or not np.allclose(_softmax(logits)[1], own, rtol=0, atol=AGREEMENT):
        # A temperature works on logarithms of probabilities as on logits.
        changed = (
            own if temperature == 1 else _softmax(np.log(np.maximum(own, 1e-30)), temperature)[1]
        )
        return Answer(step.layer.name, names, None, temperature, None, changed)
    exponentials, probabilities = _softmax(logits, temperature)
    return Answer(step.layer.name, names, logits, temperature, exponentials, probabilities)


def _logits(step: Step) -> Numbers | None:
    layer, kind = step.layer, type(step.layer).__name__
    entering = step.inputs[0][0].astype(np.float64)
    if kind == "Softmax" or (kind == "Activation" and activation_name(layer) == "softmax"):
        logits = entering
    elif kind == "Dense" and activation_name(layer) == "softmax":
        logits = entering @ np.asarray(layer.kernel, dtype=np.float64)
        if layer.use_bias:
            logits = logits + np.asarray(layer.bias, dtype=np.float64)
    else:
        return None
    fits = logits.shape == step.output[0].shape and np.isfinite(logits).all()
    return logits if fits else None


def _softmax(logits: Numbers, temperature: float = 1.0) -> tuple[Numbers, Numbers]:
    """Returns e^((logit - largest) / temperature), and the same divided by its sum."""
    exponentials = np.exp((logits - logits.max()) / temperature)
    return exponentials, exponentials / exponentials.sum()
