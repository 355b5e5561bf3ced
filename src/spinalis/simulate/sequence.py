"""Pulse sequences: what is drawn for a series, and the signal a tissue gives.

Source:
    Spin echo, inversion recovery, spoiled gradient echo, driven equilibrium, diffusion weighting: Bernstein, King,
    Zhou, Handbook of MRI Pulse Sequences (2004). Dixon: Ma, JMRI 2008. Relaxivity of gadobutrol: Rohrer et al.,
    Invest Radiol 2005. All cited from memory. Ranges of TR, TE and TI: the acquisition table of SPIDER (van der Graaf
    et al. 2024) for T1w, T2w and SPACE; those of the other contrasts are usual ones, from memory.
"""

from dataclasses import dataclass, replace

import numpy as np

from spinalis.records import FloatArray
from spinalis.simulate.tissue import ENHANCEMENT_MMOL, MARROW_TISSUES, RELAXATION, Tissue, TissueTable
from spinalis.vocabulary import Detail, Sequence

T2W_DIXON_ECHO_MS = 60.0
"""A Dixon water image with this echo time or a longer one is T2w. Cited from memory."""

RELAXIVITY = 5.1
"""Of gadobutrol in plasma at 1.5 to 3 T, per mmol/l and second."""

FAT_PPM = 3.4
"""Fat precesses so much slower than water."""

HZ_PER_PPM_T = 42.577
"""Protons precess by so much faster for every ppm of the field, per tesla."""

FAT_OFFSET_HZ_PER_T = FAT_PPM * HZ_PER_PPM_T

CSF_T1_MS = RELAXATION[Tissue.CSF].t1[0]
"""T1 FLAIR is set to null it."""

FAT_DIFFUSION_UM2_MS = 0.05
"""Fat hardly diffuses. Cited from memory."""


Contrast = Detail
"""Every kind of picture that the simulated scanner makes."""

T1_WEIGHTED = (Contrast.T1W, Contrast.T1_POST, Contrast.T1_FLAIR)
T2_WEIGHTED = (Contrast.T2W, Contrast.T2W_FS, Contrast.T2_SPACE)
DIXON = (Contrast.DIXON_WATER, Contrast.DIXON_FAT, Contrast.DIXON_IN, Contrast.DIXON_OPPOSED)
DIFFUSION = (Contrast.DWI, Contrast.ADC)

TIMES_MS: dict[Contrast, tuple[tuple[float, float], tuple[float, float]]] = {
    Contrast.T1W: ((450, 800), (7, 18)),
    Contrast.T1_POST: ((450, 800), (7, 18)),
    Contrast.T1_FLAIR: ((1800, 2400), (8, 16)),
    Contrast.T2W: ((2500, 5500), (80, 140)),
    Contrast.T2W_FS: ((2800, 5500), (60, 110)),
    Contrast.T2_SPACE: ((1000, 1600), (110, 140)),
    Contrast.STIR: ((3000, 5500), (35, 80)),
    Contrast.PD: ((1800, 3500), (15, 40)),
    Contrast.GRE: ((400, 900), (9, 18)),
    Contrast.DIXON_WATER: ((2500, 5000), (70, 110)),
    Contrast.DIXON_FAT: ((2500, 5000), (70, 110)),
    Contrast.DIXON_IN: ((2500, 5000), (70, 110)),
    Contrast.DIXON_OPPOSED: ((2500, 5000), (70, 110)),
    Contrast.MYELOGRAPHY: ((4000, 9000), (500, 1000)),
    Contrast.DWI: ((2500, 6000), (55, 90)),
    Contrast.ADC: ((2500, 6000), (55, 90)),
}
"""Range of TR and of TE."""

SHORT_DIXON_MS = ((450.0, 900.0), (5.0, 40.0))
"""TR and TE of a Dixon series with T1 or proton weighting, two in five."""

FAT_SATURATED_SHARE = {
    Contrast.T1_POST: 0.5,
    Contrast.T2W_FS: 1.0,
    Contrast.PD: 0.3,
    Contrast.MYELOGRAPHY: 0.6,
    Contrast.DWI: 1.0,
    Contrast.ADC: 1.0,
}
"""An assumption."""

SPACE_FAT_T2 = 0.55
"""The low flip angles of SPACE keep the J-coupling of fat, so that its T2 falls back to that of a single echo.

Source: Henkelman et al., MRM 1992, cited from memory, for the effect; the factor was fitted to the ratio of CSF to
marrow in 10 SPACE slabs of SPIDER (median 4.1).
"""

