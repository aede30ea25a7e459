"""The classifier file's metadata, and what is refused before anything runs."""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tellapart import bundle as bundle_module
from tellapart.bundle import Bundle, attach, parse_bundle, read_bundle
from tellapart.errors import ClassifierFileError
from tellapart.evaluation.novelty_threshold import fit_novelty_threshold
from tellapart.images import ImageSpec
from tests.external_data import PLACES, external_tensor
from tests.tiny_classifier import SPEC, make_bundle, make_model, save_classifier


def content(model: Any | None = None, **changes: Any) -> bytes:
    """The tiny classifier's bytes, or those of `model` with its metadata."""
    model = model or make_model()
    attach(model, make_bundle(**changes))
    return bytes(model.SerializeToString())


def with_metadata(text: str) -> bytes:
    model = make_model()
    model.metadata_props.add(key="tellapart", value=text)
    return bytes(model.SerializeToString())


def refusal(data: bytes) -> str:
    """The words with which a file of this content is refused."""
    with pytest.raises(ClassifierFileError) as caught:
        parse_bundle(data, "classifier.onnx")
    assert str(caught.value).startswith("classifier.onnx ")
    return str(caught.value)


# --- Round trip ---------------------------------------------------------------------------------


def test_what_is_attached_is_read_back(tmp_path: Path) -> None:
    path = save_classifier(tmp_path / "classifier.onnx")
    assert read_bundle(path) == make_bundle()


@pytest.mark.parametrize("name", ["a b", "a/b", "😀", "\u200bx", "\udcff", "a\nb", "'\"", "ß"])
def test_any_class_name_survives(name: str) -> None:
    bundle = make_bundle(class_names=("x", "y", name))
    model = make_model(class_names=("x", "y", name))
    attach(model, bundle)
    assert parse_bundle(model.SerializeToString(), "f").class_names == ("x", "y", name)


def test_attach_replaces_older_metadata_and_keeps_that_of_others() -> None:
    model = make_model()
    model.metadata_props.add(key="author", value="someone")
    attach(model, make_bundle(temperature=3.0))
    attach(model, make_bundle(temperature=2.0))
    assert [entry.key for entry in model.metadata_props] == ["author", "tellapart"]
    assert parse_bundle(model.SerializeToString(), "f").temperature == 2.0


def test_attach_refuses_what_could_not_be_read() -> None:
    model = make_model()
    with pytest.raises(ClassifierFileError, match="temperature -1"):
        attach(model, make_bundle(temperature=-1.0))
    with pytest.raises(ValueError, match="not JSON compliant"):
        attach(model, make_bundle(provenance={"accuracy": float("nan")}))
    assert not model.metadata_props


def test_onnx_itself_reads_the_same_metadata(tmp_path: Path) -> None:
    path = save_classifier(tmp_path / "classifier.onnx")
    (entry,) = onnx.load(path).metadata_props
    assert json.loads(entry.value) == make_bundle().to_json()
    assert json.loads(entry.value)["format_version"] == 1


