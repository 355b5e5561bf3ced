"""The shapes of lesions: from what a patient has to rows of `anatomy.LESION_TYPE`.

Sizes in mm, chosen by judgement and not yet compared with real lesions.
"""

from collections.abc import Callable

import numpy as np

from spinalis.simulate.anatomy import Subject
from spinalis.simulate.disease import Lesion, LesionKind
from spinalis.simulate.grades import side_index
from spinalis.simulate.tissue import Tissue

Row = dict[str, float]
Rows = list[tuple[int, Row]]

MARROW, BONE, CANAL, BEHIND, DEVICE = range(5)
"""As in `lesions.Form`, which numba compiles and which is therefore not imported here."""


def ellipsoid(
    form: int,
    label: Tissue,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    *,
    rim: Tissue | None = None,
    rough: float = 0.0,
) -> Row:
    """An ellipsoid at (u, v, q) of a plane."""
    row: Row = {"form": form, "label": label, "rim": -1 if rim is None else rim, "rough": rough}
    row |= dict(zip(("u", "v", "q"), map(float, centre), strict=True))
    row |= dict(zip(("radius_u", "radius_v", "radius_q"), map(float, radii), strict=True))
    return row | {"to_u": 0.0, "to_v": 0.0, "to_q": 0.0}


def rod(start: tuple[float, float, float], end: tuple[float, float, float], radius: float) -> Row:
    """A metal rod from (u, v, q) to (u, v, q) of a plane."""
    row = ellipsoid(DEVICE, Tissue.METAL, start, (radius,) * 3)
    return row | dict(zip(("to_u", "to_v", "to_q"), map(float, end), strict=True))


def _signs(lesion: Lesion) -> tuple[float, ...]:
    return (-1.0, 1.0) if lesion.side is None else (1.0 if side_index(lesion.side) else -1.0,)


def _extrusion(rng: np.random.Generator, subject: Subject, k: int, lesion: Lesion) -> Rows:
    plane = subject.planes[k]
    u = 0.0 if lesion.side is None else _signs(lesion)[0] * rng.uniform(3.5, 7)
    along = (1 if lesion.upwards else -1) * (float(plane["half_height"]) + rng.uniform(0.3, 0.7) * lesion.size_mm)
    thick = min(rng.uniform(2.2, 3.4), 0.22 * float(plane["canal_depth"]))
    label = Tissue.ANNULUS if rng.random() < 0.5 else Tissue.NUCLEUS_2
    centre = (u, float(plane["half_depth"]) + 0.9 * thick, along)
    radii = (rng.uniform(3.5, 6), thick, 0.6 * lesion.size_mm + 1.5)
    return [(k, ellipsoid(CANAL, label, centre, radii, rim=Tissue.LIGAMENT, rough=0.15))]


def _modic(rng: np.random.Generator, subject: Subject, k: int, lesion: Lesion) -> Rows:
    plane = subject.planes[k]
    label = {
        LesionKind.MODIC_1: Tissue.MODIC_1,
        LesionKind.MODIC_2: Tissue.MODIC_2,
        LesionKind.MODIC_3: Tissue.SCLEROSIS,
    }[lesion.kind]
    v = float(rng.uniform(-0.5, 0.4) * plane["half_depth"])
    rows: Rows = []
    for sign in (1, -1):
        wide = rng.uniform(0.55, 1.0, 2)
        radii = (wide[0] * float(plane["half_width"]), wide[1] * float(plane["half_depth"]), 0.0)
        depth = lesion.size_mm * rng.uniform(0.6, 1.1) + 1
        centre = (rng.normal(0, 4), v, sign * float(plane["half_height"]))
        rows.append((k, ellipsoid(MARROW, label, centre, (radii[0], radii[1], depth), rough=0.3)))
    return rows


def _node(rng: np.random.Generator, subject: Subject, k: int, lesion: Lesion) -> Rows:
    plane = subject.planes[k]
    sign = 1 if lesion.upwards in {True, None} else -1
    wide = rng.uniform(0.7, 1.3, 2) * lesion.size_mm
    edge = float(plane["half_height"] + 0.3 * plane["concavity"])
    centre = (rng.normal(0, 4), rng.uniform(-0.3, 0.35) * float(plane["half_depth"]), sign * edge)
    label = Tissue.ANNULUS if rng.random() < 0.6 else Tissue.NUCLEUS_2
    radii = (wide[0], wide[1], lesion.size_mm)
    return [(k, ellipsoid(BONE, label, centre, radii, rim=Tissue.CORTEX, rough=0.15))]


def _haemangioma(rng: np.random.Generator, subject: Subject, k: int, lesion: Lesion) -> Rows:
    height = float(subject.vertebrae["height"][k - 1])
    centre = (rng.normal(0, 6), rng.uniform(-0.4, 0.3) * float(subject.planes["half_depth"][k]), 0.5 * height)
    radii = rng.uniform(0.7, 1.1, 3) * lesion.size_mm
    return [(k, ellipsoid(MARROW, Tissue.HAEMANGIOMA, centre, (radii[0], radii[1], radii[2]), rough=0.2))]


