"""The scanner: where the slices lie, and what coil, resolution, motion and noise make of the labels."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spinalis.records import FloatArray, SlicePlane
from spinalis.simulate.anatomy import CONTOUR_STEP_MM, Subject
from spinalis.vocabulary import Plane

FloatStack = NDArray[np.float32]

DIRECTIONS = {
    Plane.SAGITTAL: ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0)),
    Plane.AXIAL: ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    Plane.CORONAL: ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
}
"""Direction of a row, of a column, and from slice to slice, as pictures are shown."""

SAMPLE_OFFSETS = np.array(
    [[-0.375, -0.125, -0.375], [0.375, 0.125, 0.375], [0.125, -0.375, 0.125], [-0.125, 0.375, -0.125]]
)
"""Sub-samples on a rotated grid: column and row in pixels, through the slice in thicknesses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Parallel slices: `axes` rows are the unit directions of a row, of a column and from slice to slice."""

    plane: Plane
    centre: FloatArray
    axes: FloatArray
    count: int
    rows: int
    columns: int
    pixel_mm: float
    thickness_mm: float
    spacing_mm: float

    def slice_planes(self) -> tuple[SlicePlane, ...]:
        """The planes of the slices in order."""
        return tuple(
            SlicePlane(
                origin_lps_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
                along_row=(float(self.axes[0, 0]), float(self.axes[0, 1]), float(self.axes[0, 2])),
                along_column=(float(self.axes[1, 0]), float(self.axes[1, 1]), float(self.axes[1, 2])),
                row_spacing_mm=self.pixel_mm,
                column_spacing_mm=self.pixel_mm,
            )
            for origin in self.origins()
        )

    def origins(self) -> FloatArray:
        """Centres of the first pixels, (count, 3), LPS mm."""
        corner = self.centre - self.pixel_mm * (
            self.axes[0] * (self.columns - 1) / 2 + self.axes[1] * (self.rows - 1) / 2
        )
        steps = (np.arange(self.count) - (self.count - 1) / 2) * self.spacing_mm
        return np.asarray(corner + steps[:, None] * self.axes[2], float)

    def kernel_planes(self) -> FloatArray:
        """What `render.render_slices` wants: (count, 4, 3)."""
        steps = (self.pixel_mm * self.axes[0], self.pixel_mm * self.axes[1], self.thickness_mm * self.axes[2])
        return np.stack([np.stack([origin, *steps]) for origin in self.origins()])

    def positions(self) -> FloatArray:
        """LPS mm of every pixel of the middle slice, (rows, columns, 3)."""
        origin = self.origins()[self.count // 2]
        rows, columns = np.mgrid[: self.rows, : self.columns]
        return np.asarray(
            origin + self.pixel_mm * (columns[..., None] * self.axes[0] + rows[..., None] * self.axes[1]), float
        )


def turned_axes(plane: Plane, tilt_deg: float, turn_deg: float) -> FloatArray:
    """The axes of a plane, tilted about the patient's left-right axis and turned about head-feet, (3, 3)."""
    a, b = np.radians(tilt_deg), np.radians(turn_deg)
    tilt = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    turn = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return np.asarray(np.asarray(DIRECTIONS[plane]) @ (turn @ tilt).T, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefacts:
    """What one series suffers; drawn apart from being applied."""

    fat_shift_px: float
    blur_px: tuple[float, float]
    motion_mm: float
    ghost: float
    band: float
    band_margin_mm: float
    band_slope: float
    coil_mm: float
    coil_ends: float
    bias: FloatArray
    truncation: float
    noise: float
    gamma: float
    full_scale: float


def sample_artefacts(rng: np.random.Generator, stack: Stack) -> Artefacts:
    """Draw the artefacts of one series."""
    sagittal = stack.plane is Plane.SAGITTAL
    band = rng.uniform(0.03, 0.3) if rng.random() < (0.5 if sagittal else 0.2) else 1.0
    return Artefacts(
        fat_shift_px=float(rng.choice((-1, 1)) * rng.uniform(0, 1.6) / stack.pixel_mm),
        blur_px=(float(rng.uniform(0.3, 0.75)), float(rng.uniform(0.3, 0.75))),
        motion_mm=float(rng.uniform(0.5, 5)),
        ghost=float(rng.uniform(0, 0.05)),
        band=float(band),
        band_margin_mm=float(rng.uniform(4, 30)),
        band_slope=float(rng.normal(0, 0.12)),
        coil_mm=float(np.exp(rng.uniform(np.log(90), np.log(700)))),
        coil_ends=float(rng.uniform(0, 0.5)),
        bias=rng.normal(0, 0.12, 5),
        truncation=float(rng.uniform(0.72, 1.0)) if rng.random() < 0.5 else 1.0,
        noise=float(np.exp(rng.uniform(np.log(0.006), np.log(0.05)))),
        gamma=float(rng.uniform(0.85, 1.15)),
        full_scale=float(np.exp(rng.uniform(np.log(400), np.log(3500)))),
    )


def scan(
    rng: np.random.Generator,
    images: FloatStack,
    stack: Stack,
    artefacts: Artefacts,
    distances: tuple[FloatArray, FloatArray],
) -> NDArray[np.uint16]:
    """Turn the water and fat images (2, S, rows, columns) into stored values (S, rows, columns).

    `distances` are those of `distances_to` (rows, columns).
    """
    image = images[0] + _shifted(images[1], artefacts.fat_shift_px)
    for index in range(len(image)):
        image[index] = cv2.GaussianBlur(image[index], (0, 0), sigmaX=artefacts.blur_px[0], sigmaY=artefacts.blur_px[1])
    front, behind = distances
    _smear(image, stack, artefacts, np.clip((front - 12) / 14, 0, 1).astype(np.float32))
    image *= _sensitivity(stack, artefacts, front, behind)
    if artefacts.truncation < 1:
        image = _truncated(image, artefacts.truncation)
    sigma = artefacts.noise * float(np.percentile(image[:: max(1, len(image) // 4)], 97))
    noise = rng.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(sigma)
    image = np.hypot(image + noise[0], noise[1])
    top = float(np.percentile(image[:, ::4, ::4], 99.7)) + 1e-9
    values = artefacts.full_scale * (image / np.float32(top)) ** np.float32(artefacts.gamma)
    return np.asarray(np.clip(np.rint(values), 0, 4095), np.uint16)


def _shifted(fat: FloatStack, pixels: float) -> FloatStack:
    """Move the fat along the rows, linearly between two whole pixels."""
    whole = int(np.floor(pixels))
    part = np.float32(pixels - whole)
    reach = abs(whole) + 2
    wide = np.pad(fat, ((0, 0), (0, 0), (reach, reach)), mode="edge")
    near = np.roll(wide, whole, axis=2)
    return (near + part * (np.roll(near, 1, axis=2) - near))[:, :, reach:-reach]


def distances_to(stack: Stack, subject: Subject) -> tuple[FloatArray, FloatArray]:
    """How far every pixel lies before the bodies, and before the skin of the back: two (rows, columns) in mm."""
    points = stack.positions()
    index = (points[..., 2] - subject.contour_z) / CONTOUR_STEP_MM
    table = np.arange(len(subject.contour))
    spine = np.interp(index, table, subject.contour[:, 1])
    back = np.interp(index, table, subject.contour[:, 2])
    return spine - 16 - points[..., 1], back - points[..., 1]


def _smear(image: FloatStack, stack: Stack, artefacts: Artefacts, weight: FloatStack) -> None:
    """Breathing: blur and ghosts before the spine only, along the phase direction (columns)."""
    sigma = artefacts.motion_mm / stack.pixel_mm
    shift = int(37 / stack.pixel_mm)
    for index in range(len(image)):
        blurred = cv2.GaussianBlur(image[index], (0, 0), sigmaX=0.4 * sigma, sigmaY=sigma)
        blurred += artefacts.ghost * (np.roll(blurred, shift, 0) + np.roll(blurred, -shift, 0))
        image[index] += weight * (blurred - image[index])


def _sensitivity(stack: Stack, artefacts: Artefacts, front: FloatArray, behind: FloatArray) -> FloatStack:
    """Coil, saturation band and low-order bias, (rows, columns)."""
    y, x = np.meshgrid(np.linspace(-1, 1, stack.rows), np.linspace(-1, 1, stack.columns), indexing="ij")
    b = artefacts.bias
    field = np.exp(b[0] * x + b[1] * y + b[2] * x * y + b[3] * (x * x - 0.33) + b[4] * (y * y - 0.33))
    field *= np.exp(-np.clip(behind, 0, None) / artefacts.coil_mm)
    if stack.plane is not Plane.AXIAL:
        field *= 1 - artefacts.coil_ends * y**4
    if artefacts.band < 1:
        along = stack.positions()[..., 2] - stack.centre[2] if stack.plane is Plane.SAGITTAL else 0.0
        straight = float(np.median(front)) if stack.plane is Plane.CORONAL else front
        edge = np.clip((straight + artefacts.band_slope * along - artefacts.band_margin_mm) / 9 + 0.5, 0, 1)
        field *= 1 - (1 - artefacts.band) * edge
    return np.asarray(field, np.float32)


def _truncated(image: FloatStack, keep: float) -> FloatStack:
    """Measure fewer phase lines than the picture has rows: coarser, with ringing."""
    lines = np.fft.rfft(image, axis=1)
    lines[:, int(keep * lines.shape[1]) :] = 0
    return np.abs(np.fft.irfft(lines, n=image.shape[1], axis=1)).astype(np.float32)
