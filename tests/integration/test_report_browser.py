"""The report page in a real browser: it asks for nothing, fits the screen, and shows right and left as in radiology."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spinalis.formats import report_html
from spinalis.report import compose
from tests.readings import REAL, brain_reading, reading

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]
WIDTHS = (420, 768, 1280)

OVERLAPS = """() => {
  const lines = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const style = getComputedStyle(node.parentElement);
    if (!node.data.trim() || style.position === 'absolute') continue;
    const head = node.parentElement.closest('thead');
    if (head && getComputedStyle(head).position === 'absolute') continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) lines.push([node.data.trim(), box.left, box.top, box.right, box.bottom]);
  }
  for (const image of document.images) {
    const box = image.getBoundingClientRect();
    lines.push(['picture: ' + image.alt, box.left, box.top, box.right, box.bottom]);
  }
  const found = [];
  for (let i = 0; i < lines.length; i++) for (let j = i + 1; j < lines.length; j++) {
    const [a, l1, t1, r1, b1] = lines[i], [b, l2, t2, r2, b2] = lines[j];
    if (Math.min(r1, r2) - Math.max(l1, l2) > 1 && Math.min(b1, b2) - Math.max(t1, t2) > 4) found.push(a + ' / ' + b);
  }
  return found;
}"""

CUT_OFF = """() => [...document.querySelectorAll('td, th, p, li, figcaption, h1, h2, h3')]
  .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1).map(e => e.textContent.trim())"""

MADE = {
    "simulation": reading(),
    "real": reading(proof=REAL),
    "no axial": reading(axial=False),
    "brain": brain_reading(),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=120_000)
        yield started
        started.close()


@pytest.fixture(scope="module", params=MADE, ids=list(MADE))
def page(request: pytest.FixtureRequest, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An opened report, with what it asked for in `asked` and what the console said in `said`."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    report_html.write(compose(MADE[request.param]), path)
    opened = browser.new_page()
    opened.asked, opened.said = [], []
    opened.on("request", lambda asked: opened.asked.append(asked.url))
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.goto(path.as_uri())
    opened.start = path.as_uri()
    yield opened
    opened.close()


def test_the_page_asks_for_nothing(page: Any) -> None:
    assert [url for url in page.asked if not url.startswith("data:")] == [page.start]
    assert page.said == []


def test_every_picture_is_shown(page: Any) -> None:
    assert page.evaluate("[...document.images].filter(i => !(i.complete && i.naturalWidth > 0)).length") == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_overlaps_or_is_cut_off(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(CUT_OFF) == []


def test_nothing_overlaps_in_print(page: Any) -> None:
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})  # about the printed width of A4
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= 700
        assert page.evaluate(OVERLAPS) == []
    finally:
        page.emulate_media(media="screen")


def test_the_right_of_the_patient_is_on_the_left(page: Any) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    for table in page.query_selector_all("table.grid"):
        left_of: dict[str, float] = {}
        for head in table.query_selector_all("thead th"):
            left_of[head.inner_text().replace("\u00ad", "")] = head.bounding_box()["x"]
        assert left_of["Right foramen"] < left_of["Canal"] < left_of["Left foramen"]
        assert left_of["Patient’s right"] < left_of["Patient’s left"]


def test_the_browser_tests_see_an_overlap(browser: Any) -> None:
    made = browser.new_page()
    made.set_content("<p style='margin:0'>one</p><p style='margin:-12px 0 0'>two</p>")
    assert made.evaluate(OVERLAPS) == ["one / two"]
    made.close()
