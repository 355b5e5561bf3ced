"""Lumbar studies in the layout of the RSNA 2024 competition: nearly empty headers, three tables, its known flaws.

The files are incomplete DICOM on purpose, as those of the set are: no validator accepts them.

Source:
    Shares of flaws: counts over the training tables of the RSNA 2024 lumbar spine set (1,975 studies), as gathered in
    the project's notes; what is an assumption says so.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from pydicom.uid import RLELossless

from spinalis.formats.atomic import write_bytes
from spinalis.formats.dicom.write import Member, instance_dataset, save
from spinalis.formats.rsna_csv import COORDINATES, DESCRIPTIONS, LABELS, PLACES, SeriesKind
from spinalis.geometry import to_pixel
from spinalis.records import Series, SlicePlane, Vector
from spinalis.simulate.study import SimulatedSeries, SimulatedStudy
from spinalis.vocabulary import Condition, Level, Plane, Sequence

PROFILES = ("lumbar", "lumbar-balanced")

SAGITTAL_BACKWARDS, AXIAL_UPWARDS = 0.36, 0.12
"""Series whose instance numbers run against the usual order: right to left, and head to feet."""

SIDES_APART = 0.38
"""Levels whose left and right subarticular points lie on different slices."""

MISSING = {"canal": 5 / 9875, "foramen": 50 / 19750, "recess": 517 / 19750}
"""Labels that are missing: 5, 50 and 517 of 1,975 studies with 5 and twice 10 places."""

CANAL_MISPLACED = 0.047
"""Studies with a canal point at a wrong level."""

SIDES_SWAPPED = 0.005
"""Studies whose left and right points are exchanged. An assumption: the set has some."""

READER_MM = 1.0
"""Standard deviation of a reader's point in each direction of the picture. An assumption."""

SAC_MM = 6.0
"""From the posterior edge of the disc to the middle of the sac, half of a sac 12 mm deep. From memory."""

IN_VIEW_MM = 6.0
"""A point farther than this from every slice has no label."""

