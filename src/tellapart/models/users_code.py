"""Running code of the user's own, and telling its mistakes by their place in it."""

from __future__ import annotations

import inspect
import re
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tellapart.errors import ModelError
from tellapart.models.keras_words import first_sentence

_TOO_SMALL = re.compile(r"output size would be .*negative|Negative dimension size")
"""What Keras says of a window that no longer fits into what is left of the pictures."""


def run_users_code(
    what: Path | str,
    run: Callable[[], Any],
    *,
    pictures: tuple[int, int, int] | None = None,
    written: Callable[..., Any] | None = None,
) -> Any:
    """Runs code of the user's own; its mistakes are told without our frames and the libraries'.

    Args:
        what: the file, function or model.
        run: calls it.
        pictures: height, width and channels of the pictures that a network is built for.
        written: the function that stands for the place where no line of the user's is at work.

    Returns:
        What `run` returned.

    Raises:
        ModelError: it failed.
    """
    try:
        return run()
    except (ModelError, KeyboardInterrupt):
        raise
    except SyntaxError as error:
        raise ModelError(f"{error.filename}, line {error.lineno}: {error.msg}") from error
    except Exception as error:
        place = _place(error.__traceback__) or _definition(written)
        layer = _layer(error.__traceback__)
        at = f"layer '{layer}'" if layer else "a layer"
        if pictures is not None and _TOO_SMALL.search(str(error)):
            raise ModelError(
                f"{what} is too deep for pictures of {'x'.join(map(str, pictures))}: {at} would be "
                f"left without pixels{place}. Choose a larger --image-size, or a network with "
                "fewer layers."
            ) from error
        raise ModelError(
            f"{what} failed{f' in {at}' if layer else ''} with {type(error).__name__}: "
            f"{first_sentence(error)}{place}."
        ) from error


def _place(trace: TracebackType | None) -> str:
    """Returns the last line of the user's that was at work: " (mine.py, line 3)"; "" for none."""
    libraries = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
    libraries.add(str(Path(__file__).parents[1]))
    for frame in reversed(traceback.extract_tb(trace)):
        file = Path(frame.filename)
        if file.is_file() and not any(file.is_relative_to(library) for library in libraries):
            return f" ({frame.filename}, line {frame.lineno})"
    return ""


def _definition(function: Callable[..., Any] | None) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None) if function else None
    return f" ({code.co_filename}, line {code.co_firstlineno})" if code else ""


def _layer(trace: TracebackType | None) -> str | None:
    """Returns the name of the innermost layer at work, which Keras's handler of errors holds."""
    import keras

    found = None
    for frame, _ in traceback.walk_tb(trace):
        arguments = frame.f_locals.get("args")
        if isinstance(arguments, tuple) and arguments and isinstance(arguments[0], keras.Layer):
            found = str(arguments[0].name)
    return found
