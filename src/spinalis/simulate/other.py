"""Brains, knees, shoulders and abdomens, crude on purpose: enough shape and texture to say *not a spine*."""

# ruff: noqa: C901, PLR0911, PLR0913, PLR0917  (as in `kernel`)

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import noise_at
from spinalis.simulate.kernel import (
    AIR,
    BRAIN_GREY,
    BRAIN_WHITE,
    CARTILAGE,
    CORTEX,
    CSF,
    FAT,
    FLOW_VOID,
    LIGAMENT,
    LUNG,
    MARROW,
    MUSCLE,
    SKIN,
)
from spinalis.simulate.render import SAMPLES
from spinalis.simulate.scanner import SAMPLE_OFFSETS, Stack

BRAIN, KNEE, SHOULDER = 0, 1, 2


@compiled
def bone(r: float, rim: float) -> int:
    """Inside a bone whose surface is `r` = 1: cortex in the outermost `rim`, marrow within."""
    return CORTEX if r > 1 - rim else MARROW


@compiled
def brain_tissue(noise: Any, x: float, y: float, z: float, size: float) -> int:
    """A head: scalp, skull, folded cortex, ventricles, cerebellum, a face of mixed tissue, a neck."""
    if z < -48 * size and y < 40 * size:
        r = (x / (62 * size)) ** 2 + ((y + 15 * size) / (75 * size)) ** 2
        if r > 1:
            return AIR
        if r > 0.9:
            return SKIN if r > 0.96 else FAT
        face = noise_at(noise, x / 4, y / 4, z / 4)
        return AIR if face > 0.9 else FAT if face > 0.3 else CORTEX if face < -1.2 else MUSCLE
    r = np.sqrt((x / 74) ** 2 + (y / 94) ** 2 + (z / 82) ** 2) / size
    if r > 1:
        return AIR
    if r > 0.91:
        return SKIN if r > 0.98 else FAT if r > 0.955 else CORTEX
    if r > 0.885:
        return MARROW if r > 0.895 else CORTEX
    if r > 0.86:
        return CSF
    fold = noise_at(noise, x / 3.2, y / 3.2, z / 3.2)
    ventricle = ((abs(x) - 10) / 7) ** 2 + ((y - 4) / 34) ** 2 + ((z - 10) / 11) ** 2
    if ventricle < size or (abs(x) < 2 and abs(z) < 12 and abs(y) < 14):
        return CSF
    if y > 25 and z < -22:
        return CSF if abs(fold) < 0.06 else BRAIN_GREY if np.sin(z * 1.6) > 0.2 else BRAIN_WHITE
    if abs(x) < 1.2 or (r > 0.66 and abs(fold) < 0.13):
        return CSF
    deep = ((abs(x) - 20) / 9) ** 2 + (y / 20) ** 2 + ((z + 2) / 14) ** 2
    return BRAIN_GREY if deep < 1 or r + 0.05 * fold > 0.8 or abs(fold) < 0.32 * (r > 0.6) else BRAIN_WHITE


@compiled
def knee_tissue(noise: Any, x: float, y: float, z: float, size: float) -> int:
    """A knee: femur, tibia, patella, cartilage, menisci, cruciate ligaments, muscles, fat."""
    x, y, z = x / size, y / size, z / size
    r = np.sqrt((x / 62) ** 2 + ((y - 6) / 66) ** 2)
    if r > 1:
        return AIR
    if r > 0.97:
        return SKIN
    flare = max(0.0, 1 - abs(z) / 48)
    if z > 4:
        top = 15 + 26 * flare * flare
        lobe = (abs(x) - 20 * flare) / (top - 14 * flare)
        femur = np.sqrt(lobe * lobe + ((y - 8 * flare) / (top * 0.85)) ** 2)
        if femur < 1 and z > 4 + 9 * femur**4 and not (abs(x) < 6 and y > 10 and z < 28):
            return CARTILAGE if z < 7 + 9 * femur**4 else bone(femur, 0.06)
    if z < -4:
        tibia = np.sqrt((x / (14 + 24 * flare)) ** 2 + ((y - 2) / (13 + 14 * flare)) ** 2)
        if tibia < 1:
            return CARTILAGE if z > -7 else bone(tibia, 0.07)
    patella = (x / 20) ** 2 + ((y + 48) / 9) ** 2 + ((z - 22) / 20) ** 2
    if patella < 1:
        return bone(patella, 0.15)
    if abs(z) < 6 and (x / 40) ** 2 + (y / 28) ** 2 < 1:
        return LIGAMENT if abs(x) > 24 else FAT
    if abs(x) < 7 and abs(y - 8 + 0.5 * z) < 5 and abs(z) < 20:
        return LIGAMENT
    if y < -30 and abs(x) < 16:
        return LIGAMENT if abs(y + 46) < 3 else FAT
    if x * x + (y - 42) ** 2 < 60:
        return FLOW_VOID
    plane = noise_at(noise, x / 9, y / 9, z / 25)
    return FAT if r > 0.82 + 0.08 * plane or abs(plane) < 0.16 else MUSCLE


