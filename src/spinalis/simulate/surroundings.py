"""What lies around the spine: skin, fat, muscles, vessels; and the organs of neck, chest, belly, pelvis, crudely."""

# ruff: noqa: C901, PLR0911, PLR0912  (as in `kernel`)

import numpy as np

from spinalis.simulate.anatomy import CONTOUR_STEP_MM
from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import Body, noise_at, step
from spinalis.simulate.kernel import (
    AIR,
    BOWEL,
    BRAIN_GREY,
    BRAIN_WHITE,
    CORTEX,
    CSF,
    FAT,
    FLOW_VOID,
    FLUID,
    KIDNEY,
    LIGAMENT,
    LIVER,
    LUNG,
    MARROW,
    MUSCLE,
    PEDICLE,
    SKIN,
    SLOW_BLOOD,
)


@compiled
def muscle_or_streak(body: Body, x: float, y: float, z: float, more: float) -> int:
    """Muscle with fat in streaks along z; `more` shifts how much fat."""
    fat = body.whole[0].infiltration
    n = 0.7 * noise_at(body.noise, x / 1.3, y / 1.1, z / 12) + 0.7 * noise_at(body.noise, x / 6 + 11, y / 6, z / 28)
    return FAT if n + more > 1.8 - 1.5 * fat else MUSCLE


@compiled
def back_tissue(body: Body, x: float, y: float, z: float, behind: float, level: float) -> int:
    """Behind the transverse processes: multifidus and erector spinae, or the glutei below."""
    ax = abs(x)
    if level > 24.5:
        if ax > 22 + 6 * (level - 24):
            plane = noise_at(body.noise, x / 16, y / 30, z / 30)
            return FAT if abs(plane) < 0.1 else muscle_or_streak(body, x, y, z, -0.5)
        return muscle_or_streak(body, x, y, z, 0.7)
    n = noise_at(body.noise, x / 14, y / 14, z / 30)
    if ax < 0.6 + 0.5 * n:
        return FAT
    if abs(ax - 24 - 5 * n) < 0.1 + 0.8 * noise_at(body.noise, x / 9 + 5, y / 9, z / 30) and behind > 8:
        return FAT
    low = step((level - 21.5) / 3.0)
    return muscle_or_streak(body, x, y, z, 0.5 * low * step((26 - ax) / 20) - 0.1)


@compiled
def vessel_tissue(body: Body, x: float, front: float, z: float) -> int:
    """Aorta, vena cava, iliac vessels before the lumbar spine; `front` is mm before the bodies' front wall."""
    whole = body.whole[0]
    size = whole.vessel
    side = whole.heart_side * x
    if z > whole.z_l4:
        r = 8.5 * size
        if (side - 11) ** 2 + (front - r - 3) ** 2 < r * r:
            return FLOW_VOID
        if ((side + 14) / 1.25) ** 2 + ((front - r - 1) / 0.85) ** 2 < r * r:
            return SLOW_BLOOD if noise_at(body.noise, x / 4, front / 4, z / 12) > 0.9 else FLOW_VOID
        return -1
    spread = (whole.z_l4 - z) * 0.55
    r = 5.2 * size
    away = abs(side) - 7 - spread
    if away**2 + (front - 9) ** 2 < r * r:
        return FLOW_VOID
    if (away + 3) ** 2 + (front - 1) ** 2 < r * r * 1.3 and spread < 60:
        return FLOW_VOID
    return -1


