"""What TensorFlow is told before it is imported."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from tellapart.tensorflow_variables import LEVEL, ONEDNN, set_defaults

ASKS_TENSORFLOW = """
from tellapart.models.backend import import_keras
import_keras("tensorflow")
from tensorflow.python.util import _pywrap_util_port
print(_pywrap_util_port.IsMklEnabled())
"""


@pytest.mark.parametrize(
    ("machine", "expected"), [("x86_64", "1"), ("AMD64", "1"), ("arm64", None), ("aarch64", None)]
)
def test_onednn_is_asked_for_on_the_processors_it_was_measured_on(
    monkeypatch: pytest.MonkeyPatch, machine: str, expected: str | None
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setenv(LEVEL, "")
    monkeypatch.setenv(ONEDNN, "")
    del os.environ[LEVEL], os.environ[ONEDNN]
    set_defaults()
    assert os.environ.get(ONEDNN) == expected
    assert os.environ[LEVEL] == "2"


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LEVEL, "0")
    monkeypatch.setenv(ONEDNN, "0")
    set_defaults()
    assert (os.environ[LEVEL], os.environ[ONEDNN]) == ("0", "0")


@pytest.mark.skipif(
    platform.machine() != "x86_64" or sys.platform != "linux",
    reason="TensorFlow brings oneDNN for other processors in other ways",
)
@pytest.mark.parametrize(("set_to", "expected"), [(None, "True"), ("0", "False")])
def test_tensorflow_computes_with_onednn(set_to: str | None, expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != ONEDNN}
    if set_to is not None:
        environment[ONEDNN] = set_to
    done = subprocess.run(
        [sys.executable, "-c", ASKS_TENSORFLOW],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.strip() == expected
