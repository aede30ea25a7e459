"""The head of a transferred network: a linear classifier on features that stay as they are.

Multinomial logistic regression with an L2 penalty (Bishop, "Pattern Recognition and Machine
Learning", 4.3.4). For pictures i with features x_i, centred and scaled to a mean variance of 1,
with labels y_i and weights w_i:

    minimise over W, b:   C * sum_i  w_i * -log softmax(x_i W + b)[y_i]   +   1/2 |W|^2

The strength C, large for a weak penalty, is chosen by the log loss in a stratified
cross-validation on the training pictures; no other picture is looked at.

What makes it fast: the features are turned onto their principal axes, where the problem is
nearly diagonal and L-BFGS (Liu & Nocedal, 1989), scaled by the curvature along each axis, needs
few steps; one matrix product serves all folds; each strength starts from the solution of the one
before. L-BFGS stops when the slope has fallen to a thousandth, which for the weakest penalties is
a little before the minimum.
"""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import UsageError

Floats = npt.NDArray[np.float32]

STRENGTHS = tuple(float(10 ** (exponent / 2)) for exponent in range(-4, 5))
"""From 0.01 to 100, two for each power of ten."""

DEFAULT_STRENGTH = 1.0
"""Where there are too few pictures to choose: the middle."""

FOLDS = 5
FEWEST = 3
"""Pictures a class, below which the strength is not chosen but fixed."""

WORTHWHILE = 0.01
"""Weaker penalties are tried while each lowers the log loss by this share."""

MOST_CHOSEN_ON = 8_000
"""The strength is chosen on at most so many pictures, drawn by class."""

_MOST_LOGITS = 2**23
_MAX_STEPS = 60
_TOLERANCE = 1e-3
_SMALLEST_VARIANCE = 1e-6


@dataclass(frozen=True)
class Trial:
    """What cross-validation says of one strength, on the pictures held out."""

    strength: float
    accuracy: float
    log_loss: float


@dataclass(frozen=True)
class Head:
    """A linear classifier on features.

    Attributes:
        weights: (features, classes) float32.
        bias: (classes,) float32.
        strength: C, the inverse of the penalty's weight.
        trials: the strengths that were compared; empty where there were too few pictures.
        note: how the strength was found, in words.
    """

    weights: Floats
    bias: Floats
    strength: float
    trials: tuple[Trial, ...] = ()
    note: str = ""

    @property
    def accuracy(self) -> float | None:
        """Cross-validated accuracy at the chosen strength, 0 to 1; None where none was chosen."""
        return next((t.accuracy for t in self.trials if t.strength == self.strength), None)

    @property
    def log_loss(self) -> float | None:
        """Cross-validated mean of -log(probability of the right class), in nats, or None."""
        return next((t.log_loss for t in self.trials if t.strength == self.strength), None)

    def softened(self, temperature: float) -> Head:
        """Returns the head whose logits are divided by a temperature (Guo et al., 2017)."""
        divisor = np.float32(temperature)
        return replace(self, weights=self.weights / divisor, bias=self.bias / divisor)

    def logits(self, features: Floats) -> Floats:
        """Turns (n, features) float32 into (n, classes) float32."""
        found: Floats = features @ self.weights + self.bias
        return found

    def probabilities(self, features: Floats) -> Floats:
        """Turns (n, features) float32 into (n, classes) float32; each row sums to 1."""
        return _softmax(self.logits(features))