@compiled
def belly_tissue(body: Body, x: float, y: float, z: float, front: float, level: float) -> int:
    """Organs before the spine; `front` is mm before the front wall of the bodies."""
    whole, noise = body.whole[0], body.noise
    ax = abs(x)
    side = whole.heart_side * x
    if level < 24 and ax < 30 and front > -8:
        label = vessel_tissue(body, x, front, z)
        if label >= 0:
            return label
    grow = step((level - 19.2) / 4.5)
    if 19 < level < 25.5:
        px, pf = 27 + 16 * grow, -16 + 24 * grow * grow
        r = (7 + 12 * grow) * whole.psoas * (1 + 0.13 * noise_at(noise, x / 11, y / 11, z / 20))
        if ((ax - px) / r) ** 2 + ((front - pf) / (1.2 * r)) ** 2 < 1:
            return muscle_or_streak(body, x, y, z, -0.9)
    kz = z - whole.z_l1 + 8 * (side < 0)
    k = ((ax - 62) / 27) ** 2 + ((front + 12) / 25) ** 2 + (kz / 54) ** 2
    if k < 1:
        return FAT if k < 0.18 else KIDNEY
    lz = z - whole.z_l1 - 55
    if side < -20 and ((side + 85) / 78) ** 2 + ((front - 55) / 85) ** 2 + (lz / (85 * whole.liver)) ** 2 < 1:
        return FLOW_VOID if noise_at(noise, x / 6, y / 6, z / 6) > 2.2 else LIVER
    if side > 40 and ((side - 100) / 38) ** 2 + ((front + 5) / 45) ** 2 + (lz / 55) ** 2 < 1:
        return KIDNEY
    if z < whole.z_s1 - 30 and (x / 42) ** 2 + ((front - 85) / 34) ** 2 + ((z - whole.z_s1 + 85) / 36) ** 2 < (
        whole.bladder
    ):
        return FLUID
    if front < 7:
        return FAT
    n = noise_at(noise, x / 9, y / 9 + 7, z / 8) + 0.5 * noise_at(noise, x / 3.5, y / 3.5 + 7, z / 5)
    far = step((front - 10) / 40)
    rim = n - (0.35 - whole.bowel) * far - 1.2 * (1 - far)
    if rim > 0:
        if rim > 0.28:
            m = noise_at(noise, x / 14 + 23, y / 14, z / 14)
            if m > whole.gas:
                return AIR
            if m < -whole.gas - 0.4:
                return FLUID
        return BOWEL
    strand = noise_at(noise, x / 3 + 3, y / 3, z / 9)
    if abs(strand) < 0.06:
        return FLOW_VOID
    if strand > 1.3:
        return BOWEL
    return FAT


@compiled
def chest_tissue(body: Body, x: float, y: float, z: float, front: float, level: float) -> int:
    """Lungs, heart, aorta, ribs."""
    whole, noise = body.whole[0], body.noise
    side = whole.heart_side * x
    if (side - 14) ** 2 + (front + 1) ** 2 < 110 * whole.vessel and level > 10.5:
        return FLOW_VOID
    if (side - 2) ** 2 + (front - 9) ** 2 < 30 and level > 8:
        return MUSCLE
    if level < 11 and x * x + (front - 22) ** 2 < 70:
        return AIR
    hz = (level - 14) / 3.3
    h = ((side - 22) / 55) ** 2 + ((front - 70) / 48) ** 2 + hz * hz
    if h < 1:
        return MUSCLE if h > 0.55 or noise_at(noise, x / 14, y / 14, z / 14) > 0.7 else FLOW_VOID
    if abs(x) < 18 and front < 55:
        return SLOW_BLOOD if noise_at(noise, x / 8, y / 8, z / 14) > 0.8 else FAT
    soft = noise_at(noise, x / 9, y / 9, z / 14)
    if abs(x) > 19 + 0.25 * max(0.0, 25 - front) + 5 * soft or front > 55:
        return LUNG
    return FAT if soft > -0.5 else MUSCLE


@compiled
def neck_tissue(body: Body, x: float, y: float, z: float, front: float, level: float) -> int:
    """Airway, longus colli, carotids, jaw and tongue; skull base and brain above C1."""
    noise = body.noise
    ax = abs(x)
    up = body.frames[0, 0, 2] - z
    if level < 0.4:
        dz, dy = -up - 62, y - body.frames[0, 0, 1] - 8
        r = (x / 68) ** 2 + (dy / 84) ** 2 + (dz / 62) ** 2
        if r < 1:
            if (x / 13) ** 2 + ((dy + 8) / 12) ** 2 < 1 and dz < -18:
                return BRAIN_WHITE
            if r > 0.9:
                return CSF
            folds = noise_at(noise, x / 5, y / 5, z / 5)
            if folds > 1.1:
                return CSF
            return BRAIN_GREY if folds > 0.0 or r > 0.8 else BRAIN_WHITE
        if r < 1.18:
            return CORTEX if r < 1.05 or r > 1.13 else MARROW
    if ax < 9 and front < 6:
        return MUSCLE
    tube = (ax / (8 + 3 * (level < 3))) ** 2 + ((front - 14 - 3 * (level > 4)) / (6 + 2 * (level > 4))) ** 2
    if tube < 1:
        return AIR
    if tube < 2.4 and level > 3:
        return CORTEX if tube < 1.4 else MUSCLE
    if (ax - 26) ** 2 + (front - 8) ** 2 < 16 or (ax - 31) ** 2 + (front - 3) ** 2 < 34:
        return FLOW_VOID
    if level < 3.2 and front > 20:
        jaw = abs(np.sqrt(ax * ax + (front - 20) ** 2) - 62)
        if jaw < 7 and level > 1.2:
            return CORTEX if jaw > 5 else MARROW
        return muscle_or_streak(body, x, z, y, 0.1) if level > 0.2 else BOWEL
    if ax > 16 and abs(noise_at(noise, x / 9, y / 9, z / 18)) < 0.28:
        return FAT
    if front > 30 and noise_at(noise, x / 7, y / 7, z / 12) > 0.2:
        return FAT
    return muscle_or_streak(body, x, y, z, -0.7)


