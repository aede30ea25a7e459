"""Class and file names are other people's words: none of them becomes part of the page."""

from __future__ import annotations

import pytest

from tellapart import runs
from tellapart.report.page import draw_report
from tests.report.made_runs import Made, make_run
from tests.report.page_reader import Element, problems_of, read_page

CLASSES = (
    "\"quoted\" & 'so'",
    "<script>alert(1)</script>",
    "</script></style><img src=x onerror=alert(2)>",
    "{{ 7 * 7 }} {% raw %}",
    "שלום ירוק",
    "🌻 sun",
)
NAMES = (
    '"><script>alert(3)</script>.png',
    "a\u202egnp.exe",
    "two\nlines\x1b[2J.png",
    "stray\udcff\udcfe.png",
    "javascript:alert(4)",
    "--><!--.png",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    names = tuple(sorted(CLASSES))
    paths = [f"{place}/{name}" for place in range(8) for name in NAMES]
    made = make_run(
        tmp_path_factory.mktemp("report") / "run",
        class_names=names,
        counts=[8] * 6,
        paths=paths,
        error="</p><script>alert(5)</script>",
        status="failed",
        diagnosis=[
            {
                "topic": "two classes alike",
                "level": "warning",
                "text": f"`{names[0]}` and {names[1]}",
                "remedies": [{"words": "<b>", "command": "tellapart train '<i>' && rm"}],
            }
        ],
    )
    data = made.read(runs.RUN_JSON)["data"]
    made.change(
        runs.RUN_JSON,
        data=data | {"name": "<h1>", "location": "\"><svg onload=alert(6)>",
                     "excluded": [{"path": NAMES[0], "reason": "<u>"}]},
    )  # fmt: skip
    made.change(
        runs.AUDIT_JSON,
        findings=[
            {"topic": "x", "level": "note", "text": "<b>`<i>`", "remedy": "", "items": NAMES}
        ],
    )
    return made


@pytest.fixture(scope="module")
def page(made: Made) -> Element:
    text = draw_report(made.folder, made.pictures)
    text.encode("utf-8")  # no half of a character is left
    return read_page(text)


def test_the_page_is_whole(page: Element) -> None:
    assert problems_of(page) == []
    assert "another form than expected" not in page.text
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert len(page.all("h1")) == 1


def test_only_known_elements(page: Element) -> None:
    assert not {"b", "i", "u", "iframe", "object", "form"} & {found.tag for found in page.all()}
    shown = {found.tag for found in page.all("img")}
    assert shown <= {"img"}
    assert all(image.attributes["src"].startswith("data:image/") for image in page.all("img"))


def test_names_are_shown_as_they_are(page: Element) -> None:
    headings = [span.attributes["title"] for span in page.having("turned")[0].all("span")]
    assert headings == [sorted(CLASSES)[0]]
    shown = page.text
    for name in CLASSES:
        assert name in shown
    assert NAMES[0] in shown
    assert "javascript:alert(4)" in shown


def test_what_would_change_the_page_is_spelled_out(page: Element) -> None:
    shown = page.text
    assert r"a\u202egnp.exe" in shown
    assert r"two\nlines\x1b[2J.png" in shown
    assert r"stray\udcff\udcfe.png" in shown
    assert not any(ord(character) < 32 and character not in "\n\t" for character in shown)
    assert "\u202e" not in shown


def test_pictures_of_such_names_are_found(page: Element) -> None:
    alts = " ".join(image.attributes["alt"] for image in page.all("img"))
    assert r"stray\udcff\udcfe.png" in alts
    for dialog in page.all("dialog"):
        assert len(dialog.all("img")) == len(dialog.all("figure"))


def test_commands_are_text(page: Element) -> None:
    commands = [found.one("code").text for found in page.having("command")]
    assert "tellapart train '<i>' && rm" in commands
