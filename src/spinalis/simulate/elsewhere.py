"""What else a scanner sees: studies that show no spine as their subject, where their slices lie, and their parts.

Brain, heart, belly and pelvis are cut from the simulated body, so a brain in the midline shows the upper cord, and a
belly the spine. Limbs, breast and phantom are tables of parts: crude on purpose, enough to say *not a spine*.

Source:
    Sizes of bones and muscles are round numbers drawn from memory; looks were not fitted to real images.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spinalis.records import FloatArray
from spinalis.simulate.anatomy import Subject
from spinalis.simulate.tissue import Tissue
from spinalis.vocabulary import Plane

MUSCLE_BELLY, GLAND_IN_FAT = 100, 101
"""Fillings that are no tissue of their own: muscle with planes of fat, and gland strewn in fat."""

SKIN_MM = 1.8

Vector3 = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An ellipsoid (`a` centre, `b` half axes) or a tapering rod (`a` to `b`, radii `r`), mm; x left, y back, z up.

    `rim` mm of `outside` enclose `inside`. `both` adds its mirror image across x = 0.
    """

    a: Vector3
    b: Vector3
    r: tuple[float, float] | None = None
    inside: int
    outside: int | None = None
    rim: float = 0.0
    both: bool = False

    def rows(self) -> tuple[tuple[float, ...], ...]:
        """The part, and its mirror image where it has one, as the kernel reads them."""
        outside = self.inside if self.outside is None else self.outside
        tail = (*(self.r or (0.0, 0.0)), float(self.inside), float(outside), self.rim)
        rod = self.r is not None
        row = (float(rod), *self.a, *self.b, *tail)
        if not self.both:
            return (row,)
        far = (-self.b[0] if rod else self.b[0], *self.b[1:])
        return row, (float(rod), -self.a[0], *self.a[1:], *far, *tail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """One anatomy: its word in a header, its slices, and either its parts or its place in the body.

    Attributes:
        field_mm: range of the field of view.
        reach_mm: how far the slices reach together.
        parts: the first that holds a point wins; empty where the body itself is cut.
        place: the middle of the slices in the body, LPS mm.
    """

    word: str
    field_mm: tuple[float, float]
    reach_mm: float
    planes: tuple[Plane, ...] = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)
    parts: tuple[Part, ...] = ()
    place: Callable[[np.random.Generator, Subject], FloatArray] | None = None
    still: bool = True

    def table(self) -> FloatArray:
        """The parts as the kernel reads them, (N, 12)."""
        return np.array([row for part in self.parts for row in part.rows()], float)


def _ball(a: Vector3, b: Vector3, inside: int, both: bool = False) -> Part:
    return Part(a=a, b=b, inside=inside, both=both)


def _rod(a: Vector3, b: Vector3, r: tuple[float, float], inside: int, both: bool = False) -> Part:
    return Part(a=a, b=b, r=r, inside=inside, both=both)


def _bone(a: Vector3, b: Vector3, r: tuple[float, float] | None = None, rim: float = 1.6, both: bool = False) -> Part:
    return Part(a=a, b=b, r=r, inside=Tissue.MARROW, outside=Tissue.CORTEX, rim=rim, both=both)


def _outline(a: Vector3, b: Vector3, r: tuple[float, float] | None = None, both: bool = False) -> Part:
    return Part(a=a, b=b, r=r, inside=Tissue.FAT, outside=Tissue.SKIN, rim=SKIN_MM, both=both)


_SINEW, _CARTILAGE, _BLOOD = Tissue.LIGAMENT, Tissue.CARTILAGE, Tissue.FLOW_VOID

