"""Small tables laid out as those of the RSNA 2024 set."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES

COLUMNS = [f"{condition.column}_{level.column}" for condition in CONDITIONS for level in LEVELS]
"""The 25 columns, condition by condition."""


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> Path:
    """Write a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(header)
        table.writerows(rows)
    return path


def write_labels(path: Path, grades: Mapping[str, Iterable[int]]) -> Path:
    """Write `train.csv`: study -> 25 grades 0..2, or -1 for an empty cell."""
    words = [*(severity.value for severity in SEVERITIES), ""]
    return write_csv(path, ["study_id", *COLUMNS], [[s, *(words[g] for g in row)] for s, row in grades.items()])


def write_answers(path: Path, answers: Mapping[str, Iterable[tuple[float, ...]]]) -> Path:
    """Write a prediction file: study -> 25 triples."""
    rows = [[f"{s}_{c}", *p] for s, row in answers.items() for c, p in zip(COLUMNS, row, strict=True)]
    return write_csv(path, ["row_id", "normal_mild", "moderate", "severe"], rows)
