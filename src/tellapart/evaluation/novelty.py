"""A score for "like nothing I was trained on": how far a picture is, and how undecided the answer.

    distance   sqrt( sum_i ((x - mean) · axis_i / deviation_i)² + |what is left of x|² / rest² )
    entropy    - sum_k p_k log p_k
    score      distance and entropy, each in standard deviations of known pictures, added up

The distance is Mahalanobis's (1936; for this purpose Lee et al., 2018) from the mean of the
training pictures' features, with the covariance of probabilistic principal components (Tipping &
Bishop, 1999): a few axes with their own deviation, one deviation for all others. What it was
measured against is in docs/unknown.md. Using a model needs NumPy alone; fitting one needs SciPy.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tellapart.errors import ModelError, UsageError

Floats = npt.NDArray[np.float32]

AXES = 128
"""At most so many; with 1,280 features the score then takes 0.7 MB of a classifier file."""

PICTURES = 5_000
"""Axes are learned from at most so many pictures, evenly spread."""

PICTURES_PER_AXIS = 4
"""Fewer axes for fewer pictures: what as many axes as pictures leave says nothing of the rest."""

FOLDS = 5

_SMALLEST = 0.01
"""Of the mean variance: an axis along which hardly any picture differs must not decide alone."""

_RANK = 1e-6
"""Variances below this share of the largest are rounding."""

_LEAST_DEVIATION = 0.01
"""Of distance and of entropy: where known pictures hardly differ, rounding must not decide."""

_ROWS = 4_096
"""Distances of so many pictures are computed at once."""

LEAST = 1e-30
"""Probabilities are taken to be no less, so that 0 · log 0 is 0."""


@dataclass(frozen=True, eq=False)
class NoveltyModel:
    """What known pictures look like to a network.

    Attributes:
        mean: (d,) float32 of the features.
        axes: (d, r) float32, orthonormal columns.
        deviations: (r,) float32, the standard deviations along them.
        rest: the standard deviation along every other axis; 0 where there is none.
        distance_weight: of the distance in the score.
        entropy_weight: of the entropy, in nats, in the score.
        offset: added to it, so that known pictures have a mean score of 0.
    """

    mean: Floats = field(repr=False)
    axes: Floats = field(repr=False)
    deviations: Floats = field(repr=False)
    rest: float
    distance_weight: float
    entropy_weight: float
    offset: float

    def score(self, features: Floats, probabilities: Floats) -> Floats:
        """Returns how strange pictures are: (n,) float32, higher is stranger.

        Args:
            features: (n, d) float32.
            probabilities: (n, classes) float32, calibrated.

        Raises:
            UsageError: the features are of another width.
        """
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise UsageError(
                f"Features of shape {features.shape}: expected (pictures, {len(self.mean)})."
            )
        distance = self.distance_weight * self._distances(features)
        score = self.offset + distance + self.entropy_weight * _entropy(probabilities)
        return score.astype(np.float32)

    def _distances(self, features: Floats) -> npt.NDArray[np.float64]:
        starts = range(0, len(features), _ROWS)
        parts = [self._distances_at_once(features[start : start + _ROWS]) for start in starts]
        return np.concatenate([np.zeros(0), *parts])

    def _distances_at_once(self, features: Floats) -> npt.NDArray[np.float64]:
        centred = features - self.mean
        along = centred @ self.axes
        square = np.square(along / self.deviations).sum(axis=1, dtype=np.float64)
        if self.rest:
            left = centred - along @ self.axes.T
            square += np.square(left / np.float32(self.rest)).sum(axis=1, dtype=np.float64)
        distances: npt.NDArray[np.float64] = np.sqrt(square)
        return distances


def fit_novelty(
    features: Floats,
    known_features: Floats,
    known_probabilities: Floats,
    *,
    axes: int = AXES,
) -> NoveltyModel:
    """Learns what known pictures look like.

    Args:
        features: (n, d) float32 of training pictures; more than PICTURES are thinned.
        known_features: (m, d) float32 of pictures of the same classes that were not trained on,
            at least one: of the calibration part.
        known_probabilities: (m, classes) float32, calibrated, of the same pictures.
        axes: at most so many get a deviation of their own.

    Raises:
        ModelError: features or probabilities are not finite numbers.
        UsageError: the shapes do not fit, or there is no picture.
    """
    _check(features, known_features, known_probabilities)
    with _one_thread():
        shape = _shape(features, axes)
        distances = _unweighted(*shape)._distances(known_features)
    return _weighted(shape, distances, _entropy(known_probabilities))


def fit_novelty_cross_validated(
    features: Floats, probabilities: Floats, *, axes: int = AXES, seed: int = 0
) -> tuple[NoveltyModel, Floats]:
    """Learns the same where there is no calibration part: each picture is judged by the others.

    Args:
        features: (n, d) float32 of the training pictures, at least two, as a frozen backbone gives
            them.
        probabilities: (n, classes) float32, calibrated, each by the fold that did not learn from
            the picture.
        axes: at most so many get a deviation of their own.
        seed: decides the folds.

    Returns:
        The model, fitted on all pictures, and (n,) float32: the score of each picture by a model
        that did not learn from it, for `fit_novelty_threshold`.

    Raises:
        ModelError: features or probabilities are not finite numbers.
        UsageError: the shapes do not fit, or there are not two pictures.
    """
    _check(features, features, probabilities)
    count = len(features)
    if count < 2:
        raise UsageError("1 picture: expected at least 2, each to be judged by the others.")
    folds = np.random.default_rng(seed).permutation(count) % min(FOLDS, count)
    distances = np.zeros(count)
    with _one_thread():
        for fold in range(folds.max() + 1):
            held_out = folds == fold
            shape = _shape(features[~held_out], axes)
            distances[held_out] = _unweighted(*shape)._distances(features[held_out])
        shape = _shape(features, axes)
    entropies = _entropy(probabilities)
    model = _weighted(shape, distances, entropies)
    weighted = model.distance_weight * distances + model.entropy_weight * entropies
    return model, (model.offset + weighted).astype(np.float32)


# --- Fitting ------------------------------------------------------------------------------------

_Shape = tuple[Floats, Floats, Floats, float]


def _shape(features: Floats, axes: int) -> _Shape:
    """Mean, axes, their deviations, and that of the rest, of (n, d) features."""
    some = thin(features)
    count, width = some.shape
    mean = some.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = some - mean
    own = min(axes, width, max(count // PICTURES_PER_AXIS, 1))
    variances, turned = _principal_axes(centred, own)
    total = float(np.square(centred).sum(dtype=np.float64)) / count
    floor = _SMALLEST * total / width if total else 1.0
    deviations = np.sqrt(np.maximum(variances, floor))
    left = (total - float(variances.sum(dtype=np.float64))) / max(width - own, 1)
    rest = math.sqrt(max(left, floor)) if own < width else 0.0
    return mean, turned, deviations, rest


def _principal_axes(centred: Floats, most: int) -> tuple[Floats, Floats]:
    """Variances (r,) and axes (d, r) of the largest variance, by the smaller Gram matrix.

    An axis along which no picture differs may be 0 all over.
    """
    from scipy.linalg import eigh

    count, width = centred.shape
    rows = centred / np.float32(math.sqrt(count))
    gram = rows.T @ rows if width <= count else rows @ rows.T
    check_finite("features", gram)
    # The largest alone: all 1,280 take three times as long.
    variances, found = eigh(gram, subset_by_index=(len(gram) - most, len(gram) - 1))
    variances, found = np.maximum(variances[::-1], 0), found[:, ::-1]
    if width > count:
        real = variances > _RANK * variances[0]
        roots = np.sqrt(np.where(real, variances, 1))
        found = rows.T @ np.where(real, found / roots, 0)
    return variances, np.ascontiguousarray(found)


def thin(rows: npt.NDArray[Any], most: int = PICTURES) -> npt.NDArray[Any]:
    """Returns at most so many of n rows, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64)]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Keeps matrices on one core: with other work beside it, two threads wait for each other."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def _unweighted(mean: Floats, axes: Floats, deviations: Floats, rest: float) -> NoveltyModel:
    return NoveltyModel(mean, axes, deviations, rest, 1.0, 1.0, 0.0)


