"""Which backend Keras runs on: chosen once, and never silently another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.errors import UsageError
from tellapart.models.backend import begin_importing_keras, check_backend, import_keras
from tellapart.pipeline import train
from tests.conftest import save_picture


def said(code: str) -> str:
    """What a fresh process prints, in which no package is found but those of Python and ours."""
    prelude = (
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name: None if name in ('torch', 'jax') else find(name)\n"
        "from tellapart.models import backend\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    finished = subprocess.run(
        [sys.executable, "-c", prelude + code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return finished.stdout


@pytest.mark.parametrize("ask", ["begin_importing_keras", "import_keras", "check_backend"])
def test_a_backend_that_is_not_installed_is_told_at_once(ask: str) -> None:
    code = (
        f"try: backend.{ask}('torch')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "import sys, threading\n"
        "print('keras' in sys.modules, threading.active_count())\n"
    )
    assert said(code).splitlines() == [
        "MissingDependencyError The backend 'torch' needs the package 'torch', which is not "
        "installed: pip install torch",
        "False 1",
    ]


def test_an_import_that_fails_leaves_no_half_of_keras_behind(tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("import absent_part\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); util.find_spec = find\n"
        "for _ in range(2):\n"
        "    try: backend.import_keras('torch')\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'keras'])\n"
    )
    expected = (
        "MissingDependencyError The backend 'torch' needs the package 'absent_part', which is not "
        "installed: pip install absent_part"
    )
    assert said(code).splitlines() == [expected, expected, "[]"]


def test_the_backend_is_settled_before_the_import_begins() -> None:
    code = (
        "import os, threading\n"
        "threading.Thread.start = lambda self: None\n"  # as if it had no turn yet
        "backend.begin_importing_keras('tensorflow')\n"
        "print(os.environ['KERAS_BACKEND'])\n"
    )
    assert said(code) == "tensorflow\n"


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_is_collected_again_once_keras_is_there(tmp_path: Path, collects: bool) -> None:
    (tmp_path / "keras.py").write_text("import gc; print(gc.isenabled())\n")
    code = (
        f"import gc, sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"{'' if collects else 'gc.disable()'}\n"
        "backend.import_keras('tensorflow'); print(gc.isenabled())\n"
    )
    assert said(code).splitlines() == ["False", str(collects)]


@pytest.mark.parametrize(("frozen", "old"), [(False, True), (True, False)])
def test_what_keras_brings_is_old_at_once(tmp_path: Path, frozen: bool, old: bool) -> None:
    """Where a program has frozen objects of its own, they stay so, and nothing is done."""
    (tmp_path / "keras.py").write_text("brought = [[] for _ in range(10_000)]\n")
    code = (
        f"import gc, sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "gc.disable()\n"
        f"{'gc.freeze()' if frozen else ''}\n"
        "before = gc.get_freeze_count()\n"
        "brought = backend.import_keras('tensorflow').brought\n"
        "print(id(brought) in set(map(id, gc.get_objects(generation=2))))\n"
        "print(gc.get_freeze_count() >= before > 0 if before else gc.get_freeze_count() == 0)\n"
    )
    assert said(code).splitlines() == [str(old), "True"]


@pytest.mark.parametrize("ask", [begin_importing_keras, import_keras, check_backend])
def test_a_backend_cannot_change(ask: object) -> None:
    import_keras()
    assert callable(ask)
    with pytest.raises(UsageError, match="Keras already runs on 'tensorflow' in this process"):
        ask("jax")
    with pytest.raises(UsageError, match="Unknown backend 'tensorflw'. Did you mean 'tensorflow'"):
        ask("tensorflw")


def test_a_run_does_not_ignore_its_backend(colour_folder: Path, tmp_path: Path) -> None:
    import_keras()
    with pytest.raises(UsageError, match="cannot change to 'jax'. Start a new one with KERAS_BACK"):
        train(colour_folder, epochs=1, backend="jax", out=tmp_path / "run", observers=[])
    assert not (tmp_path / "run").exists()


def test_a_transfer_runs_on_tensorflow_only(tmp_path: Path) -> None:
    for number in range(6):
        for name, colour in (("a", (200, 30, 30)), ("b", (30, 30, 200))):
            save_picture(tmp_path / "photos" / name / f"{number}.png", colour, (80, 70))
    with pytest.raises(UsageError) as caught:
        train(tmp_path / "photos", backend="jax", out=tmp_path / "run", observers=[])
    assert str(caught.value) == (
        "A pretrained network is transferred on tensorflow only, not on 'jax'. Leave out "
        "--backend, or train from scratch with --recipe classic or another --model."
    )
    assert not (tmp_path / "run").exists()
