"""The page in a real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.report.page import write_report
from tests.report.made_runs import Made, make_run

CHROMIUM = shutil.which("chromium")

pytest.importorskip("playwright", reason="playwright drives the browser: pip install '.[dev]'")
if CHROMIUM is None:
    pytest.skip("there is no chromium: apt-get install chromium", allow_module_level=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without its sandbox, since containers often forbid it; the page is our own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Three classes; the last one is taken for the first in most cases."""
    labels = np.repeat(np.arange(3), 20)
    rows = np.full((60, 3), 0.05)
    rows[np.arange(60), np.where((labels == 2) & (np.arange(60) % 4 > 0), 0, labels)] = 0.9
    made = make_run(
        tmp_path_factory.mktemp("report") / "run",
        class_names=("a class with a rather long name, to fill the room", "green", "red"),
        counts=(20, 20, 20),
        probabilities=rows,
        diagnosis=[
            {"topic": "two classes alike", "level": "warning", "text": "They are alike.",
             "remedies": [{"words": "More pictures", "command": "tellapart train " + "x" * 200}]},
        ],
    )  # fmt: skip
    write_report(made.folder, made.pictures)
    return made


class Watched:
    """A page, and everything that went wrong on it."""

    def __init__(self, browser: Any, made: Made, **options: Any) -> None:
        self.page = browser.new_context(**options).new_page()
        self.wrong: list[str] = []
        self.url = (made.folder.path / "report.html").as_uri()
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._request)
        self.page.goto(self.url)

    def _request(self, request: Any) -> None:
        if request.url != self.url and not request.url.startswith("data:"):
            self.wrong.append(f"asked for {request.url}")

    def dialogs(self) -> list[str]:
        """The headings of the dialogs that are open."""
        return [
            dialog.locator("h3").inner_text()
            for dialog in self.page.locator("dialog").all()
            if dialog.is_visible()
        ]


@pytest.fixture
def watched(browser: Any, made: Made) -> Iterator[Watched]:
    opened = Watched(browser, made, viewport={"width": 1280, "height": 900})
    yield opened
    assert opened.wrong == []
    opened.page.context.close()


def test_a_click_on_a_cell_shows_its_pictures(watched: Watched) -> None:
    page = watched.page
    assert watched.dialogs() == []
    cell = page.locator(".matrix tbody tr").nth(2).locator("button").first
    assert cell.inner_text() == "15"
    cell.click()
    (heading,) = watched.dialogs()
    assert heading.startswith("15 pictures of red taken for a class with")
    dialog = page.locator("dialog:visible")
    assert "12 of 15 shown, the surest first." in dialog.inner_text()
    assert dialog.locator("img").count() == 12
    dialog.locator("img").last.scroll_into_view_if_needed()
    page.wait_for_function(
        "[...document.querySelectorAll('dialog[open] img')].every(i => i.complete)"
    )
    widths = dialog.locator("img").evaluate_all("images => images.map(i => i.naturalWidth)")
    assert widths == [8] * 12
    dialog.locator(".close").click()
    assert watched.dialogs() == []


def test_the_keyboard_does_the_same(watched: Watched) -> None:
    page = watched.page
    page.locator(".matrix button").first.focus()
    focused = "document.activeElement.getAttribute('popovertarget')"
    assert page.evaluate(focused) == "cell-0-0"
    page.keyboard.press("ArrowDown")  # the cells below and beside are empty
    assert page.evaluate(focused) == "cell-2-0"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "cell-2-2"
    page.keyboard.press("Enter")
    (heading,) = watched.dialogs()
    assert heading == "5 pictures of red recognised"
    assert page.evaluate("document.activeElement.innerText") == "Close"
    page.keyboard.press("Escape")
    assert watched.dialogs() == []
    assert page.evaluate(focused) == "cell-2-2"  # the focus is back
    page.keyboard.press("Tab")  # one stop for the whole matrix
    assert page.evaluate("document.activeElement.closest('.matrix')") is None


def test_a_click_beside_the_pictures_closes_them(watched: Watched) -> None:
    watched.page.locator(".matrix button").first.click()
    assert len(watched.dialogs()) == 1
    watched.page.mouse.click(5, 5)
    assert watched.dialogs() == []


def test_without_a_script_cells_still_open(browser: Any, made: Made) -> None:
    opened = Watched(browser, made, java_script_enabled=False)
    page = opened.page
    cell = page.locator(".matrix button").first
    cell.click()
    assert len(opened.dialogs()) == 1
    assert page.locator("dialog:visible img").count() == 6
    page.keyboard.press("Escape")
    assert opened.dialogs() == []
    assert opened.wrong == []
    page.context.close()


