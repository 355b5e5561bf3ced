"""Pulsating cerebrospinal fluid: dark patches and strands in the bright sac.

Source:
    Lisanti et al., AJR 2007 (flow voids on T2w turbo spin echo, more in the neck and chest than in the lower back).
    Cited from memory; strengths and sizes were fitted by eye beside real series.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from spinalis.records import FloatArray
from spinalis.simulate.scanner import Artefacts, FloatStack, Stack
from spinalis.simulate.tissue import Tissue
from spinalis.vocabulary import Plane

PULSE_MM = ((-90.0, 60.0, 200.0), (0.15, 0.5, 1.0))
"""Height above the centre of L3, and the share of the pulsation there: little in the lower sac."""

PATCH_MM = (2.5, 2.5)
STRAND_MM = (14.0, 1.1)
"""Size of a void down the columns and along the rows: across the sac, and where it runs through the picture."""


def darken(
    rng: np.random.Generator, images: FloatStack, labels: NDArray[np.uint8], stack: Stack, artefacts: Artefacts
) -> None:
    """Take away the signal of fluid that has moved between the pulses, in place.

    Args:
        rng: source of chance, for the places.
        images: (2, S, rows, columns) of water and fat.
        labels: (S, rows, columns, samples).
        stack: where the slices lie.
        artefacts: `flow`, the greatest loss, and `flow_onset`, the score (standard normal) from which on it is seen.
    """
    if artefacts.flow <= 0:
        return
    size = PATCH_MM if stack.plane is Plane.AXIAL else STRAND_MM
    heights, shares = PULSE_MM
    for index, origin in enumerate(stack.origins()):
        rows = np.flatnonzero((labels[index] == Tissue.CSF).any(axis=(1, 2)))
        if not len(rows):
            continue
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        fluid = (labels[index, part] == Tissue.CSF).mean(axis=-1)
        height = origin[2] + stack.pixel_mm * stack.axes[1, 2] * np.arange(part.start, part.stop)
        pulse = np.interp(height, heights, shares)[:, None]
        seen = 1 / (1 + np.exp((artefacts.flow_onset - _scores(rng, fluid.shape, size, stack.pixel_mm)) / 0.3))
        images[0, index, part] *= (1 - artefacts.flow * pulse * fluid * seen).astype(np.float32)


def _scores(
    rng: np.random.Generator, shape: tuple[int, ...], size_mm: tuple[float, float], pixel_mm: float
) -> FloatArray:
    """Smooth noise of unit variance, patches as large as asked."""
    down, along = (max(size / pixel_mm, 0.5) for size in size_mm)
    noise = cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), sigmaX=along, sigmaY=down)
    return np.asarray(noise / max(float(noise.std()), 1e-9), float)
