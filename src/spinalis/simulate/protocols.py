"""Where the slices of a series are placed on a subject: fields, matrices, gaps, tilts."""

from dataclasses import replace

import numpy as np

from spinalis.records import FloatArray
from spinalis.simulate.anatomy import Subject
from spinalis.simulate.elsewhere import ELSEWHERE
from spinalis.simulate.scanner import Stack, turned_axes
from spinalis.vocabulary import Plane, Region

MIDDLE = {Region.LUMBAR: 22.0, Region.THORACIC: 12.8, Region.CERVICAL: 5.2}
"""The plane in the middle of a region's sagittal picture."""

SAGITTAL_FIELD_MM = {Region.LUMBAR: (255.0, 340.0), Region.THORACIC: (300.0, 380.0), Region.CERVICAL: (210.0, 280.0)}
SMALL_FIELD_MM = {Region.LUMBAR: (190.0, 240.0), Region.THORACIC: (220.0, 280.0), Region.CERVICAL: (160.0, 200.0)}
AXIAL_RANGE = {Region.LUMBAR: (24.2, 19.8), Region.THORACIC: (18.5, 10.0), Region.CERVICAL: (8.0, 2.0)}
"""First and last plane of a straight axial stack, feet to head."""

SMALL_FIELD_SHARE = 0.04
BEHIND_MM = 17.0
"""The canal behind the axis of the bodies."""


def middle_of(subject: Subject, region: Region) -> float:
    """Where the middle of a region's pictures lies, in planes from the top; the lumbar one follows the last disc."""
    return MIDDLE[region] + (subject.junction.extra if region is Region.LUMBAR else 0)


def matrix_size(rng: np.random.Generator) -> int:
    """Rows of a picture; 448 and more are rare, since they cost the most."""
    return int(rng.choice((256, 288, 320, 384, 448), p=(0.22, 0.08, 0.42, 0.22, 0.06)))


def gap_factor(rng: np.random.Generator) -> float:
    """Distance of the slices over their thickness: mostly a gap of 0 to 15 %, at times 20 to 40 %."""
    return float(rng.uniform(1.2, 1.4) if rng.random() < 0.12 else rng.uniform(1.0, 1.15))


def sagittal_stack(rng: np.random.Generator, subject: Subject, region: Region) -> Stack:
    """Sagittal slices over the midline and the foramina of a region; `SMALL_FIELD_SHARE` show but a part of it."""
    fields = SMALL_FIELD_MM if rng.random() < SMALL_FIELD_SHARE else SAGITTAL_FIELD_MM
    field = rng.uniform(*fields[region]) * (0.5 + 0.5 * subject.size)
    rows = matrix_size(rng)
    columns = rows if rng.random() < 0.6 else int(rows * rng.uniform(0.45, 0.85)) // 2 * 2
    centre = plane_point(subject, middle_of(subject, region), BEHIND_MM)
    centre += (rng.normal(0, 1.0), rng.normal(-5, 17) * min(1.0, columns / rows), rng.normal(8, 16))
    thickness = rng.uniform(3.0, 4.3)
    return Stack(
        plane=Plane.SAGITTAL,
        centre=centre,
        axes=turned_axes(Plane.SAGITTAL, rng.normal(0, 1.5), rng.normal(0, 1.0)),
        count=int(rng.choice((11, 13, 15, 15, 17))),
        rows=rows,
        columns=columns,
        pixel_mm=field / rows,
        thickness_mm=thickness,
        spacing_mm=thickness * gap_factor(rng),
    )


def isotropic_stack(rng: np.random.Generator, subject: Subject, region: Region) -> Stack:
    """Sagittal slices of a 3-D sequence: as thick as the pixels are wide, side by side over 50 to 64 mm."""
    field = rng.uniform(*SAGITTAL_FIELD_MM[region]) * (0.5 + 0.5 * subject.size)
    pixel = field / 288
    centre = plane_point(subject, middle_of(subject, region), BEHIND_MM)
    centre += (rng.normal(0, 1.5), rng.normal(-10, 10), rng.normal(8, 14))
    return Stack(
        plane=Plane.SAGITTAL,
        centre=centre,
        axes=turned_axes(Plane.SAGITTAL, rng.normal(0, 1.0), rng.normal(0, 0.7)),
        count=int(rng.uniform(50, 64) / pixel),
        rows=288,
        columns=224,
        pixel_mm=pixel,
        thickness_mm=pixel,
        spacing_mm=pixel,
    )


