"""Planes in, labels out."""

from typing import Any

import numpy as np

from spinalis.simulate.compiler import compiled, compiled_maker
from spinalis.simulate.coordinates import Body, locate, noise_at, warp
from spinalis.simulate.kernel import CORD_GREY, CORD_WHITE, MARROW, NOTHING
from spinalis.simulate.lesions import spine_tissue
from spinalis.simulate.surroundings import body_tissue

SAMPLES = 4
"""Sub-samples per pixel, spread over the pixel and the slice thickness on a rotated grid."""

NEAR_SPINE_MM = 78.0

FINER = 2.2
"""Cells per mm of the finer of the two grains of the texture: hills of 2 mm, as trabeculae with their fat show."""

WARP_STEP = 2
"""The warp is taken at every second pixel of a row and of a column, and is linear between them."""


@compiled
def tissue_at(body: Body, x: float, y: float, z: float, hint: int) -> tuple[int, int]:
    """The label at a point of the smooth anatomy, LPS mm, and the vertebra to try first for the next point."""
    contour = body.contour
    row = int(min(max((z - body.contour_z) * 0.5, 0.0), contour.shape[0] - 1.0))
    dx, dy = x - contour[row, 0], y - contour[row, 1]
    if abs(dx) < 60 and -40 < dy < NEAR_SPINE_MM and y < contour[row, 2] - 2:
        i, t, u, v, up, down = locate(body, x, y, z, hint)
        if i >= 0:
            hint = i
            label = spine_tissue(body, i, t, u, v, up, down)
            if label != NOTHING:
                return label, hint
    return body_tissue(body, x, y, z), hint


@compiled
def warp_grid(body: Body, plane: Any, moves: Any) -> None:
    """Fill `moves` (rows, columns, 2): how far the warp moves every `WARP_STEP`th pixel back and up, mm."""
    for i in range(moves.shape[0]):
        for j in range(moves.shape[1]):
            row, column = i * WARP_STEP, j * WARP_STEP
            x = plane[0, 0] + column * plane[1, 0] + row * plane[2, 0]
            y = plane[0, 1] + column * plane[1, 1] + row * plane[2, 1]
            z = plane[0, 2] + column * plane[1, 2] + row * plane[2, 2]
            _, wy, wz = warp(body, x, y, z)
            moves[i, j, 0], moves[i, j, 1] = wy - y, wz - z


@compiled
def sample_place(plane: Any, offsets: Any, moves: Any, row: int, column: int, n: int) -> tuple[float, float, float]:
    """Where sub-sample `n` of a pixel lies in the smooth anatomy, LPS mm."""
    i, j = row // WARP_STEP, column // WARP_STEP
    a, b = (row - i * WARP_STEP) / WARP_STEP, (column - j * WARP_STEP) / WARP_STEP
    wy = (moves[i, j, 0] * (1 - b) + moves[i, j + 1, 0] * b) * (1 - a)
    wy += (moves[i + 1, j, 0] * (1 - b) + moves[i + 1, j + 1, 0] * b) * a
    wz = (moves[i, j, 1] * (1 - b) + moves[i, j + 1, 1] * b) * (1 - a)
    wz += (moves[i + 1, j, 1] * (1 - b) + moves[i + 1, j + 1, 1] * b) * a
    c, r, d = column + offsets[n, 0], row + offsets[n, 1], offsets[n, 2]
    x = plane[0, 0] + c * plane[1, 0] + r * plane[2, 0] + d * plane[3, 0]
    y = plane[0, 1] + c * plane[1, 1] + r * plane[2, 1] + d * plane[3, 1]
    z = plane[0, 2] + c * plane[1, 2] + r * plane[2, 2] + d * plane[3, 2]
    return x, y + wy, z + wz


@compiled
def alike(labels: Any, row: int, column: int, n: int) -> bool:
    """Whether the four neighbours of a pixel have its label in their samples of the other depth."""
    label = labels[row, column, n]
    return bool(
        labels[max(row - 1, 0), column, 1 - n] == label
        and labels[min(row + 1, labels.shape[0] - 1), column, 1 - n] == label
        and labels[row, max(column - 1, 0), 1 - n] == label
        and labels[row, min(column + 1, labels.shape[1] - 1), 1 - n] == label
    )


