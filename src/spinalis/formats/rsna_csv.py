"""The tables of the RSNA 2024 lumbar spine set: labels and points in, predictions in and out.

| file | one row per | columns |
| --- | --- | --- |
| `train.csv` | study | `study_id`, 25 `<condition>_<level>`: a severity, or empty |
| `train_label_coordinates.csv` | point | `study_id`, `series_id`, `instance_number`, `condition`, `level`, `x`, `y` |
| `train_series_descriptions.csv` | series | `study_id`, `series_id`, `series_description` |
| predictions | place | `row_id` (`<study>_<condition>_<level>`), `normal_mild`, `moderate`, `severe` |

Messages name file, line, rule and value, and no study: the line says which.

Source:
    Richards TJ et al. RSNA 2024 Lumbar Spine Degenerative Classification, data description and sample submission.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import TypeVar

from spinalis.formats import csv_rows
from spinalis.formats.atomic import write_bytes
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level, Plane, Sequence, Severity

LABELS, COORDINATES, DESCRIPTIONS = "train.csv", "train_label_coordinates.csv", "train_series_descriptions.csv"
IMAGES = "train_images"
"""Names of the files, and of the folder with `<study>/<series>/<instance>.dcm`."""

Word = TypeVar("Word", bound=StrEnum)
Place = tuple[Condition, Level]
Probabilities = tuple[float, float, float]
Grades = Mapping[Place, Severity | None]
"""All 25 places of a study; None where it carries no label."""

PLACES: tuple[Place, ...] = tuple((condition, level) for condition in CONDITIONS for level in LEVELS)
SUM_TOLERANCE = 1e-3
"""Three probabilities are accepted where their sum is within this of 1; files round to four digits."""

_COLUMN_OF = {(condition, level): f"{condition.column}_{level.column}" for condition, level in PLACES}
_PLACE_OF = {column: place for place, column in _COLUMN_OF.items()}
_GRADE_COLUMNS = tuple(severity.column for severity in SEVERITIES)


class SeriesKind(StrEnum):
    """What a series is, spelled as in `series_description`."""

    SAGITTAL_T1 = "Sagittal T1"
    SAGITTAL_T2_STIR = "Sagittal T2/STIR"
    AXIAL_T2 = "Axial T2"

    @property
    def plane(self) -> Plane:
        """The patient plane."""
        return Plane.AXIAL if self is SeriesKind.AXIAL_T2 else Plane.SAGITTAL

    @property
    def sequence(self) -> Sequence:
        """The contrast; T2w for T2/STIR, which the set does not tell apart."""
        return Sequence.T1W if self is SeriesKind.SAGITTAL_T1 else Sequence.T2W


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPoint:
    """Where a reader saw a condition: pixels of one instance, (0, 0) at its first corner, x to the right."""

    study: str
    series: str
    instance_number: int
    condition: Condition
    level: Level
    x: float
    y: float


def read_grades(path: Path) -> dict[str, Grades]:
    """Read `train.csv`: study -> its 25 labels, in the order of the file.

    Raises:
        TableError: the file breaks a rule of the layout.
    """
    found: dict[str, Grades] = {}
    for line, row in csv_rows.read(path, ("study_id", *_COLUMN_OF.values())):
        study = _name(path, line, row, "study_id")
        _check_new(path, line, "study_id", study in found)
        found[study] = {place: _severity(path, line, row, column) for place, column in _COLUMN_OF.items()}
    return found


def read_points(path: Path) -> tuple[LabelPoint, ...]:
    """Read `train_label_coordinates.csv`.

    Raises:
        TableError: the file breaks a rule of the layout.
    """
    columns = ("study_id", "series_id", "instance_number", "condition", "level", "x", "y")
    found = []
    for line, row in csv_rows.read(path, columns):
        instance = row["instance_number"]
        if not instance.isdecimal():
            raise csv_rows.broken(path, line, "a whole number in instance_number", instance)
        found.append(
            LabelPoint(
                study=_name(path, line, row, "study_id"),
                series=_name(path, line, row, "series_id"),
                instance_number=int(instance),
                condition=_word(path, line, row, "condition", Condition),
                level=_word(path, line, row, "level", Level),
                x=_number(path, line, row, "x"),
                y=_number(path, line, row, "y"),
            )
        )
    return tuple(found)


def read_descriptions(path: Path) -> dict[tuple[str, str], SeriesKind]:
    """Read `train_series_descriptions.csv`: (study, series) -> what it is, in the order of the file.

    Raises:
        TableError: the file breaks a rule of the layout.
    """
    found: dict[tuple[str, str], SeriesKind] = {}
    for line, row in csv_rows.read(path, ("study_id", "series_id", "series_description")):
        key = _name(path, line, row, "study_id"), _name(path, line, row, "series_id")
        _check_new(path, line, "pair of study_id and series_id", key in found)
        found[key] = _word(path, line, row, "series_description", SeriesKind)
    return found


def read_predictions(path: Path) -> dict[str, dict[Place, Probabilities]]:
    """Read a prediction file: study -> place -> probabilities in the order of `SEVERITIES`; rows may be missing.

    Raises:
        TableError: the file breaks a rule of the layout, or three numbers are no probabilities.
    """
    found: dict[str, dict[Place, Probabilities]] = {}
    for line, row in csv_rows.read(path, ("row_id", *_GRADE_COLUMNS)):
        study, place = _split_row_id(path, line, row["row_id"])
        places = found.setdefault(study, {})
        _check_new(path, line, "row_id", place in places)
        places[place] = _probabilities(path, line, row)
    return found


def write_predictions(predictions: Mapping[str, Mapping[Place, Probabilities]], path: Path) -> None:
    """Write a prediction file, whole or not at all; numbers with all their digits, so that scores are kept.

    Raises:
        OutputError: `path` cannot be written.
    """
    text = StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("row_id", *_GRADE_COLUMNS))
    for study, places in predictions.items():
        for place, probabilities in places.items():
            table.writerow([f"{study}_{_COLUMN_OF[place]}", *(repr(float(value)) for value in probabilities)])
    write_bytes(path, text.getvalue().encode())


def _name(path: Path, line: int, row: Mapping[str, str], column: str) -> str:
    if not row[column]:
        raise csv_rows.broken(path, line, f"a {column}", "an empty cell")
    return row[column]


def _check_new(path: Path, line: int, what: str, known: bool) -> None:
    if known:
        raise csv_rows.broken(path, line, f"each {what} once", "one that an earlier line has")


def _severity(path: Path, line: int, row: Mapping[str, str], column: str) -> Severity | None:
    return _word(path, line, row, column, Severity) if row[column] else None


def _word(path: Path, line: int, row: Mapping[str, str], column: str, kind: type[Word]) -> Word:
    try:
        return kind(row[column])
    except ValueError as error:
        words = ", ".join(str(word) for word in kind)
        raise csv_rows.broken(path, line, f"one of {words} in {column}", row[column] or "an empty cell") from error


def _number(path: Path, line: int, row: Mapping[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise csv_rows.broken(path, line, f"a number in {column}", row[column] or "an empty cell")
    return value


def _split_row_id(path: Path, line: int, row_id: str) -> tuple[str, Place]:
    for column, place in _PLACE_OF.items():
        study = row_id.removesuffix(f"_{column}")
        if study and study != row_id:
            return study, place
    ending = "_".join(row_id.split("_")[1:])
    raise csv_rows.broken(
        path, line, "<study>_<condition>_<level> in row_id", f"one that ends in {ending or 'nothing'}"
    )


def _probabilities(path: Path, line: int, row: Mapping[str, str]) -> Probabilities:
    first, second, third = (_number(path, line, row, column) for column in _GRADE_COLUMNS)
    found = first, second, third
    if min(found) < 0 or max(found) > 1:
        raise csv_rows.broken(path, line, "probabilities in 0..1", ", ".join(f"{value:g}" for value in found))
    if abs(sum(found) - 1) > SUM_TOLERANCE:
        raise csv_rows.broken(path, line, "probabilities that sum to 1", f"{sum(found):g}")
    return found