def _fracture(rng: np.random.Generator, subject: Subject, k: int, lesion: Lesion) -> Rows:
    """Oedema and a dark line beneath the upper end-plate when acute; sunken end-plates when biconcave."""
    upper = subject.planes[k - 1]
    wide, deep = 0.95 * float(upper["half_width"]), 0.95 * float(upper["half_depth"])
    edge = -float(upper["half_height"])
    rows: Rows = []
    if lesion.kind is LesionKind.BICONCAVE_FRACTURE:
        sunk = (0.75 * wide, 0.7 * deep, 0.5 * lesion.size_mm)
        for plane, sign in ((k - 1, -1), (k, 1)):
            centre = (0.0, rng.normal(0, 2), sign * float(subject.planes["half_height"][plane]))
            rows.append((plane, ellipsoid(BONE, Tissue.ANNULUS, centre, sunk, rim=Tissue.CORTEX, rough=0.1)))
    if lesion.acute:
        line = (0.0, -0.1 * deep, edge - rng.uniform(4, 6) - 0.4 * lesion.size_mm)
        rows.append((k - 1, ellipsoid(MARROW, Tissue.SCLEROSIS, line, (0.8 * wide, 0.8 * deep, 0.9), rough=0.4)))
        oedema = (1.1 * wide, 1.1 * deep, rng.uniform(10, 16))
        rows.append((k - 1, ellipsoid(MARROW, Tissue.OEDEMA, (0.0, -2.0, edge), oedema, rough=0.3)))
    return rows


def _cyst(rng: np.random.Generator, subject: Subject, k: int, lesion: Lesion) -> Rows:
    plane, half = subject.planes[k], 0.5 * lesion.size_mm
    u = _signs(lesion)[0] * (float(plane["canal_half_width"]) - 0.8 * half - 1.5)
    centre = (u, float(plane["half_depth"]) + 0.5 * float(plane["canal_depth"]), rng.uniform(-4, 0))
    return [(k, ellipsoid(CANAL, Tissue.FLUID, centre, (half, half, 1.2 * half), rim=Tissue.LIGAMENT, rough=0.1))]


def _pars_gap(rng: np.random.Generator, subject: Subject, k: int, lesion: Lesion) -> Rows:
    plane = subject.planes[k]
    height = float(subject.vertebrae["height"][k - 1])
    out = float(plane["canal_half_width"]) + 3
    back = float(plane["half_depth"]) + 0.75 * float(plane["canal_depth"])
    radii = (7.0, 7.0, rng.uniform(1.4, 2.2))
    return [
        (k, ellipsoid(BEHIND, Tissue.FIBROUS, (sign * out, back, 0.34 * height), radii, rough=0.2)) for sign in (-1, 1)
    ]


def _laminectomy(rng: np.random.Generator, subject: Subject, k: int, lesion: Lesion) -> Rows:
    plane = subject.planes[k]
    height = float(subject.vertebrae["height"][k - 1])
    back = float(plane["half_depth"]) + float(plane["canal_depth"])
    centre = (rng.normal(0, 1.5), back + 14, 0.2 * height)
    return [(k, ellipsoid(BEHIND, Tissue.SCAR, centre, (lesion.size_mm, 18, 0.7 * height), rough=0.25))]


def _screws(rng: np.random.Generator, subject: Subject, k: int, lesion: Lesion) -> Rows:
    """A screw through each pedicle above and below the disc, a rod on each side."""
    rows: Rows = []
    plane, vertebrae = subject.planes[k], subject.vertebrae
    wall, radius = float(plane["half_depth"]), 0.5 * lesion.size_mm
    for sign in (-1, 1):
        for i in (k - 1, k):
            pedicle = 0.5 * float(vertebrae["pedicle_low"][i] + vertebrae["pedicle_high"][i])
            out = sign * (float(subject.planes["canal_half_width"][i + 1]) + 0.5 * float(vertebrae["pedicle_width"][i]))
            tip = (0.6 * out, -0.2 * wall, pedicle)
            rows.append((i + 1, rod((1.15 * out, wall + 24, pedicle), tip, 0.9 * radius)))
        at = sign * (float(plane["canal_half_width"]) + 9)
        reach = 0.7 * float(vertebrae["height"][k - 1])
        rows.append((k, rod((at, wall + 25 + rng.normal(0, 1), -0.4 * reach), (at, wall + 25, reach), 0.9 * radius)))
    return rows


def _cage(rng: np.random.Generator, subject: Subject, k: int, lesion: Lesion) -> Rows:
    plane = subject.planes[k]
    label = Tissue.CORTEX if rng.random() < 0.6 else Tissue.METAL
    radii = (lesion.size_mm, 0.9 * lesion.size_mm, float(plane["half_height"]) + 0.5)
    return [(k, ellipsoid(DEVICE, label, (rng.normal(0, 2), rng.uniform(-3, 3), 0.0), radii))]


SHAPES: dict[LesionKind, Callable[[np.random.Generator, Subject, int, Lesion], Rows]] = {
    LesionKind.EXTRUSION: _extrusion,
    LesionKind.ISTHMIC_SLIP: _pars_gap,
    LesionKind.MODIC_1: _modic,
    LesionKind.MODIC_2: _modic,
    LesionKind.MODIC_3: _modic,
    LesionKind.SCHMORL_NODE: _node,
    LesionKind.HAEMANGIOMA: _haemangioma,
    LesionKind.WEDGE_FRACTURE: _fracture,
    LesionKind.BICONCAVE_FRACTURE: _fracture,
    LesionKind.CYST: _cyst,
    LesionKind.LAMINECTOMY: _laminectomy,
    LesionKind.SCREWS: _screws,
    LesionKind.CAGE: _cage,
}
