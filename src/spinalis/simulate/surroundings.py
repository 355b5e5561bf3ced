"""The body around the spine from the vertex to the thighs: its outline, its back, and which region decides."""

# mypy: disable-error-code="no-any-return"
# ruff: noqa: C901, PLR0911, PLR0913, PLR0917  (as in `kernel`)

from typing import Any

import numpy as np

from spinalis.simulate.anatomy import CONTOUR_STEP_MM
from spinalis.simulate.belly import belly_tissue, pelvis_tissue
from spinalis.simulate.chest import chest_tissue, dome_at, rib_tissue
from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import Body, noise_at, step
from spinalis.simulate.head import CHIN_MM, head_tissue
from spinalis.simulate.kernel import AIR, CORTEX, FAT, FIRST_SACRAL, LIGAMENT, LUNG, NOTHING, PEDICLE, SKIN
from spinalis.simulate.neck import nape_tissue, neck_tissue, streaky


@compiled
def gluteal_tissue(body: Body, x: float, y: float, z: float, level: float, wall: float) -> int:
    """Behind the sacrum and the hip bones: the last of the multifidus, glutei in coarse bundles."""
    ax = abs(x)
    lump = noise_at(body.noise, x / 16, y / 16, z / 30)
    if level < 27 and ax < 24 - 4.5 * (level - 24) + 3 * lump:
        return FAT if ax < 0.8 else streaky(body, x, y, z, 0.35)
    if ax < 9 + 4 * lump + 3 * (level - 25):
        return FAT
    plane = noise_at(body.noise, x / 7, y / 11 + 3, (z + 1.5 * ax) / 22)
    if abs(plane) < 0.14 + 0.1 * body.whole[0].infiltration:
        return FAT
    return FAT if wall < 1.0 else streaky(body, x, y, z, -0.5)


@compiled
def back_tissue(body: Body, x: float, y: float, z: float, behind: float, level: float, wall: float) -> int:
    """Behind the transverse processes of chest and loin: multifidus and erector, rhomboids and trapezius above."""
    noise = body.noise
    fat = body.whole[0].infiltration
    ax = abs(x)
    lump = noise_at(noise, x / 13, y / 13, z / 30)
    if ax < 0.5 + 0.4 * lump:
        return FAT
    fine = noise_at(noise, x / 5, y / 5 + 9, z / 22)
    fascia = wall - 1.2 - 0.5 * fine
    if fascia < 0 and level > 14:
        return LIGAMENT
    if level < 16 and wall < 13 + 2 * lump:
        shade = abs(wall - 6.5 - 1.5 * fine)
        if 46 < ax < 128 and 8.2 < level < 14.6 and abs(wall - 10 + 0.05 * (ax - 80)) < 2.2:
            return CORTEX if abs(wall - 10 + 0.05 * (ax - 80)) > 1.2 else PEDICLE
        return FAT if shade < 0.5 + 0.6 * fat else streaky(body, x, y, z, -0.5)
    low = step((level - 20.5) / 3.5)
    split = 21 + 6 * low + 4 * lump + 0.18 * (behind - 20)
    if abs(ax - split) < 0.35 + 0.7 * fat + 0.5 * fine and behind > 6:
        return FAT
    outer = split + 19 + 3 * lump
    if abs(ax - outer) < 0.35 + 0.5 * fat + 0.4 * fine:
        return FAT
    tent = step((behind - 26 - 6 * lump) / 16) * low * (1.0 - step((ax - 10) / 30))
    return streaky(
        body, x, y, z, 0.5 * low * step((split - ax) / 14) * fat + 1.1 * tent - 0.1 - 0.35 * step((ax - split) / 12)
    )


@compiled
def wing_tissue(body: Body, x: float, y: float, z: float, front: float, level: float) -> int:
    """The iliac wings, with gluteal muscle outside of them; NOTHING elsewhere."""
    lateral = abs(x) - 46 - 9 * (24.6 - level) - 60 * step((24.0 - level) / 1.1)
    if lateral <= 0 or front <= -60 or z < body.whole[0].z_hip + 22:
        return NOTHING
    wing = front + 24 - 0.75 * lateral + 3 * noise_at(body.noise, x / 16, y / 16, z / 25)
    if abs(wing) < 6 and lateral < 90:
        return CORTEX if abs(wing) > 4.4 else PEDICLE
    if wing < 34:
        plane = noise_at(body.noise, x / 9, y / 9 + 3, z / 30)
        return FAT if abs(plane) < 0.08 and wing < 0 else streaky(body, x, y, z, -0.6)
    return NOTHING


@compiled
def loin_tissue(body: Body, x: float, y: float, z: float, behind: float, wall: float) -> int:
    """Quadratus lumborum and the flat muscles of the belly's wall, three layers; NOTHING within."""
    lump = noise_at(body.noise, x / 16, y / 16, z / 25)
    square = ((abs(x) - 56 - 3 * lump) / 22) ** 2 + ((behind - 1) / (13 + 2 * lump)) ** 2
    if square < 1:
        return streaky(body, x, y, z, -0.4)
    straight = behind < -60 and abs(x) < 66
    thick = (7.0 if straight else 14.0) + 2 * lump
    if straight and abs(x) < 7 + 3 * lump:
        return LIGAMENT if wall < 3 else FAT if wall < thick else NOTHING
    if straight and abs(x) > 58:
        return FAT if wall < thick else NOTHING
    if wall < thick:
        layer = wall / thick * 3
        return (
            FAT if not straight and abs(layer - np.rint(layer)) < 0.1 and layer > 0.5 else streaky(body, x, y, z, -0.4)
        )
    return NOTHING


