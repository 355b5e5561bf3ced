"""The labels of anatomy outside the body's model: limbs, breast, phantom, from the parts of `elsewhere`."""

# ruff: noqa: PLR0913, PLR0917  (as in `kernel`)
# mypy: disable-error-code="no-any-return"

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import noise_at
from spinalis.simulate.elsewhere import GLAND_IN_FAT, MUSCLE_BELLY, SKIN_MM, Elsewhere
from spinalis.simulate.kernel import AIR, BOWEL, FAT, MUSCLE, SKIN
from spinalis.simulate.render import SAMPLES
from spinalis.simulate.scanner import SAMPLE_OFFSETS, Stack


@compiled
def gap_to(parts: Any, n: int, x: float, y: float, z: float) -> float:
    """How far within part `n` a point lies, mm; negative outside."""
    ax, ay, az = parts[n, 1], parts[n, 2], parts[n, 3]
    px, py, pz = x - ax, y - ay, z - az
    if parts[n, 0] == 0:
        a, b, c = parts[n, 4], parts[n, 5], parts[n, 6]
        px, py, pz = px / a, py / b, pz / c
        e = px * px + py * py + pz * pz
        return -1.0 if e > 1 else (1 - np.sqrt(e)) * min(a, b, c)
    dx, dy, dz = parts[n, 4] - ax, parts[n, 5] - ay, parts[n, 6] - az
    t = min(max((px * dx + py * dy + pz * dz) / (dx * dx + dy * dy + dz * dz), 0.0), 1.0)
    px, py, pz = px - t * dx, py - t * dy, pz - t * dz
    return parts[n, 7] + t * (parts[n, 8] - parts[n, 7]) - np.sqrt(px * px + py * py + pz * pz)


@compiled
def filling(noise: Any, label: int, x: float, y: float, z: float) -> int:
    """The tissue of a part, or of a filling that is made of two."""
    if label == MUSCLE_BELLY:
        plane = noise_at(noise, x / 8, y / 8, z / 25)
        return FAT if abs(plane) < 0.1 or noise_at(noise, x / 1.5, y / 1.5, z / 12) > 1.9 else MUSCLE
    if label == GLAND_IN_FAT:
        strand = noise_at(noise, x / 4, y / 6, z / 4) + 0.5 * noise_at(noise, x / 1.5, y / 1.5, z / 1.5)
        return BOWEL if strand > 0.2 else FAT
    return label


@compiled
def part_tissue(parts: Any, noise: Any, x: float, y: float, z: float) -> int:
    """The tissue of the first part that holds the point; skinned parts are one outline together; air beyond all."""
    deepest = -1.0
    for n in range(parts.shape[0]):
        gap = gap_to(parts, n, x, y, z)
        if gap >= 0:
            if parts[n, 10] != SKIN:
                return int(parts[n, 10]) if gap < parts[n, 11] else filling(noise, int(parts[n, 9]), x, y, z)
            deepest = max(deepest, gap)
    if deepest < 0:
        return AIR
    return SKIN if deepest < SKIN_MM else FAT


@compiled
def part_slices(parts: Any, noise: Any, size: float, planes: Any, offsets: Any, labels: Any, texture: Any) -> None:
    """Fill the labels and texture of a stack, as `render.render_slices` does; the parts are centred at 0."""
    for s in range(planes.shape[0]):
        p = planes[s]
        for row in range(labels.shape[1]):
            for column in range(labels.shape[2]):
                x = y = z = 0.0
                for n in range(labels.shape[3]):
                    c, r, d = column + offsets[n, 0], row + offsets[n, 1], offsets[n, 2]
                    x = (p[0, 0] + c * p[1, 0] + r * p[2, 0] + d * p[3, 0]) / size
                    y = (p[0, 1] + c * p[1, 1] + r * p[2, 1] + d * p[3, 1]) / size
                    z = (p[0, 2] + c * p[1, 2] + r * p[2, 2] + d * p[3, 2]) / size
                    wx = x + 1.5 * noise_at(noise, x / 9, y / 9, z / 9)
                    wy = y + 1.5 * noise_at(noise, x / 9 + 31, y / 9, z / 9)
                    labels[s, row, column, n] = part_tissue(parts, noise, wx, wy, z)
                texture[s, row, column] = noise_at(noise, x / 2, y / 2, z / 2)


def part_labels(
    anatomy: Elsewhere, noise: NDArray[np.float32], size: float, stack: Stack
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The labels of a stack through an anatomy of parts, (S, rows, columns, samples), and its texture.

    Args:
        anatomy: one with parts.
        noise: periodic noise of unit variance, as of a subject.
        size: 1 for the sizes of the table.
        stack: the slices, about 0.
    """
    shape = (stack.count, stack.rows, stack.columns)
    labels = np.empty((*shape, SAMPLES), np.uint8)
    texture = np.empty(shape, np.float32)
    part_slices(anatomy.table(), noise, size, stack.kernel_planes(), SAMPLE_OFFSETS, labels, texture)
    return labels, texture