def fit_head(
    features: Floats,
    labels: npt.ArrayLike,
    *,
    classes: int | None = None,
    class_weight: Mapping[int, float] | None = None,
    groups: Sequence[Hashable] | npt.NDArray[Any] | None = None,
    strength: float | None = None,
    seed: int = 0,
) -> Head:
    """Fits a linear classifier, and chooses its strength by cross-validation.

    Memory beside the features: three copies of them, and a few numbers for each picture and class.

    Args:
        features: (n, d) float32, or (n, views, d) where each picture was seen in several views,
            the plain one first. Views count as one picture: they share a fold and a weight, and
            only the plain one is judged.
        labels: (n,) whole numbers from 0.
        classes: how many there are; by default the largest label and one.
        class_weight: what each picture of a class counts, as Keras has it; 1 where not named.
        groups: (n,) pictures of one group, such as copies, share a fold.
        strength: C, where it is known already.
        seed: decides the folds.

    Raises:
        UsageError: the shapes do not fit, a number is not finite, or there is but one class.
    """
    views, labels = _check(features, np.asarray(labels), groups)
    classes = int(labels.max()) + 1 if classes is None else classes
    if classes < 2 or not 0 <= labels.min() <= labels.max() < classes:
        raise UsageError(
            f"Labels {labels.min()} to {labels.max()} with {classes} classes: expected at least 2 "
            "classes, and labels from 0 up to one less than that."
        )
    with _one_thread():
        return _fit(views, labels, classes, class_weight, groups, strength, seed)


def _fit(
    views: Floats,
    labels: npt.NDArray[np.int64],
    classes: int,
    class_weight: Mapping[int, float] | None,
    groups: Sequence[Hashable] | npt.NDArray[Any] | None,
    strength: float | None,
    seed: int,
) -> Head:
    axes = _PrincipalAxes.of(views)
    problem = _Problem(
        axes.turn(views), labels, classes, _picture_weights(labels, classes, class_weight)
    )
    folds = _deal_folds(labels, groups, seed)
    trials: tuple[Trial, ...] = ()
    if strength is not None:
        note = f"The strength of the penalty was given: C = {strength:.2g}."
    elif folds is None:
        strength = DEFAULT_STRENGTH
        note = (
            f"Too few pictures a class to choose the penalty by cross-validation (at least "
            f"{FEWEST} are needed in most classes): C = {strength:.2g} was taken."
        )
    else:
        trials = tuple(_try_strengths(problem, folds, seed))
        best = min(trials, key=lambda trial: trial.log_loss)
        strength = best.strength
        note = (
            f"C = {strength:.2g} has the lowest log loss in {folds.max() + 1}-fold "
            f"cross-validation on the training pictures: {best.log_loss:.3f}, at an accuracy of "
            f"{best.accuracy:.1%}."
        )
    solution = problem.solve(strength, np.ones((len(labels), 1), np.float32))
    weights, bias = axes.back(solution.weights[:, 0], solution.bias[0])
    return Head(weights, bias, strength, trials, note)


# --- The problem and its solution ---------------------------------------------------------------


@dataclass(frozen=True)
class _Solution:
    """Weights (axes, folds, classes) and bias (folds, classes), for every fold."""

    weights: Floats
    bias: Floats