@compiled
def layer_at(body: Body, row: Any, x: float, y: float, z: float, lump: float) -> tuple[int, float]:
    """Air, skin or the fat beneath it with its septa, else NOTHING; and how deep within the fat the point lies, mm.

    `row` is of the contour, `x` from the spine, `lump` a smooth noise of unit variance.
    """
    ax = abs(x)
    half, box = row[4], row[8]
    reach = 0.5 * (row[2] - row[3])
    ry = (y - 0.5 * (row[2] + row[3])) / reach
    if ax > half or abs(ry) > 1:
        return AIR, 0.0
    apart = 0.52 * step((body.whole[0].z_hip - 66 - z) / 30)
    low = step((row[7] - 25) / 3)
    furrow = (0.045 + 0.3 * low) * (1 - step(ax / (26.0 - 14 * low))) * step(ry - 0.3)
    r = outline_of(abs(ax / half - apart) / (1 - apart), abs(ry + furrow), box)
    if r > 1:
        return AIR, 0.0
    scale = reach / (2 + box)
    if (1 - r) * scale < 1.8:
        return SKIN, 0.0
    sag = 1 + 0.16 * lump
    inner_back, inner_front = row[2] - row[5] * sag, row[3] + row[6] * sag
    ry = (y - 0.5 * (inner_back + inner_front)) / (0.5 * (inner_back - inner_front))
    rx = abs(ax / (half - (0.8 * row[6] + 0.2 * row[5]) * sag) - apart) / (1 - apart) * (1 + 0.2 * apart)
    r = outline_of(rx, abs(ry + furrow), box)
    if r > 1:
        septum = noise_at(body.noise, x / 8, y / 4.5, z / 15)
        return LIGAMENT if abs(septum) < 0.02 else FAT, 0.0
    return NOTHING, (1 - r) * scale


@compiled
def region_tissue(body: Body, x: float, y: float, z: float, row: Any, wall: float, lump: float) -> int:
    """Within the fat: choose the region that decides; arguments as in `layer_at`, `wall` is the depth it returns."""
    whole = body.whole[0]
    level, spine, ax = row[7], row[1], abs(x)
    plane = body.planes[int(min(max(level, 0.0), 30.0))]
    front, behind = spine - plane.half_depth - y, y - spine - plane.half_depth
    if level > 22.9:
        label = wing_tissue(body, x, y, z, front, level)
        if label != NOTHING:
            return label
    arch = plane.canal_depth if level < FIRST_SACRAL else 4.0
    if behind > 0.3 * arch + 0.1 * ax + 2.5 * lump:
        if level < 7.6:
            return nape_tissue(body, x, y, z, behind, wall)
        if 7.5 < level < 18.4 and ax > 34 + 5 * lump and wall > 13:
            if wall > 20:
                return LUNG if z > dome_at(body, x, front) else FAT
            return rib_tissue(body, x, y, z, wall - 6, spine)
        if level > 24.3:
            return gluteal_tissue(body, x, y, z, level, wall)
        return back_tissue(body, x, y, z, behind, level, wall)
    if level < 7.6 + 0.02 * min(max(front, 0.0), 60.0):
        return neck_tissue(body, x, y, z, front, level, wall)
    if level < 8.6 and ax > 52:
        return FAT if abs(lump) < 0.22 else streaky(body, x, y, z, -0.5)
    if level < 18.6 and wall < 15:
        return rib_tissue(body, x, y, z, wall, spine)
    if level < 19 and z > dome_at(body, x, front):
        return chest_tissue(body, x, y, z, front, wall)
    if level > 24.2 and z < whole.z_s1 - 8:
        return pelvis_tissue(body, x, y, z, front)
    label = loin_tissue(body, x, y, z, behind, wall)
    return label if label != NOTHING else belly_tissue(body, x, y, z, front, level)


@compiled
def body_tissue(body: Body, x: float, y: float, z: float) -> int:
    """The tissue of a point that is not part of the spine, from the outline of the body and simple organs."""
    whole = body.whole[0]
    if z > whole.head_z - 1.2 * CHIN_MM:
        label = head_tissue(body, x, y, z)
        if label != NOTHING:
            return label
        if z > whole.head_z + 34:
            return AIR
    place = (z - body.contour_z) / CONTOUR_STEP_MM
    i = int(min(max(place, 0.0), body.contour.shape[0] - 2.0))
    f = min(max(place - i, 0.0), 1.0)
    a, b = body.contour[i], body.contour[i + 1]
    half = a[4] + (b[4] - a[4]) * f
    xs = x - (a[0] + (b[0] - a[0]) * f)
    if abs(xs) > half:
        return AIR
    row = (
        *(xs, a[1] + (b[1] - a[1]) * f, a[2] + (b[2] - a[2]) * f, a[3] + (b[3] - a[3]) * f, half),
        *(a[5] + (b[5] - a[5]) * f, a[6] + (b[6] - a[6]) * f, a[7] + (b[7] - a[7]) * f, a[8] + (b[8] - a[8]) * f),
    )
    lump = noise_at(body.noise, x / 16, y / 16 + 40, z / 25)
    label, wall = layer_at(body, row, xs, y, z, lump)
    return label if label != NOTHING else region_tissue(body, xs, y, z, row, wall, lump)


@compiled
def outline_of(rx: float, ry: float, box: float) -> float:
    """1 on the outline, less within: between an ellipse (`box` 0) and a rounded box (1)."""
    x2, y2 = rx * rx, ry * ry
    return (1 - box) * (x2 + y2) + box * (x2 * rx + y2 * ry)