@compiled
def refine(body: Body, plane: Any, offsets: Any, moves: Any, labels: Any) -> None:
    """Take the other samples of the pixels that differ from a neighbour: `labels` (rows, columns, SAMPLES)."""
    for row in range(labels.shape[0]):
        hint = 22
        for column in range(labels.shape[1]):
            n = (row + column) & 1
            if alike(labels, row, column, n):
                continue
            for m in range(SAMPLES):
                if m != n:
                    x, y, z = sample_place(plane, offsets, moves, row, column, m)
                    labels[row, column, m], hint = tissue_at(body, x, y, z, hint)


@compiled_maker
def render_slices(body: Body, planes: Any, offsets: Any, labels: Any, texture: Any) -> None:
    """Fill the labels of a stack of slices.

    Every pixel gets one sample, in front and behind within the slice by turns, as on a chess board. Only where it
    differs from one of its four neighbours are the others taken; elsewhere they repeat it.

    Args:
        body: the subject.
        planes: (S, 4, 3): centre of the first pixel, step to the next column, step to the next row, step through
            the thickness of the slice, LPS mm.
        offsets: (SAMPLES, 3): column, row (in pixels) and through (in thicknesses) of each sub-sample.
        labels: (S, rows, columns, SAMPLES) uint8, filled.
        texture: (S, rows, columns) float32, filled: noise of about unit variance.
    """
    grain = body.whole[0].grain
    rows, columns = labels.shape[1], labels.shape[2]
    moves = np.empty((rows // WARP_STEP + 2, columns // WARP_STEP + 2, 2))
    for s in range(planes.shape[0]):
        p = planes[s]
        warp_grid(body, p, moves)
        for row in range(rows):
            hint = 22
            for column in range(columns):
                n = (row + column) & 1
                x, y, z = sample_place(p, offsets, moves, row, column, n)
                label, hint = tissue_at(body, x, y, z, hint)
                for m in range(SAMPLES):
                    labels[s, row, column, m] = label
                texture[s, row, column] = 0
                if label != 0:
                    coarse = noise_at(body.noise, x * grain, y * grain, z * grain)
                    fine = noise_at(body.noise, x * 0.7 * FINER, y * FINER, z * FINER)
                    texture[s, row, column] = 0.6 * coarse + 0.8 * fine
                    if label == MARROW:
                        texture[s, row, column] += body.vertebrae[hint].tone
        refine(body, p, offsets, moves, labels[s])


@compiled
def shade(labels: Any, texture: Any, water: Any, fat: Any, strength: Any, images: Any) -> None:
    """Turn labels into the water and the fat image.

    Args:
        labels: (S, rows, columns, SAMPLES).
        texture: (S, rows, columns).
        water: (labels,) signal of the water of a label.
        fat: the same for fat.
        strength: (labels,) how much texture changes it.
        images: (2, S, rows, columns) float32, filled.
    """
    for s in range(labels.shape[0]):
        for row in range(labels.shape[1]):
            for column in range(labels.shape[2]):
                w = f = 0.0
                grain = texture[s, row, column]
                for n in range(SAMPLES):
                    label = labels[s, row, column, n]
                    factor = max(0.0, 1 + strength[label] * grain)
                    w += water[label] * factor
                    f += fat[label] * factor
                images[0, s, row, column] = w / SAMPLES
                images[1, s, row, column] = f / SAMPLES


@compiled
def cord_pixels(labels: Any, found: Any) -> None:
    """Count the pixels of every slice that the cord fills by half at least: `found` (S,) is filled.

    One sample would not do: it lies to one side of the middle of the slice.
    """
    for s in range(labels.shape[0]):
        count = 0
        for row in range(labels.shape[1]):
            for column in range(labels.shape[2]):
                within = 0
                for n in range(SAMPLES):
                    if labels[s, row, column, n] in (CORD_WHITE, CORD_GREY):
                        within += 1
                if 2 * within >= SAMPLES:
                    count += 1
        found[s] = count
