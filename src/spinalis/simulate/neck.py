"""The neck around the cervical spine: airway, gullet, thyroid, vessels, and the muscles in their layers.

Source:
    Places and sizes (carotid 25 mm and jugular 31 mm from the midline, trachea 17 mm wide, layers of the back of the
    neck) were fitted beside real axial slices of the neck.
"""

# mypy: disable-error-code="no-any-return"
# ruff: noqa: C901, PLR0911, PLR0913, PLR0917  (as in `kernel`)

import numpy as np

from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import Body, noise_at, step
from spinalis.simulate.head import GLAND
from spinalis.simulate.kernel import (
    AIR,
    CORTEX,
    FAT,
    FLOW_VOID,
    LIGAMENT,
    MARROW,
    MUSCLE,
    NOTHING,
    PEDICLE,
    SLOW_BLOOD,
)

WIDEST = 2.2
"""What the coarse noise of the streaks hardly ever exceeds, so that most of muscle needs only the fine one."""


@compiled
def streaky(body: Body, x: float, y: float, z: float, more: float) -> int:
    """Muscle with fat in streaks along z; `more` shifts how much fat."""
    need = (1.9 - 1.3 * body.whole[0].infiltration - more) / 0.7
    fine = noise_at(body.noise, x / 1.3, y / 1.1, z / 12)
    if fine < need - WIDEST:
        return MUSCLE
    return FAT if fine + noise_at(body.noise, x / 6, y / 6 + 11, z / 28) > need else MUSCLE


@compiled
def airway_tissue(body: Body, x: float, front: float, level: float) -> int:
    """Pharynx, larynx, trachea, gullet, thyroid, before the bodies' front wall; NOTHING beside them."""
    ax = abs(x)
    if level < 4.3:
        tube = (ax / 11) ** 2 + ((front - 10) / 4.5) ** 2
        if tube < 1:
            return AIR
        return MUSCLE if tube < 2.2 else NOTHING
    if level < 6.0:
        slit = (ax / (3 + 3 * abs(level - 5.2))) ** 2 + ((front - 24) / 9) ** 2
        if slit < 1:
            return AIR
        shield = ax - 0.72 * (43 - front)
        if abs(shield) < 1.9 and 10 < front < 43:
            return CORTEX if abs(shield) > 0.9 else MARROW
        if shield < 0 and 4 < front < 43:
            if (ax / 12) ** 2 + ((front - 9) / 3.5) ** 2 < 1:
                return GLAND
            return FAT if slit > 2.6 and front > 14 and ax > 5 else MUSCLE
        return NOTHING
    middle = 19.0 + 1.5 * (level - 6)
    tube = np.sqrt(x * x + (front - middle) ** 2) / 8.5
    if tube < 1:
        return AIR
    if tube < 1.25:
        return CORTEX
    side = x * body.whole[0].heart_side
    if ((side - 3) / 6.5) ** 2 + ((front - 5.5) / 4.5) ** 2 < 1:
        return GLAND if abs(front - 5.5) < 1.2 and abs(side - 3) < 3 else MUSCLE
    if level < 7.9:
        lobe = ((ax - 16) / 7.5) ** 2 + ((front - middle + 1) / 11) ** 2 + ((level - 6.6) / 1.3) ** 2
        if lobe < 1 or (abs(level - 6.8) < 0.35 and ax < 14 and tube < 1.75 and front > middle):
            return GLAND
    return NOTHING


