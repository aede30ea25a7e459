"""Training in shorter numbers where the processor is faster with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.models import registry
from tellapart.models.classic import CLASSIC, build_classic
from tellapart.models.precision import (
    MIXED,
    SINGLE,
    _capability,
    multiplies_bfloat16,
    training_dtype,
)

SHAPE = (12, 12, 3)


def processor(monkeypatch: pytest.MonkeyPatch, text: str | OSError) -> None:
    def read_text(self: Path, **_: Any) -> str:
        assert self == Path("/proc/cpuinfo")
        if isinstance(text, OSError):
            raise text
        return text

    monkeypatch.setattr(Path, "read_text", read_text)


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("flags\t\t: fpu avx512_bf16 avx512_vnni\n", MIXED),
        ("flags\t\t: fpu amx_bf16 amx_tile\n", MIXED),
        ("flags\t\t: fpu avx2 avx512f not_avx512_bf16x\n", SINGLE),
        (FileNotFoundError("there is no /proc"), SINGLE),
    ],
)
def test_the_processor_decides(
    text: str | OSError, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor(monkeypatch, text)
    assert training_dtype() == dtype
    assert multiplies_bfloat16() == (dtype == MIXED)


@pytest.mark.parametrize(
    ("details", "dtype"),
    [
        ({"compute_capability": (9, 0)}, MIXED),
        ({"compute_capability": (8, 0)}, MIXED),
        ({"compute_capability": (7, 5)}, SINGLE),
        ({}, SINGLE),  # of another maker
    ],
)
def test_a_gpu_decides_where_there_is_one(
    details: dict[str, Any], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    processor(monkeypatch, "flags: avx512_bf16")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert training_dtype() == dtype


@pytest.mark.parametrize(
    ("text", "capability"), [("9.0", (9, 0)), ("12.1", (12, 1)), ("gfx90a", (0, 0)), ("", (0, 0))]
)
def test_what_jax_says_of_a_gpu(text: str, capability: tuple[int, int]) -> None:
    assert _capability(text) == capability


@pytest.mark.parametrize("name", sorted(CLASSIC))
def test_the_network_of_a_run_is_in_single_precision(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "training_dtype", lambda: MIXED)
    network = registry.build(name, SHAPE, 4)
    assert network.twin is not None
    assert {layer.compute_dtype for layer in network.model.layers} == {"float32"}
    trained = network.twin.model
    assert {layer.compute_dtype for layer in trained.layers} == {"bfloat16", "float32"}
    assert {weight.dtype for weight in trained.weights} == {"float32"}
    assert trained.layers[0].compute_dtype == trained.layers[-1].compute_dtype == "float32"


def test_the_twin_begins_with_the_networks_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "training_dtype", lambda: MIXED)
    network = registry.build("classic-32", SHAPE, 4)
    assert network.twin is not None
    pixels = np.random.default_rng(0).integers(0, 256, (8, *SHAPE), dtype=np.uint8)
    network.twin.prepare(pixels)
    for own, other in zip(network.model.weights, network.twin.model.weights, strict=True):
        np.testing.assert_array_equal(own, other)
    # 8 bits of a number are left: an error of up to 1/256 in each, which sums even out.
    answers = network.model.predict_on_batch(pixels), network.twin.model.predict_on_batch(pixels)
    np.testing.assert_allclose(*answers, atol=0.01)
    assert not np.array_equal(*answers)


def test_without_bfloat16_the_network_itself_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "training_dtype", lambda: SINGLE)
    assert registry.build("classic-28", SHAPE, 4).twin is None
    assert build_classic("classic-28", SHAPE, 4).layers[1].compute_dtype == SINGLE