@compiled
def body_tissue(body: Body, x: float, y: float, z: float) -> int:
    """The tissue of a point that is not part of the spine, from the outline of the body and simple organs."""
    contour = body.contour
    row = (z - body.contour_z) / CONTOUR_STEP_MM
    i = int(min(max(row, 0.0), contour.shape[0] - 2.0))
    f = min(max(row - i, 0.0), 1.0)
    a, b = contour[i], contour[i + 1]
    back, anterior, half = a[2] + (b[2] - a[2]) * f, a[3] + (b[3] - a[3]) * f, a[4] + (b[4] - a[4]) * f
    middle, reach = 0.5 * (back + anterior), 0.5 * (back - anterior)
    ry = (y - middle) / reach
    rx = x / half
    furrow = 0.045 * (1 - step(abs(x) / 26.0)) * step(ry - 0.3)
    r = abs(rx) ** 3 + abs(ry + furrow) ** 3
    if r > 1:
        return AIR
    depth = (1 - r) * reach * 0.34
    if depth < 1.8:
        return SKIN
    level = a[7] + (b[7] - a[7]) * f
    back_fat, front_fat = a[5] + (b[5] - a[5]) * f, a[6] + (b[6] - a[6]) * f
    inner_back, inner_front = back - back_fat, anterior + front_fat
    ry = (y - 0.5 * (inner_back + inner_front)) / (0.5 * (inner_back - inner_front))
    rx = x / (half - 0.8 * front_fat)
    r = abs(rx) ** 3 + abs(ry) ** 3
    if r > 1:
        septum = noise_at(body.noise, x / 9, y / 5, z / 16)
        return LIGAMENT if abs(septum) < 0.025 else FAT
    spine = a[1] + (b[1] - a[1]) * f
    xs = x - (a[0] + (b[0] - a[0]) * f)
    wall = (1 - r) * reach * 0.34
    plane = int(min(max(level, 0.0), 30.0))
    half_depth = body.planes[plane].half_depth
    front = spine - half_depth - y
    behind = y - spine - half_depth
    hill = noise_at(body.noise, x / 16 + 40, y / 16, z / 25)
    if level > 22.9:
        lateral = abs(xs) - 46 - 9 * (24.6 - level)
        if lateral > 0 and front > -60:
            wing = front + 24 - 0.75 * lateral + 3 * hill
            if abs(wing) < 6 and lateral < 90:
                return CORTEX if abs(wing) > 4.6 else PEDICLE
            if wing < 26:
                return muscle_or_streak(body, xs, y, z, -0.6)
    if behind > 5 + 0.1 * abs(xs) + 1.5 * hill:
        if 7.5 < level < 18 and abs(xs) > 40 + 4 * hill and wall > 13:
            rib = np.sin(0.28 * (z + 0.4 * y + 0.5 * abs(xs)))
            return LUNG if wall > 24 else MARROW if rib > 0.7 else MUSCLE
        if wall < 1.0 and level < 25:
            return LIGAMENT
        return back_tissue(body, xs, y, z, behind, level)
    if level < 7.4:
        return neck_tissue(body, xs, y, z, front, level)
    if wall < 10:
        return muscle_or_streak(body, xs, y, z, -0.2)
    if level < 17.2 + 1.5 * noise_at(body.noise, x / 20, y / 20, 0.0) - 0.008 * front:
        if wall < 16:
            rib = np.sin(0.28 * (z + 0.4 * y))
            return MARROW if rib > 0.75 else MUSCLE
        return chest_tissue(body, xs, y, z, front, level)
    square = ((abs(xs) - 56 - 3 * hill) / 22) ** 2 + ((behind - 1) / (13 + 2 * hill)) ** 2
    if square < 1 and 18.5 < level < 23.6:
        return muscle_or_streak(body, xs, y, z, -0.4)
    return belly_tissue(body, xs, y, z, front, level)
