"""Small tables and studies laid out as those of the RSNA 2024 set."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydicom.uid import RLELossless

from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES
from tests.dicoms import AXIAL, SAGITTAL, classic, picture, save

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


SERIES = {"21": ("Sagittal T1", SAGITTAL), "22": ("Sagittal T2/STIR", SAGITTAL), "23": ("Axial T2", AXIAL)}
LEVEL_Z = (40.0, 30.0, 20.0, 10.0, 0.0)
SLICES = 9
STRIPPED = dict.fromkeys(
    ("Modality", "SOPClassUID", "EchoTime", "RepetitionTime", "SeriesNumber", "PatientName", "StudyInstanceUID")
)


def write_set(root: Path, grades: Mapping[str, list[int]], study_uids: str | None = None) -> Path:
    """A whole set: nine slices of noise per series, headers nearly empty, canal points on the middle slices.

    Instance numbers run against the positions, as in a third of the sagittal T1w series. `study_uids` is the root of
    the study UIDs; without it there are none.
    """
    points, described = [], []
    for study in grades:
        for series, (words, _) in SERIES.items():
            described.append([study, series, words])
            for index in range(SLICES):
                uid = f"{study_uids}{study}" if study_uids else None
                _save_instance(root / "train_images" / study / series, int(series), index, uid)
        for level, z in zip(LEVELS, LEVEL_Z, strict=True):
            place = [CONDITIONS[0].value, level.value, 20.0 / 1.25, (45.0 - z) / 1.5]
            points.append([study, "22", (SLICES + 1) // 2, *place])
    write_labels(root / "train.csv", grades)
    header = ["study_id", "series_id", "instance_number", "condition", "level", "x", "y"]
    write_csv(root / "train_label_coordinates.csv", header, points)
    write_csv(root / "train_series_descriptions.csv", ["study_id", "series_id", "series_description"], described)
    return root


def _save_instance(folder: Path, series: int, index: int, study_uid: str | None) -> None:
    words, orientation = SERIES[str(series)]
    dataset = classic(
        index,
        series,
        **STRIPPED,
        InstanceNumber=SLICES - index,
        SeriesDescription=words.split()[1][:2],
        ImagePositionPatient=[-6.0, -20.0, 5.0 * index] if orientation is AXIAL else [4.0 * index, -20.0, 45.0],
        ImageOrientationPatient=orientation,
    )
    dataset.StudyInstanceUID = study_uid or "1.2.3"  # needed to compress
    dataset.compress(RLELossless, picture(index), generate_instance_uid=False)
    if study_uid is None:
        del dataset.StudyInstanceUID
    save(dataset, folder / f"{SLICES - index}.dcm", RLELossless)
