"""A classifier in 8-bit integers: what is made of it, and when it is accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

import tellapart as ta
from tellapart.bundle import read_bundle
from tellapart.cli import main
from tellapart.data.split import SplitRow
from tellapart.errors import DataError, ExportError
from tellapart.export.int8 import to_int8
from tellapart.quantize import RANGES_FROM, _choose, _refuse_if_worse


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ta.Run:
    out = tmp_path_factory.mktemp("quantize") / "digits"
    return ta.train("digits", recipe="fast", epochs=3, out=out, observers=[])


def quantize(run: ta.Run, *options: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["quantize", str(run.path), *options])
    return int(caught.value.code or 0)


def test_from_the_run_to_the_file(digits: ta.Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = (digits.path / "classifier.onnx").read_bytes()
    assert quantize(digits, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    path = digits.path / "classifier-int8.onnx"
    assert found["path"] == str(path)
    assert found["bytes"] == path.stat().st_size < 0.5 * len(before)
    assert (found["part"], found["pictures"]) == ("validation", 288)
    assert found["accuracy"] >= found["accuracy_before"] - 0.005
    assert found["test_before"]["value"] == pytest.approx(digits.evaluation.accuracy.value)
    assert (digits.path / "classifier.onnx").read_bytes() == before

    classifier = ta.Classifier.load(path)
    evaluation = classifier.evaluate(ta.load("digits"))
    assert evaluation.accuracy.value == pytest.approx(found["test"]["value"])
    assert classifier.novelty_limit == ta.Classifier.load(digits.path).novelty_limit
    provenance = read_bundle(path).provenance
    assert provenance["quantized"] == "int8"
    assert provenance["accuracy"]["value"] == found["test"]["value"]


def test_convolutions_are_in_integers_and_what_follows_is_not(digits: ta.Run) -> None:
    quantize(digits, "--force")
    graph = onnx.load(digits.path / "classifier-int8.onnx").graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type == "Conv":
            for end in node.input[:2]:
                assert makers[end].op_type == "DequantizeLinear"
            assert kinds[makers[node.input[1]].input[0]] == onnx.TensorProto.INT8
        if node.op_type in ("MatMul", "Gemm", "Softmax"):
            read = [makers[end].op_type for end in node.input if end in makers]
            assert "DequantizeLinear" not in read


def test_it_says_the_same_on_processors_that_add_in_16_bits(digits: ta.Run) -> None:
    """Where they do, kernels of 8 bits get wrong sums; those of the file are of 7."""
    quantize(digits, "--force")
    path = digits.path / "classifier-int8.onnx"
    graph = onnx.load(path).graph
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    kernels = [
        arrays[makers[node.input[1]].input[0]] for node in graph.node if node.op_type == "Conv"
    ]
    assert len(kernels) == 7  # whitening, and two in each of three blocks
    for kernel in kernels:
        assert kernel.min() >= -64
        assert kernel.max() <= 64
        assert 255 * 2 * np.abs(kernel.astype(np.int64)).max() < 2**15

    # In floating point, which is exact for such numbers, without what joins operations.
    exactly = onnxruntime.SessionOptions()
    exactly.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = ta.load("digits").source
    pixels = np.stack([np.asarray(source.read(number)) for number in range(200)])
    pixels = pixels.reshape(200, 8, 8, 1)
    expected = onnxruntime.InferenceSession(path, exactly).run(None, {"pixels": pixels})[0]
    np.testing.assert_allclose(ta.Classifier.load(path).probabilities(pixels), expected, atol=0.02)


def test_an_earlier_file_is_not_replaced(
    digits: ta.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.onnx"
    mine.write_text("mine")
    assert quantize(digits, "--out", str(mine)) == 2
    assert f"Error: {mine} exists. Add --force to replace it" in capsys.readouterr().err
    assert mine.read_text() == "mine"
    assert quantize(digits, "--out", str(tmp_path / "new.onnx")) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path / 'new.onnx'}: ")
    assert "On 288 pictures of the validation part " in said
    assert "Test accuracy 0." in said


def test_half_a_point_may_be_lost() -> None:
    _refuse_if_worse(0.96, 0.955, 200, "validation")
    _refuse_if_worse(0.96, 0.98, 200, "validation")
    with pytest.raises(ExportError) as caught:
        _refuse_if_worse(0.96, 0.948, 1_500, "calibration")
    assert str(caught.value) == (
        "In 8-bit integers the classifier loses 1.2 points (96.0% to 94.8% of 1,500 pictures of "
        "the calibration part); at most 0.5 are accepted. Nothing was written."
    )


def rows(**parts: int) -> list[SplitRow]:
    return [
        SplitRow(f"{part}/{number}", "a", part)
        for part, count in parts.items()
        for number in range(count)
    ]


@pytest.mark.parametrize("part", ["calibration", "validation"])
def test_what_was_held_out_judges(part: str) -> None:
    ranges, chosen, judges = _choose(rows(train=500, test=50, **{part: 30}))
    assert (len(ranges), {row.part for row in ranges}) == (RANGES_FROM, {"train"})
    assert chosen == part
    assert [row.part for row in judges] == [part] * 30


def test_without_such_a_part_other_training_pictures_judge() -> None:
    ranges, part, judges = _choose(rows(train=500, test=50))
    assert part == "train"
    assert len(judges) == 500 - RANGES_FROM
    assert not {row.path for row in ranges} & {row.path for row in judges}


def test_no_pictures() -> None:
    with pytest.raises(DataError, match="nothing can be judged by"):
        _choose(rows(test=3))


def test_no_convolutions(tmp_path: Path, colour_folder: Path) -> None:
    def dense(input_shape: tuple[int, int, int], classes: int) -> Any:
        return keras.Sequential(
            [
                keras.Input(input_shape),
                keras.layers.Flatten(),
                keras.layers.Dense(classes, activation="softmax"),
            ]
        )

    run = ta.train(
        colour_folder, model=dense, image_size=(8, 8), epochs=1, out=tmp_path / "r", observers=[]
    )
    content = (run.path / "classifier.onnx").read_bytes()
    pixels = np.zeros((4, 8, 8, 3), np.uint8)
    with pytest.raises(ExportError, match="has no convolutions, so there is nothing that 8-bit"):
        to_int8(content, [pixels])
