"""Whole slices of simulated studies and of an RSNA 2024 set, cut out of their series and kept: see `whole`."""

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import InputError, UnreadableFileError
from spinalis.formats.dicom.group import study_key
from spinalis.formats.rsna_csv import PLACES, Grades
from spinalis.geometry import display_matrix, normal_of, position_along
from spinalis.grade.crops import COARSE_MM, VIEWS
from spinalis.models.prepare import InputSpec, fit_matrix, resample
from spinalis.records import FloatArray, Series, SeriesLabel, SlicePlane, Study, Vector
from spinalis.simulate.rsna_layout import SAC_MM
from spinalis.simulate.study import SimulatedStudy, simulate_study
from spinalis.simulate.workers import mapped
from spinalis.train.data.bags import UNLABELLED
from spinalis.train.data.rsna import RsnaStudy, in_patient, series_labels, sides_swapped
from spinalis.train.data.simulated import Harvest, fingerprint, truth_labels
from spinalis.train.data.whole import BRIGHT, KEPT_SIZE, LAYOUT, Stack, Whole, fold_of, load, write
from spinalis.train.progress import counted
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level, Plane


def keep_simulated(wanted: Harvest, folder: Path, jobs: int) -> list[Whole]:
    """Simulate studies of a lumbar profile and keep them; what is already there is not made again."""
    crops = InputSpec(height=KEPT_SIZE, width=KEPT_SIZE)
    target = folder / f"whole-{wanted.profile}-{wanted.seed}-{fingerprint(crops)}-{LAYOUT}"
    places = [target / f"{number:05d}" for number in range(wanted.studies)]
    missing = [number for number, place in enumerate(places) if not place.exists()]
    with mapped(partial(_keep_simulated, wanted, target), missing, jobs if missing else 1) as done:
        for _ in counted(done, len(missing), "Simulating"):
            pass
    return [load(place) for place in places]


def keep_rsna(studies: Sequence[RsnaStudy], folder: Path, jobs: int) -> tuple[list[Whole], list[str]]:
    """Keep studies of an RSNA 2024 set; what is already there is not made again.

    Returns:
        The studies in their order, those whose left and right points are swapped without labels; and for each that was
        left out its reason.
    """
    places = [folder / f"whole-rsna-{_name_of(item)}" for item in studies]
    missing = [(item, place) for item, place in zip(studies, places, strict=True) if not place.exists()]
    with mapped(_keep_rsna, missing, jobs if missing else 1) as done:
        reasons = [reason for reason in counted(done, len(missing), "Keeping slices") if reason is not None]
    return [load(place) for place in places if place.exists()], reasons


def views_of(study: Study, labels: tuple[SeriesLabel, ...]) -> dict[str, Stack]:
    """The three views of a study, as far as it has them.

    Of sagittal series that serve a view, the one with the most slices; of axial ones all slices, feet to head. A scout
    (pixels above `grade.crops.COARSE_MM`) serves only where nothing else does; slices without a position, and those
    that cannot be decoded, are left out.
    """
    by_key = {series.key: series for series in study.series}
    found = {}
    for view in VIEWS:
        fitting = [
            by_key[label.series_key]
            for label in labels
            if label.plane.label is view.plane and label.sequence.label in view.sequences
        ]
        chosen = [series for series in fitting if not _is_coarse(series)] or fitting
        if view.plane is Plane.SAGITTAL:
            chosen = sorted(chosen, key=lambda series: -len(series.slices))[:1]
        made = [piece for series in chosen for piece in _kept_slices(series)]
        if made:
            made.sort(key=lambda piece: piece[0])
            pixels, frames = np.stack([piece[1] for piece in made]), np.stack([piece[2] for piece in made])
            found[view.name] = Stack(pixels=pixels, frames=frames)
    return found


def _is_coarse(series: Series) -> bool:
    plane = series.slices[0].plane
    return plane is not None and plane.row_spacing_mm > COARSE_MM


