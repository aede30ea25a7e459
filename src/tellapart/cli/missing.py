"""What is missing where not all of tellapart was installed, such as for predictions alone."""

from __future__ import annotations

from importlib.util import find_spec

from tellapart.errors import MissingDependencyError

PACKAGES = {
    "PIL": "pillow",
    "jinja2": "jinja2",
    "keras": "keras",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "platformdirs": "platformdirs",
    "rich": "rich",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "tensorflow": "tensorflow",
    "tf2onnx": "tf2onnx",
    "threadpoolctl": "threadpoolctl",
    "typer": "typer",
}
"""What tellapart imports, and the package that has it."""


def explain_missing(error: ModuleNotFoundError) -> MissingDependencyError | None:
    """Says what to install; None where it is no library of ours that is missing."""
    module = (error.name or "").partition(".")[0]
    if module not in PACKAGES:
        return None
    others = [
        package for name, package in PACKAGES.items() if name != module and find_spec(name) is None
    ]
    also = f" Not installed either: {', '.join(others)}." if others else ""
    return MissingDependencyError(
        f"This needs the package {PACKAGES[module]}, which is not installed.{also} "
        "`pip install tellapart` installs all that tellapart needs."
    )