@compiled
def sheath_tissue(body: Body, x: float, front: float, level: float) -> int:
    """Carotid and jugular with their fat, vertebral arteries beside the bodies; NOTHING elsewhere."""
    whole = body.whole[0]
    ax = abs(x)
    low = step((level - 6) / 2)
    size = whole.vessel * (1.0 if x * whole.heart_side > 0 else 1.12)
    cx, cf = 25 - 9 * low, 8.0 + 4 * low
    if level < 3.9:
        near = min((ax - cx) ** 2 + (front - cf + 3) ** 2, (ax - cx + 3) ** 2 + (front - cf - 5) ** 2)
        r = 2.7 * size
    else:
        near, r = (ax - cx) ** 2 + (front - cf) ** 2, 3.6 * size
    if near < r * r:
        return FLOW_VOID
    if near < (r + 1.0) ** 2:
        return LIGAMENT
    j = ((ax - cx - 7) / (6.2 * size)) ** 2 + ((front - cf + 4) / (4.2 * size)) ** 2
    if j < 1:
        return SLOW_BLOOD if whole.slow_veins > 0.5 else FLOW_VOID
    if near < 90 or j < 2.2:
        node = noise_at(body.noise, x / 2, front / 2, level * 4)
        return MUSCLE if node > 1.0 else FAT
    if level < 7 and level > 0.5:
        va = (ax - 18.5) ** 2 + (front + 10.5) ** 2
        if va < 4.8:
            return FLOW_VOID
        if va < 8:
            return FAT
        ring = level - np.floor(level)
        if va < 26 and 0.15 < ring < 0.62:
            return CORTEX if va > 17 else PEDICLE
    return NOTHING


@compiled
def nape_tissue(body: Body, x: float, y: float, z: float, behind: float, wall: float) -> int:
    """Behind the arches: trapezius, splenius, semispinalis, multifidus as shells with fat between them."""
    noise = body.noise
    ax = abs(x)
    lump = noise_at(noise, x / 9, y / 9, z / 22)
    if ax < 0.9 + 0.5 * lump:
        return FAT if lump > -0.6 else LIGAMENT
    radius = np.sqrt(ax * ax + (behind - 6 + 0.12 * ax) ** 2) + 2.2 * lump
    fat = body.whole[0].infiltration
    thin = 0.55 + 0.9 * fat
    if ax < 46:
        if abs(radius - 17) < thin * (0.7 + 0.5 * lump) or abs(radius - 27) < thin * (0.9 + 0.4 * lump):
            return FAT
        if abs(radius - 38) < 1.1 * thin and ax > 7:
            return FAT
        split = noise_at(noise, x / 4.5, y / 4.5 + 13, z / 30)
        if abs(split) < 0.05 + 0.09 * fat and radius > 14:
            return FAT
    if abs(wall - 5.5 - lump) < 0.6 + 0.5 * fat:
        return FAT
    return streaky(body, x, y, z, -0.6 + 0.6 * step((20 - radius) / 12))


@compiled
def neck_tissue(body: Body, x: float, y: float, z: float, front: float, level: float, wall: float) -> int:
    """Beside and before the cervical bodies: `front` mm before their front wall, `wall` mm within the fat."""
    noise = body.noise
    ax = abs(x)
    if front > 3 and ax < 26:
        label = airway_tissue(body, x, front, level)
        if label != NOTHING:
            return label
    if ax < 15 and -5 < front < 5.5 - 0.2 * ax:
        return FAT if ax < 0.8 else MUSCLE
    if 9 < ax < 46:
        label = sheath_tissue(body, x, front, level)
        if label != NOTHING:
            return label
    lump = noise_at(noise, x / 8, y / 8, z / 18)
    strap = -12 + 6.5 * level
    if wall < 13 + 2 * lump and abs(front - strap) < 17 + 3 * lump and ax > 8:
        return FAT if wall > 11.5 + 2 * lump or wall < 0.9 else streaky(body, x, y, z, -0.7)
    gap = front - strap + 28 + 4 * lump
    if abs(gap) < 17 and wall < 14 + 3 * lump - 0.04 * gap * gap and ax > 24 and level < 8.5:
        return MUSCLE if noise_at(noise, x / 3, y / 3 + 5, z / 4) > 1.1 else FAT
    if front > 20:
        if ax < 14 and wall < 12:
            return FAT if abs(wall - 6) < 0.7 or ax < 1.0 else MUSCLE
        return FAT if lump > -0.5 else MUSCLE
    plane = noise_at(noise, x / 6, y / 6 + 5, z / 24)
    if abs(plane) < 0.12 + 0.1 * body.whole[0].infiltration:
        return FAT
    return streaky(body, x, y, z, -0.6)
