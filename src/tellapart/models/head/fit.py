"""A linear classifier on features.

Multinomial logistic regression with an L2 penalty (Bishop, "Pattern Recognition and Machine
Learning", 4.3.4). For pictures i with features x_i, centred and scaled to a mean variance of 1,
with labels y_i and weights w_i:

    minimise over W, b:   C * sum_i  w_i * -log softmax(x_i W + b)[y_i]   +   1/2 |W|^2

The strength C, large for a weak penalty, is chosen by the log loss in a stratified
cross-validation on the training pictures; no other picture is looked at.

What makes it fast: one matrix product serves all folds, and each strength starts from the
solution of the one before; see also `problem` and `axes`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import UsageError
from tellapart.models.head.axes import PrincipalAxes
from tellapart.models.head.choice import HeldOut, Trial, choose_strength
from tellapart.models.head.folds import FEWEST, Groups, deal_folds
from tellapart.models.head.problem import Floats, Problem, softmax

DEFAULT_STRENGTH = 1.0
"""Where there are too few pictures to choose: the middle."""


@dataclass(frozen=True)
class Head:
    """A linear classifier on features.

    Attributes:
        weights: (features, classes) float32.
        bias: (classes,) float32.
        strength: C, the inverse of the penalty's weight.
        trials: the strengths that were compared; empty where there were too few pictures.
        note: how the strength was found, in words.
        held_out: what the folds at the chosen strength say of the pictures that they held out;
            None where no strength was chosen.
    """

    weights: Floats
    bias: Floats
    strength: float
    trials: tuple[Trial, ...] = ()
    note: str = ""
    held_out: HeldOut | None = field(default=None, repr=False)

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
        return replace(
            self,
            weights=self.weights / divisor,
            bias=self.bias / divisor,
            held_out=None if self.held_out is None else self.held_out.softened(temperature),
        )

    def logits(self, features: Floats) -> Floats:
        """Turns (n, features) float32 into (n, classes) float32."""
        found: Floats = features @ self.weights + self.bias
        return found

    def probabilities(self, features: Floats) -> Floats:
        """Turns (n, features) float32 into (n, classes) float32; each row sums to 1."""
        return softmax(self.logits(features))


def fit_head(
    features: Floats,
    labels: npt.ArrayLike,
    *,
    classes: int | None = None,
    class_weight: Mapping[int, float] | None = None,
    groups: Groups | None = None,
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
    groups: Groups | None,
    strength: float | None,
    seed: int,
) -> Head:
    axes = PrincipalAxes.of(views)
    problem = Problem(
        axes.turn(views), labels, classes, _picture_weights(labels, classes, class_weight)
    )
    folds = deal_folds(labels, groups, seed)
    choice = None
    if strength is not None:
        note = f"The strength of the penalty was given: C = {strength:.2g}."
    elif folds is None:
        strength = DEFAULT_STRENGTH
        note = (
            f"Too few pictures a class to choose the penalty by cross-validation (at least "
            f"{FEWEST} are needed in most classes): C = {strength:.2g} was taken."
        )
    else:
        choice = choose_strength(problem, folds, seed)
        strength = choice.best.strength
        note = (
            f"C = {strength:.2g} has the lowest log loss in {folds.max() + 1}-fold "
            f"cross-validation on the training pictures: {choice.best.log_loss:.3f}, at an "
            f"accuracy of {choice.best.accuracy:.1%}."
        )
    solution = problem.solve(strength, np.ones((len(labels), 1), np.float32))
    weights, bias = axes.back(solution.weights[:, 0], solution.bias[0])
    if choice is None:
        return Head(weights, bias, strength, note=note)
    return Head(weights, bias, strength, choice.trials, note, choice.held_out)


def _check(
    features: Floats,
    labels: npt.NDArray[Any],
    groups: Groups | None,
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
