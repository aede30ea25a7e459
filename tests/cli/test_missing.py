"""Commands where not all of tellapart's libraries are installed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tellapart.cli.missing import PACKAGES, explain_missing
from tests.conftest import save_picture

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_list_is_that_of_the_dependencies() -> None:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[<>=;]", one)[0].strip() for one in project["dependencies"]}
    weights = {name for name in names if name.endswith("-pytorch-model")}
    assert set(PACKAGES.values()) == names - weights - {"tensorflow-cpu"}


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from tellapart.cli import main
main(sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("threadpoolctl", ("check", "pics")),
        ("matplotlib", ("check", "pics", "--sheet", "s.png")),
        ("jinja2", ("report", "run")),
        ("rich", ("runs", ".")),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, module: str, command: tuple[str, ...]) -> None:
    for number in range(4):
        for name in ("", "copy "):
            path = tmp_path / "pics" / "ab"[number % 2] / f"{name}{number}.png"
            save_picture(path, (90, 60, 50))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text('{"format_version": 1}')
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, module, *command],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"Error: This needs the package {module}, which is not installed. `pip install tellapart` "
        "installs all that tellapart needs."
    )


def test_everything_else_that_is_missing_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sklearn", "jinja2"):
        monkeypatch.setitem(sys.modules, module, None)
    error = ModuleNotFoundError("No module named 'sklearn'", name="sklearn.linear_model")
    assert str(explain_missing(error)) == (
        "This needs the package scikit-learn, which is not installed. Not installed either: "
        "jinja2. `pip install tellapart` installs all that tellapart needs."
    )


def test_a_module_of_nobodys_stays_a_bug() -> None:
    assert explain_missing(ModuleNotFoundError("No module named 'x'", name="x")) is None
    assert explain_missing(ModuleNotFoundError("?", name="tellapart.clo")) is None
