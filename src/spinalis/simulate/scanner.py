"""The scanner: where the slices lie, and what coil, resolution, motion and noise make of the labels."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spinalis.records import FloatArray, SlicePlane
from spinalis.simulate.anatomy import CONTOUR_STEP_MM, Subject
from spinalis.simulate.sequence import Contrast, Protocol
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


NOISE = {
    Contrast.T2W_FS: 1.2,
    Contrast.STIR: 1.4,
    Contrast.T2_SPACE: 1.2,
    Contrast.DWI: 1.8,
    Contrast.ADC: 1.8,
}
"""Noise against that of T1w and T2w. Working values."""

FLOW_SHARE = {Plane.AXIAL: 0.6, Plane.SAGITTAL: 0.45, Plane.CORONAL: 0.3}
"""Series with a long echo in which moving fluid is seen to some degree. Working values."""

FOLD_SHARE = 0.04
"""Stacks whose field is too small for the body along the phase direction. An assumption."""

FAT_FAILURE_SHARE = 0.2
"""Fat-saturated series that keep the fat of one side or corner bright. An assumption."""


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
    """What one series suffers; drawn apart from being applied.

    `coil_per_mm` is the logarithm of the signal lost per mm of depth, negative where the vendor corrects too much;
    `kept` is the measured share of the lines of k-space along columns and along rows. `spike` is a single bad point
    of k-space (cycles per picture along columns and rows, height over the brightest tissue), `zipper` a row of the
    picture with radio noise from outside; both None in nearly all series. `flow` and `flow_onset` are those of
    `flow.darken`. `fat_failure` says where saturation misses the fat: the direction in the picture (radians), how far
    from the centre it begins (half pictures), and by how much fat is brighter there; None where it does not.
    """

    fat_shift_px: float
    fat_shift_down: bool
    blur_px: tuple[float, float]
    motion_mm: float
    ghost: float
    band: float
    band_margin_mm: float
    band_slope: float
    coil_per_mm: float
    coil_ends: float
    bias: FloatArray
    kept: tuple[float, float]
    noise: float
    gamma: float
    full_scale: float
    flow: float = 0.0
    flow_onset: float = 0.0
    fat_failure: tuple[float, float, float] | None = None
    spike: tuple[float, float, float] | None = None
    zipper: int | None = None


def sample_artefacts(rng: np.random.Generator, stack: Stack, protocol: Protocol) -> Artefacts:
    """Draw the artefacts of one series. Rates and ranges were fitted by eye beside real series.

    A stronger field means less noise and a wider fat shift, less than in proportion since sites trade both for
    resolution and bandwidth. An ADC map, a quotient of pictures, shows neither coil nor band.
    """
    sagittal = stack.plane is Plane.SAGITTAL
    volume = protocol.contrast is Contrast.T2_SPACE
    band = rng.uniform(0.03, 0.3) if rng.random() < (0.5 if sagittal else 0.2) and not volume else 1.0
    kept = float(rng.uniform(0.72, 1.0)) if rng.random() < 0.5 else 1.0
    interpolated = float(rng.uniform(0.6, 0.9)) if rng.random() < 0.15 else 1.0
    spike = (float(rng.uniform(5, 60)), float(rng.uniform(-60, 60)), float(rng.uniform(0.03, 0.15)))
    field = protocol.field_t / 1.5
    noise = np.exp(rng.uniform(np.log(0.008), np.log(0.085))) * field**-0.4 * NOISE.get(protocol.contrast, 1.0)
    shift_mm = min(rng.uniform(0.1, 2.0) * rng.uniform(0.3, 1) * field**0.4, 2.5)
    long_echo = protocol.kind != "gre" and protocol.b_value is None and 50 <= protocol.echo_ms < 300
    flows = rng.random() < FLOW_SHARE[stack.plane] and long_echo
    fails = rng.random() < FAT_FAILURE_SHARE and protocol.fat_saturated
    failure = (rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.95), rng.uniform(0.3, 1.0) / protocol.fat_left)
    drawn = Artefacts(
        fat_shift_px=float(rng.choice((-1, 1)) * shift_mm / stack.pixel_mm),
        fat_shift_down=bool(rng.random() < 0.4),
        blur_px=(float(rng.uniform(0.25, 0.65)), float(rng.uniform(0.25, 0.65))),
        motion_mm=float(rng.uniform(0.5, 5)),
        ghost=float(rng.uniform(0, 0.05)),
        band=float(band),
        band_margin_mm=float(rng.uniform(4, 30)),
        band_slope=float(rng.normal(0, 0.12)),
        coil_per_mm=float(np.clip(rng.normal(0.002, 0.004), -0.002, 0.014)),
        coil_ends=float(rng.uniform(0, 0.5)),
        bias=rng.normal(0, 0.12, 5),
        kept=(kept * interpolated, interpolated),
        noise=float(noise),
        gamma=float(rng.uniform(0.85, 1.15)),
        full_scale=float(np.exp(rng.uniform(np.log(400), np.log(3500)))),
        flow=float(rng.uniform(0.15, 0.85)) if flows else 0.0,
        flow_onset=float(rng.uniform(0.2, 1.5)),
        fat_failure=(float(failure[0]), float(failure[1]), float(failure[2])) if fails else None,
        spike=spike if rng.random() < 0.005 else None,
        zipper=int(rng.integers(0, stack.rows)) if rng.random() < 0.01 else None,
    )
    if protocol.contrast is Contrast.ADC:
        return replace(drawn, band=1.0, coil_per_mm=0.0, coil_ends=0.0, bias=np.zeros(5), gamma=1.0)
    return drawn


def measured(rng: np.random.Generator, stack: Stack) -> Stack:
    """The stack, or in `FOLD_SHARE` a larger one: what lies beyond the field folds onto its opposite side.

    It grows along the phase direction: down the columns, and in half of sagittal stacks along the rows.
    """
    share, along = rng.uniform(0.04, 0.15), rng.random() < 0.5
    if rng.random() >= FOLD_SHARE:
        return stack
    if along and stack.plane is Plane.SAGITTAL:
        return replace(stack, columns=stack.columns + 2 * int(share * stack.columns))
    return replace(stack, rows=stack.rows + 2 * int(share * stack.rows))


def within(values: NDArray[Any], stack: Stack) -> NDArray[Any]:
    """The part of what was measured, (S, rows, columns, ...), that lies in the field of the stack."""
    up, left = (values.shape[1] - stack.rows) // 2, (values.shape[2] - stack.columns) // 2
    return np.ascontiguousarray(values[:, up : up + stack.rows, left : left + stack.columns])


def _folded(image: FloatStack, stack: Stack) -> FloatStack:
    """Add what lies beyond the field to its opposite side, less with distance, as coils and gradients fade there."""
    up, left = (image.shape[1] - stack.rows) // 2, (image.shape[2] - stack.columns) // 2
    if not up and not left:
        return image
    field = within(image, stack)
    if up:
        heard = ((np.arange(up, dtype=np.float32) + 0.5) / up)[:, None]
        field[:, -up:] += heard * image[:, :up, left : left + stack.columns]
        field[:, :up] += heard[::-1] * image[:, -up:, left : left + stack.columns]
    if left:
        heard = (np.arange(left, dtype=np.float32) + 0.5) / left
        field[:, :, -left:] += heard * image[:, up : up + stack.rows, :left]
        field[:, :, :left] += heard[::-1] * image[:, up : up + stack.rows, -left:]
    return field


def scan(
    rng: np.random.Generator,
    images: FloatStack,
    stack: Stack,
    artefacts: Artefacts,
    distances: tuple[FloatArray, FloatArray],
) -> NDArray[np.uint16]:
    """Turn the water and fat images (2, S, rows, columns) into stored values (S, rows, columns).

    The sum of both may be negative, where opposed fat prevails; its magnitude is taken last, so that borders of fat
    and water keep their dark rim. `distances` are those of `distances_to` (rows, columns). Images (and distances)
    larger than the stack are those of `measured`, and are folded into its field.
    """
    wide = replace(stack, rows=images.shape[2], columns=images.shape[3])
    if artefacts.fat_failure is not None:
        images[1] *= _unsaturated(wide, artefacts.fat_failure)
    image: FloatStack = images[0] + _shifted(images[1], artefacts.fat_shift_px, artefacts.fat_shift_down)
    for index in range(len(image)):
        image[index] = cv2.GaussianBlur(image[index], (0, 0), sigmaX=artefacts.blur_px[0], sigmaY=artefacts.blur_px[1])
    front, behind = distances
    _smear(image, wide, artefacts, np.clip((front - 12) / 14, 0, 1).astype(np.float32))
    image *= _sensitivity(wide, artefacts, front, behind)
    image = _folded(image, stack)
    for axis, kept in ((1, artefacts.kept[0]), (2, artefacts.kept[1])):
        if kept < 1:
            image = _truncated(image, kept, axis)
    bright = float(np.percentile(np.abs(image[:: max(1, len(image) // 4), ::2, ::2]), 97))
    sigma = np.float32(artefacts.noise * bright)
    image += sigma * rng.standard_normal(image.shape, dtype=np.float32)
    _disturb(rng, image, artefacts, bright)
    flat: NDArray[Any] = image.reshape(-1, image.shape[2])
    flat = cv2.magnitude(flat, sigma * rng.standard_normal(flat.shape, dtype=np.float32))
    top = float(np.percentile(flat[::4, ::4], 99.7)) + 1e-9
    flat = cv2.pow(flat * np.float32(1 / top), artefacts.gamma) * np.float32(artefacts.full_scale)
    return np.asarray(np.rint(np.minimum(flat, 4095)), np.uint16).reshape(image.shape)


def _unsaturated(stack: Stack, failure: tuple[float, float, float]) -> FloatStack:
    """By how much fat is brighter where the field is uneven and saturation misses it, (rows, columns)."""
    angle, begin, gain = failure
    y, x = np.meshgrid(np.linspace(-1, 1, stack.rows), np.linspace(-1, 1, stack.columns), indexing="ij")
    missed = np.clip((np.cos(angle) * x + np.sin(angle) * y - begin) / 0.25 + 0.5, 0, 1)
    return np.asarray(1 + (max(gain, 1.0) - 1) * missed * missed * (3 - 2 * missed), np.float32)


def _disturb(rng: np.random.Generator, image: FloatStack, artefacts: Artefacts, bright: float) -> None:
    """Stripes from a spike in k-space, on one slice; a zipper, on all."""
    rows, columns = image.shape[1:]
    if artefacts.spike is not None:
        down, along, height = artefacts.spike
        y, x = np.mgrid[:rows, :columns]
        stripes = np.cos(2 * np.pi * (down * y / rows + along * x / columns))
        image[len(image) // 2] += (height * bright * stripes).astype(np.float32)
    if artefacts.zipper is not None:
        image[:, artefacts.zipper] += np.float32(0.6 * bright) * rng.standard_normal(
            (len(image), columns), dtype=np.float32
        )


def _shifted(fat: FloatStack, pixels: float, down: bool) -> FloatStack:
    """Move the fat along the rows, or down the columns, linearly between two whole pixels."""
    move = np.array([[1, 0, 0 if down else pixels], [0, 1, pixels if down else 0]], np.float64)
    moved = np.empty_like(fat)
    size = (fat.shape[2], fat.shape[1])
    for index in range(len(fat)):
        cv2.warpAffine(fat[index], move, size, moved[index], borderMode=cv2.BORDER_REPLICATE)
    return moved


def distances_to(stack: Stack, subject: Subject, shape: tuple[int, ...] | None = None) -> tuple[FloatArray, FloatArray]:
    """How far every pixel lies before the bodies, and before the skin of the back: two (rows, columns) in mm.

    `shape` is that of what was `measured`, (S, rows, columns), if that is more than the stack.
    """
    wide = stack if shape is None else replace(stack, rows=shape[1], columns=shape[2])
    points = wide.positions()
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
    field *= np.exp(-artefacts.coil_per_mm * np.clip(behind, 0, None))
    if stack.plane is not Plane.AXIAL:
        field *= 1 - artefacts.coil_ends * y**4
    if artefacts.band < 1:
        along = stack.positions()[..., 2] - stack.centre[2] if stack.plane is Plane.SAGITTAL else 0.0
        straight = float(np.median(front)) if stack.plane is Plane.CORONAL else front
        edge = np.clip((straight + artefacts.band_slope * along - artefacts.band_margin_mm) / 9 + 0.5, 0, 1)
        field *= 1 - (1 - artefacts.band) * edge
    return np.asarray(field, np.float32)


def _truncated(image: FloatStack, keep: float, axis: int) -> FloatStack:
    """Measure fewer lines than the picture has along an axis: coarser, with ringing."""
    size = image.shape[axis]
    lines = np.fft.rfft(image, axis=axis)
    end = int(keep * lines.shape[axis])
    lines[(slice(None),) * axis + (slice(end, None),)] = 0
    return np.asarray(np.fft.irfft(lines, n=size, axis=axis), np.float32)
