"""Abdomen and pelvis: liver, kidneys, vessels, psoas, bowel; bladder, womb or prostate, rectum, hip bones, thighs.

Source:
    Places and sizes are textbook proportions drawn from memory; looks were fitted beside real midsagittal lumbar
    slices and one abdomen.
"""

# mypy: disable-error-code="no-any-return"
# ruff: noqa: C901, PLR0911, PLR0912  (as in `kernel`)

import numpy as np

from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import Body, noise_at, step
from spinalis.simulate.head import GLAND
from spinalis.simulate.kernel import (
    AIR,
    BOWEL,
    CARTILAGE,
    CORTEX,
    FAT,
    FLOW_VOID,
    FLUID,
    KIDNEY,
    LIGAMENT,
    LIVER,
    MARROW,
    MUSCLE,
    NOTHING,
    SLOW_BLOOD,
    near_capsule,
)
from spinalis.simulate.neck import streaky


@compiled
def trunk_tissue(body: Body, x: float, front: float, z: float) -> int:
    """Aorta, vena cava, iliac vessels before the lumbar spine; `front` is mm before the bodies' front wall."""
    whole = body.whole[0]
    size = whole.vessel
    side = whole.heart_side * x
    sway = 2.0 * noise_at(body.noise, 0.0, 5.0, z / 30)
    if z > whole.z_l4:
        r = 8.5 * size
        aorta = (side - 9 - sway) ** 2 + (front - r - 2.5) ** 2
        if aorta < (r + 1.2) ** 2:
            return FLOW_VOID if aorta < r * r else LIGAMENT
        if ((side + 14 - sway) / 1.25) ** 2 + ((front - r - 1) / 0.85) ** 2 < r * r:
            return SLOW_BLOOD if whole.slow_veins > 0.5 else FLOW_VOID
        branch = z - whole.z_l1
        if abs(branch + 4) < 4 and abs(side) < 45 and abs(front - 3 + 0.25 * abs(side)) < 3:
            return FLOW_VOID
        if abs(side - 4) < 4.5 and 16 * size < front < 22 * size + 1.5 and branch < 12:
            return FLOW_VOID
        return NOTHING
    spread = (whole.z_l4 - z) * 0.55
    r = 5.2 * size
    away = abs(side) - 7 - spread
    if away**2 + (front - 9) ** 2 < r * r:
        return FLOW_VOID
    if (away + 3) ** 2 + (front - 1) ** 2 < r * r * 1.3 and spread < 60:
        return SLOW_BLOOD if whole.slow_veins > 0.5 else FLOW_VOID
    return NOTHING


@compiled
def bowel_tissue(body: Body, x: float, y: float, z: float, front: float) -> int:
    """Loops with a wall, content and gas in mesenteric fat; none close to the spine."""
    whole, noise = body.whole[0], body.noise
    n = noise_at(noise, x / 8, y / 8 + 7, z / 7) + 0.35 * noise_at(noise, x / 3, y / 3 + 7, z / 3.5)
    far = step((front - 8) / 32)
    rim = n + 0.3 * far + 0.6 * whole.bowel - 1.6 * (1 - far)
    if rim > 0:
        if rim < 0.3:
            return BOWEL
        what = noise_at(noise, x / 13, y / 13 + 23, z / 13) + 0.006 * (front - 60)
        if what > whole.gas:
            return AIR
        if what < -whole.gas - 0.3:
            return FLUID
        speck = noise_at(noise, x / 1.5, y / 1.5 + 3, z / 1.5)
        return FAT if speck > 1.5 else GLAND if what > 0 else MUSCLE
    strand = noise_at(noise, x / 3, y / 3 + 3, z / 8)
    if abs(strand) < 0.05 + 0.05 * far:
        return SLOW_BLOOD if n > -0.6 else LIGAMENT
    return FAT