KNEE = (
    _rod((7, 14, 15), (-4, -9, -5), (4, 4), _SINEW),
    _rod((-5, -2, 15), (2, 22, -6), (4.5, 4.5), _SINEW),
    _ball((0, 14, 10), (6, 16, 16), Tissue.FAT),
    _ball((31, 3, 0), (9, 20, 3.4), _SINEW, both=True),
    _bone((21, 6, 18), (19, 27, 17), both=True),
    _ball((21, 6, 18), (21.5, 29.5, 19.5), _CARTILAGE, both=True),
    _bone((0, -4, 24), (0, -6, 170), (21, 15), rim=2.4),
    _bone((0, 2, -17), (37, 25, 14.5)),
    _ball((0, 2, -16), (36, 24, 16.5), _CARTILAGE),
    _bone((0, 0, -24), (2, 5, -170), (22, 13), rim=2.4),
    _bone((-36, 18, -32), (-33, 20, -170), (9, 6)),
    _bone((0, -45, 25), (21, 9, 20)),
    _ball((0, -43, 25), (20, 10, 18), _CARTILAGE),
    _rod((0, -51, 12), (0, -33, -44), (3.6, 3.6), _SINEW),
    _rod((0, -48, 42), (0, -36, 130), (4, 4), _SINEW),
    _ball((0, -33, 0), (21, 16, 22), Tissue.FAT),
    _ball((0, -38, 52), (26, 5, 14), Tissue.FLUID),
    _rod((3, 34, 170), (2, 30, -120), (3.6, 3.2), _BLOOD),
    _rod((-4, 38, 170), (-5, 34, -120), (4.2, 3.6), _BLOOD),
    _rod((19, 36, 22), (20, 44, -170), (13, 24), MUSCLE_BELLY, both=True),
    _rod((-20, -12, -55), (-20, -8, -170), (13, 22), MUSCLE_BELLY),
    _rod((0, -22, 55), (0, -24, 170), (20, 46), MUSCLE_BELLY),
    _rod((27, 26, 45), (20, 26, 170), (13, 28), MUSCLE_BELLY, both=True),
    _outline((0, 4, -170), (0, 0, 0), (56, 58)),
    _outline((0, 0, 0), (0, 2, 170), (59, 80)),
)
SHOULDER = (
    _bone((0, 0, 0), (23, 23, 23)),
    _ball((-2, 1, 0), (24.5, 24.5, 24.5), _CARTILAGE),
    _bone((15, -6, 5), (12, 13, 15)),
    _bone((6, 0, -12), (10, 4, -170), (16, 11), rim=2.6),
    _bone((-31, 6, -4), (6, 14, 18)),
    _bone((-35, 8, -4), (-60, 15, -8), (9, 6)),
    _bone((-82, 22, -30), (40, 4, 60), rim=1.3),
    _bone((12, 16, 37), (-22, 40, 31), (7, 6)),
    _bone((-10, 0, 37), (-110, -34, 42), (7, 7)),
    _bone((-30, -8, 12), (-14, -30, 16), (6, 7)),
    _ball((10, 0, 26), (15, 11, 4), _SINEW),
    _ball((-4, 4, 31), (18, 12, 1.6), Tissue.FLUID),
    _rod((-95, 18, 24), (-6, 3, 27), (12, 4), MUSCLE_BELLY),
    _rod((-90, 38, -20), (8, 22, 4), (22, 6), MUSCLE_BELLY),
    _rod((-85, 2, -22), (-6, -22, -2), (20, 7), MUSCLE_BELLY),
    _rod((-100, -50, -50), (4, -28, -60), (20, 9), MUSCLE_BELLY),
    _rod((-40, -22, -40), (-10, -14, -150), (4, 4), _BLOOD),
    _rod((12, 2, 0), (14, 2, -70), (44, 24), MUSCLE_BELLY),
    _rod((6, 4, -70), (8, 4, -170), (34, 36), MUSCLE_BELLY),
    Part(a=(-150, 0, -160), b=(-150, 0, -40), r=(68, 52), inside=Tissue.LUNG, outside=Tissue.MUSCLE, rim=11),
    _rod((-110, 40, -40), (-80, 40, 70), (26, 18), MUSCLE_BELLY),
    _outline((12, 2, -170), (14, 0, 0), (50, 56)),
    _outline((10, 0, 2), (-80, 4, 14), (56, 62)),
    _outline((-140, 0, -190), (-130, 0, -30), (110, 90)),
)
ANKLE = (
    _bone((0, -8, -10), (17, 24, 11)),
    _ball((0, -8, -9), (18, 25, 13), _CARTILAGE),
    _bone((0, 0, 22), (-2, -4, 150), (19, 13), rim=2.4),
    _bone((-24, 8, -6), (-26, 6, 150), (9, 7)),
    _bone((0, 40, -32), (0, 2, -33), (17, 14)),
    _bone((7, -41, -15), (12, 8, 12)),
    _bone((-13, -38, -28), (11, 15, 11)),
    _bone((8, -58, -22), (12, -125, -36), (9, 8)),
    _bone((-13, -58, -32), (-16, -118, -40), (8, 6)),
    _rod((0, 48, -22), (0, 44, 150), (5, 4), _SINEW),
    _rod((16, 12, -14), (12, 14, 90), (3, 3), _SINEW),
    _rod((6, -24, 6), (4, -24, 100), (3.5, 3), _SINEW),
    _rod((4, 24, 24), (4, 24, 150), (10, 18), MUSCLE_BELLY),
    _rod((2, -24, 40), (0, -24, 150), (8, 15), MUSCLE_BELLY),
    _rod((0, 22, -53), (0, -80, -48), (8, 9), MUSCLE_BELLY),
    _outline((0, 10, 150), (0, 10, -8), (46, 38)),
    _outline((0, 40, -30), (0, 0, -28), (28, 34)),
    _outline((0, 0, -28), (0, -120, -36), (34, 24)),
)
WRIST = (
    *(_bone(at, (8, 7, 8)) for at in ((12, 0, 0), (-1, 0, 2), (-11, 3, 3), (14, -2, -15))),
    *(_bone(at, (7, 7, 9)) for at in ((5, 0, -17), (-5, 0, -16), (-14, 0, -14))),
    _ball((0, 0, -6), (21, 8, 15), _CARTILAGE),
    _bone((10, 0, 20), (12, 0, 150), (13, 8), rim=2),
    _bone((-14, 2, 22), (-14, 2, 150), (8, 7), rim=2),
    *(_bone((x, 0, -26), (1.6 * x, 0, -90), (6, 5)) for x in (16, 6, -4, -13)),
    *(_rod((x, -12, -60), (x, -11, 90), (2.2, 2.4), _SINEW) for x in (-8, -3, 2, 7)),
    *(_rod((x, 11, -60), (x, 11, 90), (1.6, 2.0), _SINEW) for x in (-12, -4, 4, 12)),
    _ball((24, -12, -40), (14, 9, 26), MUSCLE_BELLY),
    _rod((0, -9, 60), (0, -8, 160), (8, 16), MUSCLE_BELLY),
    _rod((0, 9, 60), (0, 10, 160), (6, 12), MUSCLE_BELLY),
    _outline((0, -2, -40), (44, 21, 80)),
    _outline((0, 0, 90), (36, 27, 130)),
)
BREAST = (
    _ball((75, -72, 0), (46, 52, 48), GLAND_IN_FAT, both=True),
    _ball((30, 20, 0), (60, 52, 60), Tissue.MUSCLE),
    _ball((78, 44, 0), (62, 62, 170), Tissue.LUNG, both=True),
    Part(a=(0, 44, 0), b=(160, 84, 230), inside=Tissue.MUSCLE, outside=Tissue.MUSCLE, rim=4),
    _outline((78, -70, 0), (66, 78, 68), both=True),
    _outline((0, 44, 0), (178, 100, 260)),
)
PHANTOM = (
    _rod((30, 0, -70), (30, 0, 70), (9, 9), Tissue.FAT),
    _rod((-30, 20, -70), (-30, 20, 70), (12, 12), Tissue.MUSCLE),
    _rod((0, -40, -70), (0, -40, 70), (7, 7), Tissue.AIR),
    _ball((-20, -30, 10), (15, 15, 15), Tissue.FAT),
    Part(a=(0, 0, -50), b=(0, 0, 50), r=(84, 84), inside=Tissue.FLUID, outside=Tissue.AIR, rim=2),
)


