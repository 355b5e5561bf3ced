"""The RSNA 2024 lumbar spine set: studies with their labels, and bags of crops cut from them.

Competition terms: not redistributable, so it is read from wherever the user has put it; see `docs/rsna.md`.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from itertools import chain
from multiprocessing import get_context
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from spinalis.errors import InputError, RecipeError
from spinalis.formats import read_studies, rsna_csv
from spinalis.formats.dicom.group import study_key
from spinalis.formats.rsna_csv import Grades, LabelPoint, SeriesKind
from spinalis.geometry import to_patient
from spinalis.grade.crops import SLOTS
from spinalis.localize import find_levels
from spinalis.models import Pack, load_packs, select
from spinalis.models.prepare import InputSpec
from spinalis.pipeline import remembering
from spinalis.records import Judgement, SeriesLabel, Study, Vector
from spinalis.train.data.bags import JITTER_MM, LAYOUT, cut_bags
from spinalis.train.progress import counted
from spinalis.vocabulary import LEVELS, Anatomy, Condition, Level, Plane, Region
from spinalis.vocabulary import Sequence as Contrast

FOLDS = 5
"""Studies are split into this many parts by a hash of their name."""

SAC_RADIUS_MM = 6.0
"""The readers' canal points lie in the sac, the level's point on its front wall: this much nearer to the belly.

Half of a sac about 12 mm deep; cited from memory.
"""

FAR_MM = 16.0
"""A canal point farther than this from where the other points of its level lie is misplaced.

Half of the pitch between levels, 31.6 mm at the posterior disc edges (measured on SPIDER).
"""

POINT_SOURCES = ("labels", "localizer")
"""Where a level's point comes from: the readers' points, or the shipped localizer."""

SIMULATED_ROOT = "2.25."
"""How the UIDs of simulated studies begin: see `formats.dicom.write`. Those of the set begin otherwise (from memory).

A study of patients with such UIDs counts as simulated, too: its pack then claims too little, never too much.
"""

Word = TypeVar("Word")


@dataclass(frozen=True, slots=True, kw_only=True)
class RsnaStudy:
    """One study: its folder, 25 labels (None where missing), the readers' points, and what its series are."""

    name: str
    folder: Path
    grades: Grades
    points: tuple[LabelPoint, ...]
    kinds: Mapping[str, SeriesKind]

    @property
    def fold(self) -> int:
        """0..FOLDS-1, the same wherever the set is read."""
        return int(sha256(self.name.encode()).hexdigest(), 16) % FOLDS

    def load(self) -> Study:
        """Read the headers; pixels come on demand. Files without a study UID are joined by their folder.

        Raises:
            InputError: nothing readable is there.
        """
        found = read_studies(self.folder)
        series = [
            replace(item, key=f"{item.key}-{place}") if len(found) > 1 else item
            for place, item in enumerate(chain.from_iterable(study.series for study in found))
        ]
        return remembering(replace(found[0], series=tuple(series)))


def is_set(root: Path) -> bool:
    """Does a folder hold the set?"""
    return (root / rsna_csv.LABELS).is_file() and (root / rsna_csv.IMAGES).is_dir()


def read(root: Path) -> tuple[RsnaStudy, ...]:
    """List the studies of the set that have a folder, in the order of `train.csv`.

    Raises:
        RecipeError: there is no set, or no study has a folder.
        TableError: a table breaks a rule of the layout.
    """
    if not is_set(root):
        raise RecipeError(
            f"RSNA 2024 set: expected {rsna_csv.LABELS} and {rsna_csv.IMAGES}/ under the data folder, got neither or "
            "one of them. Set --data."
        )
    grades = rsna_csv.read_grades(root / rsna_csv.LABELS)
    points: dict[str, list[LabelPoint]] = {}
    for point in rsna_csv.read_points(root / rsna_csv.COORDINATES):
        points.setdefault(point.study, []).append(point)
    kinds: dict[str, dict[str, SeriesKind]] = {}
    for (study, series), kind in rsna_csv.read_descriptions(root / rsna_csv.DESCRIPTIONS).items():
        kinds.setdefault(study, {})[series] = kind
    found = tuple(
        RsnaStudy(
            name=name,
            folder=root / rsna_csv.IMAGES / name,
            grades=labels,
            points=tuple(points.get(name, ())),
            kinds=kinds.get(name, {}),
        )
        for name, labels in grades.items()
        if (root / rsna_csv.IMAGES / name).is_dir()
    )
    if not found:
        raise RecipeError(
            f"RSNA 2024 set: expected a folder {rsna_csv.IMAGES}/<study> for the studies of {rsna_csv.LABELS}, got "
            "none. Unpack the pictures there."
        )
    return found


