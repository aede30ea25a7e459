"""`report.html`: one self-contained page that says what a run has found.

    write_report(RunFolder.open("runs/photos-1"), Pictures.of(dataset, pixels))

Everything but pixels is read from the run folder, so that the page can be drawn again. A section
whose figures are not there says why; so does one whose file is damaged. The page asks for nothing
outside itself: its style sheet and script are in it, allowed by their digests alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError
from markupsafe import Markup

from tellapart.errors import TellapartError
from tellapart.files import write_text
from tellapart.report.environment import html_environment
from tellapart.report.pictures import NoPictures, Pictures
from tellapart.report.record import AbsentError, RunRecord
from tellapart.report.sections.calibration import calibration
from tellapart.report.sections.classes import classes
from tellapart.report.sections.confusion import confusion
from tellapart.report.sections.data import data
from tellapart.report.sections.diagnosis import diagnosis
from tellapart.report.sections.flow import flow
from tellapart.report.sections.mistakes import mistakes
from tellapart.report.sections.reproduce import reproduce
from tellapart.report.sections.result import result
from tellapart.report.sections.trace import trace
from tellapart.report.sections.training import training
from tellapart.report.sections.unsure import unsure
from tellapart.report.words import percent
from tellapart.runs import REPORT_HTML, RunFolder
from tellapart.text import printable
from tellapart.version import __version__

GENERATOR = "tellapart report"
"""What the page's `<meta name="generator">` begins with, by which a report is known again."""

Draw = Callable[[RunRecord, Pictures | NoPictures], Mapping[str, Any]]


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        key: its anchor, and the name of its template.
        short: its name in the contents.
        title: its heading.
        draw: makes the template's variables, or raises `AbsentError`.
    """

    key: str
    short: str
    title: str
    draw: Draw


SECTIONS = (
    Section("result", "Result", "Result", result),
    Section("data", "Data", "Data", data),
    Section("training", "Training", "Training", training),
    Section("confusion", "Confusion matrix", "Which class is taken for which", confusion),
    Section("classes", "Classes", "Class by class", classes),
    Section("mistakes", "Worst mistakes", "The worst mistakes", mistakes),
    Section("calibration", "Calibration", "Do the probabilities mean what they say?", calibration),
    Section("unsure", "Unsure", "When it says “unsure”", unsure),
    Section("diagnosis", "Diagnosis", "Diagnosis", diagnosis),
    Section("flow", "Data flow", "Through the network: all pictures", flow),
    Section("trace", "One picture", "Through the network: one picture", trace),
    Section("reproduce", "Reproduce", "How to get this again", reproduce),
)

_DAMAGED = (
    KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, UndefinedError,
    TellapartError,
)  # fmt: skip
"""What reading a file of another form raises; the page says so and goes on."""


def write_report(
    folder: RunFolder, pictures: Pictures | NoPictures, *, out: Path | None = None
) -> Path:
    """Draws the page of a run and writes it, replacing an earlier one.

    Args:
        folder: of the run, ended or not.
        pictures: the test pictures; or why there are none, which the page then says.
        out: where to write it; None: `report.html` in the run folder.

    Returns:
        Where it is.

    Raises:
        RunError: `run.json` is damaged or of a newer format.
        TellapartError: the file cannot be written.
    """
    path = folder.file(REPORT_HTML) if out is None else out
    write_text(path, draw_report(folder, pictures))
    return path


def is_report(path: Path) -> bool:
    """Whether a file is a page that `write_report` wrote."""
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
    except OSError:
        return False
    return f'<meta name="generator" content="{GENERATOR} '.encode() in head


def draw_report(folder: RunFolder, pictures: Pictures | NoPictures) -> str:
    """Draws the page of a run; see `write_report`."""
    record = RunRecord.read(folder)
    drawn = [(section, _draw(section, record, pictures)) for section in SECTIONS]
    return (
        html_environment()
        .get_template("report/page.html.j2")
        .render(
            name=(record.info.get("data") or {}).get("name") or folder.path.name,
            about=_about(record),
            headline=_in_short(record),
            sections=drawn,
            style_digest=_digest("report/page.css"),
            script_digest=_digest("report/page.js"),
            generator=f"{GENERATOR} {__version__}",
            started=record.info.get("started"),
        )
    )


def _draw(section: Section, record: RunRecord, pictures: Pictures | NoPictures) -> Markup:
    """The content of a section, or the sentence that says why there is none."""
    try:
        variables = section.draw(record, pictures)
        template = html_environment().get_template(f"report/{section.key}.html.j2")
        return Markup(template.render(**variables))  # noqa: S704 (the template escapes)
    except AbsentError as reason:
        sentence = str(reason)
    except _DAMAGED as error:
        what = f"{type(error).__name__}: {error}"
        sentence = (
            f"This part cannot be drawn, because a file of the run folder has another form than "
            f"expected ({what})."
        )
    return Markup('<p class="absent">{}</p>').format(printable(sentence))


def _about(record: RunRecord) -> str:
    """The line below the name: network, classes, pictures."""
    recipe, about = record.info.get("recipe") or {}, record.info.get("data") or {}
    words = [str(recipe["model"])] if "model" in recipe else []
    if "class_names" in about:
        words.append(f"{len(about['class_names']):,} classes")
    if "parts" in about:
        words.append(f"{sum(about['parts'].values()):,} pictures")
    return " · ".join(words)


def _in_short(record: RunRecord) -> str:
    """The accuracy for the title, or the status of the run."""
    value = (record.info.get("accuracy") or {}).get("value")
    return percent(value) if value is not None else str(record.info.get("status") or "no accuracy")


def _digest(name: str) -> str:
    """What the page holds of a file, as a content security policy names what it allows."""
    text = html_environment().get_template(name).render()
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
