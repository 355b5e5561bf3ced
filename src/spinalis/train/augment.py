"""Random changes of a picture: first the parameters are drawn, then they are applied."""

from dataclasses import dataclass

import cv2
import numpy as np

from spinalis.models.prepare import InputSpec, normalize, resample
from spinalis.records import FloatArray, Image

CROP_SCALE, CROP_SHIFT = (0.2, 0.7), 0.2
"""Of cropped pictures: log-factor by which they are larger, and how far they are moved besides, of the input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How far an augmentation may go. Angles in degrees, shift as a fraction of the input, the rest as log-factors.

    `mirrored` is the share of pictures that are flipped left to right, `cropped` the share of which but a part is seen.
    """

    rotation_deg: float = 10.0
    shift: float = 0.12
    scale: float = 0.22
    aspect: float = 0.35
    gamma: float = 0.35
    noise: float = 0.04
    blur: float = 1.0
    bias: float = 0.35
    mirrored: float = 0.0
    cropped: float = 0.0


def draw_matrix(rng: np.random.Generator, base: FloatArray, spec: InputSpec, spread: Spread) -> FloatArray:
    """Compose `base` (2, 3), picture -> input, with a random rotation, shift, scale and aspect about the centre."""
    angle = np.radians(rng.uniform(-spread.rotation_deg, spread.rotation_deg))
    scale = np.exp(rng.uniform(-spread.scale, spread.scale))
    aspect = np.exp(rng.uniform(-spread.aspect, spread.aspect) / 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = -1.0 if spread.mirrored and rng.random() < spread.mirrored else 1.0
    linear = scale * turn @ np.diag([flip * aspect, 1 / aspect])
    centre = np.array([(spec.width - 1) / 2, (spec.height - 1) / 2])
    shift = rng.uniform(-spread.shift, spread.shift, 2)
    if spread.cropped and rng.random() < spread.cropped:
        linear = linear * np.exp(rng.uniform(*CROP_SCALE))
        shift = shift + rng.uniform(-CROP_SHIFT, CROP_SHIFT, 2)
    offset = centre + shift * (spec.width, spec.height) - linear @ centre
    return np.hstack([linear @ base[:, :2], (linear @ base[:, 2] + offset)[:, None]])


def apply(rng: np.random.Generator, image: Image, matrix: FloatArray, spec: InputSpec, spread: Spread) -> Image:
    """Resample a picture by `matrix`, then change its intensities at random; (rows, columns) -> (C, H, W)."""
    shape = (spec.height, spec.width)
    small = resample(image, matrix, shape)
    low, high = np.percentile(small, (0.5, 99.5))
    unit = np.clip((small - low) / max(float(high - low), 1e-6), 0.0, 2.0)
    unit = unit ** np.exp(rng.uniform(-spread.gamma, spread.gamma))
    coarse = rng.uniform(-spread.bias, spread.bias, (3, 3)).astype(np.float32)
    unit = unit * np.exp(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))
    if rng.random() < 0.3:
        unit = cv2.GaussianBlur(unit, (0, 0), rng.uniform(0.3, 0.3 + spread.blur))
    unit = unit + rng.normal(0.0, rng.uniform(0.0, spread.noise), shape)
    return normalize(np.asarray(np.maximum(unit, 0.0), np.float32), spec)