def series_labels(item: RsnaStudy, study: Study) -> tuple[SeriesLabel, ...]:
    """What the set says of every series; a series that it does not describe is of unknown anatomy and not used."""
    labels = []
    for series in study.series:
        kind = item.kinds.get(PurePosixPath(series.slices[0].file).parent.name)
        labels.append(
            SeriesLabel(
                series_key=series.key,
                number=series.number,
                anatomy=_said(Anatomy.MR_SPINE if kind else Anatomy.UNKNOWN),
                region=_said(Region.LUMBAR if kind else Region.UNKNOWN),
                plane=_said(kind.plane if kind else Plane.UNKNOWN),
                sequence=_said(kind.sequence if kind else Contrast.UNKNOWN),
                cord_slices=(),
                slices=(),
            )
        )
    return tuple(labels)


def in_patient(item: RsnaStudy, study: Study) -> dict[tuple[Condition, Level], Vector]:
    """The readers' points in LPS mm; points on instances that are not there, or without a position, are left out."""
    planes = {}
    for series in study.series:
        for piece in series.slices:
            folder = PurePosixPath(piece.file).parent.name
            planes[folder, piece.instance_number] = piece.plane
    found = {}
    for point in item.points:
        plane = planes.get((point.series, point.instance_number))
        if plane is not None:
            found[point.condition, point.level] = to_patient(plane, point.y, point.x)
    return found


def level_points(points: Mapping[tuple[Condition, Level], Vector]) -> dict[Level, Vector]:
    """Where the posterior disc edge in the midline is, from the readers' points, LPS mm.

    The canal's point, moved to the front wall of the sac; where it is missing, or contradicts the other points, the
    middle between the subarticular points, else between the foraminal ones. About one canal point in twenty of the
    set is misplaced. A level without any of these is left out.
    """
    found = {}
    for level in LEVELS:
        canal = points.get((Condition.SPINAL_CANAL_STENOSIS, level))
        edge = None if canal is None else (canal[0], canal[1] - SAC_RADIUS_MM, canal[2])
        recesses = _middle(points, level, Condition.LEFT_SUBARTICULAR_STENOSIS, Condition.RIGHT_SUBARTICULAR_STENOSIS)
        foramina = _middle(
            points, level, Condition.LEFT_NEURAL_FORAMINAL_NARROWING, Condition.RIGHT_NEURAL_FORAMINAL_NARROWING
        )
        others = [point for point in (recesses, foramina) if point is not None]
        misplaced = edge is not None and len(others) == 2 and all(_far(edge, point) for point in others)
        choices = [*([] if edge is None or misplaced else [edge]), *others]
        if choices:
            found[level] = choices[0]
    return found


def sides_swapped(points: Mapping[tuple[Condition, Level], Vector]) -> bool:
    """True where more left points lie to the right of their right twins than not: some studies of the set do so."""
    votes = []
    for (condition, level), left in points.items():
        if condition.value.startswith("Left"):
            right = points.get((Condition(condition.value.replace("Left", "Right")), level))
            if right is not None:
                votes.append(left[0] < right[0])
    return sum(votes) * 2 > len(votes)