B_VALUES = (0, 50, 400, 600, 800, 1000)
B_SHARES = (0.2, 0.1, 0.2, 0.15, 0.2, 0.15)
"""Diffusion weightings, s/mm2, and how often each is drawn, an assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One drawn sequence: times in ms; `kind` is `se`, `ir` or `gre`.

    `fat_left` is the share of the fat signal that saturation leaves, `b_value` in s/mm2, `restore_ms` the length of
    the echo train before a pulse that drives the rest of the magnetization back up (None without one).
    """

    contrast: Contrast
    kind: str
    repetition_ms: float
    echo_ms: float
    inversion_ms: float | None = None
    flip_deg: float = 90.0
    field_t: float = 1.5
    fat_left: float = 1.0
    b_value: float | None = None
    restore_ms: float | None = None

    @property
    def fat_saturated(self) -> bool:
        """Whether fat was saturated by its frequency."""
        return self.fat_left < 1

    @property
    def sequence(self) -> Sequence:
        """What a reader calls it. A Dixon water image with a long echo is T2w."""
        if self.contrast in T1_WEIGHTED:
            return Sequence.T1W
        if self.contrast in T2_WEIGHTED:
            return Sequence.T2W
        if self.contrast is Contrast.DIXON_WATER and self.echo_ms >= T2W_DIXON_ECHO_MS:
            return Sequence.T2W
        return Sequence.STIR if self.contrast is Contrast.STIR else Sequence.OTHER


def sample_protocol(rng: np.random.Generator, contrast: Contrast, field_t: float) -> Protocol:
    """Draw the times of a series.

    Args:
        rng: source of chance.
        contrast: what is wanted. A third of T1W at 3 T comes as T1_FLAIR, as sites do it.
        field_t: 0.5 to 3 T.
    """
    if contrast is Contrast.T1W and field_t > 2 and rng.random() < 1 / 3:
        contrast = Contrast.T1_FLAIR
    if contrast in DIXON and rng.random() < 0.4:
        return _short_dixon(rng, contrast, field_t)
    repetition, echo = TIMES_MS[contrast]
    drawn = Protocol(
        contrast=contrast,
        kind="se",
        repetition_ms=float(rng.uniform(*repetition)),
        echo_ms=float(rng.uniform(*echo)),
        field_t=field_t,
    )
    if rng.random() < FAT_SATURATED_SHARE.get(contrast, 0):
        drawn = replace(drawn, fat_left=_fat_left(rng, field_t))
    return _prepared(rng, drawn)


def _prepared(rng: np.random.Generator, drawn: Protocol) -> Protocol:
    """Add what some contrasts play out before, or in place of, the echo train."""
    contrast, field_t = drawn.contrast, drawn.field_t
    if contrast is Contrast.STIR:
        inversion = rng.uniform(195, 235) if field_t > 2 else rng.uniform(145, 175) * (field_t / 1.5) ** 0.35
        return replace(drawn, kind="ir", inversion_ms=float(inversion))
    if contrast is Contrast.T1_FLAIR:
        null = CSF_T1_MS * np.log(2 / (1 + np.exp(-drawn.repetition_ms / CSF_T1_MS)))
        return replace(drawn, kind="ir", inversion_ms=float(null * rng.uniform(0.88, 1.02)))
    if contrast is Contrast.GRE:
        return replace(drawn, kind="gre", flip_deg=float(rng.uniform(20, 35)))
    if contrast is Contrast.T2_SPACE or (contrast is Contrast.T2W and rng.random() < 0.3):
        train = (80, 160) if contrast is Contrast.T2_SPACE else (150, 300)
        return replace(drawn, restore_ms=float(rng.uniform(*train)))
    if contrast is Contrast.DWI:
        return replace(drawn, b_value=float(rng.choice(B_VALUES, p=B_SHARES)))
    return drawn


def _short_dixon(rng: np.random.Generator, contrast: Contrast, field_t: float) -> Protocol:
    """A Dixon series with a short echo: half of them gradient echoes at the first opposed and in-phase times."""
    if rng.random() < 0.5:
        opposed = 500 / (FAT_OFFSET_HZ_PER_T * field_t)
        return Protocol(
            contrast=contrast,
            kind="gre",
            repetition_ms=float(rng.uniform(100, 200)),
            echo_ms=opposed * (1 if contrast is Contrast.DIXON_OPPOSED else 2),
            flip_deg=float(rng.uniform(50, 75)),
            field_t=field_t,
        )
    repetition, echo = SHORT_DIXON_MS
    return Protocol(
        contrast=contrast,
        kind="se",
        repetition_ms=float(rng.uniform(*repetition)),
        echo_ms=float(rng.uniform(*echo)),
        field_t=field_t,
    )


def _fat_left(rng: np.random.Generator, field_t: float) -> float:
    """Spectral saturation is worse where the peaks lie close, at low field. Fitted by eye."""
    return float(np.clip(rng.uniform(0.03, 0.15) * (1.5 / field_t) ** 0.7, 0, 0.6))