def _weighted(
    shape: _Shape, distances: npt.NDArray[np.float64], entropies: npt.NDArray[np.float64]
) -> NoveltyModel:
    """Brings distance and entropy to a deviation of 1 on known pictures; constant ones count 0."""
    weights, offset = [], 0.0
    for values in (distances, entropies):
        deviation = float(values.std())
        steady = deviation <= 1e-6 * max(1.0, abs(float(values.mean())))
        weights.append(0.0 if steady else 1 / max(deviation, _LEAST_DEVIATION))
        offset -= weights[-1] * float(values.mean())
    return NoveltyModel(*shape, weights[0], weights[1], offset)


def _entropy(probabilities: Floats) -> npt.NDArray[np.float64]:
    p = probabilities.astype(np.float64)
    entropy: npt.NDArray[np.float64] = -(p * np.log(np.maximum(p, LEAST))).sum(axis=1)
    return entropy


def _check(features: Floats, known: Floats, probabilities: Floats) -> None:
    if features.ndim != 2 or known.ndim != 2 or features.shape[1] != known.shape[1]:
        raise UsageError(
            f"Features of shapes {features.shape} and {known.shape}: expected (pictures, features) "
            "of one width."
        )
    if probabilities.ndim != 2 or len(probabilities) != len(known):
        raise UsageError(
            f"Probabilities of shape {probabilities.shape} for {len(known):,} pictures: expected "
            "a row for each."
        )
    if not len(features) or not len(known):
        raise UsageError("No pictures: expected at least one to learn from and one to compare.")
    for name, values in (("features", features), ("features", known), ("output", probabilities)):
        check_finite(name, values)


def check_finite(name: str, values: npt.NDArray[Any]) -> None:
    """Refuses numbers that are not finite.

    Raises:
        ModelError: there are some.
    """
    if not np.isfinite(values).all():
        raise ModelError(
            f"The network's {name} are not finite numbers for some pictures: its weights have "
            "become NaN or infinite. Train again with a smaller learning rate."
        )