def _brain(rng: np.random.Generator, subject: Subject) -> FloatArray:
    head = subject.whole[0]
    return np.array((head["head_x"], head["head_y"] - 35, head["head_z"] + rng.uniform(35, 75)), float)


def _at_height(subject: Subject, z: float) -> FloatArray:
    rows = subject.contour
    i = int(np.clip(round((z - subject.contour_z) / 2.0), 0, len(rows) - 1))
    return np.array((rows[i, 0], 0.5 * (rows[i, 2] + rows[i, 3]), z), float)


def _heart(rng: np.random.Generator, subject: Subject) -> FloatArray:
    whole = subject.whole[0]
    centre = _at_height(subject, whole["z_heart"] + rng.normal(0, 15))
    centre += (15 * whole["heart_side"], -20, 0)
    return centre


def _abdomen(rng: np.random.Generator, subject: Subject) -> FloatArray:
    centre = _at_height(subject, subject.whole["z_l1"][0] + rng.uniform(-70, 70))
    centre += (rng.normal(0, 10), -10, 0)
    return centre


def _pelvis(rng: np.random.Generator, subject: Subject) -> FloatArray:
    whole = subject.whole[0]
    centre = _at_height(subject, whole["z_hip"] + rng.uniform(-20, 40))
    return np.array((centre[0], whole["y_hip"] + 8, centre[2]), float)


_FLAT = (Plane.AXIAL, Plane.CORONAL)
ELSEWHERE = (
    Elsewhere(word="BRAIN", field_mm=(200, 260), reach_mm=130, place=_brain),
    Elsewhere(word="KNEE", field_mm=(140, 200), reach_mm=80, parts=KNEE),
    Elsewhere(word="SHOULDER", field_mm=(140, 210), reach_mm=80, parts=SHOULDER),
    Elsewhere(word="ABDOMEN", field_mm=(330, 420), reach_mm=180, planes=_FLAT, place=_abdomen, still=False),
    Elsewhere(word="PELVIS", field_mm=(300, 420), reach_mm=140, planes=_FLAT, place=_pelvis, still=False),
    Elsewhere(word="HEART", field_mm=(280, 380), reach_mm=110, planes=_FLAT, place=_heart, still=False),
    Elsewhere(word="PROSTATE", field_mm=(160, 220), reach_mm=70, planes=_FLAT, place=_pelvis, still=False),
    Elsewhere(word="ANKLE", field_mm=(140, 200), reach_mm=70, parts=ANKLE),
    Elsewhere(word="WRIST", field_mm=(90, 140), reach_mm=30, parts=WRIST),
    Elsewhere(word="BREAST", field_mm=(300, 380), reach_mm=110, planes=_FLAT, parts=BREAST),
    Elsewhere(word="PHANTOM", field_mm=(200, 260), reach_mm=100, parts=PHANTOM),
)
SHARES = (0.3, 0.14, 0.1, 0.14, 0.08, 0.05, 0.05, 0.05, 0.04, 0.03, 0.02)
"""How often each is drawn. Chosen: the head and the belly are what lies nearest to a spine."""