def signal(protocol: Protocol, t1: FloatArray, t2: FloatArray) -> FloatArray:
    """Magnitude per unit density for T1, T2 in ms (any shape)."""
    decay = np.exp(-protocol.echo_ms / t2)
    full = np.exp(-protocol.repetition_ms / t1)
    if protocol.kind == "ir":
        inversion = protocol.inversion_ms or 0.0
        return np.asarray(np.abs(1 - 2 * np.exp(-inversion / t1) + full) * decay, float)
    if protocol.kind == "gre":
        flip = np.radians(protocol.flip_deg)
        return np.asarray(np.sin(flip) * (1 - full) / (1 - np.cos(flip) * full) * decay, float)
    restored = np.exp(-protocol.restore_ms / t2) if protocol.restore_ms is not None else 0.0
    return np.asarray((1 - full) / (1 - full * restored) * decay, float)


def signal_table(protocol: Protocol, tissues: TissueTable) -> tuple[FloatArray, FloatArray]:
    """The signal of the water and of the fat of every label, two arrays (labels,).

    The magnitude of their sum is the picture; fat is negative where it opposes water. An ADC map holds mean diffusion
    coefficients, um2/ms. STIR nulls fat: T1 of fat is set to the one its inversion time nulls, less a small miss, as
    the operator does.
    """
    if protocol.contrast is Contrast.ADC:
        seen = np.asarray(tissues.water + tissues.fat > 0.05, float)
        share = tissues.water / np.maximum(tissues.water + tissues.fat, 1e-9)
        return share * tissues.diffusion * seen, (1 - share) * FAT_DIFFUSION_UM2_MS * seen
    t1, t2, density = tissues.t1, tissues.t2, tissues.water
    if protocol.kind == "gre":
        t1, t2, density = _inflow(t1, t2, density, protocol.field_t)
    if protocol.contrast is Contrast.T1_POST:
        t1 = 1 / (1 / t1 + 1e-3 * RELAXIVITY * _concentration())
    water = density * signal(protocol, t1, t2)
    fat_t1 = tissues.fat_t1
    if protocol.contrast is Contrast.STIR:
        fat_t1 = 0.93 * float(protocol.inversion_ms or 0.0) / np.log(2.0)
    fat_t2 = tissues.fat_t2 * (SPACE_FAT_T2 if protocol.contrast is Contrast.T2_SPACE else 1.0)
    fat = tissues.fat * float(signal(protocol, np.array(fat_t1), np.array(fat_t2))) * protocol.fat_left
    if protocol.kind == "gre":
        lost = _susceptibility(protocol)
        water, fat = (
            water * lost,
            fat * lost * float(np.cos(2e-3 * np.pi * FAT_OFFSET_HZ_PER_T * protocol.field_t * protocol.echo_ms)),
        )
    if protocol.b_value is not None:
        water = water * np.exp(-1e-3 * protocol.b_value * tissues.diffusion)
        fat = fat * np.exp(-1e-3 * protocol.b_value * FAT_DIFFUSION_UM2_MS)
    return _separated(protocol.contrast, water, fat)


def _separated(contrast: Contrast, water: FloatArray, fat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What the four Dixon pictures keep of water and of fat; a little of the other always leaks in."""
    if contrast is Contrast.DIXON_WATER:
        return water, 0.03 * np.abs(fat)
    if contrast is Contrast.DIXON_FAT:
        return 0.03 * water, np.abs(fat)
    if contrast is Contrast.DIXON_IN:
        return water, np.abs(fat)
    if contrast is Contrast.DIXON_OPPOSED:
        return water, -np.abs(fat)
    return water, fat


def _inflow(t1: FloatArray, t2: FloatArray, density: FloatArray, field_t: float) -> tuple[FloatArray, ...]:
    """Between gradient echoes fresh spins flow in: vessels and moving CSF are bright. Fitted by eye."""
    t1, t2, density = t1.copy(), t2.copy(), density.copy()
    t1[Tissue.FLOW_VOID], t2[Tissue.FLOW_VOID], density[Tissue.FLOW_VOID] = 250, 100, 0.9
    t1[Tissue.SLOW_BLOOD], density[Tissue.SLOW_BLOOD] = 400, 0.85
    t1[Tissue.CSF] = 1300 * (field_t / 1.5) ** 0.1
    return t1, t2, density


def _susceptibility(protocol: Protocol) -> FloatArray:
    """What the uneven field between trabeculae, and to a lesser degree everywhere, leaves of a gradient echo."""
    rate = np.full(len(Tissue), 1 / 90.0)
    rate[list(MARROW_TISSUES)] = 1 / 18.0
    for tissue in (Tissue.CORTEX, Tissue.LUNG, Tissue.BOWEL):
        rate[tissue] = 1 / 10.0
    return np.asarray(np.exp(-protocol.echo_ms * rate * protocol.field_t / 1.5), float)


def _concentration() -> FloatArray:
    """Contrast agent in every tissue some minutes after injection, mmol/l, (labels,)."""
    held = np.zeros(len(Tissue))
    for tissue, concentration in ENHANCEMENT_MMOL.items():
        held[tissue] = concentration
    return held
