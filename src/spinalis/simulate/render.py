"""Planes in, labels out."""

from typing import Any

from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import Body, locate, noise_at, warp
from spinalis.simulate.kernel import CORD_GREY, CORD_WHITE, NOTHING
from spinalis.simulate.lesions import spine_tissue
from spinalis.simulate.surroundings import body_tissue

SAMPLES = 4
"""Sub-samples per pixel, spread over the pixel and the slice thickness on a rotated grid."""

NEAR_SPINE_MM = 78.0


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
def render_slices(body: Body, planes: Any, offsets: Any, labels: Any, texture: Any) -> None:
    """Fill the labels of a stack of slices.

    Args:
        body: the subject.
        planes: (S, 4, 3): centre of the first pixel, step to the next column, step to the next row, step through
            the thickness of the slice, LPS mm.
        offsets: (SAMPLES, 3): column, row (in pixels) and through (in thicknesses) of each sub-sample.
        labels: (S, rows, columns, SAMPLES) uint8, filled. Where the first two agree the others repeat them.
        texture: (S, rows, columns) float32, filled: noise of about unit variance.
    """
    grain = body.whole[0].grain
    for s in range(planes.shape[0]):
        p = planes[s]
        for row in range(labels.shape[1]):
            hint = 22
            for column in range(labels.shape[2]):
                first = 0
                x = p[0, 0] + column * p[1, 0] + row * p[2, 0]
                y = p[0, 1] + column * p[1, 1] + row * p[2, 1]
                z = p[0, 2] + column * p[1, 2] + row * p[2, 2]
                wx, wy, wz = warp(body, x, y, z)
                wx, wy, wz = wx - x, wy - y, wz - z
                for n in range(SAMPLES):
                    c, r, d = column + offsets[n, 0], row + offsets[n, 1], offsets[n, 2]
                    x = p[0, 0] + c * p[1, 0] + r * p[2, 0] + d * p[3, 0]
                    y = p[0, 1] + c * p[1, 1] + r * p[2, 1] + d * p[3, 1]
                    z = p[0, 2] + c * p[1, 2] + r * p[2, 2] + d * p[3, 2]
                    label, hint = tissue_at(body, x + wx, y + wy, z + wz, hint)
                    labels[s, row, column, n] = label
                    if n == 0:
                        first = label
                    elif n == 1 and label == first:
                        for m in range(2, SAMPLES):
                            labels[s, row, column, m] = label
                        break
                if first == 0:
                    texture[s, row, column] = 0
                else:
                    texture[s, row, column] = noise_at(body.noise, x * grain, y * grain, z * grain)


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
    """Count the pixels of the cord in every slice: `found` (S,) is filled."""
    for s in range(labels.shape[0]):
        count = 0
        for row in range(labels.shape[1]):
            for column in range(labels.shape[2]):
                label = labels[s, row, column, 0]
                if label in (CORD_WHITE, CORD_GREY):
                    count += 1
        found[s] = count