@compiled
def shoulder_tissue(noise: Any, x: float, y: float, z: float, size: float) -> int:
    """A shoulder: humerus, glenoid, cuff, deltoid, and lung at the inner border."""
    x, y, z = x / size, y / size, z / size
    outline = np.sqrt((max(x, 0.0) / 62) ** 2 + (y / 72) ** 2 + (max(z, 0.0) / 62) ** 2)
    if outline > 1:
        return AIR
    if outline > 0.97:
        return SKIN
    head = np.sqrt((x - 8) ** 2 + y * y + z * z) / 25
    if head < 1:
        return CARTILAGE if head > 0.92 and x < 2 else bone(head, 0.07)
    if z < 0:
        shaft = np.sqrt((x - 14) ** 2 + (y - 1) ** 2) / 13
        if shaft < 1:
            return bone(shaft, 0.22)
    glenoid = ((x + 24) / 9) ** 2 + (y / 15) ** 2 + (z / 20) ** 2
    if glenoid < 1 or (x < -24 and abs(y - 8 + 0.25 * (x + 24)) < 3.5 and z < 25):
        return bone(min(glenoid, 0.99), 0.2)
    if abs(z - 34) < 5 and abs(y - 10) < 14 and x > -30:
        return bone(0.5, 0.1)
    if x < -62 - 0.3 * z:
        return LUNG
    if head < 1.16:
        return LIGAMENT
    plane = noise_at(noise, x / 10, y / 10, z / 10)
    return FAT if outline > 0.86 + 0.06 * plane or abs(plane) < 0.17 else MUSCLE


@compiled
def shape_slices(kind: int, noise: Any, size: float, planes: Any, offsets: Any, labels: Any, texture: Any) -> None:
    """Fill the labels and texture of a stack, as `render.render_slices` does; the shape is centred at 0."""
    for s in range(planes.shape[0]):
        p = planes[s]
        for row in range(labels.shape[1]):
            for column in range(labels.shape[2]):
                x = y = z = 0.0
                for n in range(labels.shape[3]):
                    c, r, d = column + offsets[n, 0], row + offsets[n, 1], offsets[n, 2]
                    x = p[0, 0] + c * p[1, 0] + r * p[2, 0] + d * p[3, 0]
                    y = p[0, 1] + c * p[1, 1] + r * p[2, 1] + d * p[3, 1]
                    z = p[0, 2] + c * p[1, 2] + r * p[2, 2] + d * p[3, 2]
                    wx = x + 1.5 * noise_at(noise, x / 9, y / 9, z / 9)
                    wy = y + 1.5 * noise_at(noise, x / 9 + 31, y / 9, z / 9)
                    if kind == 0:
                        label = brain_tissue(noise, wx, wy, z, size)
                    elif kind == 1:
                        label = knee_tissue(noise, wx, wy, z, size)
                    else:
                        label = shoulder_tissue(noise, wx, wy, z, size)
                    labels[s, row, column, n] = label
                texture[s, row, column] = noise_at(noise, x / 2, y / 2, z / 2)


def shape_labels(
    kind: int, noise: NDArray[np.float32], size: float, stack: Stack
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The labels of a stack through a brain, knee or shoulder, (S, rows, columns, samples), and its texture."""
    shape = (stack.count, stack.rows, stack.columns)
    labels = np.empty((*shape, SAMPLES), np.uint8)
    texture = np.empty(shape, np.float32)
    shape_slices(kind, noise, size, stack.kernel_planes(), SAMPLE_OFFSETS, labels, texture)
    return labels, texture
