import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from spinalis.errors import OutputError
from spinalis.formats import report_html
from spinalis.records import Notice
from spinalis.report import compose
from spinalis.report.words import EXPERIMENTAL, RESEARCH_USE_ONLY
from spinalis.vocabulary import NoticeKind
from tests.readings import REAL, brain_reading, reading

GOLDEN = Path(__file__).parents[1] / "golden"
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Collects text, images, links to other places and headings, and checks that tags close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.headings: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "action"}]
        if tag == "img":
            self.images.append(found)
        if tag in {"h1", "h2", "h3"}:
            self.headings.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style" and data.strip():
            self.text.append(" ".join(data.replace("\u00ad", "").replace("\u200b", "").split()))


@pytest.fixture(scope="module")
def simulated() -> str:
    return report_html.render(compose(reading()))


def test_the_page_needs_nothing_else(simulated: str) -> None:
    page = Page(simulated)
    assert page.open == []
    assert all(address.startswith("data:") for address in page.addresses)
    assert "<script" not in simulated
    assert "url(" not in simulated
    assert "default-src 'none'" in simulated


def test_every_picture_is_described(simulated: str) -> None:
    images = Page(simulated).images
    assert len(images) == 1 + 5 * (3 + 6)
    assert all(len(image["alt"] or "") > 20 and image["width"] and image["height"] for image in images)


def test_headings_leave_out_no_rank(simulated: str) -> None:
    headings = Page(simulated).headings
    assert headings.count("h1") == 1
    assert headings[0] == "h1"
    assert all(int(after[1]) <= int(before[1]) + 1 for before, after in pairwise(headings))


@pytest.mark.parametrize("made", [reading(), reading(proof=REAL), brain_reading()], ids=["simulation", "real", "brain"])
def test_the_research_banner_is_on_every_page(made: object) -> None:
    assert RESEARCH_USE_ONLY in report_html.render(compose(made))  # type: ignore[arg-type]


def test_an_experimental_page_says_so_and_never_says_normal(simulated: str) -> None:
    page = " ".join(Page(simulated).text)
    assert EXPERIMENTAL in page
    assert "normal" not in page.lower()
    assert "simulated images only" in page


def test_a_proven_page_grades_in_words() -> None:
    page = " ".join(Page(report_html.render(compose(reading(proof=REAL)))).text)
    assert EXPERIMENTAL not in page
    assert "Normal/Mild" in page
    assert "Severe" in page


def test_the_right_of_the_patient_is_the_left_column(simulated: str) -> None:
    names = re.findall(r'<th scope="col">([^<]+)</th>', simulated.replace("\u00ad", ""))
    assert names[:5] == ["Right foramen", "Right subarticular", "Canal", "Left subarticular", "Left foramen"]


def test_text_from_a_study_is_escaped() -> None:
    made = replace(
        reading(), warnings=(Notice(kind=NoticeKind.FILES_LOST, text='Series 1: <script>alert("x")</script> & more.'),)
    )
    page = report_html.render(compose(made))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_page_is_small_enough_to_send(simulated: str) -> None:
    assert len(simulated.encode()) < 3_000_000


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("simulation", reading()),
        ("real", reading(proof=REAL)),
        ("no_axial", reading(axial=False)),
        ("brain", brain_reading()),
    ],
)
def test_what_the_page_says_is_as_reviewed(name: str, made: object) -> None:
    """The golden texts were read by a human; to change them, delete the file, run, and read the new one."""
    said = "\n".join(Page(report_html.render(replace(compose(made), version="X"))).text) + "\n"  # type: ignore[arg-type]
    golden = GOLDEN / f"report_{name}.txt"
    if not golden.exists():
        golden.write_text(said)
        pytest.fail(f"{golden.name} was missing; read what was written and run again")
    assert said == golden.read_text()


def test_write_replaces_an_earlier_page_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    report_html.write(compose(brain_reading()), path)
    assert path.read_text().startswith("<!doctype html>")
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_a_page_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"Output file: expected a writable folder"):
        report_html.write(compose(brain_reading()), tmp_path / "file" / "report.html")
