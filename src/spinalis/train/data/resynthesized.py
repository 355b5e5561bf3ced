"""Real anatomy in other contrasts: SPIDER's SPACE slabs, drawn anew through the simulator's pulse sequences.

Each pixel becomes a mixture of the two tissues of its mask class between whose SPACE signals it lies; the mixture
then gives the signal of another sequence. What the mask does not name is guessed from intensity alone: fluid and fat
outside the canal look alike in SPACE, so vessels, bladder and the end of the sac come out as fat. Only training
patients are drawn.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spinalis.records import FloatArray, Image
from spinalis.simulate.sequence import Contrast, Protocol, sample_protocol, signal_table
from spinalis.simulate.tissue import Tissue, TissueTable, sample_tissues
from spinalis.train.data import slabs
from spinalis.train.data.slabs import BACKGROUND, CANAL, DISC, VERTEBRA

CONTRASTS = (Contrast.T1W, Contrast.T2W, Contrast.STIR, Contrast.PD)

CHAINS: Mapping[int, tuple[Tissue, Tissue, Tissue]] = {
    BACKGROUND: (Tissue.AIR, Tissue.MUSCLE, Tissue.FAT),
    DISC: (Tissue.CORTEX, Tissue.ANNULUS, Tissue.NUCLEUS_0),
    VERTEBRA: (Tissue.CORTEX, Tissue.MARROW, Tissue.FAT),
    CANAL: (Tissue.LIGAMENT, Tissue.ROOTLET, Tissue.CSF),
}
"""The tissues of each mask class, dark to bright in SPACE. Source: fitted beside real T1w slices of the same set."""

CSF_QUANTILE = 0.9
"""The canal's intensity that counts as pure CSF: the rest holds roots and partial volume. Fitted."""

MOST_GAIN = 2.0
"""Fat near the coil is brighter than fat elsewhere by up to this."""

FAT_SHIFT_PIXELS = 2.0
NOISE = (0.005, 0.03)
"""Standard deviation of the Rician noise as a share of the 97th percentile, log-uniform, as in `simulate.scanner`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """Two tissues per pixel, (rows, columns): `share` in 0..1 of `brighter`, the rest of `darker`; `gain` >= 1."""

    darker: NDArray[np.uint8]
    brighter: NDArray[np.uint8]
    share: Image
    gain: Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Resynthesized:
    """One real slice in another contrast, (rows, columns) float32 from 0.

    `points` (5, 2): (x, y) in pixels of L1/L2 to L5/S1, None where its mask does not show all five.
    """

    image: Image
    protocol: Protocol
    patient: str
    midline_mm: float
    points: FloatArray | None


def read(
    root: Path, seed: int, contrasts: tuple[Contrast, ...] = CONTRASTS, within_mm: float = np.inf
) -> Iterator[Resynthesized]:
    """Every slice `within_mm` of the midline of every training patient in each contrast, one protocol for a slab."""
    training = (item for item in slabs.read(root) if item.subset == "training" and abs(item.midline_mm) <= within_mm)
    for patient, found in groupby(training, key=lambda item: item.patient):
        slices = list(found)
        pictures = [(item.load(), item.load_mask()) for item in slices]
        rng = np.random.default_rng((seed, *patient.encode()))
        field_t = float(rng.choice((1.5, 3.0)))
        tissues = sample_tissues(rng, field_t, float(rng.uniform(25, 85)))
        space = signals(sample_protocol(rng, Contrast.T2_SPACE, field_t), tissues)
        levels = reference_levels(pictures, space.sum(axis=0))
        mixtures = [mixture_of(*picture, levels) for picture in pictures]
        points = [slabs.level_points(mask) for _, mask in pictures]
        for contrast in contrasts:
            protocol = sample_protocol(rng, contrast, field_t)
            table, shift = signals(protocol, tissues), float(rng.uniform(-1, 1) * FAT_SHIFT_PIXELS)
            noise = float(np.exp(rng.uniform(*np.log(NOISE))))
            for item, mixture, where in zip(slices, mixtures, points, strict=True):
                yield Resynthesized(
                    image=_noisy(rng, render(mixture, table, shift), noise),
                    protocol=protocol,
                    patient=patient,
                    midline_mm=item.midline_mm,
                    points=where,
                )


def signals(protocol: Protocol, tissues: TissueTable) -> FloatArray:
    """Signal of the water and of the fat of every tissue, (2, tissues)."""
    return np.stack(signal_table(protocol, tissues))


def reference_levels(pictures: list[tuple[Image, NDArray[np.uint8]]], space: FloatArray) -> dict[int, FloatArray]:
    """The intensity of each chain's three tissues in one slab: measured in CSF and marrow, the rest by SPACE's ratios.

    Args:
        pictures: slices with their masks.
        space: (tissues,) SPACE signal of every tissue, any scale.

    Returns:
        Mask class -> (3,) rising intensities.
    """
    canal = np.concatenate([image[mask == CANAL] for image, mask in pictures])
    marrow = np.concatenate([image[mask == VERTEBRA] for image, mask in pictures])
    per_csf = float(np.quantile(canal, CSF_QUANTILE)) / space[Tissue.CSF]
    per_marrow = float(np.median(marrow)) / space[Tissue.MARROW]
    scale = {BACKGROUND: per_marrow, VERTEBRA: per_marrow, DISC: per_csf, CANAL: per_csf}
    levels = {}
    for name, chain in CHAINS.items():
        expected = scale[name] * space[list(chain)]
        expected[1] = max(expected[1], expected[0] + 1e-3)
        expected[2] = max(expected[2], 1.05 * expected[1])
        levels[name] = expected
    return levels


def mixture_of(image: Image, mask: NDArray[np.uint8], levels: Mapping[int, FloatArray]) -> Mixture:
    """Read each pixel as a mixture of two neighbours in its class's chain."""
    darker, brighter = np.zeros(image.shape, np.uint8), np.zeros(image.shape, np.uint8)
    share, gain = np.zeros(image.shape, np.float32), np.ones(image.shape, np.float32)
    for name, chain in CHAINS.items():
        inside = mask == name
        values, (dark, middle, bright) = image[inside], levels[name]
        upper = values > middle
        darker[inside] = np.where(upper, chain[1], chain[0])
        brighter[inside] = np.where(upper, chain[2], chain[1])
        low, high = np.where(upper, middle, dark), np.where(upper, bright, middle)
        share[inside] = np.clip((values - low) / (high - low), 0, 1)
        if name == BACKGROUND:
            gain[inside] = np.clip(values / bright, 1, MOST_GAIN)
    return Mixture(darker=darker, brighter=brighter, share=share, gain=gain)


def render(mixture: Mixture, table: FloatArray, fat_shift: float = 0.0) -> Image:
    """The picture of a mixture under a table of `signals`; fat lies `fat_shift` pixels lower."""
    water, fat = (
        mixture.gain * (row[mixture.darker] * (1 - mixture.share) + row[mixture.brighter] * mixture.share)
        for row in table.astype(np.float32)
    )
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, fat_shift]])
    moved = cv2.warpAffine(fat, matrix, fat.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.abs(water + moved), np.float32)


def _noisy(rng: np.random.Generator, image: Image, noise: float) -> Image:
    sigma = np.float32(noise * np.percentile(image, 97))
    real, imaginary = sigma * rng.standard_normal((2, *image.shape), dtype=np.float32)
    return np.asarray(np.hypot(image + real, imaginary), np.float32)
