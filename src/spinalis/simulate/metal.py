"""Metal: the field it bends, and what that leaves of the picture around it.

Source:
    Field of a magnetized body by its dipole kernel in k-space: Salomir et al., Concepts Magn Reson B 2003; Marques and
    Bowtell 2005. Susceptibility of titanium: Schenck, Med Phys 1996. Displacement along the readout, pile-up and the
    loss of gradient echoes: Hargreaves et al., AJR 2011. All cited from memory. `SLICE_HZ` is a working value.
"""

import numpy as np
from numpy.typing import NDArray

from spinalis.records import FloatArray
from spinalis.simulate.scanner import Artefacts, FloatStack, Stack
from spinalis.simulate.sequence import FAT_PPM, HZ_PER_PPM_T, Protocol
from spinalis.simulate.tissue import Tissue

TITANIUM_PPM = 182.0
"""Its susceptibility. That of tissue, near -9, would add to the difference; alloys differ by more than that."""

SLICE_HZ = 1800.0
"""Off by so much, spins leave the slice between the exciting and the refocusing pulse."""

REACH_MM = 50.0
"""Farther from metal than this the field is taken as even."""

PADDING = 8
"""Empty slices before and behind the stack, so that its two ends do not meet in the transform."""

FINE = 3
"""Parts of a pixel that move on their own."""


def bend(images: FloatStack, labels: NDArray[np.uint8], stack: Stack, protocol: Protocol, artefacts: Artefacts) -> None:
    """Let the metal among the labels act on the water and the fat image, in place.

    Signal moves along the readout with the field, by as much as fat would for each 3.4 ppm, and piles up where
    neighbours land together. Spin echoes lose what leaves the slice, gradient echoes what dephases within a voxel.

    Args:
        images: (2, S, rows, columns).
        labels: (S, rows, columns, samples).
        stack: where the slices lie.
        protocol: kind of echo, echo time and field strength.
        artefacts: direction and width of the fat shift.
    """
    found = labels == Tissue.METAL
    if not found.any():
        return
    metal = found.mean(axis=-1, dtype=np.float32)
    rows, columns = (_around(metal.any(axis=axes), stack.pixel_mm) for axes in ((0, 2), (0, 1)))
    ppm = field_ppm(metal[:, rows, columns], stack)
    hertz = ppm * HZ_PER_PPM_T * protocol.field_t
    kept = _dephased(hertz, protocol.echo_ms) if protocol.kind == "gre" else np.clip(1 - np.abs(hertz) / SLICE_HZ, 0, 1)
    shift = ppm * artefacts.fat_shift_px / FAT_PPM
    for image in images:
        near = (image[:, rows, columns] * kept).astype(np.float32)
        image[:, rows, columns] = _moved(near, shift, 1 if artefacts.fat_shift_down else 2)


def field_ppm(metal: FloatStack, stack: Stack) -> FloatArray:
    """How much titanium in a share of every voxel, (S, rows, columns), changes the field along the body, ppm."""
    padded = np.pad(metal, ((PADDING, PADDING), (0, 0), (0, 0)))
    steps = (stack.spacing_mm, stack.pixel_mm, stack.pixel_mm)
    waves = np.meshgrid(
        *(np.fft.fftfreq(n, step) for n, step in zip(padded.shape, steps, strict=True)), indexing="ij", sparse=True
    )
    along = sum(wave * stack.axes[axis, 2] for wave, axis in zip(waves, (2, 1, 0), strict=True))
    square = sum(wave * wave for wave in waves)
    square[0, 0, 0] = 1
    kernel = 1 / 3 - along * along / square
    kernel[0, 0, 0] = 0
    field = np.fft.ifftn(kernel * np.fft.fftn(padded)).real[PADDING:-PADDING]
    return np.asarray(TITANIUM_PPM * field, float)


def _around(found: NDArray[np.bool_], pixel_mm: float) -> slice:
    """The rows or columns within reach of metal."""
    places, reach = np.flatnonzero(found), int(REACH_MM / pixel_mm)
    return slice(max(0, int(places[0]) - reach), int(places[-1]) + reach + 1)


def _dephased(hertz: FloatArray, echo_ms: float) -> FloatArray:
    """What an echo keeps of a voxel over which the frequency changes linearly."""
    kept = np.ones_like(hertz)
    for axis in range(3):
        if hertz.shape[axis] > 1:
            kept *= np.abs(np.sinc(np.gradient(hertz, axis=axis) * echo_ms * 1e-3))
    return kept


def _moved(near: FloatStack, shift: FloatArray, axis: int) -> FloatStack:
    """Move every part of a pixel by its own shift along an axis; what two pixels share is split between them."""
    beyond = [(0, 0)] * 2 + [(1, 1)]  # what enters from outside
    source, move = (np.pad(np.moveaxis(one, axis, -1), beyond, mode="edge") for one in (near, shift))
    size, slope = source.shape[-1], np.gradient(move, axis=-1)
    line = size * np.arange(source.size // size).reshape(*source.shape[:-1], 1)
    total = np.zeros(source.size)
    for part in (np.arange(FINE) - (FINE - 1) / 2) / FINE:
        target = np.arange(size) + part + move + part * slope
        low = np.floor(target).astype(np.int64)
        share = target - low
        for place, weight in ((low, 1 - share), (low + 1, share)):
            inside = (place >= 0) & (place < size)
            total += np.bincount((line + place)[inside], (source * weight)[inside], minlength=source.size)
    return np.asarray(np.moveaxis(total.reshape(source.shape)[..., 1:-1] / FINE, -1, axis), np.float32)
