"""What a study of a profile holds: which series, in which order, on which slices.

The shares are those of the module's constants. They are fitted to what lumbar studies of the RSNA 2024 set hold
(sagittal T1w, sagittal T2w or STIR, axial T2w) and, beyond these, to common protocols from memory; no survey was
looked up.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spinalis.simulate.anatomy import Subject
from spinalis.simulate.coverage import leading_region
from spinalis.simulate.protocols import (
    axial_stacks,
    coronal_stack,
    isotropic_stack,
    localizer_stacks,
    sagittal_stack,
    slab_stack,
    stations,
    whole_spine_stack,
)
from spinalis.simulate.scanner import Stack
from spinalis.simulate.sequence import DIXON, Contrast
from spinalis.vocabulary import Region

FIELD_T = ((0.5, 0.02), (1.0, 0.04), (1.5, 0.62), (3.0, 0.32))
"""Field strengths and their shares."""

STIR_INSTEAD, STIR_ALSO = 0.12, 0.23
"""Sagittal STIR in place of T2w, and beside it."""

DIXON_SHARE = 0.06
"""Sagittal T2w as Dixon: water, fat, in and opposed phase, four series of one measurement."""

FAT_SATURATED, DENSITY, POST_CONTRAST = 0.05, 0.03, 0.07
"""Further sagittal series: T2w with fat saturation, proton density, T1w after contrast agent."""

ISOTROPIC, SLAB, DIFFUSION = 0.05, 0.04, 0.02
"""3-D isotropic sagittal T2w, a thick slab for myelography, sagittal diffusion with its ADC map."""

LOCALIZER, CORONAL = 0.3, 0.12
"""A localizer in three planes as one series, a coronal series."""

AXIAL_T1, AXIAL_T1_POST = 0.25, 0.5
"""Axial T1w beside T2w; axial T1w after contrast agent where the sagittal one was made."""

CERVICAL_GRADIENT_ECHO = (0.45, 0.2)
"""Axial T2*w of the neck in place of T2w, and beside it."""

BLOCKS_AS_ONE = 0.7
"""Axial blocks along the discs that are one series; the others are a series each."""

ONE_PICTURE = 0.5
"""Whole spines in one picture; the others in two or three stations, a series each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Slices and the contrasts that are acquired in them; several stacks are one series in the scanner's eyes."""

    stacks: tuple[Stack, ...]
    contrasts: tuple[Contrast, ...]
    region: Region


def plan_study(rng: np.random.Generator, subject: Subject, region: Region) -> tuple[Planned, ...]:
    """Draw the series of a cervical, thoracic or lumbar study in the order of their acquisition."""
    return tuple(_planned(rng, subject, region))


def plan_whole_spine(rng: np.random.Generator, subject: Subject) -> tuple[Planned, ...]:
    """Draw the series of a whole-spine study: sagittal only, in one picture or in stations."""
    whole = whole_spine_stack(rng, subject)
    parts = (whole,) if rng.random() < ONE_PICTURE else stations(whole, subject, int(rng.choice((2, 2, 3))))
    contrasts = [Contrast.T2W]
    if rng.random() < 0.7:
        contrasts.insert(0, Contrast.T1W)
    if rng.random() < 0.4:
        contrasts.append(Contrast.STIR)
    return tuple(
        Planned(stacks=(part,), contrasts=tuple(contrasts), region=leading_region(subject, part)) for part in parts
    )


def _planned(rng: np.random.Generator, subject: Subject, region: Region) -> Iterator[Planned]:
    def drawn(share: float) -> bool:
        return bool(rng.random() < share)

    def one(stack: Stack, *contrasts: Contrast) -> Planned:
        return Planned(stacks=(stack,), contrasts=contrasts, region=region)

    yield from _overview(rng, subject, region)
    post = drawn(POST_CONTRAST)
    yield one(sagittal_stack(rng, subject, region), *_sagittal_contrasts(rng))
    if drawn(ISOTROPIC):
        yield one(isotropic_stack(rng, subject, region), Contrast.T2_SPACE)
    if drawn(DIFFUSION):
        yield one(sagittal_stack(rng, subject, region), Contrast.DWI, Contrast.ADC)
    axial = _axial_contrasts(rng, region)
    blocks = axial_stacks(rng, subject, region)
    as_one = drawn(BLOCKS_AS_ONE)
    for part in (blocks,) if as_one else tuple((block,) for block in blocks):
        yield Planned(stacks=part, contrasts=axial, region=region)
    if drawn(SLAB):
        yield one(slab_stack(rng, subject, region), Contrast.MYELOGRAPHY)
    if post:
        yield one(sagittal_stack(rng, subject, region), Contrast.T1_POST)
        if drawn(AXIAL_T1_POST):
            yield Planned(stacks=blocks, contrasts=(Contrast.T1_POST,), region=region)


def _overview(rng: np.random.Generator, subject: Subject, region: Region) -> Iterator[Planned]:
    if rng.random() < LOCALIZER:
        contrast = Contrast.T2W if rng.random() < 0.6 else Contrast.GRE
        yield Planned(stacks=localizer_stacks(rng, subject, region), contrasts=(contrast,), region=region)
    if rng.random() < CORONAL:
        contrast = (Contrast.T2W, Contrast.T1W, Contrast.STIR)[int(rng.choice(3, p=(0.5, 0.2, 0.3)))]
        yield Planned(stacks=(coronal_stack(rng, subject, region),), contrasts=(contrast,), region=region)


def _sagittal_contrasts(rng: np.random.Generator) -> tuple[Contrast, ...]:
    stir = rng.random()
    main = (Contrast.STIR,) if stir < STIR_INSTEAD else DIXON if rng.random() < DIXON_SHARE else (Contrast.T2W,)
    further = [Contrast.STIR] if STIR_INSTEAD <= stir < STIR_INSTEAD + STIR_ALSO else []
    further += [
        contrast
        for contrast, share in ((Contrast.T2W_FS, FAT_SATURATED), (Contrast.PD, DENSITY))
        if rng.random() < share
    ]
    return (Contrast.T1W, *main, *further)


def _axial_contrasts(rng: np.random.Generator, region: Region) -> tuple[Contrast, ...]:
    if region is Region.CERVICAL:
        draw = rng.random()
        if draw < CERVICAL_GRADIENT_ECHO[0]:
            return (Contrast.GRE,)
        return (Contrast.T2W, Contrast.GRE) if draw < sum(CERVICAL_GRADIENT_ECHO) else (Contrast.T2W,)
    return (Contrast.T2W, Contrast.T1W) if rng.random() < AXIAL_T1 else (Contrast.T2W,)


def draw_field(rng: np.random.Generator) -> float:
    """A field strength in tesla, as often as `FIELD_T` says."""
    values, shares = zip(*FIELD_T, strict=True)
    return float(rng.choice(values, p=shares))