def _kept_slices(series: Series) -> list[tuple[float, NDArray[np.uint8], FloatArray]]:
    """Position along the normal, kept picture and frame of every slice that can be decoded; one scale for all."""
    decoded = []
    for index, item in enumerate(series.slices):
        if item.plane is not None:
            try:
                decoded.append((item.plane, series.load(index)))
            except UnreadableFileError:
                continue
    if not decoded:
        return []
    low, high = np.percentile(np.concatenate([image[::4, ::4].ravel() for _, image in decoded]), (0.5, 99.5))
    scale, normal = BRIGHT / max(float(high - low), 1e-6), normal_of(decoded[0][0])
    found = []
    for plane, image in decoded:
        matrix = _matrix(plane, (series.rows, series.columns))
        picture = resample(np.asarray((image - low) * scale, np.float32), matrix[:2], (KEPT_SIZE, KEPT_SIZE))
        kept = np.asarray(np.clip(picture, 0, 255), np.uint8)
        found.append((position_along(plane, normal), kept, _axes(plane) @ np.linalg.inv(matrix)))
    return found


def _matrix(plane: SlicePlane, shape: tuple[int, int]) -> FloatArray:
    """(3, 3): (column, row) of a slice -> of its kept picture."""
    turn = display_matrix(plane, *shape)
    shown = shape if turn[0, 0] else shape[::-1]
    fit = fit_matrix((shown[0], shown[1]), InputSpec(height=KEPT_SIZE, width=KEPT_SIZE))
    return np.asarray(np.vstack([fit, [0, 0, 1]]) @ np.vstack([turn, [0, 0, 1]]), float)


def _axes(plane: SlicePlane) -> FloatArray:
    """(3, 3): (column, row, 1) of a slice -> LPS mm."""
    across = np.asarray(plane.along_row) * plane.column_spacing_mm
    down = np.asarray(plane.along_column) * plane.row_spacing_mm
    return np.stack([across, down, np.asarray(plane.origin_lps_mm, float)], axis=1)


def _keep_simulated(wanted: Harvest, target: Path, number: int) -> None:
    made = simulate_study(wanted.seed, number, wanted.profile)
    write(whole_of(made, f"{wanted.profile}-{wanted.seed}-{number}"), target / f"{number:05d}")


def whole_of(made: SimulatedStudy, name: str) -> Whole:
    """The whole slices of a simulated study, with its true grades and points."""
    return Whole(
        name=name,
        fold=fold_of(name),
        grades=_grades(made.truth.grades),
        points=_points(lambda condition, level: true_point(made, condition, level)),
        views=views_of(made.study, truth_labels(made)),
    )


def true_point(made: SimulatedStudy, condition: Condition, level: Level) -> Vector:
    """Where a reader would put his point; as `simulate.rsna_layout` writes it, without his error."""
    if condition.side is None:
        x, y, z = made.truth.levels[level]
        return x, y + SAC_MM, z
    places = made.truth.foramina if "Foraminal" in condition.value else made.truth.recesses
    return places[level, condition.side]


def _keep_rsna(task: tuple[RsnaStudy, Path]) -> str | None:
    item, place = task
    try:
        study = item.load()
    except InputError:
        return "its pictures cannot be read"
    points, grades = in_patient(item, study), item.grades
    if sides_swapped(points):  # its pictures can be answered for, but nothing can be learnt from its labels
        points, grades = {}, {}
    whole = Whole(
        name=item.name,
        fold=item.fold,
        grades=_grades(grades),
        points=_points(lambda condition, level: points.get((condition, level))),
        views=views_of(study, series_labels(item, study)),
    )
    write(whole, place)
    return None


def _grades(grades: Grades) -> NDArray[np.int8]:
    found = [grades.get(place) for place in PLACES]
    indices = [UNLABELLED if grade is None else SEVERITIES.index(grade) for grade in found]
    return np.array(indices, np.int8).reshape(len(CONDITIONS), len(LEVELS))


def _points(point_of: Callable[[Condition, Level], Vector | None]) -> FloatArray:
    found = [point_of(condition, level) or (np.nan,) * 3 for condition, level in PLACES]
    return np.array(found, float).reshape(len(CONDITIONS), len(LEVELS), 3)


def _name_of(item: RsnaStudy) -> str:
    shape = repr((KEPT_SIZE, LAYOUT, item.grades, item.points, sorted(item.kinds.items())))
    return f"{study_key(item.name)}-{sha256(shape.encode()).hexdigest()[:8]}"
