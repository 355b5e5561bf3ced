"""What a reader would measure, taken from the labels that are rendered: sac, recess, foramen; compiled."""

# mypy: disable-error-code="no-any-return"

from typing import Any

import numpy as np

from spinalis.simulate.compiler import compiled, compiled_maker
from spinalis.simulate.coordinates import Body
from spinalis.simulate.kernel import CORD_GREY, CORD_WHITE, CSF, EPIDURAL_FAT, ROOT, ROOTLET, exiting_root, recess_gap
from spinalis.simulate.lesions import slipped, spine_tissue

CELL_MM = 0.8
FINE_CELL_MM = 0.4
HALF_V, HALF_Q = 14, 18
"""Half the cells, front to back and up, in which a root with its rim is looked for."""

RIM_MM = 1.2
"""How far from the root its fat is looked for: a thin rim of fat still is fat. Fitted."""


@compiled
def tissue_in_plane(body: Body, k: int, u: float, v: float, q: float) -> int:
    """The label at a place `q` mm above the plane `k` (below it where negative), without the warp and the slip."""
    above = q > 0
    i = k - 1 if above else k
    h = body.vertebrae[i].height
    t = q / h if above else 1 + q / h
    up = (1 - t) * h if above else -q
    down = q if above else t * h
    return spine_tissue(body, i, t, u, v - slipped(body, i, t, up, down), up, down)


@compiled
def measure_canal(body: Body, k: int) -> tuple[float, float, float]:
    """The sac at its narrowest near disc `k`: area mm2, share of it that is CSF, depth in the midline mm."""
    best, share, depth = 1e9, 0.0, 0.0
    plane = body.planes[k]
    wide, deep = int(plane.sac_half_width / CELL_MM) + 2, int(2 * plane.sac_half_depth / CELL_MM) + 14
    for q in (-2.5, 0.5):
        inside = csf = line = 0
        for a in range(-wide, wide + 1):
            for b in range(deep):
                label = tissue_in_plane(body, k, a * CELL_MM, plane.half_depth - 1 + b * CELL_MM, q)
                if label in (CSF, ROOTLET, CORD_WHITE, CORD_GREY):
                    inside += 1
                    line += a == 0
                    csf += label == CSF
        if inside * CELL_MM**2 < best:
            best, share, depth = inside * CELL_MM**2, csf / max(inside, 1), line * CELL_MM
    return best, share, depth


@compiled
def measure_recess(body: Body, k: int, s: int) -> tuple[float, float]:
    """The lateral recess at disc `k`, side `s`: smallest height mm, and the diameter of its root mm."""
    height, diameter = 1e9, 0.0
    for q in (-5.0, -3.0, -1.0, 1.0):
        _, front, back, r = recess_gap(body, k, s, q)
        if back - front < height:
            height, diameter = back - front, 2 * r
    return max(height, 0.0), diameter


@compiled
def spread_of(grid: Any, wanted: int) -> tuple[float, float, float, float, float, float]:
    """Of the cells of `grid` with a label: count, mean row and column, variances of row and column, covariance."""
    count = a1 = b1 = aa = bb = ab = 0
    for a in range(grid.shape[0]):
        for b in range(grid.shape[1]):
            if grid[a, b] == wanted:
                count += 1
                a1 += a
                b1 += b
                aa += a * a
                bb += b * b
                ab += a * b
    n = max(count, 1)
    a0, b0 = a1 / n, b1 / n
    return float(count), a0, b0, aa / n - a0 * a0, bb / n - b0 * b0, ab / n - a0 * b0


@compiled_maker
def measure_foramen(body: Body, k: int, s: int) -> tuple[float, float, float, float, float]:
    """The foramen above disc `k`, side `s`, in its sagittal plane.

    Returns:
        Form of the root: its shortest diameter as a share of the undeformed one; then, for the front, back, lower and
        upper quarter of the rim of `RIM_MM` around it, the share that is fat.
    """
    plane, radius = body.planes[k], body.sides[k, s].root
    centre, at, _, _ = exiting_root(body, k - 1, s)
    u = (plane.canal_half_width + 6.0) * (1 if s == 1 else -1)
    grid = np.zeros((2 * HALF_V + 1, 2 * HALF_Q + 1), np.int64)
    for a in range(-HALF_V, HALF_V + 1):
        for b in range(-HALF_Q, HALF_Q + 1):
            v = plane.half_depth + centre + a * FINE_CELL_MM
            grid[a + HALF_V, b + HALF_Q] = tissue_in_plane(body, k, u, v, max(at + b * FINE_CELL_MM, 0.01))
    count, mean_v, mean_q, vv, qq, vq = spread_of(grid, ROOT)
    if count < 3:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    swing = np.sqrt(0.25 * (vv - qq) ** 2 + vq * vq)
    shortest = 4 * np.sqrt(max(0.5 * (vv + qq) - swing, 0.0)) * FINE_CELL_MM
    fat, total = np.zeros(4), np.zeros(4)
    stretch = 1 + RIM_MM / max(0.5 * shortest, 0.6)
    determinant = max(vv * qq - vq * vq, 0.02)
    for a in range(grid.shape[0]):
        for b in range(grid.shape[1]):
            label, dv, dq = grid[a, b], a - mean_v, b - mean_q
            e = (qq * dv * dv - 2 * vq * dv * dq + vv * dq * dq) / determinant / 4
            if label == ROOT or e < 0.8 or e > stretch * stretch:
                continue
            upright = dv * dv / max(vv, 0.1) <= dq * dq / max(qq, 0.1)
            quarter = 2 + (dq >= 0) if upright else int(dv >= 0)
            total[quarter] += 1
            fat[quarter] += label == EPIDURAL_FAT
    kept = fat / np.maximum(total, 1.0)
    return shortest / (2 * radius), kept[0], kept[1], kept[2], kept[3]
