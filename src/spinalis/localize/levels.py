"""Stage 2: the five lumbar levels, as points in the patient."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from spinalis.errors import UnreadableFileError
from spinalis.geometry import display_matrix, normal_of, position_along, project, slice_spacing_mm, to_patient
from spinalis.localize.decode import FIRST, RADIUS, Chain, decode
from spinalis.models import Pack
from spinalis.models.prepare import (
    VOID_SHARE,
    InputSpec,
    apply_matrix,
    fit_matrix,
    invert_matrix,
    is_blank,
    prepare,
    void_share,
)
from spinalis.records import FloatArray, Image, Landmark, Location, Notice, Series, SeriesLabel, Study, Vector
from spinalis.vocabulary import LEVELS, Anatomy, NoticeKind, Plane, Region, Sequence

MIDLINE_REACH_MM = 22.0
"""Sagittal slices this far from the middle of the stack may show the midline; stacks are centred by hand."""

MIDLINE_REACH_SLICES = 4
"""The same where positions are unknown."""

PREFERRED = (Sequence.T2W, Sequence.STIR, Sequence.T1W)
"""Order in which sagittal series are tried; those of another region that cover the lumbar spine, too, come last.
Real T2w levels are right more often than T1w (see the pack's card)."""

SURE = 0.5
"""A mean confidence above this ends the search through the series."""

MIN_CONFIDENCE = 0.15
"""A level below this confidence is left out; below this mean confidence no levels are given at all."""

ROOM_OF_SACRUM = 1.2
"""Below the last level there must be so much of the picture, in mean distances of neighbouring levels.

Fitted: the least in 313 SPIDER training slices is 1.2, one in a hundred has less than 1.5.
"""

TRANSITIONAL = 0.08
"""A share for another lumbosacral disc above this is flagged.

Fitted: one in twenty of 313 SPIDER training slices lies above it, among them all three with a level named wrongly,
and 4 of 32 validation slices, none of them wrong. The network had seen the former; not judged out of fold.
"""

VOID_REACH = 0.8
"""A level lies in a void where one fills so much around it, to each side, in mean distances of levels. Convention."""

SHARP, SHARPER = 5, 10.0
"""A slice shows a level as sharply as the most mass in any square of `SHARP` map pixels, m; it counts exp(`SHARPER` m).

Fitted on simulated studies, a quarter of them scoliotic or transitional; 3 to 10 name the same levels, and 10 keeps the
confidence of straight spines as it was.
"""

FRAME = 0.8
"""A picture whose content fills less than this share of its longer side is framed: the frame is left out of the input.

A convention: networks see pictures fitted by their longer side, and padding to a square leaves that as it is.
"""

MORE_SURELY = 0.01
"""Difference in mean confidence from which levels are seen more surely upside down. A convention."""

TOLERANCE_MM = 4.0
"""A point belongs to a series when the nearest slice is within half its spacing plus this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Localization:
    """The levels found, top to bottom, or none with the reasons. `warnings` go into the reading."""

    landmarks: tuple[Landmark, ...]
    warnings: tuple[Notice, ...] = ()


def find_levels(study: Study, labels: tuple[SeriesLabel, ...], pack: Pack) -> Localization:
    """Find L1/L2 to L5/S1 on the best sagittal series and project them into all others.

    Args:
        study: the study.
        labels: one label per series, in any order.
        pack: the `localize` pack.

    Returns:
        The landmarks of the levels recognized, top to bottom, or none; warnings say what is missing and why.
    """
    by_key = {series.key: series for series in study.series}
    usable = [item for item in labels if _usable(item)]
    usable.sort(
        key=lambda item: (
            item.region.label not in (Region.LUMBAR, Region.UNKNOWN),
            PREFERRED.index(item.sequence.label),
            -len(by_key[item.series_key].slices),
        )
    )
    if not usable:
        return _none("Levels: no sagittal T1w, T2w or STIR series of the spine.")
    best: tuple[Landmark, ...] = ()
    junction = 0.0
    for item in usable:
        found, doubt = locate_with_junction(by_key[item.series_key], pack)
        if _mean_confidence(found) > _mean_confidence(best):
            best, junction = found, doubt
        if _mean_confidence(best) > SURE:
            break
    if _mean_confidence(best) < _least(usable, best):
        return _none("Levels: no chain of five lumbar levels was recognized.")
    kept = tuple(_projected(mark, study) for mark in best if mark.confidence >= MIN_CONFIDENCE)
    doubts = _doubts(best, by_key[best[0].location.series_key], pack) + _transitional(junction)
    return Localization(landmarks=kept, warnings=doubts)


def locate(series: Series, pack: Pack) -> tuple[Landmark, ...]:
    """Find the five levels on one sagittal series; an empty tuple where no chain is seen."""
    return locate_with_junction(series, pack)[0]


def locate_with_junction(series: Series, pack: Pack) -> tuple[tuple[Landmark, ...], float]:
    """The same, and how much speaks for another lumbosacral disc: `Chain.junction`, 0 where no chain is seen."""
    spec = pack.manifest.input("images")
    indices, batch, matrices = _inputs(series, spec)
    if not indices:
        return (), 0.0
    maps = pack.run(images=batch)["maps"]
    chain = decode(_combined(maps))
    if chain is None:
        return (), 0.0
    stride = spec.height / maps.shape[2]
    found = tuple(
        _landmark(series, level, chain, stride, (indices, matrices, maps[:, FIRST + level]))
        for level in range(len(LEVELS))
    )
    return found, chain.junction


def _none(reason: str) -> Localization:
    return Localization(landmarks=(), warnings=(Notice(kind=NoticeKind.LEVELS_MISSING, text=reason),))


def _usable(label: SeriesLabel) -> bool:
    return (
        label.anatomy.label is Anatomy.MR_SPINE
        and (label.region.label is Region.UNKNOWN or Region.LUMBAR in (label.region.label, *label.covers))
        and label.plane.label is Plane.SAGITTAL
        and label.sequence.label in PREFERRED
    )


def _least(labels: list[SeriesLabel], found: tuple[Landmark, ...]) -> float:
    """Levels in a picture of another region, such as one of the whole spine, are small: there they must be sure."""
    home = {item.series_key: item.region.label for item in labels}
    own = not found or home[found[0].location.series_key] in (Region.LUMBAR, Region.UNKNOWN)
    return MIN_CONFIDENCE if own else SURE


def _mean_confidence(landmarks: tuple[Landmark, ...]) -> float:
    return float(np.mean([mark.confidence for mark in landmarks])) if landmarks else 0.0


def middle_slices(series: Series) -> list[int]:
    """Indices of the slices that may show the midline."""
    middle = (len(series.slices) - 1) / 2
    spacing = slice_spacing_mm(series)
    reach = MIDLINE_REACH_MM / spacing if spacing else MIDLINE_REACH_SLICES
    return [index for index in range(len(series.slices)) if abs(index - middle) <= max(reach, 0.5)]


def _inputs(series: Series, spec: InputSpec) -> tuple[list[int], Image, list[FloatArray]]:
    shown: dict[int, Image] = {}
    for index in _thinned(middle_slices(series)):
        try:
            image = series.load(index)
        except UnreadableFileError:
            continue
        if not is_blank(image):
            shown[index] = image
    if not shown:
        return [], np.zeros((0, len(spec.channels), spec.height, spec.width), np.float32), []
    inner, move = _unframed(series, list(shown.values()))
    matrices = [(np.vstack([input_matrix(inner, index, spec), [0, 0, 1]]) @ move)[:2] for index in shown]
    batch = [prepare(image, matrix, spec) for image, matrix in zip(shown.values(), matrices, strict=True)]
    return list(shown), np.stack(batch), matrices


def _unframed(series: Series, images: list[Image]) -> tuple[Series, FloatArray]:
    """The series without a wide frame of its darkest value, its planes left as they are, and the (3, 3) move to it."""
    seen = np.any([image > image.min() for image in images], axis=0)
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    height, width = (int(found[-1] - found[0]) + 1 for found in (rows, columns))
    if max(height, width) >= FRAME * max(series.rows, series.columns):
        return series, np.eye(3)
    move = np.array([[1.0, 0.0, -columns[0]], [0.0, 1.0, -rows[0]], [0.0, 0.0, 1.0]])
    return replace(series, rows=height, columns=width), move


def _thinned(indices: list[int], most: int = 13) -> list[int]:
    step = -(-len(indices) // most)
    return indices[(len(indices) - 1) % step // 2 :: step]


def input_matrix(series: Series, index: int, spec: InputSpec) -> FloatArray:
    """Picture (column, row) of one slice -> input of the localizer, in the conventional display; (2, 3)."""
    turn = display_matrix(series.slices[index].plane, series.rows, series.columns)
    shape = (series.rows, series.columns) if turn[0, 0] else (series.columns, series.rows)
    plane = series.slices[index].plane
    squeeze = np.eye(3)
    if plane is not None and plane.row_spacing_mm != plane.column_spacing_mm:
        ratio = plane.column_spacing_mm / plane.row_spacing_mm
        squeeze[0, 0] = ratio if turn[0, 0] else 1 / ratio
        shape = (shape[0], round(shape[1] * squeeze[0, 0]))
    fit = np.vstack([fit_matrix(shape, spec), [0, 0, 1]])
    return np.asarray((fit @ squeeze @ np.vstack([turn, [0, 0, 1]]))[:2])


def _combined(maps: Image) -> Image:
    """One map of each level from those of all slices, (N, 8, H, W) -> (8, H, W).

    A slice counts for a level the more, the sharper it shows it: in a scoliotic spine no slice shows all levels.
    """
    area = SHARP * SHARP
    peaks = np.array([[cv2.blur(level, (SHARP, SHARP)).max() * area for level in item] for item in maps])
    weights = np.exp(SHARPER * (peaks - peaks.max(axis=0)))
    return np.asarray(np.einsum("nc,nchw->chw", weights / weights.sum(axis=0), maps), np.float32)


def _landmark(
    series: Series, level: int, chain: Chain, stride: float, stack: tuple[list[int], list[FloatArray], Image]
) -> Landmark:
    indices, matrices, maps = stack
    column, row = chain.points[level]
    rows, columns = np.mgrid[: maps.shape[1], : maps.shape[2]]
    near = (rows - row) ** 2 + (columns - column) ** 2 <= (RADIUS + 0.5) ** 2
    mass = maps[:, near].sum(axis=1)
    centre = float(mass @ np.arange(len(indices)) / mass.sum()) if mass.sum() > 0 else (len(indices) - 1) / 2
    nearest = round(centre)
    on_input = (chain.points[level] + 0.5) * stride - 0.5
    x, y = apply_matrix(invert_matrix(matrices[nearest]), on_input[None])[0]
    location = Location(series_key=series.key, slice_index=indices[nearest], row=float(y), column=float(x))
    in_view = -0.5 <= y <= series.rows - 0.5 and -0.5 <= x <= series.columns - 0.5
    return Landmark(
        level=LEVELS[level],
        point_lps_mm=_between_slices(series, indices, centre, location),
        confidence=float(np.clip(chain.mass[level] * chain.numbering, 0.0, 1.0)) if in_view else 0.0,
        location=location,
    )


def _between_slices(series: Series, indices: list[int], centre: float, location: Location) -> Vector | None:
    """The place of a pixel in the patient, moved along the normal to where between the slices its mass lies."""
    planes = [item.plane for item in (series.slices[index] for index in indices) if item.plane is not None]
    plane = series.slices[location.slice_index].plane
    if plane is None or len(planes) != len(indices):
        return None if plane is None else to_patient(plane, location.row, location.column)
    normal = normal_of(plane)
    places = [position_along(item, normal) for item in planes]
    offset = float(np.interp(centre, range(len(places)), places)) - position_along(plane, normal)
    moved = np.asarray(to_patient(plane, location.row, location.column)) + offset * normal
    return float(moved[0]), float(moved[1]), float(moved[2])


def _projected(mark: Landmark, study: Study) -> Landmark:
    if mark.point_lps_mm is None:
        return mark
    home = next(series for series in study.series if series.key == mark.location.series_key)
    places = []
    for series in study.series:
        same_frame = series.frame_of_reference_uid == home.frame_of_reference_uid
        if series.key == home.key or not same_frame:
            continue
        place = project(mark.point_lps_mm, series, (slice_spacing_mm(series) or 0.0) / 2 + TOLERANCE_MM)
        if place is not None:
            places.append(place)
    return Landmark(
        level=mark.level,
        point_lps_mm=mark.point_lps_mm,
        confidence=mark.confidence,
        location=mark.location,
        projections=tuple(places),
    )


def _doubts(landmarks: tuple[Landmark, ...], series: Series, pack: Pack) -> tuple[Notice, ...]:
    """What speaks against the levels found on a series. They are counted from the sacrum: it must be in view."""
    warnings = []
    lost = [mark.level.value for mark in landmarks if mark.confidence < MIN_CONFIDENCE]
    if lost:
        text = f"Levels: {', '.join(lost)} not in view or not recognized; left out."
        warnings.append(Notice(kind=NoticeKind.LEVELS_MISSING, text=text))
    doubts = []
    if _mean_confidence(landmarks) < SURE or LEVELS[-1].value in lost:
        doubts.append("the numbering is uncertain; it may be off by one level. Count from the sacrum by eye.")
    if _room_below(landmarks, series) < ROOM_OF_SACRUM:
        doubts.append("the picture ends where the sacrum should be, so that nothing tells which level is the last.")
    if _hidden(landmarks, series):
        doubts.append(
            "a level, or the sacrum that they are counted from, lies where there is no signal, as beside metal."
        )
    if _on_its_head(landmarks, series, pack):
        doubts.append("the sagittal picture seems to stand on its head. Check its orientation.")
    warnings += [Notice(kind=NoticeKind.NUMBERING_DOUBT, text=f"Levels: {doubt}") for doubt in doubts]
    return tuple(warnings)


def _transitional(junction: float) -> tuple[Notice, ...]:
    if junction <= TRANSITIONAL:
        return ()
    text = (
        "Levels: the lumbosacral junction may be transitional, a sacralized L5 or a lumbarized S1. The disc named "
        "L5/S1 may be its neighbour; look at it, and count on a picture that shows more of the spine."
    )
    return (Notice(kind=NoticeKind.TRANSITIONAL_JUNCTION, text=text),)


def _room_below(landmarks: tuple[Landmark, ...], series: Series) -> float:
    """From the last level down to the edge of the picture, in mean distances of neighbouring levels."""
    turn = display_matrix(series.slices[landmarks[-1].location.slice_index].plane, series.rows, series.columns)
    height = series.rows if turn[0, 0] else series.columns
    places = np.array([(mark.location.column, mark.location.row) for mark in landmarks])
    rows = apply_matrix(turn, places)[:, 1]
    pitch = max(float(rows[-1] - rows[0]) / (len(rows) - 1), 1e-6)
    return (height - 0.5 - float(rows[-1])) / pitch


def _hidden(landmarks: tuple[Landmark, ...], series: Series) -> bool:
    """Whether a level, or the place one step below the last, lies in a signal void of its slice: see `VOID_SHARE`."""
    places = np.array([(mark.location.column, mark.location.row) for mark in landmarks])
    pitch = float(np.linalg.norm(np.diff(places, axis=0), axis=1).mean())
    size = 32
    scale = (size - 1) / (2 * VOID_REACH * max(pitch, 1e-6))
    move = (size - 1) / 2 - scale * np.vstack([places, 2 * places[-1] - places[-2]])
    squares = [np.array([[scale, 0.0, x], [0.0, scale, y]]) for x, y in move]
    seen_in = [mark.location.slice_index for mark in (*landmarks, landmarks[-1])]
    shares = (void_share(series.load(i), square, (size, size)) for i, square in zip(seen_in, squares, strict=True))
    return max(shares) > VOID_SHARE


def _on_its_head(landmarks: tuple[Landmark, ...], series: Series, pack: Pack) -> bool:
    """Whether levels are seen more surely than these once the slices of the first, middle and last are turned over."""
    spec = pack.manifest.input("images")
    indices = {landmarks[place].location.slice_index for place in (0, len(LEVELS) // 2, -1)}
    upright = [prepare(series.load(index), input_matrix(series, index, spec), spec) for index in sorted(indices)]
    chain = decode(_combined(pack.run(images=np.stack(upright)[:, :, ::-1])["maps"]))
    turned = float((chain.mass * chain.numbering).mean()) if chain else 0.0
    return turned > _mean_confidence(landmarks) + MORE_SURELY
