"""What TensorFlow is told before it is imported."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tellapart.tensorflow_variables import LEVEL, ONEDNN, set_defaults
from tellapart.training.events import Event, Noted
from tests.small_runs import train_quickly

ASKS_TENSORFLOW = """
{first}
from tensorflow.python.util import _pywrap_util_port
print(_pywrap_util_port.IsMklEnabled())
"""

ASKS_TELLAPART = """
import tellapart.training
from tellapart.tensorflow_variables import missed_note
print(missed_note())
"""

BY_TELLAPART = 'from tellapart.models.backend import import_keras; import_keras("tensorflow")'

LINUX_ON_X86 = pytest.mark.skipif(
    platform.machine() != "x86_64" or sys.platform != "linux",
    reason="TensorFlow brings oneDNN for other processors in other ways",
)


@pytest.mark.parametrize(
    ("machine", "expected"), [("x86_64", "1"), ("AMD64", "1"), ("arm64", None), ("aarch64", None)]
)
def test_onednn_is_asked_for_on_the_processors_it_was_measured_on(
    monkeypatch: pytest.MonkeyPatch, machine: str, expected: str | None
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)  # of an earlier test
    forget_variables(monkeypatch)
    set_defaults()
    assert os.environ.get(ONEDNN) == expected
    assert os.environ[LEVEL] == "2"


def test_what_tensorflow_has_read_is_not_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setitem(sys.modules, "tensorflow", ModuleType("tensorflow"))
    forget_variables(monkeypatch)
    set_defaults()
    assert not {LEVEL, ONEDNN} & set(os.environ)


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setenv(LEVEL, "0")
    monkeypatch.setenv(ONEDNN, "0")
    set_defaults()
    assert (os.environ[LEVEL], os.environ[ONEDNN]) == ("0", "0")


@LINUX_ON_X86
@pytest.mark.parametrize(
    "first",
    [
        BY_TELLAPART,
        "from tellapart.training.muon import ConvMuon",
    ],
)
@pytest.mark.parametrize(("set_to", "expected"), [(None, "True"), ("0", "False")])
def test_tensorflow_computes_with_onednn(first: str, set_to: str | None, expected: str) -> None:
    assert run_with(set_to, ASKS_TENSORFLOW.format(first=first)) == expected


@LINUX_ON_X86
@pytest.mark.parametrize(
    ("before", "set_to", "told"),
    [
        # As where TensorFlow was imported with 0 and nobody had said so: on a processor on which
        # it uses oneDNN by itself, that cannot be had in another way.
        ("import tensorflow, os; del os.environ['TF_ENABLE_ONEDNN_OPTS']", "0", True),
        ("import tensorflow", "0", False),
        ("import tensorflow", "1", False),
        (BY_TELLAPART, None, False),
    ],
)
def test_who_imports_tensorflow_first_is_told_what_is_missed(
    before: str, set_to: str, told: bool
) -> None:
    said = run_with(set_to, f"{before}\n{ASKS_TELLAPART}")
    assert said == (
        "Your program imported TensorFlow itself, which computes without oneDNN then: at about "
        "half the speed on this processor. Set the environment variable TF_ENABLE_ONEDNN_OPTS=1 "
        "before Keras is imported."
        if told
        else "None"
    )


@pytest.mark.parametrize(("note", "warnings"), [("Slow.", ["Slow."]), (None, [])])
def test_training_warns_of_what_is_missed(
    colour_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    note: str | None,
    warnings: list[str],
) -> None:
    monkeypatch.setattr("tellapart.approaches.scratch.missed_note", lambda: note)
    seen: list[Event] = []
    options = {"recipe": "classic", "observers": [seen.append]}
    train_quickly(colour_folder, tmp_path / "run", **options)
    told = [event.text for event in seen if isinstance(event, Noted) and event.level == "warning"]
    assert [text for text in told if text == "Slow."] == warnings


def forget_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets them first, so that what a test makes of them is undone after it."""
    for name in (LEVEL, ONEDNN):
        monkeypatch.setenv(name, "")
        del os.environ[name]


def run_with(set_to: str | None, code: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != ONEDNN}
    if set_to is not None:
        environment[ONEDNN] = set_to
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.strip()
