"""What the grader looks at: crops in millimetres around one level and side, from every series that shows it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from spinalis.errors import UnreadableFileError
from spinalis.geometry import display_matrix, normal_of, position_along, slice_spacing_mm, to_pixel
from spinalis.models.prepare import VOID_SHARE, InputSpec, crop_matrix, is_blank, prepare, void_share
from spinalis.records import Image, Location, Series, SeriesLabel, Study, Vector
from spinalis.vocabulary import Anatomy, Plane, Sequence, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One kind of picture in the bag: which series serve, at which distances from the level's point, centred where.

    `offsets_mm` count along the slice normal, for sagittal views towards the side looked at, for axial views towards
    the head. `centre_mm` moves the middle of the crop to the back and to the feet (sagittal), or to the side looked
    at and to the back (axial). A right side is mirrored where `mirrored`, so that the network sees one side only.
    """

    name: str
    plane: Plane
    sequences: tuple[Sequence, ...]
    offsets_mm: tuple[float, ...]
    centre_mm: tuple[float, float]
    mirrored: bool = False


VIEWS: tuple[View, ...] = (
    View(
        name="sagittal_t1",
        plane=Plane.SAGITTAL,
        sequences=(Sequence.T1W,),
        offsets_mm=(8.0, 12.0, 16.0, 20.0, 24.0),
        centre_mm=(5.0, -2.0),
    ),
    View(
        name="sagittal_t2",
        plane=Plane.SAGITTAL,
        sequences=(Sequence.T2W, Sequence.STIR),
        offsets_mm=(-4.0, 0.0, 4.0),
        centre_mm=(5.0, 0.0),
    ),
    View(
        name="axial_t2",
        plane=Plane.AXIAL,
        sequences=(Sequence.T2W,),
        offsets_mm=(-4.0, 0.0, 4.0),
        centre_mm=(4.0, 5.0),
        mirrored=True,
    ),
)
"""Distances after the anatomy: lumbar foramina lie 10-24 mm from the midline, as the simulator's priors place them
(fitted). Crops of about 50 mm: the public solutions of the RSNA 2024 challenge."""

SLOTS: tuple[tuple[View, float], ...] = tuple((view, offset) for view in VIEWS for offset in view.offsets_mm)
"""The places in a bag, in order."""

REACH_MM = 1.5
"""A slice serves an offset when it is within half the slice spacing plus this of it."""

MAX_HALF_SPACING_MM = 4.0
"""However far apart the slices lie: beyond this a slice shows another place. Fitted: half of a disc and its plates."""


COARSE_MM = 1.2
"""Pixels larger than this are a scout's; it serves only where no diagnostic series does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bag:
    """The crops of one level and side.

    `crops` is (slots, C, H, W), `mask` (slots,) 1 where there is a crop; `places` says where each crop is from.
    `hidden` (slots,) is 1 where a slice is there, but cannot be decoded, is blank, or gives no signal.
    """

    crops: Image = field(repr=False)
    mask: Image
    places: tuple[Location | None, ...]
    hidden: Image


def collect(study: Study, labels: tuple[SeriesLabel, ...], point: Vector, side: Side, spec: InputSpec) -> Bag:
    """Cut the crops of one level and side.

    Args:
        study: the study.
        labels: what its series are.
        point: the level's point (posterior disc edge in the midline), LPS mm.
        side: the patient's side to look at.
        spec: the crops; its `spacing_mm` must be set.

    Returns:
        The bag; places without a slice near enough, or whose picture cannot be decoded or shows
        nothing there, are masked.
    """
    crops = np.zeros((len(SLOTS), len(spec.channels), spec.height, spec.width), np.float32)
    places: list[Location | None] = []
    hidden = np.zeros(len(SLOTS), np.float32)
    choices = {view.name: list(_choices(study, labels, point, side, view)) for view in VIEWS}
    for slot, (view, offset) in enumerate(SLOTS):
        near = [choice for choice in choices[view.name] if abs(choice.offset_mm - offset) <= choice.reach_mm]
        place = None
        if near:
            choice = min(near, key=lambda item: (item.rank, abs(item.offset_mm - offset)))
            place = _cut(choice, view, side, spec, crops[slot])
            hidden[slot] = place is None
        places.append(place)
    mask = np.array([place is not None for place in places], np.float32)
    return Bag(crops=crops, mask=mask, places=tuple(places), hidden=hidden)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    series: Series
    index: int
    offset_mm: float
    reach_mm: float
    rank: tuple[int, bool]
    point: Vector


def _choices(study: Study, labels: tuple[SeriesLabel, ...], point: Vector, side: Side, view: View) -> Iterator[_Choice]:
    by_key = {series.key: series for series in study.series}
    for label in labels:
        fits = label.plane.label is view.plane and label.sequence.label in view.sequences
        if not fits or label.series_key not in by_key or label.anatomy.label is not Anatomy.MR_SPINE:
            continue
        series = by_key[label.series_key]
        placed = [(index, item.plane) for index, item in enumerate(series.slices) if item.plane is not None]
        if not placed:
            continue
        reach = min((slice_spacing_mm(series) or 2 * REACH_MM) / 2, MAX_HALF_SPACING_MM) + REACH_MM
        rank = (view.sequences.index(label.sequence.label), placed[0][1].row_spacing_mm > COARSE_MM)
        normal = normal_of(placed[0][1])
        for index, plane in placed:
            offset = position_along(plane, normal) - float(np.asarray(point) @ normal)
            sign = -1.0 if view.plane is Plane.SAGITTAL and side is Side.RIGHT else 1.0
            row, column, _ = to_pixel(plane, point)
            if 0 <= row < series.rows and 0 <= column < series.columns:
                yield _Choice(
                    series=series, index=index, offset_mm=sign * offset, reach_mm=reach, rank=rank, point=point
                )


def _cut(choice: _Choice, view: View, side: Side, spec: InputSpec, out: Image) -> Location | None:
    series, plane = choice.series, choice.series.slices[choice.index].plane
    if plane is None:
        return None
    try:
        image = series.load(choice.index)
    except UnreadableFileError:
        return None
    if is_blank(image):
        return None
    mirror = view.mirrored and side is Side.RIGHT
    turn = display_matrix(plane, series.rows, series.columns)
    row, column, _ = to_pixel(plane, choice.point)
    spacing = (
        (plane.row_spacing_mm, plane.column_spacing_mm)
        if turn[0, 0]
        else (
            plane.column_spacing_mm,
            plane.row_spacing_mm,
        )
    )
    across, down = view.centre_mm[0] * (-1.0 if mirror else 1.0), view.centre_mm[1]
    shown = turn[:, :2] @ (column, row) + turn[:, 2] + (across / spacing[1], down / spacing[0])
    fit = np.vstack([crop_matrix((shown[1], shown[0]), spacing, spec, mirror=mirror), [0, 0, 1]])
    matrix = (fit @ np.vstack([turn, [0, 0, 1]]))[:2]
    if void_share(image, matrix, (spec.height, spec.width)) > VOID_SHARE:
        return None
    out[:] = prepare(image, matrix, spec)
    centre = np.linalg.solve(turn[:, :2], shown - turn[:, 2])
    return Location(series_key=series.key, slice_index=choice.index, row=float(centre[1]), column=float(centre[0]))
