"""What is kept of a walk through a network so that it can be worked out afterwards."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import numpy as np

from tellapart.explanation.prediction.worked_convolution import (
    WorkedConvolution,
    goes_on,
    is_convolution,
    work_out_convolution,
)
from tellapart.explanation.prediction.worked_pooling import (
    WorkedPooling,
    is_global_pooling,
    is_pooling,
    work_out_pooling,
)
from tellapart.explanation.prediction.worked_window import CannotWorkOut
from tellapart.explanation.walk import Step, as_graph

T = TypeVar("T")


class Watch:
    """Holds the first convolution, the first pooling and the last step; lets the others go.

    Attributes:
        last: the last step that changed a number; it gives the network's answer.
        damaged: whether numbers that are not finite were seen, in weights or answers.
        bad_weights: a sentence for each layer whose weights are not all finite.
    """

    last: Step

    def __init__(self) -> None:
        self.damaged = False
        self.bad_weights: list[str] = []
        self._convolution: list[Step] = []
        self._convolution_ended = False
        self._pooling: Step | None = None
        self._reasons: dict[str, str] = {}

    def see(self, step: Step) -> None:
        """Takes note of the next step of a walk."""
        if not (hasattr(self, "last") and _hands_on(step)):
            self.last = step
        self._see_convolution(step)
        self._see_pooling(step)
        self._see_damage(step)

    @cached_property
    def convolution(self) -> WorkedConvolution | None:
        """One answer of the first convolution; None: `reasons` says why."""
        if not self._convolution:
            self._reasons["convolution"] = "the network has no Conv2D layer."
            return None
        return self._try("convolution", lambda: work_out_convolution(self._convolution))

    @cached_property
    def pooling(self) -> WorkedPooling | None:
        """One window of the first pooling, or of the pooling of whole channels; None likewise."""
        step = self._pooling
        if step is None:
            self._reasons["pooling window"] = "the network has no pooling layer."
            return None
        return self._try("pooling window", lambda: work_out_pooling(step))

    def reasons(self) -> list[str]:
        """Says in sentences why `convolution` or `pooling` is None."""
        _ = self.convolution, self.pooling
        return [f"No {what} is worked out: {why}" for what, why in self._reasons.items()]

    def _try(self, what: str, work_out: Callable[[], T]) -> T | None:
        try:
            return work_out()
        except CannotWorkOut as reason:
            self._reasons[what] = str(reason)
            return None

    def _see_convolution(self, step: Step) -> None:
        if not self._convolution:
            if is_convolution(step.layer):
                self._convolution = [step]
        elif not self._convolution_ended:
            self._convolution_ended = not goes_on(self._convolution, step)
            if not self._convolution_ended:
                self._convolution.append(step)

    def _see_pooling(self, step: Step) -> None:
        if self._pooling is not None and is_pooling(self._pooling.layer):
            return
        if is_pooling(step.layer) or is_global_pooling(step.layer):
            self._pooling = step

    def _see_damage(self, step: Step) -> None:
        weights = []
        if as_graph(step.layer) is None:  # or else all its layers were seen before
            weights = [np.asarray(weight) for weight in getattr(step.layer, "weights", [])]
        count = sum(weight.size for weight in weights)
        bad = count - sum(int(np.count_nonzero(np.isfinite(weight))) for weight in weights)
        if bad:
            self.bad_weights.append(
                f"{bad:,} of the {count:,} weights of '{step.layer.name}' are not finite numbers "
                "(NaN or infinite)."
            )
        self.damaged |= bad > 0 or not np.isfinite(step.output).all()


def _hands_on(step: Step) -> bool:
    """Whether a step hands scores on as they are, as dropout does when predicting."""
    return step.output.ndim == 2 and np.array_equal(step.output, step.inputs[0])
