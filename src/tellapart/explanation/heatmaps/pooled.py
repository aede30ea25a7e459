"""HiResCAM from the classifier file alone, where the network ends in a mean over places.

    ... -> values (n, k, rows, columns) -> mean -> a few steps on k numbers -> logits -> softmax

The way back from a logit to the values is then short enough to be gone by hand, so that neither
Keras nor TensorFlow is needed. Any other end is left to methods that need only answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.bundle import parse_bundle, read_file
from tellapart.classifier import Classifier
from tellapart.explanation.heatmaps.class_activation import Sight
from tellapart.explanation.heatmaps.grids import Floats
from tellapart.images import Pixels
from tellapart.onnx_session import make_session

BATCH_SIZE = 32

Back = Callable[[Floats, dict[str, Floats]], Floats]
"""From gradients behind a step, (n, m), and the values fetched, to those before it, (n, k)."""


class PooledNetwork:
    """A classifier file whose last layer with spatial extent can be looked at."""

    def __init__(
        self,
        session: Any,
        values: str,
        *,
        channels_last: bool,
        steps: list[Back],
        fetched: list[str],
    ) -> None:
        self._session = session
        self._values = values
        self._channels_last = channels_last
        self._steps = steps  # from the logits back to the means
        self._fetched = fetched

    @classmethod
    def of(cls, classifier: Classifier) -> PooledNetwork | None:
        """Finds the layer; None where the network ends in another way.

        Raises:
            ClassifierFileError: the file has changed and is no classifier any more.
        """
        try:
            import onnx
        except ModuleNotFoundError:  # predicting can do without
            return None
        content = read_file(classifier.path)
        parse_bundle(content, str(classifier.path))
        model = onnx.load_model_from_string(content)
        end = _End(model.graph)
        if not end.found:
            return None
        names = [end.values, *end.fetched]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        session = make_session(model.SerializeToString(), classifier.path)
        return cls(
            session,
            end.values,
            channels_last=end.channels_last,
            steps=end.steps,
            fetched=end.fetched,
        )

    def look(self, pixels: Pixels, classes: npt.NDArray[np.int64], count: int) -> Sight:
        """Notes what the layer sees, and what that does for the logit of a class.

        Args:
            pixels: (n, height, width, channels) uint8.
            classes: (n,) int64.
            count: how many classes there are.
        """
        sights = [
            self._look(
                pixels[start : start + BATCH_SIZE], classes[start : start + BATCH_SIZE], count
            )
            for start in range(0, len(pixels), BATCH_SIZE)
        ]
        return Sight(
            np.concatenate([values for values, _ in sights]),
            np.concatenate([gradients for _, gradients in sights]),
        )

    def _look(
        self, pixels: Pixels, classes: npt.NDArray[np.int64], count: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        feed = {self._session.get_inputs()[0].name: pixels}
        values, *rest = self._session.run([self._values, *self._fetched], feed)
        fetched: dict[str, Floats] = {
            name: np.asarray(found, np.float64).reshape(len(pixels), -1)
            for name, found in zip(self._fetched, rest, strict=True)
        }
        gradient: Floats = np.eye(count)[classes]
        for back in self._steps:
            gradient = back(gradient, fetched)
        if not self._channels_last:
            values = values.transpose(0, 2, 3, 1)
        places = values.shape[1] * values.shape[2]
        spread = (gradient / places).astype(np.float32)[:, np.newaxis, np.newaxis]
        return values, np.broadcast_to(spread, values.shape)


class _End:
    """The end of a graph, read backwards from the softmax to the mean over places.

    Attributes:
        found: whether it is all of steps that are known here.
        values: the name of what the mean is taken of.
        channels_last: how it lies in memory.
        steps: the way back, in order.
        fetched: names of values that it needs.
    """

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self.found = False
        self.values = ""
        self.channels_last = False
        self.steps: list[Back] = []
        self.fetched: list[str] = []
        self._constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        self._makers = {}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self._constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            self._makers.update(dict.fromkeys(node.output, node))
        name: str | None = self._through_softmax(graph.output[0].name)
        while name is not None:
            node = self._makers.get(name)
            name = None if node is None else self._step(node)

    def _through_softmax(self, name: str) -> str | None:
        """From the probabilities to the logits."""
        node = self._makers.get(name)
        while node is not None and node.op_type == "Identity":
            node = self._makers.get(node.input[0])
        return node.input[0] if node is not None and node.op_type == "Softmax" else None

    def _step(self, node: Any) -> str | None:
        """Notes the way back through a node; returns its input, or None where it ends."""
        from onnx import helper

        options = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        if node.op_type in ("Identity", "Flatten", "Reshape", "Squeeze"):
            return str(node.input[0])
        if node.op_type == "GlobalAveragePool":
            self._finish(node, channels_last=False)
            return None
        if node.op_type == "ReduceMean":
            axes = (
                self._constants.get(node.input[1]) if len(node.input) > 1 else options.get("axes")
            )
            over = sorted(int(axis) % 4 for axis in np.ravel(axes)) if axes is not None else []
            if over in ([1, 2], [2, 3]):
                self._finish(node, channels_last=over == [1, 2])
            return None
        back = self._back(node, options)
        if back is None:
            return None
        self.steps.append(back)
        return str(next(name for name in node.input if name not in self._constants))

    def _finish(self, node: Any, *, channels_last: bool) -> None:
        self.found, self.values, self.channels_last = True, node.input[0], channels_last

    def _back(self, node: Any, options: dict[str, Any]) -> Back | None:
        constants = [self._constants[name] for name in node.input if name in self._constants]
        if node.op_type == "Sqrt":
            root = node.output[0]
            self.fetched.append(root)
            return lambda gradient, fetched: gradient / (2 * fetched[root])
        if len(node.input) - len(constants) != 1 or not constants:
            return None
        if node.op_type == "Add":
            return lambda gradient, fetched: gradient
        if node.op_type == "Mul" and _is_row(constants[0]):
            factor = np.ravel(constants[0]).astype(np.float64)
            return lambda gradient, fetched: gradient * factor
        if node.input[0] in self._constants:
            return None
        if node.op_type == "Sub":
            return lambda gradient, fetched: gradient
        if node.op_type == "Div" and _is_row(constants[0]):
            divisor = np.ravel(constants[0]).astype(np.float64)
            return lambda gradient, fetched: gradient / divisor
        if node.op_type == "MatMul" or (node.op_type == "Gemm" and not options.get("transA")):
            kernel = np.asarray(constants[0], np.float64) * options.get("alpha", 1.0)
            backwards = kernel if options.get("transB") else kernel.T
            return lambda gradient, fetched: gradient @ backwards
        return None


def _is_row(constant: npt.NDArray[Any]) -> bool:
    """Whether there is one number for all, or one for each of k."""
    return constant.size == max(constant.shape, default=1)
