"""A graph cannot go on for ever or take all memory: hostile ones, made by hand."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart import onnx_session
from tellapart.classifier import Classifier
from tellapart.errors import ClassifierFileError, UsageError
from tests.reliability.hostile_graphs import endless_loop, many_nodes, nested_functions, vast_tensor
from tests.tiny_classifier import save_classifier

GREY = Image.new("RGB", (8, 6), (100, 100, 100))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_session, "LOOK_SECONDS", 0.01)
    monkeypatch.setenv("TELLAPART_RUN_SECONDS", "1")


@pytest.mark.usefixtures("soon")
def test_a_loop_without_end_is_ended() -> None:
    classifier = Classifier(endless_loop(), Path("endless.onnx"))
    with pytest.raises(ClassifierFileError) as error:
        classifier.predict(GREY)
    assert str(error.value) == (
        "endless.onnx could not be run: it takes more than 1 seconds over a batch "
        "(TELLAPART_RUN_SECONDS raises the limit). Make the file again, or lower the batch size if "
        "memory is short."
    )
    assert not onnx_session._running


@pytest.mark.usefixtures("soon")
def test_what_is_quick_is_not_ended(tmp_path: Path) -> None:
    classifier = Classifier.load(save_classifier(tmp_path / "classifier.onnx"))
    for _ in range(3):
        assert classifier.predict(GREY).probability == pytest.approx(1 / 3)
    assert not onnx_session._running


def test_the_watcher_goes_when_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_session, "LOOK_SECONDS", 0.001)
    classifier = Classifier.load(save_classifier(tmp_path / "classifier.onnx"))
    classifier.predict(GREY)
    watchers = [thread for thread in threading.enumerate() if thread.name == "tellapart-watch"]
    for thread in watchers:
        thread.join(60)
        assert not thread.is_alive()
    classifier.predict(GREY)  # and comes back


def test_a_limit_that_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Classifier.load(save_classifier(tmp_path / "classifier.onnx"))
    monkeypatch.setenv("TELLAPART_RUN_SECONDS", "soon")
    with pytest.raises(UsageError, match="TELLAPART_RUN_SECONDS=soon: expected a number"):
        classifier.predict(GREY)


def run_python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
        env=os.environ | environment,
    )
    return done.stdout + done.stderr


def test_memory_is_bounded() -> None:
    """400 MB are asked for: with 100 MB to have it fails, by default it runs."""
    code = """
    from pathlib import Path
    import numpy as np
    from tellapart.classifier import Classifier
    from tellapart.errors import ClassifierFileError
    from tests.reliability.hostile_graphs import vast_tensor
    try:
        Classifier(vast_tensor(10**8), Path("vast.onnx")).predict(np.zeros((6, 8, 3), np.uint8))
        print("ran")
    except ClassifierFileError as error:
        print(error)
    """
    assert run_python(code, TELLAPART_RUN_MEMORY="100MB").startswith(
        "vast.onnx could not be run: it needs more than 100,000,000 bytes of memory "
        "(TELLAPART_RUN_MEMORY raises the limit). Make the file again, or lower the batch size"
    )
    assert run_python(code) == "ran\n"


def test_pictures_that_do_not_fit_side_by_side_run_one_after_another() -> None:
    """Each takes 160 MB of 300 MB."""
    code = """
    from pathlib import Path
    import numpy as np
    from tellapart import network
    from tellapart.classifier import Classifier
    from tests.reliability.hostile_graphs import vast_tensor
    network.usable_cores = lambda: 4
    network.MOST_VALUES = 1
    classifier = Classifier(vast_tensor(4 * 10**7), Path("vast.onnx"))
    print(classifier.probabilities(np.zeros((12, 6, 8, 3), np.uint8)).shape)
    print(classifier._network._turns.most < 4)
    """
    assert run_python(code, TELLAPART_RUN_MEMORY="300MB") == "(12, 3)\nTrue\n"


def test_a_program_may_have_an_allocator_of_its_own(tmp_path: Path) -> None:
    save_classifier(tmp_path / "classifier.onnx")
    code = f"""
    import numpy as np, onnxruntime as ort
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg({{"max_mem": 2**30}}))
    from tellapart.classifier import Classifier
    classifier = Classifier.load({str(tmp_path / "classifier.onnx")!r})
    print(round(classifier.predict(np.zeros((6, 8, 3), np.uint8)).probability, 3))
    """
    assert run_python(code) == "0.333\n"


def test_functions_are_refused_before_a_runtime_sees_them() -> None:
    """Forty functions that call the one before them twice: 2 ** 40 nodes."""
    started = time.process_time()
    with pytest.raises(ClassifierFileError) as error:
        Classifier(nested_functions(40), Path("laughs.onnx"))
    assert "laughs.onnx defines functions of its own, which may call each other" in str(error.value)
    assert time.process_time() - started < 60  # not a limit of speed: it would never end


def test_too_many_nodes_are_refused() -> None:
    with pytest.raises(ClassifierFileError) as error:
        Classifier(many_nodes(20_000), Path("long.onnx"))
    assert "long.onnx has 20,007 nodes; a network of more than 20,000 is not opened." in str(
        error.value
    )


def test_a_long_network_runs() -> None:
    classifier = Classifier(many_nodes(1_000), Path("long.onnx"))
    assert classifier.predict(np.zeros((6, 8, 3), np.uint8)).probability == pytest.approx(1 / 3)


def test_the_vast_tensor_is_whole() -> None:
    classifier = Classifier(vast_tensor(10), Path("small.onnx"))
    assert classifier.predict(GREY).probability == pytest.approx(1 / 3)
