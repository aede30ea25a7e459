"""Where the windows of a convolution or pooling lie on its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class CannotWorkOut(Exception):  # noqa: N818  # a reason to say, not a mistake to mend
    """There is nothing to work out by hand; the message is a sentence that says why."""


@dataclass(frozen=True)
class Windows:
    """The windows of one layer along one axis of its input.

    Attributes:
        size: inputs that a window looks at.
        stride: from one window to the next.
        dilation: from one input of a window to the next.
        before: zeros of padding in front of the input.
        length: of the input.
        count: of windows.
    """

    size: int
    stride: int
    dilation: int
    before: int
    length: int
    count: int

    def start(self, position: int) -> int:
        """Where window `position` begins on the input; below 0 in the padding."""
        return position * self.stride - self.before

    def indices(self, position: int) -> list[int]:
        """The inputs that window `position` looks at; some are outside in the padding."""
        return [self.start(position) + k * self.dilation for k in range(self.size)]

    def inside(self) -> list[int]:
        """The windows that lie on the input whole, without padding."""
        return [
            position
            for position in range(self.count)
            if self.start(position) >= 0 and self.indices(position)[-1] < self.length
        ]


def windows_of(layer: Any, axis: int, length: int, count: int) -> Windows:
    """Returns the windows of a Keras layer along one axis: 0 down, 1 across.

    Padding "same" is TensorFlow's: as many zeros as the last window needs, the smaller half in
    front.

    Args:
        layer: with `kernel_size` or `pool_size`, `strides` and `padding`.
        axis: 0 or 1.
        length: of the input along it.
        count: of outputs along it.
    """
    size = (layer.kernel_size if hasattr(layer, "kernel_size") else layer.pool_size)[axis]
    dilation = getattr(layer, "dilation_rate", (1, 1))[axis]
    stride = layer.strides[axis]
    reach = (size - 1) * dilation + 1
    missing = max((count - 1) * stride + reach - length, 0) if layer.padding == "same" else 0
    return Windows(size, stride, dilation, missing // 2, length, count)


def require_known_layout(layer: Any) -> None:
    """Raises `CannotWorkOut` for channels in front of rows, or padding of another kind."""
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise CannotWorkOut(
            f"'{layer.name}' has its channels in front; the sum is shown for channels last."
        )
    if layer.padding not in ("valid", "same"):
        raise CannotWorkOut(f"'{layer.name}' pads by the rule '{layer.padding}'.")