def whole_spine_stack(rng: np.random.Generator, subject: Subject) -> Stack:
    """Sagittal slices from the skull base to the sacrum in one picture of 500 to 900 mm."""
    top, bottom = plane_point(subject, 0.0, BEHIND_MM), plane_point(subject, 26.0, BEHIND_MM)
    height = float(np.clip((top[2] - bottom[2]) * rng.uniform(1.02, 1.2), 500.0, 900.0))
    centre = (top + bottom) / 2
    centre[1] = np.median([plane_point(subject, k, BEHIND_MM)[1] for k in range(27)]) + rng.normal(-8, 8)
    rows = 512
    thickness = rng.uniform(3.0, 4.3)
    return Stack(
        plane=Plane.SAGITTAL,
        centre=centre + np.array((rng.normal(0, 1.0), 0.0, rng.normal(0, 8))),
        axes=turned_axes(Plane.SAGITTAL, rng.normal(0, 1.0), rng.normal(0, 1.0)),
        count=int(rng.choice((11, 13, 15))),
        rows=rows,
        columns=int(rows * rng.uniform(0.38, 0.5)) // 2 * 2,
        pixel_mm=height / rows,
        thickness_mm=thickness,
        spacing_mm=thickness * gap_factor(rng),
    )


def stations(whole: Stack, subject: Subject, count: int) -> tuple[Stack, ...]:
    """Two or three overlapping pictures in place of one of the whole spine, head first, all in one table position."""
    overlap = 50.0
    height = whole.rows * whole.pixel_mm
    field = (height + (count - 1) * overlap) / count
    rows = 320
    pixel = field / rows
    found = []
    for number in range(count):
        middle = whole.centre[2] + height / 2 - field / 2 - number * (field - overlap)
        level = float(np.interp(-middle, -subject.frames[:, 0, 2], np.arange(len(subject.frames))))
        here = plane_point(subject, level, BEHIND_MM - 8)
        columns = min(rows, int(240 / pixel) // 2 * 2)
        centre = np.array((whole.centre[0], here[1], middle))
        found.append(replace(whole, centre=centre, rows=rows, columns=columns, pixel_mm=pixel))
    return tuple(found)


def axial_discs(subject: Subject, region: Region) -> tuple[int, ...]:
    """The discs that get an axial block of their own, feet to head."""
    if region is Region.LUMBAR:
        return tuple(sorted(subject.plane_of_level.values(), reverse=True))
    return (7, 6, 5, 4, 3) if region is Region.CERVICAL else (17, 14, 11)


def axial_stacks(rng: np.random.Generator, subject: Subject, region: Region) -> tuple[Stack, ...]:
    """Axial slices: one straight stack, or a block along each disc, feet to head.

    Blocks are drawn in 60 % of lumbar, 30 % of cervical and 20 % of thoracic studies; of these, two in five follow the
    disc also to the side, as on a scoliotic spine.
    """
    rows = int(rng.choice((256, 288, 320, 384), p=(0.3, 0.1, 0.45, 0.15)))
    field = rng.uniform(160, 220) if region is not Region.THORACIC else rng.uniform(180, 260)
    thickness = float(rng.uniform(3, 4))
    factor = gap_factor(rng)
    offset = np.array((rng.normal(0, 3), rng.normal(4, 7), 0.0))
    turn = rng.normal(0, 1.5)

    def block(centre: FloatArray, axes: FloatArray, count: int, spacing_mm: float) -> Stack:
        in_plane = offset - (offset @ axes[2]) * axes[2]
        return Stack(
            plane=Plane.AXIAL,
            centre=centre + in_plane,
            axes=axes,
            count=count,
            rows=rows,
            columns=rows,
            pixel_mm=field / rows,
            thickness_mm=thickness,
            spacing_mm=spacing_mm,
        )

    if rng.random() < {Region.LUMBAR: 0.6, Region.CERVICAL: 0.3, Region.THORACIC: 0.2}[region]:
        count = int(rng.choice((4, 5, 5, 6)) if region is Region.LUMBAR else rng.choice((3, 4, 5)))
        sideways = rng.random() < 0.4
        blocks = []
        for k in axial_discs(subject, region):
            centre = plane_point(subject, k, BEHIND_MM) + np.array((0, 0, rng.normal(0, 1.0)))
            tilt = disc_tilt(subject, k) + rng.normal(0, 2)
            lean = disc_lean(subject, k) if sideways else 0.0
            blocks.append(block(centre, leaning_axes(tilt, turn, lean), count, thickness * factor))
        return tuple(blocks)
    moved = subject.junction.extra if region is Region.LUMBAR else 0
    first, last = (level + moved for level in AXIAL_RANGE[region])
    first, last = first + rng.uniform(0, 0.3), last + rng.uniform(-0.3, 0.1)
    low, high = plane_point(subject, first, BEHIND_MM), plane_point(subject, last, BEHIND_MM)
    length = float(high[2] - low[2])
    count = int(np.clip(length / (thickness * 1.15), 18, 36))
    tilt = disc_tilt(subject, 0.5 * (first + last)) + rng.normal(0, 2.5)
    return (block((low + high) / 2, leaning_axes(tilt, turn, 0.0), count, length / (count - 1)),)


def coronal_stack(rng: np.random.Generator, subject: Subject, region: Region) -> Stack:
    """A few coarse coronal slices."""
    return Stack(
        plane=Plane.CORONAL,
        centre=plane_point(subject, middle_of(subject, region), 10.0) + rng.normal(0, (6, 4, 15)),
        axes=turned_axes(Plane.CORONAL, rng.normal(0, 2), rng.normal(0, 2)),
        count=int(rng.integers(3, 8)),
        rows=256,
        columns=256,
        pixel_mm=rng.uniform(300, 400) / 256,
        thickness_mm=float(rng.uniform(4, 8)),
        spacing_mm=float(rng.uniform(8, 14)),
    )


def localizer_stacks(rng: np.random.Generator, subject: Subject, region: Region) -> tuple[Stack, ...]:
    """The three planes of a localizer: three to five coarse slices each, straight in the scanner, one field for all."""
    pixel = rng.uniform(380, 480) / 256
    count = int(rng.integers(3, 6))
    centre = plane_point(subject, middle_of(subject, region), BEHIND_MM) + rng.normal(0, (5, 8, 18))
    return tuple(
        Stack(
            plane=plane,
            centre=centre,
            axes=turned_axes(plane, 0.0, 0.0),
            count=count,
            rows=256,
            columns=256,
            pixel_mm=pixel,
            thickness_mm=float(rng.uniform(6, 9)),
            spacing_mm=spacing,
        )
        for plane, spacing in ((Plane.CORONAL, 15.0), (Plane.SAGITTAL, 12.0), (Plane.AXIAL, 40.0))
    )


def slab_stack(rng: np.random.Generator, subject: Subject, region: Region) -> Stack:
    """One thick slab over the sac, sagittal or coronal, for myelography."""
    plane = Plane.SAGITTAL if rng.random() < 0.5 else Plane.CORONAL
    thickness = float(rng.uniform(20, 50))
    return Stack(
        plane=plane,
        centre=plane_point(subject, middle_of(subject, region), BEHIND_MM) + rng.normal(0, (1, 2, 10)),
        axes=turned_axes(plane, rng.normal(0, 2), rng.normal(0, 2)),
        count=1,
        rows=320,
        columns=320,
        pixel_mm=rng.uniform(260, 340) / 320,
        thickness_mm=thickness,
        spacing_mm=thickness,
    )


def other_stack(rng: np.random.Generator, subject: Subject, kind: int) -> Stack:
    """Slices through an anatomy of `elsewhere.ELSEWHERE`: about 0 where it is made of parts, else in the body."""
    anatomy = ELSEWHERE[kind]
    plane = anatomy.planes[int(rng.integers(0, len(anatomy.planes)))]
    centre = rng.normal(0, 6, 3)
    if anatomy.place:
        centre += anatomy.place(rng, subject)
    rows = int(rng.choice((224, 256, 320)))
    count = int(rng.integers(8, 16))
    thickness = rng.uniform(3, 6)
    return Stack(
        plane=plane,
        centre=centre,
        axes=turned_axes(plane, rng.normal(0, 6), rng.normal(0, 6)),
        count=count,
        rows=rows,
        columns=rows,
        pixel_mm=rng.uniform(*anatomy.field_mm) / rows,
        thickness_mm=thickness,
        spacing_mm=max(thickness, anatomy.reach_mm / count),
    )


def plane_point(subject: Subject, level: float, behind_mm: float) -> FloatArray:
    """The point `behind_mm` behind the axis of the bodies at a level (in planes from the top), LPS mm."""
    frames = subject.frames
    i = int(np.clip(np.floor(level), 0, len(frames) - 2))
    f = level - i
    at = frames[:, 0] + behind_mm * frames[:, 2]
    return np.asarray(at[i] + f * (at[i + 1] - at[i]), float)


def disc_tilt(subject: Subject, level: float) -> float:
    """Tilt of a disc's plane about the left-right axis, degrees; positive where its front lies lower."""
    normal = subject.frames[:, 3]
    i = int(np.clip(np.floor(level), 0, len(normal) - 2))
    n = normal[i] + (level - i) * (normal[i + 1] - normal[i])
    return float(np.degrees(np.arctan2(-n[1], n[2])))


def disc_lean(subject: Subject, level: int) -> float:
    """Lean of a disc's plane to the side, degrees; positive where its left lies lower."""
    n = subject.frames[level, 3]
    return float(np.degrees(np.arctan2(n[0], np.hypot(n[1], n[2]))))


def leaning_axes(tilt_deg: float, turn_deg: float, lean_deg: float) -> FloatArray:
    """The axes of an axial plane, first leaning to the side, then tilted and turned as by `turned_axes`, (3, 3)."""
    c = np.radians(lean_deg)
    side = np.array([[np.cos(c), 0, np.sin(c)], [0, 1, 0], [-np.sin(c), 0, np.cos(c)]])
    turned = turned_axes(Plane.AXIAL, tilt_deg, turn_deg)
    return np.asarray(side.T @ turned, float)