@compiled
def belly_tissue(body: Body, x: float, y: float, z: float, front: float, level: float) -> int:
    """Organs before the spine; `front` is mm before the front wall of the bodies."""
    whole, noise = body.whole[0], body.noise
    ax = abs(x)
    side = whole.heart_side * x
    if level < 24.4 and ax < 46 and -8 < front < 34:
        label = trunk_tissue(body, x, front, z)
        if label != NOTHING:
            return label
    if 15.8 < level < 21.2 and ax < 22 and -3 < front < 12 - 0.25 * ax:
        crus = abs(front - 6 + 0.3 * ax)
        if crus < 3.4 - 0.6 * (level - 16):
            return MUSCLE
    grow = step((level - 19.2) / 4.5)
    if 19 < level < 27.5:
        low = max(0.0, level - 24.3)
        px, pf = 27 + 16 * grow + 12 * low, -16 + 24 * grow * grow + 11 * low
        r = (7 + 12 * grow) * whole.psoas * (1 + 0.13 * noise_at(noise, x / 11, y / 11, z / 20))
        if ((ax - px) / r) ** 2 + ((front - pf) / (1.2 * r)) ** 2 < 1:
            return streaky(body, x, y, z, -0.9)
    if ax < 110 and front < 40:
        kz = z - whole.z_l1 + 8 * (side < 0)
        kx = ax - 60 - 0.12 * (-kz)
        k = (kx / 27) ** 2 + ((front + 12) / 24) ** 2 + (kz / 54) ** 2
        if k < 1:
            if ((kx + 9) / 15) ** 2 + ((front + 6) / 9) ** 2 + (kz / 26) ** 2 < 1:
                return FLUID if ((kx + 7) / 6) ** 2 + ((front + 8) / 4) ** 2 + (kz / 14) ** 2 < 1 else FAT
            return KIDNEY
    lz = z - whole.z_heart + 118
    if side < 62 and lz > -90:
        liver = ((side + 78) / 82) ** 2 + ((front - 52) / 86) ** 2 + (lz / (88 * whole.liver)) ** 2
        lobe = ((side + 5) / 62) ** 2 + ((front - 92) / 30) ** 2 + ((lz - 14) / 46) ** 2
        if (liver < 1 and side < -22 + 0.45 * (front - 30)) or lobe < 1:
            if ((side + 52) / 12) ** 2 + ((front - 96) / 16) ** 2 + ((lz + 40) / 24) ** 2 < 1:
                return FLUID
            vein = noise_at(noise, x / 6, y / 6, z / 6)
            return FLOW_VOID if abs(vein) < 0.05 and noise_at(noise, x / 12, y / 12 + 9, z / 12) > 0.2 else LIVER
    if side > 8:
        spleen = ((side - 104) / 30) ** 2 + ((front + 8) / 44) ** 2 + ((lz - 6) / 52) ** 2
        if spleen < 1:
            return KIDNEY
        stomach = ((side - 58) / 42) ** 2 + ((front - 66) / 36) ** 2 + ((lz - 4) / 50) ** 2
        if stomach < 1:
            content = front - 70 + 4 * noise_at(noise, x / 10, y / 10, z / 10)
            if stomach > 0.82:
                return BOWEL
            return AIR if content > 0 and whole.gas < 1.1 else FLUID if whole.gas > 0.9 else GLAND
    if abs(z - whole.z_l1 - 6) < 11 and abs(front - 27 + 0.12 * side) < 8 and -45 < side < 70:
        return GLAND if noise_at(noise, x / 2.5, y / 2.5, z / 2.5) < 0.9 else FAT
    colon = ((ax - 98 - 6 * side / ax) / 23) ** 2 + ((front - 10) / 25) ** 2 if ax > 60 else 2.0
    if colon < 1 and z > whole.z_s1 - 10:
        if colon > 0.75:
            return BOWEL
        what = noise_at(noise, x / 9, y / 9 + 23, z / 9) + 0.02 * (front - 10)
        return AIR if what > whole.gas else GLAND if what > -0.3 else MUSCLE
    if front < 5:
        return FAT
    return bowel_tissue(body, x, y, z, front)


@compiled
def hip_tissue(body: Body, x: float, y: float, z: float) -> int:
    """Hip joints, pubic and sitting bones, femora; `y` behind and `z` above the hips' centres. NOTHING elsewhere."""
    ax = abs(x)
    size = body.whole[0].hip_size
    ax, y, z = ax / size, y / size, z / size
    if ax < 2.2 and (y + 32) ** 2 + ((z + 22) * 0.55) ** 2 < 90:
        return CARTILAGE
    if ax > 62:
        ball = np.sqrt((ax - 87) ** 2 + y * y + z * z)
        if ball < 24:
            return MARROW if ball < 21.5 else CORTEX
        if ball < 27.5 and z > -0.8 * (ax - 80):
            return CARTILAGE
        p = (ax, y, z)
        neck = near_capsule((87.0, 0.0, 0.0), (124.0, 4.0, -26.0), p) - 15
        shaft = near_capsule((125.0, 4.0, -30.0), (112.0, -4.0, -240.0), p) - 16
        bone = min(neck, shaft)
        if bone < 0:
            return CORTEX if bone > (-5.0 if z < -55 else -1.8) else MARROW
        if ball < 40 and z > -14 and ax < 98:
            return CORTEX if ball < 29.5 or ball > 38 else MARROW
    if -75 < z < 14 and y < 52:
        p = (ax, y, z)
        upper = near_capsule((5.0, -32.0, -20.0), (72.0, -16.0, 4.0), p) - 8
        lower = near_capsule((7.0, -30.0, -28.0), (50.0, 16.0, -52.0), p) - 7
        sit = near_capsule((58.0, 24.0, -48.0), (70.0, 22.0, -8.0), p) - 13
        bone = min(upper, lower, sit)
        if bone < 0:
            return CORTEX if bone > -1.8 else MARROW
    return NOTHING


