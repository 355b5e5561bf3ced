"""The series table of triage as CSV, one row per series."""

import csv
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

from spinalis.formats.atomic import write_bytes
from spinalis.records import Judgement, SeriesLabel, Study

COLUMNS = (
    "study",
    "series",
    "number",
    "slices",
    "anatomy",
    "anatomy_probability",
    "region",
    "region_probability",
    "coverage",
    "coverage_probability",
    "plane",
    "plane_probability",
    "sequence",
    "sequence_probability",
    "cord_slices",
    "novelty",
    "flags",
)
"""`cord_slices` counts them; `novelty` is in units of the pack's limit; `coverage` is joined by `+` and `flags` by `;`;
a missing number is empty."""


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
            covered = ("", "") if label.coverage is None else _answer(label.coverage, "+".join(label.covers))
            table.writerow(
                [
                    *(study.key, label.series_key, label.number, slices[label.series_key]),
                    *(*_answer(label.anatomy), *_answer(label.region), *covered),
                    *(*_answer(label.plane), *_answer(label.sequence)),
                    *(len(label.cord_slices), _novelty(label), ";".join(label.flags)),
                ]
            )
    write_bytes(path, text.getvalue().encode())


def _answer(judgement: Judgement[Any], word: str | None = None) -> tuple[str, str]:
    return str(judgement.label) if word is None else word, f"{judgement.probability:.4f}"


def _novelty(label: SeriesLabel) -> str:
    return "" if label.novelty is None else f"{label.novelty:.3f}"
