"""The series table of triage as CSV, one row per series."""

import csv
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from spinalis.formats.atomic import write_bytes
from spinalis.records import SeriesLabel, Study

COLUMNS = (
    "study",
    "series",
    "number",
    "slices",
    "anatomy",
    "anatomy_probability",
    "region",
    "region_probability",
    "plane",
    "plane_probability",
    "sequence",
    "sequence_probability",
    "cord_slices",
    "flags",
)
"""`cord_slices` counts them; `flags` are joined by `;`; a missing number is empty."""


def write(studies: Iterable[tuple[Study, tuple[SeriesLabel, ...]]], path: Path) -> None:
    """Write the labels of several studies into one table, whole or not at all.

    Raises:
        OutputError: `path` cannot be written.
    """
    text = StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for study, labels in studies:
        slices = {series.key: len(series.slices) for series in study.series}
        for label in labels:
            answers = (label.anatomy, label.region, label.plane, label.sequence)
            table.writerow(
                [study.key, label.series_key, label.number, slices[label.series_key]]
                + [cell for answer in answers for cell in (answer.label, f"{answer.probability:.4f}")]
                + [len(label.cord_slices), ";".join(label.flags)]
            )
    write_bytes(path, text.getvalue().encode())
