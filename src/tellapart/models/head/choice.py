"""Choosing the strength of a head's penalty by cross-validation, and what the folds held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tellapart.models.head.folds import draw
from tellapart.models.head.problem import Floats, Problem, Solution, softmax

STRENGTHS = tuple(float(10 ** (exponent / 2)) for exponent in range(-4, 5))
"""From 0.01 to 100, two for each power of ten."""

WORTHWHILE = 0.01
"""Weaker penalties are tried while each lowers the log loss by this share."""

MOST_CHOSEN_ON = 8_000
"""The strength is chosen on at most so many pictures, drawn by class."""

MOST_LOGITS = 2**23
"""So many logits are computed at once; with more, fewer folds are judged for each strength."""

_SMALLEST = 1e-30


@dataclass(frozen=True)
class Trial:
    """What cross-validation says of one strength, on the pictures held out."""

    strength: float
    accuracy: float
    log_loss: float


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What is said of each picture by a classifier that did not learn from it.

    Attributes:
        indices: (k,) int64, sorted: positions among the pictures that the head was fitted to.
            Those of a class with a single picture, or group of copies, are missing: every fold
            learns from them.
        probabilities: (k, classes) float32, of the plain view; each row sums to 1.
    """

    indices: npt.NDArray[np.int64]
    probabilities: Floats

    def softened(self, temperature: float) -> HeldOut:
        """Returns what the logits say when they are divided by a temperature."""
        logits: Floats = np.log(np.maximum(self.probabilities, np.float32(_SMALLEST)))
        logits /= np.float32(temperature)
        return replace(self, probabilities=softmax(logits))


@dataclass(frozen=True)
class Choice:
    """The strengths that were tried in order, the best of them, and what its folds held out."""

    trials: tuple[Trial, ...]
    best: Trial
    held_out: HeldOut


def choose_strength(problem: Problem, folds: npt.NDArray[np.int64], seed: int) -> Choice:
    """Tries strengths from the strongest penalty on, while the log loss still falls.

    Large sets are judged by a part of their pictures, and many classes by some of the folds. At
    the chosen strength the other folds are fitted too, each to its share of those pictures, and
    each then judges all the pictures that it held out, drawn or not. On up to MOST_CHOSEN_ON
    pictures in a few dozen classes nothing is left to fit, and what is held out costs one matrix
    product.

    Args:
        problem: all pictures.
        folds: (n,) the fold that holds a picture out; -1: none.
        seed: decides which pictures are drawn.
    """
    drawn = draw(problem.labels, folds, MOST_CHOSEN_ON, seed)
    part, part_folds = problem.part(drawn), folds[drawn]
    used = (part_folds[:, None] != np.arange(folds.max() + 1)).astype(np.float32)
    judged = max(1, min(used.shape[1], MOST_LOGITS // (len(drawn) * problem.classes)))
    tried = _try_strengths(part, part_folds, used[:, :judged])
    best, of_best = next(tried)
    trials = [best]
    for trial, solution in tried:
        trials.append(trial)
        if trial.log_loss < best.log_loss:
            best, of_best = trial, solution
    solutions = _solve_all(part, used, best.strength, of_best)
    return Choice(tuple(trials), best, _held_out(problem, folds, solutions))


def _try_strengths(
    problem: Problem, folds: npt.NDArray[np.int64], used: Floats
) -> Iterator[tuple[Trial, Solution]]:
    """Yields a trial for each strength, up to where the log loss hardly falls any more."""
    solution, best = None, np.inf
    for strength in STRENGTHS:
        solution = problem.solve(strength, used, solution)
        trial = _judge(problem, folds, solution, strength)
        yield trial, solution
        if trial.log_loss > (1 - WORTHWHILE) * best:
            return
        best = trial.log_loss


def _judge(
    problem: Problem, folds: npt.NDArray[np.int64], solution: Solution, strength: float
) -> Trial:
    """Judges each picture that one of these folds held out."""
    held_out = _held_out(problem, folds, [solution])
    labels, weights = problem.labels[held_out.indices], problem.weights[held_out.indices]
    right = held_out.probabilities.argmax(axis=1) == labels
    likelihood = held_out.probabilities[np.arange(len(labels)), labels].astype(np.float64)
    losses = -np.log(np.maximum(likelihood, _SMALLEST))
    total = float(weights.sum())
    return Trial(strength, float(weights @ right) / total, float(weights @ losses) / total)


def _solve_all(
    problem: Problem, used: Floats, strength: float, known: Solution
) -> Iterator[Solution]:
    """Yields the solutions of all folds, as many at a time as are known of the first ones."""
    yield known
    at_once = len(known.bias)
    for start in range(at_once, used.shape[1], at_once):
        more = used[:, start : start + at_once]
        first = Solution(known.weights[:, : more.shape[1]], known.bias[: more.shape[1]])
        yield problem.solve(strength, more, first)


def _held_out(
    problem: Problem, folds: npt.NDArray[np.int64], solutions: Iterator[Solution] | list[Solution]
) -> HeldOut:
    """Asks the fold that did not learn from a picture, of its plain view."""
    probabilities = np.zeros((len(folds), problem.classes), np.float32)
    asked = np.zeros(len(folds), bool)
    fold = 0
    for solution in solutions:
        for weights, bias in zip(solution.weights.swapaxes(0, 1), solution.bias, strict=True):
            own = folds == fold
            probabilities[own] = softmax(problem.x[own, 0] @ weights + bias)
            asked |= own
            fold += 1
    return HeldOut(np.flatnonzero(asked), probabilities[asked])