def test_classes_can_be_put_in_order(watched: Watched) -> None:
    table = watched.page.locator("table.classes")
    recall = table.locator("thead th").nth(4)
    names = "rows => rows.map(row => row.cells[0].innerText)"
    recall.locator("button").click()
    assert recall.get_attribute("aria-sort") == "ascending"
    assert table.locator("tbody tr").evaluate_all(names)[0] == "red"
    recall.locator("button").click()
    assert recall.get_attribute("aria-sort") == "descending"
    assert table.locator("tbody tr").evaluate_all(names)[2] == "red"


def test_a_command_is_copied_or_selected(watched: Watched) -> None:
    page = watched.page
    button = page.locator("#reproduce .copy").first
    assert button.is_visible()
    button.click()
    page.wait_for_function("document.getElementById('said').textContent !== ''")
    if page.locator("#said").inner_text() == "Selected":
        assert page.evaluate("getSelection().toString()") == "tellapart train photos/ --epochs 3"
    else:
        assert button.inner_text() == "Copied"


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_no_width_scrolls_sideways(browser: Any, made: Made, width: int) -> None:
    opened = Watched(browser, made, viewport={"width": width, "height": 800})
    page = opened.page
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(".matrix button").first.click()
    box = page.locator("dialog:visible").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert opened.wrong == []
    page.context.close()


def brightness(page: Any, selector: str, style: str) -> float:
    """Of a colour of an element, 0 to 255."""
    colour = page.locator(selector).first.evaluate(
        f"element => getComputedStyle(element).{style}.match(/[\\d.]+/g).slice(0, 3).map(Number)"
    )
    return float(sum(colour) / 3)


def test_dark_and_paper(browser: Any, made: Made) -> None:
    opened = Watched(browser, made, color_scheme="dark")
    page = opened.page
    assert brightness(page, "body", "backgroundColor") < 40
    assert brightness(page, "body", "color") > 200
    page.emulate_media(media="print", color_scheme="dark")
    assert brightness(page, "body", "backgroundColor") == 255
    assert brightness(page, "body", "color") < 60
    assert not page.locator("nav").is_visible()
    assert opened.wrong == []
    page.context.close()


def test_letters_can_be_read(browser: Any, made: Made) -> None:
    """Contrast of 4.5 to 1 or more (WCAG 2 AA), also of numbers on every shade of the matrix."""
    text = ["body", ".about", "nav a", ".small", "summary", "th", ".facts dt", ".badge.warning",
            ".copy", ".file", "main a"]  # fmt: skip
    for scheme in ("light", "dark"):
        opened = Watched(browser, made, color_scheme=scheme)
        opened.page.evaluate(
            """() => {
                const row = document.querySelector(".matrix tbody tr");
                for (const kind of ["right", "wrong"]) {
                    for (let level = 0; level <= 10; level++) {
                        const cell = row.insertCell();
                        cell.className = `cell ${kind} l${level} shade-${kind}-${level}`;
                    }
                }
            }"""
        )
        shades = [f".shade-{kind}-{level}" for kind in ("right", "wrong") for level in range(11)]
        for selector in text + shades:
            assert contrast(opened.page, selector) >= 4.5, (scheme, selector)
        opened.page.context.close()


def contrast(page: Any, selector: str) -> float:
    """WCAG's ratio between the letters of an element and what is behind them."""
    return float(
        page.locator(selector).first.evaluate("""element => {
            const numbers = (text) => {
                const parts = text.match(/-?[\\d.]+/g).map(Number);
                return text.startsWith("color(") ? parts.slice(0, 3).map((p) => p * 255) : parts;
            };
            const light = (text) => {
                const [r, g, b] = numbers(text).map((v) => {
                    v /= 255;
                    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            let behind = element;
            const clear = (e) => getComputedStyle(e).backgroundColor === "rgba(0, 0, 0, 0)";
            while (clear(behind)) behind = behind.parentElement;
            const one = light(getComputedStyle(element).color);
            const two = light(getComputedStyle(behind).backgroundColor);
            return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        }""")
    )


def test_it_prints(watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    shut = "document.querySelectorAll('details:not([open])').length"
    before = page.evaluate(shut)
    assert before > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(shut) == 0  # everything is open on paper
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(shut) == before
    content = page.pdf(format="A4")
    assert content.startswith(b"%PDF")
    assert len(content) > 50_000