@dataclass(frozen=True)
class _Problem:
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

    def part(self, indices: npt.NDArray[np.int64]) -> _Problem:
        return _Problem(self.x[indices], self.labels[indices], self.classes, self.weights[indices])

    def solve(self, strength: float, used: Floats, start: _Solution | None = None) -> _Solution:
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

        def unpack(flat: npt.NDArray[np.float64]) -> _Solution:
            numbers = flat.astype(np.float32)
            return _Solution(
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
            options={"maxiter": _MAX_STEPS, "gtol": _TOLERANCE * steepest, "ftol": 1e-7},
        )
        return unpack(result.x)

    def _sharpness(self, rows: Floats, start: _Solution | None) -> float:
        """Returns the mean of p (1 - p), the curvature of the log loss by a logit."""
        if start is None:
            return (1 - 1 / self.classes) / self.classes
        few = rows[:: max(1, len(rows) // 500)]
        p = _softmax(few @ start.weights[:, 0] + start.bias[0])
        return max(float((p * (1 - p)).mean()), 1e-4)


def _loss(
    rows: Floats, labels: npt.NDArray[np.int64], weights: Floats, at: _Solution
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


# --- Choosing the strength ----------------------------------------------------------------------


def _try_strengths(problem: _Problem, folds: npt.NDArray[np.int64], seed: int) -> Iterator[Trial]:
    """Yields a trial for each strength, up to where the log loss hardly falls any more."""
    chosen = _draw(problem.labels, folds, seed)
    problem, folds = problem.part(chosen), folds[chosen]
    used = (folds[:, None] != np.arange(folds.max() + 1)).astype(np.float32)
    judged = max(1, min(used.shape[1], _MOST_LOGITS // (len(chosen) * problem.classes)))
    solution, best = None, np.inf
    for strength in STRENGTHS:
        solution = problem.solve(strength, used[:, :judged], solution)
        trial = _judge(problem, folds, solution, strength)
        yield trial
        if trial.log_loss > (1 - WORTHWHILE) * best:
            return
        best = trial.log_loss


def _judge(
    problem: _Problem, folds: npt.NDArray[np.int64], solution: _Solution, strength: float
) -> Trial:
    """Judges each picture, in its plain view, by the fold that did not learn from it."""
    right, losses, weights = 0.0, 0.0, 0.0
    for fold in range(solution.bias.shape[0]):
        held_out = np.flatnonzero(folds == fold)
        x, labels = problem.x[held_out, 0], problem.labels[held_out]
        probabilities = _softmax(x @ solution.weights[:, fold] + solution.bias[fold])
        weight = problem.weights[held_out]
        likelihood = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        losses -= float(weight @ np.log(np.maximum(likelihood, 1e-30)))
        right += float(weight @ (probabilities.argmax(axis=1) == labels))
        weights += float(weight.sum())
    return Trial(strength, right / weights, losses / weights)


def _deal_folds(
    labels: npt.NDArray[np.int64],
    groups: Sequence[Hashable] | npt.NDArray[Any] | None,
    seed: int,
) -> npt.NDArray[np.int64] | None:
    """Deals the groups of each class to the folds in turn.

    Returns:
        (n,) the fold that holds a picture out, -1 for classes with a single group, which every
        fold must learn from; None where there is too little to hold out.
    """
    owner = np.arange(len(labels)) if groups is None else _number(groups)
    # A group that spans classes goes where its first picture goes.
    members, first = np.unique(owner, return_index=True)
    group_labels = labels[first]
    counts = np.bincount(group_labels)
    typical = int(np.median(counts[counts > 0]))
    if typical < FEWEST:
        return None
    folds = min(FOLDS, typical)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(members))
    order = shuffled[np.argsort(group_labels[shuffled], kind="stable")]
    dealt = np.empty(len(members), np.int64)
    dealt[order] = np.arange(len(members)) % folds
    dealt[counts[group_labels] == 1] = -1
    return dealt[owner] if groups is not None else dealt


def _number(groups: Sequence[Hashable] | npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    numbers: dict[Hashable, int] = {}
    values = groups.tolist() if isinstance(groups, np.ndarray) else groups
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)


def _draw(
    labels: npt.NDArray[np.int64], folds: npt.NDArray[np.int64], seed: int
) -> npt.NDArray[np.int64]:
    """Draws at most MOST_CHOSEN_ON pictures, each class and fold in proportion."""
    if len(labels) <= MOST_CHOSEN_ON:
        return np.arange(len(labels))
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    order = shuffled[np.lexsort((folds[shuffled], labels[shuffled]))]
    places = np.linspace(0, len(labels) - 1, MOST_CHOSEN_ON).astype(np.int64)
    drawn: npt.NDArray[np.int64] = np.sort(order[places])
    return drawn


# --- The principal axes -------------------------------------------------------------------------


@dataclass(frozen=True)
class _PrincipalAxes:
    """Centred and scaled features, turned onto their principal axes (Pearson, 1901).

    A turn changes neither the loss nor the penalty, so the classifier is the same; axes along
    which no picture differs from another are left out, for the penalty keeps their weights at 0.

    Attributes:
        mean: (d,) of the features.
        scale: one over their root mean variance. One for all of them: with each feature scaled
            by its own, cross-validated accuracy was lower, for rare features are noisy ones.
        axes: (d, r) orthonormal columns.
    """

    mean: Floats
    scale: np.float32
    axes: Floats

    @classmethod
    def of(cls, views: Floats) -> _PrincipalAxes:
        """Finds the axes of (n, views, d) features."""
        rows = views.reshape(-1, views.shape[-1])
        mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = rows - mean
        variance = float(np.vdot(centred, centred)) / centred.size
        scale = np.float32(1 / np.sqrt(variance)) if variance > 0 else np.float32(1)
        return cls(mean, scale, _axes(centred))

    def turn(self, views: Floats) -> Floats:
        """Turns (n, views, d) into (n, views, r)."""
        turned: Floats = views @ (self.scale * self.axes)
        turned -= (self.scale * self.mean) @ self.axes
        return turned

    def back(self, weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Turns weights (r, classes) into ones for unturned features, (d, classes)."""
        raw = self.scale * (self.axes @ weights)
        moved = bias - self.mean @ raw
        # Softmax ignores what all classes share; centred, the numbers stay small.
        return raw - raw.mean(axis=1, keepdims=True), moved - moved.mean()


def _axes(centred: Floats) -> Floats:
    """Returns (d, r) orthonormal axes, by way of the smaller of the two Gram matrices."""
    count, width = centred.shape
    if width <= count:
        variances, axes = np.linalg.eigh(centred.T @ centred)
        return np.ascontiguousarray(axes[:, _real(variances)])
    squares, sides = np.linalg.eigh(centred @ centred.T)
    real = _real(squares)
    found: Floats = centred.T @ (sides[:, real] / np.sqrt(squares[real]))
    return found


def _real(variances: Floats) -> npt.NDArray[np.bool_]:
    """Tells real axes from rounding."""
    kept: npt.NDArray[np.bool_] = variances > _SMALLEST_VARIANCE * max(float(variances[-1]), 1e-12)
    return kept


# --- Small parts --------------------------------------------------------------------------------


def _check(
    features: Floats,
    labels: npt.NDArray[Any],
    groups: Sequence[Hashable] | npt.NDArray[Any] | None,
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Returns (n, views, d) features and (n,) labels, or says what is wrong."""
    if features.ndim not in (2, 3) or not len(features) or 0 in features.shape:
        raise UsageError(
            f"Features of shape {features.shape}: expected (pictures, features) or "
            "(pictures, views, features), at least one of each."
        )
    if labels.shape != features.shape[:1] or labels.dtype.kind not in "iu":
        raise UsageError(
            f"Labels of shape {labels.shape} and type {labels.dtype} for {len(features):,} "
            "pictures: expected a whole number for each."
        )
    if groups is not None and len(groups) != len(features):
        raise UsageError(
            f"{len(groups):,} groups for {len(features):,} pictures: expected one each."
        )
    if not np.isfinite(features).all():
        bad = int(np.argmin(np.isfinite(features.reshape(len(features), -1)).all(axis=1)))
        raise UsageError(f"The features of picture {bad} are not all finite numbers.")
    views = features if features.ndim == 3 else features[:, None]
    return views.astype(np.float32, copy=False), labels.astype(np.int64)


def _picture_weights(
    labels: npt.NDArray[np.int64], classes: int, class_weight: Mapping[int, float] | None
) -> Floats:
    weights = np.ones(classes, np.float32)
    for label, weight in (class_weight or {}).items():
        if not 0 <= label < classes or not 0 <= weight < np.inf:
            raise UsageError(
                f"class_weight {label}: {weight}: expected a class from 0 to {classes - 1} and a "
                "weight of 0 or more."
            )
        weights[label] = weight
    picked: Floats = weights[labels]
    return picked


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Keeps matrix products on one core.

    The threads of a product wait for each other in a loop. With other work on two cores, such as
    Keras starting beside us, 1,088 pictures took 2 s on one thread and 10 to 24 s on two.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def _softmax(logits: Floats) -> Floats:
    powers: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares
