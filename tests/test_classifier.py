"""Loading and using a classifier, with probabilities worked out in tests/tiny_classifier.py."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from PIL import Image

from tellapart.bundle import attach
from tellapart.classifier import Classifier
from tellapart.errors import ClassifierFileError, DataError, ImageError, UsageError
from tellapart.images import decode
from tellapart.machine import usable_cores
from tellapart.onnx_session import make_session
from tellapart.results import FailedPrediction, Prediction
from tests.tiny_classifier import (
    CLASS_NAMES,
    PURE,
    SPEC,
    grey,
    load_strict,
    make_bundle,
    make_model,
    pure,
    reload,
    save_classifier,
)


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    return Classifier.load(save_classifier(tmp_path / "run" / "classifier.onnx"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """blue.png, green.png, red.png and a broken.jpg."""
    for name in PURE:
        pure(name).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    return tmp_path


# --- Loading ------------------------------------------------------------------------------------


def test_load_takes_the_file_or_its_run_folder(tmp_path: Path) -> None:
    file = save_classifier(tmp_path / "run" / "classifier.onnx")
    for path in (file, str(file), file.parent, str(file.parent)):
        classifier = Classifier.load(path)
        assert classifier.path == file
        assert classifier.class_names == CLASS_NAMES
        assert classifier.image_spec == SPEC
        assert classifier.provenance["data"] == {"name": "colours", "fingerprint": "0123"}
    assert repr(classifier) == f"Classifier({str(file)!r}: 3 classes, pictures of 6x8x3)"


def test_load_suggests_the_file_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "photos-1").mkdir()
    with pytest.raises(ClassifierFileError) as caught:
        Classifier.load(tmp_path / "photo-1")
    assert str(caught.value) == (
        f"{tmp_path / 'photo-1'} does not exist: expected a classifier.onnx or the folder of a "
        f"run. Did you mean '{tmp_path / 'photos-1'}'?"
    )


def test_load_of_an_unfinished_run(tmp_path: Path) -> None:
    with pytest.raises(ClassifierFileError, match=r"is a folder without classifier\.onnx\. If it"):
        Classifier.load(tmp_path)


def test_load_of_the_folder_of_runs_names_one(tmp_path: Path) -> None:
    save_classifier(tmp_path / "photos-2" / "classifier.onnx")
    with pytest.raises(ClassifierFileError, match=r"name one of them, such as .*photos-2\."):
        Classifier.load(tmp_path)


def test_load_refuses_a_picture(pictures: Path) -> None:
    with pytest.raises(ClassifierFileError, match=r"is a picture \(PNG\), not a classifier"):
        Classifier.load(pictures / "red.png")


def test_an_error_of_onnx_runtime_is_translated(tmp_path: Path) -> None:
    model = make_model()
    model.graph.node[3].op_type = "NoSuchOperator"
    attach(model, make_bundle())
    path = tmp_path / "classifier.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ClassifierFileError, match=r"was refused by ONNX Runtime .*NoSuchOp"):
        Classifier.load(path)


@pytest.mark.parametrize("operator", ["Relu", "Log"])
def test_what_gives_no_probabilities_is_refused(operator: str, tmp_path: Path) -> None:
    model = make_model()
    del model.graph.node[3]
    model.graph.node.append(helper.make_node(operator, ["logits"], ["probabilities"]))
    attach(model, make_bundle())
    (tmp_path / "classifier.onnx").write_bytes(model.SerializeToString())
    classifier = Classifier.load(tmp_path)
    with pytest.raises(ClassifierFileError, match="does not give probabilities that sum to 1"):
        classifier.predict(Image.new("RGB", (4, 4)))


def test_the_checked_bytes_are_the_ones_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check and the session the file is replaced; nobody may read it again."""

    path = save_classifier(tmp_path / "classifier.onnx")

    def swap_then_make(content: bytes, file: Path, **options: Any) -> Any:
        path.write_bytes(b"something else")
        return make_session(content, file, **options)

    monkeypatch.setattr("tellapart.network.make_session", swap_then_make)
    classifier = Classifier.load(path)
    assert classifier.predict(pure("red")).label == "red"
    assert [found.label for found in classifier.predict([pure("red")])] == ["red"]


# --- Probabilities ------------------------------------------------------------------------------


def test_probabilities_by_hand(classifier: Classifier) -> None:
    pixels = np.zeros((4, 6, 8, 3), np.uint8)
    pixels[0, ..., 0] = 255  # red
    pixels[1, ..., 2] = 255  # blue
    pixels[2, :3, :, 1] = 255  # half green: logit ln(8) / 2, so sqrt(8) against 1 and 1
    half = 8**0.5 / (8**0.5 + 2)
    for batch_size in (1, 3, 64):
        found = classifier.probabilities(pixels, batch_size=batch_size)
        assert found.dtype == np.float32
        np.testing.assert_allclose(
            found,
            [
                [0.1, 0.1, 0.8],
                [0.8, 0.1, 0.1],
                [(1 - half) / 2, half, (1 - half) / 2],
                [1 / 3, 1 / 3, 1 / 3],
            ],
            atol=1e-6,
        )


def test_probabilities_of_nothing(classifier: Classifier) -> None:
    assert classifier.probabilities(np.zeros((0, 6, 8, 3), np.uint8)).shape == (0, 3)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((1, 8, 6, 3), "uint8"), ((6, 8, 3), "uint8"), ((1, 6, 8, 3), "float32")]
)
def test_pixels_of_another_kind(classifier: Classifier, shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(UsageError, match=r"expects \(n, 6, 8, 3\) uint8") as caught:
        classifier.probabilities(np.zeros(shape, dtype))
    assert f"Pixels of shape {shape} and type {dtype}" in str(caught.value)


def test_a_batch_size_of_zero(classifier: Classifier) -> None:
    with pytest.raises(UsageError, match="Batch size 0: expected 1 or more"):
        classifier.probabilities(np.zeros((1, 6, 8, 3), np.uint8), batch_size=0)
    with pytest.raises(UsageError, match="Batch size -1: expected 1 or more"):
        classifier.predict_stream([], batch_size=-1)


# --- Predicting ---------------------------------------------------------------------------------


def test_one_picture_of_every_kind(classifier: Classifier, pictures: Path) -> None:
    path = pictures / "green.png"
    for picture, source in (
        (path, str(path)),
        (str(path), str(path)),
        (path.read_bytes(), ""),
        (pure("green"), ""),
        (np.array(pure("green")), ""),
    ):
        found = classifier.predict(picture)
        assert isinstance(found, Prediction)
        assert found.source == source
        assert found.label == "green"
        assert found.probability == pytest.approx(0.8)
        assert found.class_names == CLASS_NAMES


def test_the_type_follows_what_was_given_and_not_the_number(
    classifier: Classifier, pictures: Path
) -> None:
    path = pictures / "red.png"
    for several in ([path], (path,), iter([path]), np.array(pure("red"))[np.newaxis]):
        (found,) = classifier.predict(several)
        assert found.label == "red"
    assert classifier.predict([]) == []


def test_several_stay_in_order(classifier: Classifier) -> None:
    names = ["red", "blue", "green", "green", "red"] * 20
    assert [found.label for found in classifier.predict([pure(name) for name in names])] == names


def test_one_unreadable_picture(classifier: Classifier, pictures: Path) -> None:
    with pytest.raises(ImageError, match=r"broken\.jpg: is"):
        classifier.predict(pictures / "broken.jpg")
    with pytest.raises(ImageError, match="no such file or directory"):
        classifier.predict(pictures / "absent.jpg")


def test_unreadable_ones_among_several_are_all_named(
    classifier: Classifier, pictures: Path
) -> None:
    paths = [pictures / "red.png", pictures / "broken.jpg", pictures / "absent.jpg"]
    with pytest.raises(DataError, match="2 of 3 pictures cannot be decoded") as caught:
        classifier.predict(paths)
    assert "broken.jpg: is" in str(caught.value)
    assert "absent.jpg: no such file or directory" in str(caught.value)


def test_a_picture_may_come_as_a_name_and_how_to_read_it(classifier: Classifier) -> None:
    (found,) = classifier.predict_stream([("the red one", lambda: pure("red"))])
    assert isinstance(found, Prediction)
    assert (found.source, found.label) == ("the red one", "red")


def test_what_is_no_picture(classifier: Classifier) -> None:
    with pytest.raises(UsageError, match="A int is no picture: expected a path"):
        classifier.predict([3])  # type: ignore[list-item]


# --- Streams ------------------------------------------------------------------------------------


def test_a_stream_keeps_order_and_goes_on_after_failures(
    classifier: Classifier, pictures: Path
) -> None:
    earlier = FailedPrediction("folder", "cannot be listed")
    given: list[Any] = [
        str(pictures / "red.png"),
        str(pictures / "broken.jpg"),
        earlier,
        pure("blue"),
    ]
    for batch_size in (1, 2, 3, 4, 100):
        found = list(classifier.predict_stream(given * 7, batch_size=batch_size))
        assert len(found) == 28
        for start in range(0, 28, 4):
            red, broken, passed, blue = found[start : start + 4]
            assert isinstance(red, Prediction)
            assert red.label == "red"
            assert isinstance(broken, FailedPrediction)
            assert broken.source == str(pictures / "broken.jpg")
            assert "broken.jpg" not in broken.error
            assert passed is earlier
            assert isinstance(blue, Prediction)
            assert blue.label == "blue"


def test_a_stream_reads_no_further_ahead_than_it_says(classifier: Classifier) -> None:
    taken = 0

    def endless() -> Iterator[Image.Image]:
        nonlocal taken
        while True:
            taken += 1
            yield pure("red")

    stream = classifier.predict_stream(endless(), batch_size=4)
    for number in range(1, 50):
        next(stream)
        assert taken <= number - 1 + 8


def _workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("predict")]


