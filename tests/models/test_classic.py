"""The three classic networks, to the parameter."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.errors import ModelError
from tellapart.models.classic import CLASSIC, build_classic


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        # conv 3*3*1*32+32 = 320; flatten 13*13*32 = 5408; dense 5408*64+64 = 346,176; out 650
        ("classic-28", (28, 28, 1), 347_146),
        # 896 + 18,496 + 36,928; flatten 8*8*64 = 4096; dense 262,208; out 650
        ("classic-32", (32, 32, 3), 319_178),
        # 896 + 18,496; flatten 14*14*64 = 12,544; dense 1,605,760; out 1,290
        ("classic-64", (64, 64, 3), 1_626_442),
    ],
)
def test_parameters_for_ten_classes(
    name: str, shape: tuple[int, int, int], parameters: int
) -> None:
    assert build_classic(name, shape, 10).count_params() == parameters


def test_layers_of_classic_32_are_the_textbooks() -> None:
    network = build_classic("classic-32", (32, 32, 3), 10)
    shapes = [(type(layer).__name__, tuple(layer.output.shape[1:])) for layer in network.layers]
    assert shapes == [
        ("Rescaling", (32, 32, 3)),
        ("Conv2D", (32, 32, 32)),
        ("MaxPooling2D", (16, 16, 32)),
        ("Conv2D", (16, 16, 64)),
        ("MaxPooling2D", (8, 8, 64)),
        ("Conv2D", (8, 8, 64)),
        ("Flatten", (4096,)),
        ("Dense", (64,)),
        ("Dense", (10,)),
    ]


@pytest.mark.parametrize("name", sorted(CLASSIC))
@pytest.mark.parametrize("shape", [(40, 24, 3), (17, 31, 1)])
def test_any_size_and_number_of_classes(name: str, shape: tuple[int, int, int]) -> None:
    network = build_classic(name, shape, 7)
    probabilities = np.asarray(network(np.zeros((2, *shape), np.uint8)))
    assert probabilities.shape == (2, 7)
    assert np.allclose(probabilities.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("name", "shape", "layer", "left"),
    [
        ("classic-28", (2, 9, 1), "conv_1", "2x9"),
        ("classic-28", (3, 3, 1), "pool_1", "1x1"),
        ("classic-32", (3, 2, 3), "pool_2", "1x1"),
        ("classic-64", (64, 6, 3), "conv_2", "31x2"),
    ],
)
def test_too_small_pictures_name_the_layer(
    name: str, shape: tuple[int, int, int], layer: str, left: str
) -> None:
    with pytest.raises(ModelError, match=f"layer '{layer}' .* only {left} are left") as caught:
        build_classic(name, shape, 10)
    assert f"too deep for pictures of {shape[0]}x{shape[1]}x{shape[2]}" in str(caught.value)
    assert "--image-size" in str(caught.value)


def test_a_layer_that_fits_no_memory_is_refused_before_it_is_made() -> None:
    # conv 4094, pool 2047: 2047 * 2047 * 32 numbers, 64 units
    with pytest.raises(ModelError, match="134,086,688 numbers for each of 64 units") as caught:
        build_classic("classic-28", (4096, 4096, 3), 10)
    assert "8,581,548,032 weights, which take 128 GiB to train" in str(caught.value)
    assert "Choose a smaller --image-size" in str(caught.value)
