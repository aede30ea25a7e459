"""Matrices whose singular values come to be about 1."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from tellapart.training.orthogonal import COEFFICIENTS, orthogonalise


def one_by_one(matrix: np.ndarray, steps: int) -> np.ndarray:
    """The iteration as it was published: of the matrix itself, here in double precision."""
    a, b, c = COEFFICIENTS
    x: np.ndarray = matrix / np.linalg.norm(matrix)
    for _ in range(steps):
        squares = x @ x.T
        x = a * x + (b * squares + c * squares @ squares) @ x
    return x


def ours(*matrices: np.ndarray, steps: int = 5) -> list[np.ndarray]:
    tensors = [ops.convert_to_tensor(matrix.astype(np.float32)) for matrix in matrices]
    return [np.asarray(found) for found in orthogonalise(tensors, steps)]


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_several_at_once_are_as_published(steps: int) -> None:
    rng = np.random.default_rng(0)
    matrices = [rng.normal(size=shape) for shape in [(36, 8), (8, 8), (8, 30)]]
    for found, matrix in zip(ours(*matrices, steps=steps), matrices, strict=True):
        np.testing.assert_allclose(found, one_by_one(matrix, steps), atol=1e-5)


def test_a_step_by_hand() -> None:
    # diag(3, 4) has the norm 5: singular values 0.6 and 0.8, once through a x + b x^3 + c x^5.
    a, b, c = COEFFICIENTS
    expected = [a * x + b * x**3 + c * x**5 for x in (0.6, 0.8)]
    np.testing.assert_allclose(ours(np.diag([3.0, 4.0]), steps=1)[0], np.diag(expected), rtol=1e-5)


def test_directions_of_very_different_length_come_to_one() -> None:
    rng = np.random.default_rng(1)
    left, _ = np.linalg.qr(rng.normal(size=(40, 6)))
    right, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    found = ours(left @ np.diag([1, 0.5, 0.2, 0.1, 0.05, 0.02]) @ right)[0]
    values = np.linalg.svd(found, compute_uv=False)
    assert np.all((values > 0.65) & (values < 1.25)), values
    # The directions are those of the matrix.
    inner = left.T @ found @ right.T
    np.testing.assert_allclose(inner, np.diag(np.diag(inner)), atol=1e-3)


def test_zeros_stay_zeros() -> None:
    some = np.eye(3)
    zeros, other = ours(np.zeros((5, 3)), some)
    np.testing.assert_array_equal(zeros, np.zeros((5, 3)))
    np.testing.assert_allclose(other, one_by_one(some, 5), atol=1e-5)