KEPT = (
    *("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID", "InstanceNumber", "PatientPosition"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    *("SeriesDescription", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "WindowCenter", "WindowWidth", "PixelData"),
)
"""The only attributes that are written. The list is from memory; Modality, SOPClassUID, BodyPartExamined, TE and TR
are known to be missing."""

Row = dict[str, str]
Placed = tuple[int, float, float]
"""Instance number, x, y."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A written series: its number, its slices by position, and their instance numbers."""

    number: int
    members: list[Member]
    instances: list[int]


def study_id(number: int, seed: int, profile: str) -> int:
    """The number by which a study goes in the tables; no two of one profile and seed are alike below 100,000."""
    return (PROFILES.index(profile) + 1) * 10**10 + seed * 10**5 + number


def write_study(made: SimulatedStudy, study: int, folder: Path, rng: np.random.Generator) -> dict[str, list[Row]]:
    """Write the sagittal T1w, sagittal T2w or STIR and axial T2w series of a study, and draw its labels.

    Args:
        made: a lumbar study with grades.
        study: its number in the tables.
        folder: the folder of the study; gets `<series>/<instance>.dcm`.
        rng: draws the flaws.

    Returns:
        The rows of the three tables, by file name.
    """
    series: list[Row] = []
    shown: dict[SeriesKind, list[Shown]] = defaultdict(list)
    for kind, members in _acquisitions(made, rng):
        number = study * 100 + len(series) + 1
        instances = _instances(kind, members, rng)
        for member, instance in zip(members, instances, strict=True):
            _write(made, member, (study, number, instance), kind, folder)
        shown[kind].append(Shown(number=number, members=members, instances=instances))
        series.append({"study_id": str(study), "series_id": str(number), "series_description": kind.value})
    grades: Row = {"study_id": str(study)}
    points: list[Row] = []
    for place, row in _labels(made, shown, rng):
        condition, level = place
        grades[f"{condition.column}_{level.column}"] = made.truth.grades[place].value if row else ""
        points += [{"study_id": str(study), **row}] if row else []
    return {LABELS: [grades], COORDINATES: points, DESCRIPTIONS: series}


def write_tables(folder: Path, studies: Iterable[dict[str, list[Row]]]) -> None:
    """Write the three tables over all studies, each whole or not at all.

    Raises:
        OutputError: they cannot be written.
    """
    rows: dict[str, list[Row]] = defaultdict(list)
    for tables in studies:
        for name, found in tables.items():
            rows[name] += found
    columns = {
        LABELS: ("study_id", *(f"{condition.column}_{level.column}" for condition, level in PLACES)),
        COORDINATES: ("study_id", "series_id", "instance_number", "condition", "level", "x", "y"),
        DESCRIPTIONS: ("study_id", "series_id", "series_description"),
    }
    for name, names in columns.items():
        text = StringIO(newline="")
        table = csv.DictWriter(text, names, lineterminator="\n")
        table.writeheader()
        table.writerows(rows[name])
        write_bytes(folder / name, text.getvalue().encode())


def _acquisitions(made: SimulatedStudy, rng: np.random.Generator) -> Iterable[tuple[SeriesKind, list[Member]]]:
    """The series that the set keeps, each with its slices by position; axial ones as the scanner joined them.

    Where every block is a series of its own, neighbours are joined until two to four are left, as in the set.
    """
    kinds: dict[SeriesKind, dict[str, list[SimulatedSeries]]] = {kind: defaultdict(list) for kind in SeriesKind}
    for one in made.series:
        if (kind := _kind(one)) is not None:
            kinds[kind][one.form.group or one.series.key].append(one)
    for kind, groups in kinds.items():
        parts = list(groups.values())
        if kind is SeriesKind.AXIAL_T2 and len(parts) > 4:
            cuts = np.array_split(np.arange(len(parts)), int(rng.integers(2, 5)))
            parts = [[one for index in cut for one in parts[index]] for cut in cuts]
        if kind is not SeriesKind.AXIAL_T2:
            parts = parts[:1]
        for part in parts:
            yield kind, [(one.series, index) for one in part for index in range(len(one.series.slices))]


def _kind(one: SimulatedSeries) -> SeriesKind | None:
    if len(one.series.slices) < 5 and one.plane is not Plane.AXIAL:
        return None
    return {
        (Plane.SAGITTAL, Sequence.T1W): SeriesKind.SAGITTAL_T1,
        (Plane.SAGITTAL, Sequence.T2W): SeriesKind.SAGITTAL_T2_STIR,
        (Plane.SAGITTAL, Sequence.STIR): SeriesKind.SAGITTAL_T2_STIR,
        (Plane.AXIAL, Sequence.T2W): SeriesKind.AXIAL_T2,
    }.get((one.plane, one.sequence))


def _instances(kind: SeriesKind, members: list[Member], rng: np.random.Generator) -> list[int]:
    """Instance numbers of slices that stand in the order of their position: right to left, feet to head."""
    upwards = list(range(1, len(members) + 1))
    if kind is SeriesKind.AXIAL_T2:
        return upwards if rng.random() < AXIAL_UPWARDS else upwards[::-1]
    return upwards[::-1] if rng.random() < SAGITTAL_BACKWARDS else upwards


def _write(made: SimulatedStudy, member: Member, name: tuple[int, int, int], kind: SeriesKind, folder: Path) -> None:
    study, series, instance = name
    dataset = instance_dataset(made.study, member, (str(series), instance))
    dataset.PatientID, dataset.InstanceNumber = str(study), instance
    dataset.SeriesDescription = "T1" if kind is SeriesKind.SAGITTAL_T1 else "T2"
    for element in list(dataset):
        if element.keyword not in KEPT:
            del dataset[element.tag]
    save(dataset, folder / str(series) / f"{instance}.dcm", RLELossless)


def _labels(
    made: SimulatedStudy,
    shown: dict[SeriesKind, list[Shown]],
    rng: np.random.Generator,
) -> Iterable[tuple[tuple[Condition, Level], Row | None]]:
    """Every place with its row of the table of points, or None where the label is missing."""
    swapped, misplaced = rng.random() < SIDES_SWAPPED, rng.random() < CANAL_MISPLACED
    wrong_level = list(Level)[int(rng.integers(0, len(Level)))]
    apart = {level: rng.random() < SIDES_APART for level in Level}
    for condition, level in PLACES:
        side = condition.side
        kind, missing = {
            "canal": (SeriesKind.SAGITTAL_T2_STIR, MISSING["canal"]),
            "foraminal": (SeriesKind.SAGITTAL_T1, MISSING["foramen"]),
            "subarticular": (SeriesKind.AXIAL_T2, MISSING["recess"]),
        }[_part(condition)]
        seen = level
        if side is None and misplaced and level is wrong_level:
            seen = list(Level)[max(0, list(Level).index(level) - 1)]
        point = _point(made, _on_side(condition, swapped), seen)
        beside = 1 if kind is SeriesKind.AXIAL_T2 and apart[level] and side == "left" else 0
        found = _nearest(point, shown[kind], beside)
        if found is None or rng.random() < missing:
            yield (condition, level), None
            continue
        series, (instance, x, y), pixel = found
        x, y = (value + rng.normal(0, READER_MM / pixel) for value in (x, y))
        yield (
            (condition, level),
            {
                "series_id": str(series),
                "instance_number": str(instance),
                "condition": condition.value,
                "level": level.value,
                "x": f"{x:.4f}",
                "y": f"{y:.4f}",
            },
        )


def _part(condition: Condition) -> str:
    return next(part for part in ("canal", "foraminal", "subarticular") if part in condition.value.lower())


def _on_side(condition: Condition, swapped: bool) -> Condition:
    if not swapped or condition.side is None:
        return condition
    one, other = ("Left", "Right") if condition.value.startswith("Left") else ("Right", "Left")
    return Condition(condition.value.replace(one, other))


def _point(made: SimulatedStudy, condition: Condition, level: Level) -> Vector:
    truth = made.truth
    if condition.side is None:
        x, y, z = truth.levels[level]
        return x, y + SAC_MM, z
    places = truth.foramina if _part(condition) == "foraminal" else truth.recesses
    return places[level, condition.side]


def _nearest(point: Vector, shown: list[Shown], beside: int) -> tuple[int, Placed, float] | None:
    """The slice nearest to a point, or its `beside`-th neighbour: its series, the point in it, the size of a pixel."""
    found: list[tuple[float, Shown, int]] = []
    for one in shown:
        for place, (record, index) in enumerate(one.members):
            row, column, distance = to_pixel(_plane(record, index), point)
            inside = 0 <= row <= record.rows - 1 and 0 <= column <= record.columns - 1
            if inside and distance <= IN_VIEW_MM:
                found.append((distance, one, place))
    if not found:
        return None
    _, one, place = min(found, key=lambda item: item[0])
    place = min(place + beside, len(one.members) - 1)
    plane = _plane(*one.members[place])
    row, column, _ = to_pixel(plane, point)
    return one.number, (one.instances[place], column, row), plane.column_spacing_mm


def _plane(record: Series, index: int) -> SlicePlane:
    plane = record.slices[index].plane
    if plane is None:
        raise AssertionError("simulated slices have a place")
    return plane
