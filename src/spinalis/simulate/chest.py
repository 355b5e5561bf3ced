"""The chest: heart, great vessels, windpipe, lungs with their vessels, ribs, sternum.

Source:
    Places and sizes are textbook proportions drawn from memory; looks were fitted beside real slices.
"""

# mypy: disable-error-code="no-any-return"
# ruff: noqa: C901, PLR0911, PLR0912  (as in `kernel`)

import numpy as np

from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import Body, noise_at, step
from spinalis.simulate.kernel import (
    AIR,
    BOWEL,
    CORTEX,
    FAT,
    FLOW_VOID,
    LUNG,
    MARROW,
    MUSCLE,
    NOTHING,
    SLOW_BLOOD,
)
from spinalis.simulate.neck import streaky


@compiled
def rib_tissue(body: Body, x: float, y: float, z: float, wall: float, spine_y: float) -> int:
    """The wall of the chest, `wall` mm within the fat: muscle, ribs sloping down to the front, pleura."""
    phase = (z - 0.45 * (spine_y - y)) / 27.0 + 0.1 * noise_at(body.noise, x / 30, y / 30, z / 30)
    along = abs(phase - np.floor(phase) - 0.5) * 27.0
    depth = abs(wall - 10)
    r = (along / 6.5) ** 2 + (depth / 4.0) ** 2
    if r < 1:
        return CORTEX if r > 0.55 else MARROW
    if depth < 5 and along > 10 and abs(depth - 3) < 0.6:
        return FAT
    return streaky(body, x, y, z, -0.3)


@compiled
def heart_tissue(body: Body, x: float, front: float, z: float) -> int:
    """Heart and great vessels, `front` mm before the spine; NOTHING beside them."""
    whole, noise = body.whole[0], body.noise
    side = whole.heart_side * x
    up = z - whole.z_heart
    hx, hf = side - 24, front - 62
    lump = 0.06 * noise_at(noise, x / 12, front / 12, z / 12)
    sac = (hx / 58) ** 2 + (hf / 45) ** 2 + ((up + 0.35 * hx) / 52) ** 2 + lump
    if sac < 1:
        left = ((side - 46 + 0.2 * hf) / 27) ** 2 + ((front - 56) / 27) ** 2 + ((up + 12) / 38) ** 2
        if left < 1:
            return FLOW_VOID if left < 0.5 else MUSCLE
        right = ((side - 14) / 30) ** 2 + ((front - 82) / 19) ** 2 + ((up + 8) / 40) ** 2
        if right < 1:
            return SLOW_BLOOD if noise_at(noise, x / 7, front / 7, z / 7) > 0.9 else FLOW_VOID
        atria = ((side - 14) / 34) ** 2 + ((front - 30) / 13) ** 2 + ((up - 12) / 26) ** 2
        if atria < 1 or ((side + 18) / 20) ** 2 + ((front - 58) / 22) ** 2 + ((up - 6) / 36) ** 2 < 1:
            return FLOW_VOID
        return FAT if sac > 0.86 or abs(side - 22) < 3 else MUSCLE
    if sac < 1.06:
        return MUSCLE
    if up > 20:
        arch = np.sqrt((front - 38) ** 2 + (up - 62) ** 2)
        if up > 62 and abs(side - 8) < 13 * whole.vessel and abs(arch - 34) < 12 * whole.vessel:
            return FLOW_VOID
        if up <= 66 and (side + 2) ** 2 + (front - 68) ** 2 < 190 * whole.vessel:
            return FLOW_VOID
        if up < 52 and ((side - 16) / 26) ** 2 + ((front - 46) / 11) ** 2 + ((up - 34) / 14) ** 2 < 1:
            return FLOW_VOID
        if (side + 26) ** 2 + (front - 58) ** 2 < 100 * whole.vessel:
            return SLOW_BLOOD if whole.slow_veins > 0.5 else FLOW_VOID
    return NOTHING


@compiled
def chest_tissue(body: Body, x: float, y: float, z: float, front: float, wall: float) -> int:
    """Within the ribs; `front` mm before the bodies' front wall."""
    whole, noise = body.whole[0], body.noise
    side = whole.heart_side * x
    up = z - whole.z_heart
    if abs(x) < 40 and front < 32:
        aorta = (side - 19) ** 2 + (front + 2) ** 2
        if up < 64 and aorta < 135 * whole.vessel:
            return FLOW_VOID
        gullet = ((side - 4) / 7) ** 2 + ((front - 8) / 4.5) ** 2
        if gullet < 1:
            return BOWEL if gullet < 0.3 else MUSCLE
        if up > 46:
            tube = np.sqrt(x * x + (front - 19) ** 2)
            if tube < 10:
                return AIR if tube < 8 else CORTEX
        elif up > 26:
            limb = abs(abs(x) - 0.9 * (50 - up))
            if limb * limb + (front - 19) ** 2 < 40:
                return AIR
        if (side - 2) ** 2 + (front - 1) ** 2 < 5:
            return SLOW_BLOOD
    if front > 12:
        label = heart_tissue(body, x, front, z)
        if label != NOTHING:
            return label
    soft = noise_at(noise, x / 9, y / 9, z / 14)
    if abs(x) < 15 and wall < 12 and front > 40:
        return CORTEX if abs(wall - 7) > 3.6 else MARROW
    waist = 17 + 5 * soft + 10 * step((front - 12) / 30) - 0.10 * max(0.0, up - 90)
    if abs(x) < waist:
        return SLOW_BLOOD if soft > 1.6 else FAT if soft > -1.0 else MUSCLE
    if wall < 16:
        return MUSCLE
    centre = np.sqrt((abs(x) - 30) ** 2 + (front - 25) ** 2)
    vessel = noise_at(noise, x / 3.0, y / 3.0, z / 3.0)
    if abs(vessel) < 0.05 * (1 - step((centre - 10) / 50)) + 0.012 and soft > -0.6:
        return SLOW_BLOOD
    return LUNG


@compiled
def dome_at(body: Body, x: float, front: float) -> float:
    """Height of the diaphragm, patient z mm: two domes, the liver's the higher, low at the back."""
    whole = body.whole[0]
    ax = abs(x)
    peak = 12.0 * (whole.heart_side * x < 0) * step(ax / 40)
    back = step((10 - front) / 70)
    rim = step((ax - 70) / 70)
    return whole.z_heart - 48 + peak + 8 * noise_at(body.noise, x / 25, front / 25, 3.0) - 75 * back - 70 * rim * rim
