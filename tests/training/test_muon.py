"""Muon for convolutions, on kernels whose update can be told by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tellapart.training.muon import ConvMuon


def apply(optimizer: ConvMuon, kernel: np.ndarray, gradients: list[np.ndarray]) -> np.ndarray:
    variable = keras.Variable(kernel.astype(np.float32))
    optimizer.build([variable])
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))], [variable])
    return np.asarray(variable)


def test_a_kernel_is_brought_to_the_norm_of_its_outputs() -> None:
    kernel = np.full((1, 1, 2, 2), 3.0)
    moved = apply(ConvMuon(0.0), kernel, [np.ones_like(kernel)])
    # norm sqrt(4 * 9) = 6, to be sqrt(2): each number becomes 3 * sqrt(2) / 6
    np.testing.assert_allclose(moved, np.full((1, 1, 2, 2), np.sqrt(2) / 2), rtol=1e-5)


def test_every_direction_moves_about_as_far() -> None:
    kernel = np.zeros((1, 1, 2, 2))
    kernel[0, 0] = np.eye(2)
    gradient = np.zeros((1, 1, 2, 2))
    gradient[0, 0] = [[100.0, 0.0], [0.0, 1.0]]  # singular values far apart
    moved = apply(ConvMuon(0.1, ns_steps=10), kernel, [gradient])[0, 0]
    assert moved[0, 1] == pytest.approx(0, abs=1e-6)
    steps = np.diag(np.eye(2) - moved) / 0.1
    # Newton-Schulz in five coefficients ends between 0.7 and 1.2 (Jordan, 2024).
    assert np.all((steps > 0.65) & (steps < 1.25)), steps


def test_the_length_of_the_gradient_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    kernel, gradient = rng.normal(size=(3, 3, 4, 8)), rng.normal(size=(3, 3, 4, 8))
    once = apply(ConvMuon(0.1), kernel, [gradient])
    thousand = apply(ConvMuon(0.1), kernel, [1000 * gradient])
    np.testing.assert_allclose(once, thousand, atol=1e-4)


def test_momentum_is_nesterovs() -> None:
    rng = np.random.default_rng(1)
    kernel, first, second = (rng.normal(size=(1, 1, 3, 3)) for _ in range(3))
    both = apply(ConvMuon(0.1, momentum=0.6), kernel, [first, second])
    after_one = apply(ConvMuon(0.1, momentum=0.6), kernel, [first])
    # The second step goes along g2 + 0.6 (g2 + 0.6 g1); the first along g1 (1 + 0.6), that is g1.
    alone = apply(ConvMuon(0.1, momentum=0.0), after_one, [1.6 * second + 0.36 * first])
    np.testing.assert_allclose(both, alone, atol=1e-4)


def test_what_is_no_kernel_goes_by_adam() -> None:
    start = np.array([1.0, 2.0])
    moved = apply(ConvMuon(0.1, adam_lr_ratio=0.5), start, [np.array([1e-3, -50.0])])
    # Adam's first step is the learning rate, whatever the gradient: 0.1 * 0.5.
    np.testing.assert_allclose(moved, [0.95, 2.05], rtol=1e-3)


def test_adam_of_many_variables_is_adam_of_each() -> None:
    rng = np.random.default_rng(2)
    shapes = [(3,), (2, 4), (1,)]
    starts = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    ours, theirs = ([keras.Variable(start) for start in starts] for _ in range(2))
    both = ((ConvMuon(0.1, adam_lr_ratio=0.5), ours), (keras.optimizers.Adam(0.05), theirs))
    for optimizer, variables in both:
        optimizer.build(variables)
    for _ in range(5):
        gradients = [keras.ops.convert_to_tensor(rng.normal(size=s), "float32") for s in shapes]
        for optimizer, variables in both:
            optimizer.apply(gradients, variables)
    for one, other, start in zip(ours, theirs, starts, strict=True):
        assert np.abs(np.asarray(one) - start).max() > 0.1
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_what_has_no_gradient_stays() -> None:
    starts = [np.ones(2), np.ones((1, 1, 2, 2)), np.ones(3), np.ones((1, 1, 3, 3))]
    variables = [keras.Variable(start.astype(np.float32)) for start in starts]
    optimizer = ConvMuon(0.1)
    optimizer.build(variables)
    given = keras.ops.convert_to_tensor(np.array([2.0, -2.0], np.float32))
    kernel = keras.ops.convert_to_tensor(np.eye(2, dtype=np.float32)[None, None])
    optimizer.apply([given, kernel, None, None], variables)
    moved, turned, *stayed = (np.asarray(variable) for variable in variables)
    np.testing.assert_allclose(moved, [0.9, 1.1], rtol=1e-3)
    assert turned[0, 0, 0, 0] < turned[0, 0, 0, 1]
    for variable, start in zip(stayed, starts[2:], strict=True):
        np.testing.assert_array_equal(variable, start)


def test_a_saved_one_goes_on_the_same_way() -> None:
    optimizer = ConvMuon(0.2, momentum=0.7, ns_steps=4, adam_lr_ratio=0.3)
    again = ConvMuon.from_config(optimizer.get_config())
    for name in ("momentum", "ns_steps", "adam_lr_ratio", "name"):
        assert getattr(again, name) == getattr(optimizer, name)
    assert float(keras.ops.convert_to_numpy(again.learning_rate)) == pytest.approx(0.2)
