"""The command line: one subcommand a file, with heavy imports inside the command.

Exit codes: 0 fine; 1 a `TellapartError`, or some of the pictures failed; 2 wrong usage; 130
interrupted; 143 and 129 a training that was stopped by SIGTERM or SIGHUP. A bug keeps its
traceback. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

from tellapart.errors import MissingDependencyError, TellapartError

INTERRUPTED = 130

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

YOUNG_OBJECTS = 10_000
"""So many new objects are searched for garbage together."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits; `arguments` defaults to those of the process."""
    from tellapart.cli.output import print_error, print_note

    # Once Keras is there, looking for garbage among all objects takes a third of a second. Python
    # does so twice as it ends, and would a few times in a run of seconds, with its own 700.
    gc.set_threshold(YOUNG_OBJECTS)
    atexit.register(gc.freeze)
    try:
        _open_closed_streams()
        _silence_warnings()
        _escape_what_stdout_cannot_carry()
        app = _import_app()
        app(None if arguments is None else list(arguments), prog_name="tellapart")
    except TellapartError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        from tellapart.cli.missing import explain_missing

        explained = explain_missing(error)
        if explained is None:
            raise
        print_error(str(explained))
        sys.exit(explained.exit_code)
    except KeyboardInterrupt:
        print_note("Interrupted.")
        sys.exit(INTERRUPTED)
    except OSError as error:
        if error.errno == errno.EIO:  # the terminal is gone; what was to be said is in files
            _drop_stdout()
            sys.exit(1)
        if error.errno not in DISK_FULL:
            raise
        _drop_stdout()
        print_error("The disk is full. Free some space, and start again.")
        sys.exit(1)
    except SystemExit as exit_:
        if exit_.code == INTERRUPTED:  # Typer turns Ctrl-C into this exit code, without a word
            print_note("Interrupted.")
        raise


def _import_app() -> Any:
    """Imports the command line, or says what it lacks where only predicting was installed."""
    try:
        from tellapart.cli.app import app
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        raise MissingDependencyError(
            "The command line needs Typer, which is not installed: pip install typer"
        ) from error
    return app


def _open_closed_streams() -> None:
    """Opens to nowhere what the caller has closed; a file of ours could take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115


def _drop_stdout() -> None:
    """Keeps Python from trying, and failing, to write the rest of a result when it ends."""
    with contextlib.suppress(OSError):  # where stdout is no file of the system's
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _silence_warnings() -> None:
    """Hides warnings that the user of a command cannot act on, unless -W or PYTHONWARNINGS asks."""
    if not sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")


def _escape_what_stdout_cannot_carry() -> None:
    """Lets a name that the terminal's encoding lacks be escaped rather than end the command."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
