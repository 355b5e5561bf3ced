"""The report as one HTML page that needs nothing else: style and pictures are inside, and it asks for no address."""

import base64
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from spinalis.formats.atomic import write_bytes
from spinalis.report import Report
from spinalis.report.sections import Picture
from spinalis.report.words import EXPERIMENTAL, RADIOLOGICAL_ORDER, SHORT_NAMES, percent


def render(report: Report) -> str:
    """The page of a report; everything that comes from a study is escaped."""
    environment = Environment(
        loader=PackageLoader("spinalis.formats", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "data_uri": data_uri}
    headings = tuple(SHORT_NAMES[condition] for condition in RADIOLOGICAL_ORDER)
    return environment.get_template("report.html.j2").render(
        report=report, headings=headings, experimental=EXPERIMENTAL
    )


def write(report: Report, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        OutputError: `path` cannot be written.
    """
    write_bytes(path, render(report).encode())


def data_uri(picture: Picture) -> str:
    """A picture as a `data:` address."""
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"