@compiled
def pelvis_tissue(body: Body, x: float, y: float, z: float, front: float) -> int:
    """Below the promontory, before the sacrum and around the hips."""
    whole, noise = body.whole[0], body.noise
    ax = abs(x)
    side = whole.heart_side * x
    hy, hz = y - whole.y_hip, z - whole.z_hip
    if hz < 45:
        label = hip_tissue(body, x, hy, hz)
        if label != NOTHING:
            return label
    lump = noise_at(noise, x / 12, y / 12, z / 12)
    inside = 62 + 0.25 * hz - 0.004 * (hy - 20) ** 2 + 5 * lump
    edge = hz + 7 * lump
    if edge < -62 or ax > inside:
        plane = noise_at(noise, x / 13, y / 13 + 4, z / 40)
        if (ax - 78) ** 2 + (hy + 42) ** 2 < 40 and hz < 30:
            return FLOW_VOID
        return FAT if abs(plane) < 0.09 else streaky(body, x, y, z, -0.55)
    if edge < -34:
        return FAT if abs(lump) < 0.25 else streaky(body, x, y, z, -0.2)
    if ax > inside - 9 and hz < 40:
        return streaky(body, x, y, z, -0.5)
    full = whole.bladder
    by = -4 - 16 * (1 - whole.female)
    bladder = (x / (24 + 16 * full)) ** 2 + ((hy + 6 - 4 * full - by) / (13 + 13 * full)) ** 2
    bladder += ((hz + 14 - 18 * full) / (12 + 20 * full)) ** 2
    if bladder < 1:
        return FLUID if bladder < 0.84 else MUSCLE
    if whole.female > 0.5:
        lean = hz - 22 - 22 * full + 0.35 * (hy - 22)
        womb = ((side - 6 * whole.gas + 6) / 24) ** 2 + ((hy - 24 - 3 * full) / 30) ** 2 + (lean / 19) ** 2
        if womb < 1:
            if womb < 0.1 and ax < 14:
                return FLUID
            return MUSCLE if womb < 0.25 else GLAND
        if hz < 6 and (x / 14) ** 2 + ((hy - 22 + 0.3 * hz) / 4.5) ** 2 < 1:
            return BOWEL
        ovary = ((ax - 42) / 12) ** 2 + ((hy - 32) / 10) ** 2 + ((hz - 34) / 14) ** 2
        if ovary < 1:
            return FLUID if noise_at(noise, x / 2.5, y / 2.5, z / 2.5) > 0.7 else GLAND
    else:
        gland = (x / 23) ** 2 + ((hy - 4) / 15) ** 2 + ((hz + 18) / 17) ** 2
        if gland < 1:
            return MUSCLE if gland < 0.3 else GLAND if hy > 4 else BOWEL
        if 4 < hz < 16 and ax < 32 and abs(hy - 20 + 0.1 * ax) < 5:
            return FLUID if noise_at(noise, x / 2, y / 2, z / 2) > -0.2 else MUSCLE
    gap = 12 + 6 * lump + 20 * step((hz - 30) / 55)
    tube = np.sqrt(((side - 9 * noise_at(noise, 0.0, 3.0, z / 22)) / 17) ** 2 + ((front - gap - 10) / 11) ** 2)
    if tube < 1 and z < whole.z_s1 - 22:
        if tube > 0.72:
            return BOWEL
        return AIR if whole.gas < 0.9 and lump > 0 else GLAND
    if front < gap - 4:
        return FAT if abs(noise_at(noise, x / 4, y / 4, z / 5)) > 0.07 else SLOW_BLOOD
    return bowel_tissue(body, x, y, z, max(front - 6, 0.0))
