"""From a point of the patient to its place in a vertebra: noise, warp, and the chain of planes, compiled."""

# mypy: disable-error-code="no-any-return"

from typing import Any, NamedTuple

import numpy as np

from spinalis.simulate.anatomy import NOISE_SIZE, VERTEBRAE
from spinalis.simulate.compiler import compiled


class Body(NamedTuple):
    """The arrays of `anatomy.Subject`, in its order."""

    frames: Any
    planes: Any
    sides: Any
    vertebrae: Any
    rootlets: Any
    contour: Any
    contour_z: float
    whole: Any
    lesions: Any
    noise: Any


@compiled
def noise_at(noise: Any, x: float, y: float, z: float) -> float:
    """Trilinear, periodic; a hill is about 4 units wide."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    i, j, k = int(fx) & (NOISE_SIZE - 1), int(fy) & (NOISE_SIZE - 1), int(fz) & (NOISE_SIZE - 1)
    a, b, c = x - fx, y - fy, z - fz
    m, n, o = (i + 1) & (NOISE_SIZE - 1), (j + 1) & (NOISE_SIZE - 1), (k + 1) & (NOISE_SIZE - 1)
    low = (noise[i, j, k] * (1 - a) + noise[m, j, k] * a) * (1 - b) + (
        noise[i, n, k] * (1 - a) + noise[m, n, k] * a
    ) * b
    high = (noise[i, j, o] * (1 - a) + noise[m, j, o] * a) * (1 - b) + (
        noise[i, n, o] * (1 - a) + noise[m, n, o] * a
    ) * b
    return low * (1 - c) + high * c


@compiled
def warp(body: Body, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Move a point by two scales of smooth noise: no edge of the body is straight."""
    whole = body.whole[0]
    far, near = whole.warp, whole.fine_warp
    noise = body.noise
    fine = near * noise_at(noise, x / 1.6 + 20, y / 1.6, z / 1.6)
    dy = far * noise_at(noise, x / 9, y / 9, z / 9) + fine
    dz = far * noise_at(noise, x / 9 + 31, y / 9 + 17, z / 9) - fine
    return x, y + dy, z + dz


@compiled
def window(x: float, width: float) -> float:
    """1 at 0, 0.5 at `width`, falling steeply."""
    r = x / width
    r *= r
    return 1 / (1 + r * r)


@compiled
def step(x: float) -> float:
    """0 below 0, 1 above 1, smooth between."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    return x * x * (3 - 2 * x)


@compiled
def mix(low: float, high: float, t: float) -> float:
    """Linear between the plane below (t = 0) and the plane above (t = 1)."""
    return low + (high - low) * t


@compiled
def locate(body: Body, x: float, y: float, z: float, hint: int) -> tuple[int, float, float, float, float, float]:
    """The vertebra of a point and its place there: index (-1: beyond the ends), t, u, v, distance to both planes."""
    frames = body.frames
    i = hint
    up = down = 0.0
    for _ in range(2 * VERTEBRAE):
        p = frames[i]
        up = -((x - p[0, 0]) * p[3, 0] + (y - p[0, 1]) * p[3, 1] + (z - p[0, 2]) * p[3, 2])
        if up < 0:
            if i == 0:
                return -1, 0.0, 0.0, 0.0, 0.0, 0.0
            i -= 1
            continue
        p = frames[i + 1]
        down = (x - p[0, 0]) * p[3, 0] + (y - p[0, 1]) * p[3, 1] + (z - p[0, 2]) * p[3, 2]
        if down >= 0:
            break
        if i == VERTEBRAE - 1:
            return -1, 0.0, 0.0, 0.0, 0.0, 0.0
        i += 1
    else:
        return -1, 0.0, 0.0, 0.0, 0.0, 0.0
    t = down / (down + up + 1e-9)
    top, low, h = frames[i], frames[i + 1], body.vertebrae[i].height
    t2 = t * t
    t3 = t2 * t
    a, b, c, d = 2 * t3 - 3 * t2 + 1, (t3 - 2 * t2 + t) * h, 3 * t2 - 2 * t3, (t3 - t2) * h
    dx = x - (a * low[0, 0] + b * low[3, 0] + c * top[0, 0] + d * top[3, 0])
    dy = y - (a * low[0, 1] + b * low[3, 1] + c * top[0, 1] + d * top[3, 1])
    dz = z - (a * low[0, 2] + b * low[3, 2] + c * top[0, 2] + d * top[3, 2])
    u = v = 0.0
    for axis, value in ((0, dx), (1, dy), (2, dz)):
        u += value * (low[1, axis] + (top[1, axis] - low[1, axis]) * t)
        v += value * (low[2, axis] + (top[2, axis] - low[2, axis]) * t)
    return i, t, u, v, up, down