def harvest(
    studies: Sequence[RsnaStudy], folder: Path, crops: InputSpec, point_source: str, jobs: int
) -> tuple[list[tuple[RsnaStudy, Path]], list[str]]:
    """Cut the bags of every study once and keep them on disk; what is already there is not made again.

    Args:
        studies: of the set.
        folder: keeps one `.npz` per study: see `bags.cut_bags`.
        crops: the crops.
        point_source: one of `POINT_SOURCES`.
        jobs: processes.

    Returns:
        The studies that gave bags, each with its file, and for each of the others its reason.

    Raises:
        RecipeError: no such source of points, or no study gave a bag.
    """
    if point_source not in POINT_SOURCES:
        raise RecipeError(f"Recipe: expected points from {' or '.join(POINT_SOURCES)}, got {point_source}. Correct it.")
    settings = repr((crops, SLOTS, JITTER_MM, SAC_RADIUS_MM, FAR_MM, LAYOUT, point_source))
    folder.mkdir(parents=True, exist_ok=True)
    orders = []
    for item in studies:
        shape = repr((settings, item.grades, item.points, sorted(item.kinds.items())))
        name = f"{study_key(item.name)}-{sha256(shape.encode()).hexdigest()[:8]}.npz"
        orders.append(_Order(item=item, file=folder / name, crops=crops, point_source=point_source))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        reasons = list(counted(pool.map(_keep, orders), len(orders), "Cutting crops"))
    files = [(order.item, order.file) for order, reason in zip(orders, reasons, strict=True) if reason is None]
    lost = [reason for reason in reasons if reason is not None]
    if not files:
        raise RecipeError(f"RSNA 2024 set: expected bags from {len(orders)} studies, got none: {lost[0]}. Look there.")
    return files, lost


def is_simulated(file: Path) -> bool:
    """Are the bags of a file those of a simulated study? Taken to be where its study UID is missing."""
    with np.load(file) as arrays:
        return bool(arrays["simulated"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    item: RsnaStudy
    file: Path
    crops: InputSpec
    point_source: str


def _keep(order: _Order) -> str | None:
    """Write the bags of a study, or say why there are none."""
    if order.file.exists():
        return None
    try:
        study = order.item.load()
    except InputError:
        return "its pictures cannot be read"
    labels, points = series_labels(order.item, study), in_patient(order.item, study)
    if sides_swapped(points):
        return "its left and right points are swapped"
    levels = level_points(points) if order.point_source == "labels" else _located(study, labels)
    # Seeded by the study, so that the bags do not depend on which others are read.
    rng = np.random.default_rng(int(study_key(order.item.name), 16))
    arrays = cut_bags(study, labels, levels, order.item.grades, order.crops, rng)
    if not arrays:
        return "no level was found in it"
    partial = order.file.with_suffix(".part.npz")
    simulated = (study.instance_uid or SIMULATED_ROOT).startswith(SIMULATED_ROOT)
    np.savez(partial, simulated=np.array(simulated), **arrays)  # type: ignore[arg-type]
    partial.replace(order.file)
    return None


def _located(study: Study, labels: tuple[SeriesLabel, ...]) -> dict[Level, Vector]:
    marks = find_levels(study, labels, select(_packs(), "localize")).landmarks
    return {mark.level: mark.point_lps_mm for mark in marks if mark.point_lps_mm is not None}


@cache
def _packs() -> tuple[Pack, ...]:
    return load_packs()


def _said(label: Word) -> Judgement[Word]:
    return Judgement(label=label, probability=1.0, source="header")


def _middle(
    points: Mapping[tuple[Condition, Level], Vector], level: Level, left: Condition, right: Condition
) -> Vector | None:
    first, second = points.get((left, level)), points.get((right, level))
    if first is None or second is None:
        return None
    return (first[0] + second[0]) / 2, (first[1] + second[1]) / 2, (first[2] + second[2]) / 2


def _far(first: Vector, second: Vector) -> bool:
    return float(np.linalg.norm(np.subtract(first, second))) > FAR_MM
