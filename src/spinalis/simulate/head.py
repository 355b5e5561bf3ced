"""The head above the first vertebra: brain, skull, face, jaw and tongue, in coordinates of the foramen magnum.

The origin is the middle of the cord where it leaves the spine's first plane; x to the left, y to the back, z to the
vertex, millimetres of a head of average size.

Source:
    Proportions (foramen magnum to vertex 140 mm, cavity 174 x 134 mm, clivus 55 mm at about 55 degrees, fissures,
    ventricles, brainstem) were fitted beside real midsagittal brains; shapes are simple solids.
"""

# mypy: disable-error-code="no-any-return"
# ruff: noqa: C901, PLR0911  (as in `kernel`)

from typing import Any

import numpy as np

from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import Body, mix, noise_at, step
from spinalis.simulate.kernel import (
    AIR,
    BOWEL,
    BRAIN_GREY,
    BRAIN_WHITE,
    CORD_GREY,
    CORD_WHITE,
    CORTEX,
    CSF,
    FAT,
    FLOW_VOID,
    FLUID,
    LIGAMENT,
    MARROW,
    MUSCLE,
    NOTHING,
    SKIN,
)

GLAND = BOWEL
"""Salivary glands, thyroid, prostate, uterus: soft and grainy like the bowel's wall."""

CHIN_MM = 62.0
"""How far the lowest point of the jaw lies below the foramen magnum."""