def test_reading_needs_neither_onnx_nor_a_runtime(tmp_path: Path) -> None:
    path = save_classifier(tmp_path / "classifier.onnx")
    code = (
        "import sys, pathlib; from tellapart.bundle import read_bundle;"
        "read_bundle(pathlib.Path(sys.argv[1]));"
        "print({'onnx', 'onnxruntime', 'google', 'keras', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


# --- Metadata that breaks the rules -------------------------------------------------------------


def test_a_model_from_elsewhere_is_named_so() -> None:
    words = refusal(make_model().SerializeToString())
    assert words == (
        "classifier.onnx has no tellapart metadata: it is an ONNX model from elsewhere. "
        "Expected a classifier.onnx that `tellapart train` wrote."
    )


def test_a_newer_format_asks_for_an_upgrade() -> None:
    words = refusal(with_metadata(json.dumps({"format_version": 2, "anything": "else"})))
    assert "was written by a newer tellapart (format 2; this version reads 1)." in words
    assert "Upgrade tellapart: pip install --upgrade tellapart" in words


@pytest.mark.parametrize("version", [None, 0, -1, 1.0, True, "1", [1]])
def test_a_format_version_that_is_none(version: Any) -> None:
    words = refusal(with_metadata(json.dumps({"format_version": version})))
    assert f"format_version {version!r}: expected a whole number from 1" in words


def test_all_problems_are_reported_together() -> None:
    value = make_bundle().to_json() | {
        "class_names": ["a", "", "a"],
        "temperature": 0,
        "unsure": 3,
        "novelty": {"kept": 0.98},
        "provenance": None,
        "extra": 1,
    }
    value["image_spec"]["height"] = 0
    words = refusal(with_metadata(json.dumps(value)))
    assert "has damaged tellapart metadata:" in words
    for problem in (
        "'extra': unknown field",
        "class_names: each needs 1 to 1,000 characters",
        "class_names: ['a'] given more than once",
        "image_spec: Image height 0: expected a whole number from 1 to 4096.",
        "temperature 0: expected above 0",
        "unsure 3: expected null or an object with a threshold from 0 to 2",
        "novelty {'kept': 0.98}: expected null or an object with a threshold, a number or null",
        "provenance None: expected an object",
    ):
        assert f"\n  - {problem}" in words


def test_missing_fields_are_named() -> None:
    words = refusal(with_metadata('{"format_version": 1}'))
    for name in ("class_names", "image_spec", "provenance", "temperature", "unsure"):
        assert f"\n  - {name}: missing" in words


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("class_names", ["only"], "class_names: 1 given, expected 2 to 100,000"),
        ("class_names", ["a", 1], "class_names ['a', 1]: expected a list of text"),
        ("class_names", "ab", "class_names 'ab': expected a list of text"),
        ("class_names", ["a", "b" * 1001], "each needs 1 to 1,000 characters"),
        ("image_spec", [], "image_spec: Image spec []: expected exactly"),
        ("novelty", 3, "novelty 3: expected null or an object with a threshold"),
        ("novelty", {"threshold": "1"}, "expected null or an object with a threshold, a number"),
        ("novelty", {"threshold": True}, "expected null or an object with a threshold, a number"),
        ("novelty", {"threshold": 10**400}, "expected null or an object with a threshold, a"),
        ("temperature", True, "temperature True: expected above 0"),
        ("temperature", 10**400, "expected above 0"),
        ("temperature", "1", "temperature '1': expected above 0"),
    ],
)
def test_a_field_of_the_wrong_kind(field: str, value: Any, problem: str) -> None:
    assert problem in refusal(with_metadata(json.dumps(make_bundle().to_json() | {field: value})))


@pytest.mark.parametrize(
    "text", ["", "nonsense", '{"format_version": 1', "NaN", "[" * 100_000, "9" * 5000]
)
def test_metadata_that_is_not_json(text: str) -> None:
    assert "its metadata is not JSON" in refusal(with_metadata(text))


def test_a_hostile_value_does_not_fill_the_screen() -> None:
    value = make_bundle().to_json() | {"temperature": "x" * 100_000}
    value |= {f"key{index}": 0 for index in range(1000)}
    assert len(refusal(with_metadata(json.dumps(value)))) < 5_000


def test_metadata_twice_is_refused() -> None:
    model = make_model()
    attach(model, make_bundle())
    model.metadata_props.add(key="tellapart", value="{}")
    assert "2 metadata entries 'tellapart'" in refusal(model.SerializeToString())


def test_metadata_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "MAX_METADATA_BYTES", 100)
    assert "bytes of metadata" in refusal(content())


# --- A graph that contradicts its metadata ------------------------------------------------------


def test_a_graph_for_another_size() -> None:
    words = refusal(content(make_model(ImageSpec(8, 6))))
    assert "contradicts its own metadata: its inputs are 1: uint8 [*, 8, 6, 3]" in words
    assert "expected one uint8 [batch, height, width, channels] = [*, 6, 8, 3]" in words


def test_a_graph_for_other_classes() -> None:
    words = refusal(content(make_model(class_names=("blue", "red"))))
    assert "its outputs are 1: float [*, 2], expected one float [batch, classes] = [*, 3]" in words


def _float_input(model: Any) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def _second_input(model: Any) -> None:
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.INT64, [2]))


def _no_input(model: Any) -> None:
    del model.graph.input[:]


def _no_shape(model: Any) -> None:
    model.graph.input[0].type.tensor_type.ClearField("shape")


def _fixed_batch(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def _free_height(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "height"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_float_input, "1: float [*, 6, 8, 3]"),
        (_second_input, "2: uint8 [*, 6, 8, 3] and of ONNX type 7 [2]"),
        (_no_input, "none"),
        (_no_shape, "1: uint8 [?]"),
        (_fixed_batch, "1: uint8 [1, 6, 8, 3]"),
        (_free_height, "1: uint8 [*, *, 8, 3]"),
    ],
)
def test_an_input_that_is_not_pixels(change: Callable[[Any], None], found: str) -> None:
    model = make_model()
    change(model)
    assert f"its inputs are {found}, expected one uint8" in refusal(content(model))


