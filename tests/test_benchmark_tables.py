"""What the benchmarks make of their measurements: sums, exponents, tables, pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import growth
import plots
import profile_loop
import time_to_accuracy
import transfer
from common import RESULTS, Row, read_csv, write_csv
from processes import Finished
from profile_loop import BETWEEN, OTHER, PYTHON, WAITING, Span


def test_tables_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [{"who": "a, b", "seconds": 1.5}, {"who": 'say "c"', "seconds": 2}]
    write_csv(tmp_path / "new" / "table.csv", rows)
    assert read_csv(tmp_path / "new" / "table.csv") == [
        {"who": "a, b", "seconds": "1.5"},
        {"who": 'say "c"', "seconds": "2"},
    ]
    write_csv(tmp_path / "one.csv", [{"a": 1, "b": 2}], ["b", "a"])
    assert (tmp_path / "one.csv").read_text() == "b,a\n2,1\n"


def test_growth_is_a_power_of_the_pictures() -> None:
    assert growth.exponent((100, 1.0), (200, 2.0)) == "1.00"
    assert growth.exponent((100, 1.0), (200, 4.0)) == "2.00"
    assert growth.exponent((100, 3.0), (200, 3.0)) == "0.00"
    assert growth.exponent((100, 1.0), (400, 2.0)) == "0.50"
    assert growth.exponent(None, (200, 4.0)) == ""
    assert growth.exponent((100, 0.001), (200, 0.002)) == ""  # too short to tell


def test_growth_takes_medians() -> None:
    rows: list[Row] = [
        {"data": "mnist", "pictures": size, "run": run, "stage": "list", "value": value}
        for size, values in ((200, (4.0, 2.0, 9.0)), (100, (1.0, 2.0, 7.0)))
        for run, value in enumerate(values)
    ]
    small, large = growth.summarise(rows)
    assert (small["pictures"], small["median"], small["lowest"], small["highest"]) == (100, 2, 1, 7)
    assert (large["pictures"], large["median"], large["exponent"]) == (200, 4, "1.00")


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("while/gradient_tape/net/conv_1/Conv2DBackpropFilter:_MklNativeConv2DBackpropFilter",
         "convolutions, gradient of the weights"),
        ("gradient_tape/net/conv_1/Conv2DBackpropInput:_MklNativeConv2DBackpropInput",
         "convolutions, gradient of the maps"),
        ("net/conv_2_1/Relu:_FusedConv2D", "convolutions, forward"),
        ("body/adam/Sqrt_13:Sqrt", "optimizer"),
        ("gradient_tape/fast_1/norm_1a_1/FusedBatchNormGradV3:_MklNativeFusedBatchNormGradV3",
         "normalisation"),
        ("net/pool_1_1/MaxPool2d:_MklNativeMaxPool", "pooling"),
        ("gradient_tape/net/relu_1/ReluGrad:ReluGrad", "activations and biases"),
        ("net/dense_1/MatMul:_MklMatMul", "dense layers"),
        ("categorical_crossentropy/Sum:Sum", "loss and metrics"),
        ("net/Cast_1:Cast", OTHER),
    ],
)  # fmt: skip
def test_operations_are_told_apart(operation: str, kind: str) -> None:
    assert profile_loop.kind_of(operation) == kind
    assert profile_loop.is_operation(operation)


@pytest.mark.parametrize("event", ["ExecutorState::Process", "PrefetchProduce", "body/call:While"])
def test_what_calls_operations_is_none(event: str) -> None:
    assert not profile_loop.is_operation(event)


def test_an_instant_counts_once() -> None:
    operations = [Span(1, 3, "a"), Span(2, 4, "b")]
    waits = [Span(3.5, 6, WAITING)]
    calls = [Span(0.5, 7, BETWEEN)]
    assert profile_loop.share_out((operations, waits, calls), 0, 10) == {
        PYTHON: 0.5 + 3,  # before the call and after it
        BETWEEN: 0.5 + 1,  # before the first operation, after the wait
        "a": 1 + 0.5,  # alone from 1 to 2, half of 2 to 3
        "b": 0.5 + 1,
        WAITING: 2,  # from 4 on: before, an operation runs
    }


SPANS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 10), st.sampled_from("ab")).map(
        lambda drawn: Span(drawn[0], drawn[0] + drawn[1], drawn[2])
    ),
    max_size=8,
)


@given(SPANS, SPANS, SPANS)
def test_parts_add_up_to_the_epoch(one: list[Span], two: list[Span], three: list[Span]) -> None:
    parts = profile_loop.share_out((one, two, three), 5, 30)
    assert sum(parts.values()) == pytest.approx(25)
    assert min(parts.values()) > 0


def test_epochs_of_the_script_are_whole_commands() -> None:
    output = "epoch 1: 10.0 s, test accuracy 0.5000\nepoch 2: 18.5 s, test accuracy 0.7500\n"
    # 30 s in all, 18.5 s of fit: 11.5 s for the start and the last evaluation.
    assert time_to_accuracy.epochs_of(Finished(99.0, 0, output), 30.0) == [
        {"epoch": 1, "seconds": 21.5, "test_accuracy": 0.5},
        {"epoch": 2, "seconds": 30.0, "test_accuracy": 0.75},
    ]


def test_evaluations_beside_the_clock_do_not_count() -> None:
    output = (
        "epoch 1: 10.0 s, test accuracy 0.5000\n"
        "training accuracy 0.8000  test accuracy 0.7500  fit 18.5 s, evaluated beside it 4.0 s\n"
    )
    row = transfer.row_of(Finished(34.0, 2_000_000, output))
    assert row == {"seconds": 30.0, "test_accuracy": 0.75, "peak_mb": 2.0}


def test_pictures_of_the_results_are_small() -> None:
    sizes = {path: path.stat().st_size for path in RESULTS.rglob("*.png")}
    assert {path.name for path in sizes} <= {f"{name}.png" for name in plots.PICTURES}
    assert sizes
    assert max(sizes.values()) < 100_000


@pytest.mark.parametrize("results", [RESULTS, RESULTS / "avx2"], ids=lambda path: path.name)
def test_every_kept_table_can_be_drawn(results: Path, tmp_path: Path) -> None:
    drawn = 0
    for name, draw in plots.PICTURES.items():
        page = draw(results)
        if page is not None:
            page.save(tmp_path / f"{name}.png")
            with Image.open(tmp_path / f"{name}.png") as picture:
                assert picture.width == pytest.approx(page.width * 150, abs=1)
            drawn += 1
    assert drawn == len(list(results.glob("*.png")))


def test_a_picture_without_its_table_is_left_out(tmp_path: Path) -> None:
    assert [name for name, draw in plots.PICTURES.items() if draw(tmp_path) is not None] == []