def test_a_stream_left_early_ends_its_threads(classifier: Classifier) -> None:
    stream = classifier.predict_stream(pure("red") for _ in range(1000))
    next(stream)
    threads = _workers()
    assert threads
    del stream
    gc.collect()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_ctrl_c_while_decoding_ends_the_stream(classifier: Classifier) -> None:
    def interrupted() -> Iterator[Image.Image]:
        yield from (pure("red") for _ in range(3))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(classifier.predict_stream(interrupted()))
    for thread in _workers():
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.skipif(usable_cores() < 2, reason="there is one core")
def test_decoding_and_inference_overlap(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While some pictures go through the network, others are decoded."""
    running = threading.Event()
    overlapped = []
    run, red, blue = classifier._network.run_on_one_core, pure("red"), pure("blue")

    def watched_decode(raw: Any, *arguments: Any) -> Any:
        if raw is blue:
            overlapped.append(running.wait(10))
        return decode(raw, *arguments)

    def watched_run(pixels: Any) -> Any:
        running.set()
        return run(pixels)

    monkeypatch.setattr("tellapart.classifier.decode", watched_decode)
    monkeypatch.setattr(classifier._network, "run_on_one_core", watched_run)
    monkeypatch.setattr("tellapart.classifier.TOGETHER", 1)
    found = list(classifier.predict_stream([blue, red], batch_size=16))
    assert overlapped == [True]
    assert [answer.label for answer in found if isinstance(answer, Prediction)] == ["blue", "red"]


# --- Unknown pictures ---------------------------------------------------------------------------


@pytest.fixture
def strict(tmp_path: Path) -> Classifier:
    return load_strict(tmp_path / "strict" / "classifier.onnx")


def test_unknown_pictures_are_unsure(strict: Classifier) -> None:
    assert (strict.threshold, strict.novelty_limit) == (0.5, 1.5)
    red, black, white, light = strict.predict([pure("red"), grey(0), grey(255), grey(128)])
    assert [found.novelty for found in (red, black, white, light)] == pytest.approx(
        [1, 0, 3, 3 * 128 / 255]
    )
    because = [found.unsure_because for found in (red, black, white, light)]
    assert because == [None, "probability", "unknown", "unknown"]
    assert strict.predict(grey(255)).unsure_because == "unknown"


def test_a_classifier_without_a_score_or_without_a_limit(
    classifier: Classifier, tmp_path: Path
) -> None:
    found = classifier.predict(grey(255))
    assert (found.novelty, found.unsure) == (None, False)
    file = save_classifier(tmp_path / "n" / "classifier.onnx", novelty={"threshold": None})
    found = Classifier.load(file).predict(grey(255))
    assert found.novelty == pytest.approx(3)
    assert not found.unsure


def test_probabilities_are_the_same_with_a_score(
    classifier: Classifier, strict: Classifier
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), np.uint8)
    assert np.array_equal(strict.probabilities(pixels), classifier.probabilities(pixels))


def with_scores(path: Path, *nodes: Any) -> Classifier:
    """The tiny classifier with other nodes in the place of the one that gives the novelty."""
    model = make_model(novelty=True)
    del model.graph.node[-1]
    model.graph.node.extend(nodes)
    attach(model, make_bundle(novelty={"threshold": 1.5}))
    path.write_bytes(model.SerializeToString())
    return Classifier.load(path)


def test_a_score_that_overflows_is_as_strange_as_can_be(tmp_path: Path) -> None:
    classifier = with_scores(
        tmp_path / "c.onnx",
        helper.make_node("MatMul", ["colour", "shares"], ["sum"]),
        helper.make_node("Sub", ["sum", "sum"], ["nought"]),
        helper.make_node("Div", ["sum", "nought"], ["novelty"]),
    )
    for picture in (grey(9), grey(0)):  # 9/0 is infinite, 0/0 is not a number
        found = classifier.predict(picture)
        assert found.novelty == pytest.approx(3.4e38, rel=0.01)
        assert found.unsure_because == "unknown"


def test_a_graph_that_gives_other_scores_than_it_says(tmp_path: Path) -> None:
    classifier = with_scores(
        tmp_path / "c.onnx", helper.make_node("MatMul", ["colour", "weights"], ["novelty"])
    )
    with pytest.raises(ClassifierFileError, match=r"c\.onnx (could not be run|does not give one)"):
        classifier.predict(grey(9))


# --- What it needs ------------------------------------------------------------------------------

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        own = top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
        if "." not in name and not own and top not in ALLOWED:
            raise ImportError(f"{name} is not allowed here")

ALLOWED = set(ALLOWED_NAMES)
sys.meta_path.insert(0, Blocker())
"""

# Beside the three: what ONNX Runtime itself depends on.
LIGHT = ["tellapart", "numpy", "PIL", "onnxruntime", "flatbuffers", "packaging", "google"]


def run_python(code: str, *arguments: object, allowed: list[str]) -> str:
    """Runs code in a fresh process where only the standard library and `allowed` are there."""
    program = BLOCKER.replace("ALLOWED_NAMES", repr(allowed)) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )
    assert not done.stderr, done.stderr
    return done.stdout


def test_predict_and_evaluate_need_numpy_pillow_and_onnx_runtime_alone(
    classifier: Classifier, pictures: Path, colour_folder: Path
) -> None:
    code = """
    from tellapart.classifier import Classifier
    classifier = Classifier.load(sys.argv[1])
    print(classifier.predict(sys.argv[2]).label)
    print(classifier.evaluate(sys.argv[3]).accuracy.value)
    """
    out = run_python(code, classifier.path, pictures / "blue.png", colour_folder, allowed=LIGHT)
    assert out == "blue\n1.0\n"


def test_the_blocker_blocks() -> None:
    code = """
    try:
        import sklearn
    except ImportError as error:
        print(error)
    """
    assert run_python(code, allowed=LIGHT) == "sklearn is not allowed here\n"


def test_predicting_imports_nothing_of_training(classifier: Classifier, pictures: Path) -> None:
    code = """
    from tellapart.classifier import Classifier
    Classifier.load(sys.argv[1]).predict(sys.argv[2])
    print(sorted(name for name in sys.modules if name.startswith("tellapart.")))
    """
    out = run_python(code, classifier.path, pictures / "blue.png", allowed=LIGHT)
    assert eval(out) == [
        "tellapart.bundle",
        "tellapart.classifier",
        "tellapart.colours",
        "tellapart.errors",
        "tellapart.images",
        "tellapart.limits",
        "tellapart.machine",
        "tellapart.network",
        "tellapart.onnx_file",
        "tellapart.onnx_session",
        "tellapart.results",
        "tellapart.turns",
        "tellapart.version",
        "tellapart.wire",
    ]


def test_a_mutated_file_is_refused_or_runs(tmp_path: Path) -> None:
    """In a process of its own: ONNX Runtime is native code."""
    path = save_classifier(tmp_path / "classifier.onnx")
    code = """
    import pathlib, random
    from PIL import Image
    from tellapart.classifier import Classifier
    from tellapart.errors import ClassifierFileError
    path = pathlib.Path(sys.argv[1])
    good = path.read_bytes()
    dice = random.Random(0)
    counts = {"ran": 0, "refused": 0}
    for _ in range(150):
        data = bytearray(good)
        for _ in range(dice.randint(1, 3)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        path.write_bytes(data)
        try:
            Classifier.load(path).predict(Image.new("RGB", (8, 6)))
            counts["ran"] += 1
        except ClassifierFileError:
            counts["refused"] += 1
    print(sum(counts.values()), counts["refused"] > 0)
    """
    assert run_python(code, path, allowed=LIGHT) == "150 True\n"


def test_the_tiny_classifier_is_whole(classifier: Classifier) -> None:
    assert [node.op_type for node in reload(classifier.path.read_bytes()).graph.node] == [
        "Cast",
        "ReduceMean",
        "MatMul",
        "Softmax",
    ]


def test_onnx_runtime_reports_nothing(
    classifier: Classifier, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    code = """
    from tellapart.classifier import Classifier
    Classifier.load(sys.argv[1]).predict(sys.argv[2])
    """
    run_python(code, classifier.path, pictures / "blue.png", allowed=LIGHT)
    assert not list(home.rglob("*"))