# --- Novelty ------------------------------------------------------------------------------------


def test_a_limit_of_novelty_is_read_back(tmp_path: Path) -> None:
    limit = fit_novelty_threshold(np.arange(50.0)).to_json()
    found = read_bundle(save_classifier(tmp_path / "c.onnx", novelty=limit))
    assert found.novelty == limit
    # ceil(51 · 0.98) = 50: the largest of 0 to 49.
    assert found.novelty_limit == 49
    nothing = {"threshold": None}
    assert read_bundle(save_classifier(tmp_path / "n.onnx", novelty=nothing)).novelty_limit == (
        math.inf
    )


def test_files_from_before_there_was_novelty() -> None:
    value = make_bundle().to_json()
    del value["novelty"]
    found = parse_bundle(with_metadata(json.dumps(value)), "f")
    assert found == make_bundle()
    assert found.novelty_limit == math.inf


def test_a_score_without_a_limit_and_a_limit_without_a_score() -> None:
    words = refusal(content(make_model(novelty=True)))
    assert "its graph gives a novelty score, for which the metadata have no limit" in words
    words = refusal(content(novelty={"threshold": 1.0}))
    assert "the metadata have a limit for novelty, which its graph does not give" in words


def _second_probabilities(model: Any) -> None:
    model.graph.output.append(model.graph.output[0])


def _two_scores(model: Any) -> None:
    model.graph.output.append(model.graph.output[1])


def _novelty_in_columns(model: Any) -> None:
    model.graph.output[1].type.tensor_type.shape.dim.add().dim_value = 1


def _novelty_first(model: Any) -> None:
    model.graph.output.append(model.graph.output[0])
    del model.graph.output[0]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_second_probabilities, "3: float [*, 3] and float [*] and float [*, 3]"),
        (_two_scores, "3: float [*, 3] and float [*] and float [*]"),
        (_novelty_in_columns, "2: float [*, 3] and float [*, 1]"),
        (_novelty_first, "2: float [*] and float [*, 3]"),
    ],
)
def test_outputs_that_are_not_probabilities_and_novelty(
    change: Callable[[Any], None], found: str
) -> None:
    model = make_model(novelty=True)
    change(model)
    words = refusal(content(model, novelty={"threshold": 1.0}))
    assert f"its outputs are {found}, expected one float [batch, classes] = [*, 3]" in words
    assert "behind it at most the novelty, float [batch] = [*]" in words


# --- External data ------------------------------------------------------------------------------


@pytest.mark.parametrize("hide", PLACES)
def test_external_data_is_refused_and_never_opened(
    hide: Callable[[Any, Any], None], tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    os.mkfifo(canary)  # whoever opened it would hang
    model = make_model()
    hide(model, external_tensor(canary))
    words = refusal(content(model))
    assert "keeps part of its numbers in another file" in words
    assert "it was not opened" in words


@pytest.mark.parametrize("location", [1, 2, 2**32 + 1])
def test_a_data_location_that_a_parser_may_cut_to_external(location: int) -> None:
    """A varint of more than 32 bits loses its upper ones in protobuf's own parser."""
    tensor = number_field(14, location)
    graph = length_field(7, length_field(5, tensor))
    assert "keeps part of its numbers in another file" in refusal(content() + graph)


# --- The wire format ----------------------------------------------------------------------------


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def number_field(field: int, number: int) -> bytes:
    return varint(field << 3) + varint(number)


def length_field(field: int, payload: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(payload)) + payload


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (b"\x08", "cut short"),
        (b"\x3a\x05abc", "cut short: a field at byte"),
        (b"\x09\x00", "cut short"),
        (b"\x0b", "wire type 3"),
        (b"\x0e", "wire type 6"),
        (b"\x00\x00", "field number 0"),
        (b"\x08" + b"\xff" * 11, "a number of more than 10 bytes"),
        (varint(2**32 + (7 << 3 | 2)) + b"\x00", "field number"),
        (number_field(7, 1), "of the wrong type"),
        (number_field(14, 1), "of the wrong type"),
        (length_field(7, b""), "field 7 is given twice"),
    ],
)
def test_a_damaged_tail(tail: bytes, reason: str) -> None:
    words = refusal(content() + tail)
    assert "is not an ONNX file, or is damaged (" in words
    assert reason in words


def test_nesting_is_bounded_without_recursion() -> None:
    graph = b""
    for _ in range(5_000):  # graph: node: attribute: graph: ...
        graph = length_field(1, length_field(5, length_field(6, graph)))
    data = content() + length_field(25, length_field(7, length_field(5, length_field(6, graph))))
    assert "more than 100 messages within messages" in refusal(data)


def test_the_number_of_fields_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.wire.MAX_FIELDS", 1_000)
    assert "more than 1,000 fields" in refusal(content() + number_field(5, 1) * 1_000)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is an empty file"),
        (pickle.dumps({"weights": [1]}), "looks like a Python pickle"),
        (b"\x89PNG\r\n\x1a\n", "is a picture (PNG)"),
        (b"\xff\xd8\xff\xe0", "is a picture (JPEG)"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, such as Keras weights (.h5)"),
        (b"\x1c\x00\x00\x00TFL3", "is a TensorFlow Lite"),
        (b"\x1c\x00\x00\x00ORTM", "ONNX Runtime (.ort) model"),
        (b"<!doctype html>", "is a web page or XML"),
        (b'{"a": 1}', "is JSON text"),
        (
            b"version https://git-lfs.github.com/spec/v1",
            "fetch the file itself with `git lfs pull`",
        ),
    ],
)
def test_what_another_file_looks_like(data: bytes, words: str) -> None:
    found = refusal(data)
    assert words in found
    assert "not a classifier. Expected a classifier.onnx that `tellapart train` wrote." in found


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("model.weights.h5", "is a Keras model (.keras)"),
        ("archive/data.pkl", "is a PyTorch checkpoint"),
        ("x", "is a zip archive"),
    ],
)
def test_what_a_zip_looks_like(member: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "")
    assert words in refusal(path.read_bytes())


def test_text_is_not_onnx() -> None:
    assert "is not an ONNX file, or is damaged" in refusal(b"hello, world")


# --- Files --------------------------------------------------------------------------------------


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ClassifierFileError, match="pipe is not a file"):
        read_bundle(tmp_path / "pipe")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as stream:
        stream.truncate(2**31)  # sparse: takes no space
    with pytest.raises(ClassifierFileError, match="has 2,147,483,648 bytes; an ONNX file has at m"):
        read_bundle(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ClassifierFileError, match=r"none\.onnx cannot be read: No such file"):
        read_bundle(tmp_path / "none.onnx")


# --- Anything at all ----------------------------------------------------------------------------

GOOD = content(make_model(novelty=True), novelty={"threshold": 1.0})


def survives(data: bytes) -> None:
    with contextlib.suppress(ClassifierFileError):
        assert isinstance(parse_bundle(data, "f"), Bundle)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ClassifierFileError):
        parse_bundle(data, "f")


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=8))
@settings(deadline=None, max_examples=500)
def test_changed_bytes_never_crash(changes: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for position, byte in changes:
        data[position] = byte
    survives(bytes(data))


@given(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)), st.binary(max_size=20))
@settings(deadline=None, max_examples=300)
def test_cut_and_spliced_files_never_crash(start: int, end: int, between: bytes) -> None:
    survives(GOOD[:start] + between + GOOD[end:])


def test_every_truncation_is_refused() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(ClassifierFileError):
            parse_bundle(GOOD[:length], "f")


def test_the_spec_of_the_tiny_classifier_has_unequal_sides() -> None:
    """Or height and width could be swapped without a test noticing."""
    assert SPEC.height != SPEC.width


# --- Metadata of any kind -----------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_a_bundle_or_refused(value: Any) -> None:
    with pytest.raises(ClassifierFileError):
        Bundle.from_json(value)


@given(st.sampled_from(sorted(make_bundle().to_json())), JSON)
def test_any_value_of_a_field_is_taken_or_refused(field: str, value: Any) -> None:
    """What is taken is written again, and means the same."""
    changed = make_bundle().to_json() | {field: value}
    try:
        bundle = Bundle.from_json(changed)
    except ClassifierFileError as error:
        assert len(str(error)) < 2_000
        return
    assert Bundle.from_json(bundle.to_json()) == bundle
    assert bundle.threshold >= 0
    assert isinstance(bundle.novelty_limit, float)


@given(st.sampled_from(sorted(SPEC.to_json())), JSON)
def test_any_value_of_the_image_spec_is_taken_or_refused(field: str, value: Any) -> None:
    changed = make_bundle().to_json()
    changed["image_spec"] |= {field: value}
    try:
        bundle = Bundle.from_json(changed)
    except ClassifierFileError:
        return
    assert all(1 <= side <= 4096 for side in bundle.image_spec.shape)