@compiled
def place_in_head(whole: Any, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Patient mm to the head's coordinates."""
    dx, dy, dz = x - whole.head_x, y - whole.head_y, z - whole.head_z
    nod = whole.head_nod
    return dx / whole.head_size, (dy + nod * dz) / whole.head_size, (dz - nod * dy) / whole.head_size


@compiled
def skull_gaps(x: float, y: float, z: float) -> tuple[float, float]:
    """How far outside the cranial cavity a point lies (negative within), mm: to its wall or floor, to its vault."""
    cerebrum = (np.sqrt((x / 67) ** 2 + ((y + 36) / 87) ** 2 + ((z - 72) / 68) ** 2) - 1) * 72
    fossa = (np.sqrt((x / 53) ** 2 + ((y - 13) / 39) ** 2 + ((z - 27) / 30) ** 2) - 1) * 37
    ax = abs(x)
    floor = 47 - 20 * step((ax - 13) / 12) * step((y + 86) / 14) * step((ax - 4) / 6) if y < -40 else 28.0
    clivus = (-46 * (y + 9) - 31 * z) / 55.5
    return min(max(cerebrum, floor - z), max(fossa, clivus)), min(cerebrum, fossa)


@compiled
def stem_tissue(whole: Any, x: float, y: float, z: float) -> int:
    """Medulla, pons, midbrain; NOTHING beside them."""
    lean = whole.head_lean * z / (1 + (z / 22) ** 2)
    low, high = step(z / 16), step((z - 44) / 10)
    ry, rx = mix(mix(whole.cord_y, 7.5, low), 9.5, high), mix(mix(whole.cord_x, 9.5, low), 16, high)
    centre = lean * (1 - low) - 9 * step((z - 18) / 40)
    e = (x / rx) ** 2 + ((y - centre) / ry) ** 2
    if e < 1 and z < 66:
        if z < 12:
            horn = (abs(x / rx) - 0.33) ** 2 / 0.03 + ((y - centre) / ry) ** 2 / 0.3
            return CORD_GREY if horn < 1 else CORD_WHITE
        return BRAIN_WHITE
    if (x / 17) ** 2 + ((y - centre + 8) / 12) ** 2 + ((z - 33) / 14) ** 2 < 1:
        return BRAIN_WHITE
    return NOTHING


@compiled
def fossa_tissue(noise: Any, x: float, y: float, z: float, depth: float) -> int:
    """Below the tentorium, around the brainstem: cerebellum with folia, fourth ventricle, cisterns."""
    ax = abs(x)
    if ax < 9 - 0.25 * abs(z - 29) and 0 < y < 10 - 0.4 * abs(z - 30) and 14 < z < 48:
        return CSF
    e = max(1 - depth / 24, 0.0)
    if depth < 1.6 or y < -2 + 0.1 * ax or (y < 20 and z < 11 + 0.15 * ax and ax < 22):
        return CSF
    wobble = noise_at(noise, x / 7, y / 4, z / 4)
    if e < 0.42 + 0.1 * wobble + (0.06 if ax > 8 else 0.0):
        return BRAIN_WHITE
    dy, dz = y - 6, z - 30
    leaf = np.sin(9.0 * np.arctan2(dz, dy) + 0.9 * wobble + 0.05 * ax)
    fine = np.sin(2.1 * np.sqrt(dy * dy + dz * dz) + 1.2 * wobble)
    if e > 0.55 and fine > 0.86:
        return CSF
    if abs(leaf) < 0.22 and e < 0.9:
        return BRAIN_WHITE
    return BRAIN_GREY


@compiled
def deep_tissue(whole: Any, ax: float, y: float, z: float) -> int:
    """Callosum, ventricles, thalamus and the deep grey of the cerebrum; NOTHING elsewhere."""
    v = whole.ventricle
    if ax > 36 or y < -85 or y > 28:
        return NOTHING
    yy, zz = y + 40, z - 66
    ring = np.sqrt((yy / 38) ** 2 + (zz / 28) ** 2)
    if ring > 1.35:
        return NOTHING
    if ax < 14 and zz > -5 and abs(ring - 1) < 0.1 + 0.07 * step((abs(yy) - 22) / 14):
        return BRAIN_WHITE
    if ring < 0.92:
        if ((ax - 9.5) / 9.5) ** 2 + (yy / 16) ** 2 + ((zz + 1) / 12) ** 2 < 1:
            return CSF if ax < 1.0 + v else BRAIN_GREY
        if ax < 1.0 and zz > 5:
            return BRAIN_WHITE
        if zz < -9 and ax < 12:
            return CSF if ax < 3 or (yy > -26 and zz < -13) else BRAIN_GREY
    if ((ax - 9) / (7 * v)) ** 2 + ((yy + 3) / 36) ** 2 + ((zz - 15 + 0.006 * yy * yy) / (8 * v)) ** 2 < 1:
        return CSF
    if ((ax - 21) / (6 * v)) ** 2 + ((yy - 36) / 17) ** 2 + ((zz + 1) / (9 * v)) ** 2 < 1:
        return CSF
    if ((ax - 24) / 6) ** 2 + ((yy + 9) / 21) ** 2 + ((zz + 1) / 13) ** 2 < 1:
        return BRAIN_GREY
    return NOTHING


@compiled
def brain_tissue(whole: Any, noise: Any, x: float, y: float, z: float, depth: float) -> int:
    """Inside the cranial cavity, `depth` mm from its wall."""
    ax = abs(x)
    if z < 66 and ax < 18 and y > -32:
        label = stem_tissue(whole, x, y, z)
        if label != NOTHING:
            return label
    tent = z - 51 + 0.5 * (y + 8)
    if y > -20 and tent < 0.7 and depth > 0:
        if tent > -0.7 and ax > 8 + 0.2 * abs(y):
            return LIGAMENT
        return fossa_tissue(noise, x, y, z, depth)
    if ax < 17 and -42 < y < -8 and z < 52:
        return CSF
    label = deep_tissue(whole, ax, y, z)
    if label != NOTHING:
        return label
    fold = noise_at(noise, x / 3.1, y / 3.1, z / 3.1 + 9)
    if ax < 12:
        depth = min(depth, ax + 1.5)
        if ax < 0.5:
            return LIGAMENT if z > 80 and abs(fold) > 0.5 else CSF if abs(fold) < 0.3 else BRAIN_GREY
    atrophy = whole.ventricle - 0.6
    if depth < 1.2 + 1.2 * atrophy:
        return CSF
    if 34 < ax < 58 and abs(z - 58 + 0.25 * (y + 40)) < 1.0 + 0.6 * fold and -75 < y < 0:
        return CSF
    reach = 1 - step((depth - 12) / 16)
    sulcus = (0.14 + 0.14 * atrophy) * reach
    if abs(fold) < sulcus:
        return CSF
    return BRAIN_GREY if abs(fold) < sulcus + 0.7 * reach or depth < 3.4 + 0.5 * atrophy else BRAIN_WHITE


@compiled
def jaw_tissue(noise: Any, x: float, y: float, z: float) -> int:
    """Teeth, mandible, chewing muscles, tongue, parotid: below the palate; NOTHING elsewhere."""
    ax = abs(x)
    if y < -78:
        across, along = ax, y + 78
        arch = np.sqrt((across / 25) ** 2 + (along / 32) ** 2) * 27
        jaw = np.sqrt((across / 33) ** 2 + (along / 38) ** 2) * 35
    else:
        arch = ax * 27 / (25 + 0.12 * (y + 78))
        jaw = ax * 35 / (33 + 0.3 * (y + 78))
    low = -54 + 0.25 * (y + 114)
    if abs(jaw - 35) < 5.5 and low < z < -20 and y < -42:
        rim = min(5.5 - abs(jaw - 35), z - low)
        return CORTEX if rim < 1.6 else MARROW
    if abs(arch - 27) < 4.8 and -22 < z < -1 and y < -62:
        gap = np.sin(0.75 * (y + 0.6 * ax))
        return LIGAMENT if gap > 0.93 else MARROW if abs(arch - 27) < 1.0 and z < -9 else CORTEX
    if -64 < y < -34 and -42 < z < 14:
        centre = 47 - 0.05 * (z + 10)
        away = abs(ax - centre)
        if away < 4.2 and abs(y + 49) < 14 - 0.25 * abs(z + 14):
            return CORTEX if away > 2.2 else MARROW
        if centre < ax < centre + 16 or 24 < ax < centre:
            plane = noise_at(noise, x / 6, y / 8, z / 14)
            return FAT if abs(plane) < 0.1 else MUSCLE
    if 36 < ax < 64 and -36 < y < -4 and -34 < z < 12:
        vein = (ax - 45) ** 2 + (y + 20) ** 2
        if vein < 9:
            return FLOW_VOID
        return FAT if noise_at(noise, x / 3, y / 3, z / 4) > 0.3 else GLAND
    tongue = np.sqrt((x / 23) ** 2 + ((y + 77) / 30) ** 2 + ((z + 22) / 19) ** 2)
    if tongue < 1:
        stripe = noise_at(noise, x / 1.6, y / 5, z / 2.2)
        return FAT if stripe > 1.1 or (ax < 0.5 and z < -20) else MUSCLE
    if tongue < 1.08 and z > -22:
        return AIR
    if jaw < 30 and z > -52 and y < -50:
        return FAT if abs(noise_at(noise, x / 5, y / 5, z / 4)) < 0.16 else MUSCLE
    return NOTHING


@compiled
def sinus_tissue(noise: Any, x: float, y: float, z: float) -> int:
    """Between the palate and the floor of the cavity: clivus, nose, sinuses, orbits; NOTHING elsewhere."""
    ax = abs(x)
    clivus = (-46 * (y + 9) - 31 * z) / 55.5
    if ax < 15 - 0.1 * z and -1 < clivus < 11 and -3 < z < 47 and y > -56:
        return CORTEX if clivus > 9.5 or clivus < 0.6 else MARROW
    if ax < 14 and -66 < y < -46 and 26 < z < 45:
        return AIR
    if (x / 13) ** 2 + ((y + 42) / 8) ** 2 < 1 and -10 < z < 20:
        return AIR
    if abs(z - 0.5) < 2.2 and -112 < y < -62 and ax < 24:
        return CORTEX
    if ax < 8 and abs(z + 0.45 * (y + 62) + 1) < 4.2 and -64 < y < -44:
        return MUSCLE
    eye = (ax - 32) ** 2 + (y + 97) ** 2 + (z - 37) ** 2
    if eye < 144:
        return FLUID if eye < 120 else LIGAMENT
    orbit = ((ax - 28) / 17) ** 2 + ((y + 84) / 27) ** 2 + ((z - 37) / 16) ** 2
    if orbit < 1:
        nerve = (ax - 30 - 0.35 * (y + 90)) ** 2 + (z - 37) ** 2
        return BRAIN_WHITE if nerve < 5 and y > -88 else MUSCLE if 0.55 < orbit < 0.72 else FAT
    maxilla = ((ax - 29) / 14) ** 2 + ((y + 84) / 19) ** 2 + ((z - 12) / 15) ** 2
    if maxilla < 1:
        return AIR if maxilla < 0.85 else CORTEX
    if ax < 16 and -122 < y < -52 and 3 < z < 40:
        if ax < 1.1:
            return GLAND
        return AIR if noise_at(noise, x / 1.8, y / 9, z / 2.6) > 0.1 else GLAND
    if z > 34 and -112 < y < -104 and ax < 26:
        return AIR
    if ax > 17 and -44 < y < 14 and z > -4:
        cell = noise_at(noise, x / 2.5, y / 2.5, z / 2.5)
        return AIR if cell > 1.0 and y > -24 else CORTEX if abs(cell) < 0.5 else MARROW
    return NOTHING


@compiled
def face_gap(x: float, y: float, z: float) -> float:
    """How far inside the skin of the face a point lies, mm; negative outside of it."""
    ax = abs(x)
    half = 70 - 16 * step((-z - 5) / 55)
    front = 64 - 5 * window_of((z - 42) / 9) + 3 * window_of((z + 8) / 8) + 3 * window_of((z + 44) / 9)
    if ax < 17 and -2 < z < 44:
        front += 22 * step((z + 2) / 12) * (1 - step((z - 8) / 36)) * (1 - step((ax - 2) / 14))
    if z < -40:
        front *= 1 - 0.0016 * (z + 40) ** 2 / 2
        half *= 1 - 0.0012 * (z + 40) ** 2 / 2
    reach = front if y < -57 else 70.0
    e = np.sqrt((x / half) ** 2 + ((y + 57) / reach) ** 2)
    return min((1 - e) * 62, z + CHIN_MM - 2 - 0.05 * max(0.0, y + 110))


@compiled
def window_of(x: float) -> float:
    """1 at 0, falling to nothing at 1."""
    r = 1 - x * x
    return r * r if r > 0 else 0.0


@compiled
def face_tissue(body: Body, x: float, y: float, z: float, gap: float) -> int:
    """Below the vault, before the neck: `gap` mm inside the skin."""
    noise = body.noise
    if gap < 1.7:
        return SKIN
    if -64 < y < -40 and z < -2 and abs(x) < 13:
        tube = ((y + 44 - 0.1 * z) / 5) ** 2 + (x / 11) ** 2
        if tube < 1:
            return AIR
    x *= 1 + 0.06 * noise_at(noise, x / 11, y / 11 + 3, z / 11)
    y += 2.5 * noise_at(noise, x / 11, y / 11 + 29, z / 11)
    z += 2.0 * noise_at(noise, x / 11, y / 11 + 47, z / 11)
    if y > -34 and z > -2 and abs(x) < 20:
        return FAT if abs(x) < 0.8 else MUSCLE
    label = sinus_tissue(noise, x, y, z) if z > -12 else NOTHING
    if label == NOTHING and z < 15:
        label = jaw_tissue(noise, x, y, z)
    if label != NOTHING:
        return label
    plane = noise_at(noise, x / 5, y / 7, z / 7)
    if gap < 9:
        return MUSCLE if plane > 0.75 else FAT
    return FAT if plane > -0.2 else MUSCLE


@compiled
def head_tissue(body: Body, px: float, py: float, pz: float) -> int:
    """The tissue of a point of the head, patient mm; NOTHING where neck or air begins."""
    whole = body.whole[0]
    x, y, z = place_in_head(whole, px, py, pz)
    if z < -CHIN_MM or abs(x) > 86 or y < -150 or y > 70:
        return NOTHING
    inner, outer = skull_gaps(x, y, z)
    if inner < 0:
        if inner > -0.8:
            return LIGAMENT
        return brain_tissue(whole, body.noise, x, y, z, -inner)
    if z < 14 and (x / 15) ** 2 + ((y - 2) / 15) ** 2 < 1 and y > -12 + 0.4 * z:
        if z < -6:
            return NOTHING
        label = stem_tissue(whole, x, y, z)
        return label if label != NOTHING else CSF
    if inner < 6.5 and (outer < 6.5 and (z > 42 or y > -8)) and (z > -2 or y > 14):
        if inner < 1.8 or inner > 5.0:
            return CORTEX
        return MARROW if noise_at(body.noise, x / 6, y / 6, z / 6) > -0.9 else CORTEX
    scalp = 12.5 + whole.scalp
    low = 34 - 0.1 * y if y > -8 else 40.0
    if outer < scalp and z > low:
        if outer > scalp - 1.8:
            return SKIN
        temporal = abs(x) > 48 and -85 < y < -10 and z < 88
        if temporal and outer < scalp - 3:
            return MUSCLE
        return FAT if abs(noise_at(body.noise, x / 5, y / 5, z / 3)) > 0.1 else LIGAMENT
    if z > 60 or y > 6:
        return NOTHING
    gap = face_gap(x, y, z)
    if gap < 0 or (y > -32 and z < -30) or (y > -36 and z < -2 and abs(x) < 34):
        return NOTHING
    return face_tissue(body, x, y, z, gap)
