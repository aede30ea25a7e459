"""The optimisation problem behind a head, and its solution: L-BFGS on the principal axes.

The features are turned onto their principal axes, where the problem is nearly diagonal and L-BFGS
(Liu & Nocedal, 1989), scaled by the curvature along each axis, needs few steps; one matrix product
serves all folds. L-BFGS stops when the slope has fallen to a thousandth, which for the weakest
penalties is a little before the minimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

MAX_STEPS = 60
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Solution:
    """Weights (axes, folds, classes) and bias (folds, classes), for every fold."""

    weights: Floats
    bias: Floats


@dataclass(frozen=True)
class Problem:
    """Pictures to tell apart.

    Attributes:
        x: (n, views, axes) float32, on the principal axes.
        labels: (n,).
        classes: how many there are.
        weights: (n,) float32, what each picture counts.
    """

    x: Floats
    labels: npt.NDArray[np.int64]
    classes: int
    weights: Floats

    def part(self, indices: npt.NDArray[np.int64]) -> Problem:
        """Returns the problem of those pictures alone."""
        return Problem(self.x[indices], self.labels[indices], self.classes, self.weights[indices])

    def solve(self, strength: float, used: Floats, start: Solution | None = None) -> Solution:
        """Fits one classifier for each fold, all at once.

        Args:
            strength: C.
            used: (n, folds), 1 where a fold learns from a picture and 0 where it does not.
            start: where to start from.
        """
        from scipy.optimize import minimize

        count, views, axes = self.x.shape
        folds, classes = used.shape[1], self.classes
        rows = self.x.reshape(count * views, axes)
        labels = np.repeat(self.labels, views)
        weights = np.repeat(used * self.weights[:, None] / np.float32(views), views, axis=0)
        # About the curvature along each axis: that makes the problem round for L-BFGS.
        mean_weights = weights.mean(axis=1)
        strength_here = strength * self._sharpness(rows, start)
        curvature = strength_here * np.einsum("ij,ij,i->j", rows, rows, mean_weights)
        scale = (1 / np.sqrt(1 + curvature)).astype(np.float32)[:, None, None]
        bias_scale = np.float32(1 / np.sqrt(1e-6 + strength_here * mean_weights.sum()))
        split = axes * folds * classes

        def unpack(flat: npt.NDArray[np.float64]) -> Solution:
            numbers = flat.astype(np.float32)
            return Solution(
                numbers[:split].reshape(axes, folds, classes) * scale,
                numbers[split:].reshape(folds, classes) * bias_scale,
            )

        def objective(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            found = unpack(flat)
            loss, slope, bias_slope = _loss(rows, labels, weights, found)
            penalty = 0.5 * float(np.vdot(found.weights, found.weights))
            slope = (strength * slope + found.weights) * scale
            bias_slope = strength * bias_slope * bias_scale
            flat_slope = np.concatenate([slope.ravel(), bias_slope.ravel()]).astype(np.float64)
            return strength * loss + penalty, flat_slope

        first = np.zeros(split + folds * classes)
        if start is not None:
            first[:split] = (start.weights / scale).ravel()
            first[split:] = (start.bias / bias_scale).ravel()
        steepest = float(np.abs(objective(np.zeros_like(first))[1]).max())
        result = minimize(
            objective,
            first,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": MAX_STEPS, "gtol": TOLERANCE * steepest, "ftol": 1e-7},
        )
        return unpack(result.x)

    def _sharpness(self, rows: Floats, start: Solution | None) -> float:
        """Returns the mean of p (1 - p), the curvature of the log loss by a logit."""
        if start is None:
            return (1 - 1 / self.classes) / self.classes
        few = rows[:: max(1, len(rows) // 500)]
        p = softmax(few @ start.weights[:, 0] + start.bias[0])
        return max(float((p * (1 - p)).mean()), 1e-4)


def _loss(
    rows: Floats, labels: npt.NDArray[np.int64], weights: Floats, at: Solution
) -> tuple[float, Floats, Floats]:
    """Returns the sum of the weighted log losses, and its slopes by weights and by bias."""
    axes, folds, classes = at.weights.shape
    logits = (rows @ at.weights.reshape(axes, folds * classes)).reshape(-1, folds, classes)
    logits += at.bias
    logits -= logits.max(axis=2, keepdims=True)
    index = np.arange(len(rows))
    right = logits[index, :, labels]
    errors = np.exp(logits, out=logits)
    sums = errors.sum(axis=2)
    loss = float(np.vdot(weights, np.log(sums) - right))
    errors *= (weights / sums)[:, :, None]
    errors[index, :, labels] -= weights
    slope = rows.T @ errors.reshape(-1, folds * classes)
    return loss, slope.reshape(axes, folds, classes), errors.sum(axis=0)


def softmax(logits: Floats) -> Floats:
    """Turns (n, classes) logits into probabilities."""
    powers: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares
