"""The tissues: what a label of the kernel means for the signal.

Values are effective ones for fast spin echo at 1.5 T and 3 T; other fields follow the power law through the two, as
Bottomley et al., Med Phys 1984, found for T1.

Source:
    T1 and T2 of muscle, cord, blood, liver, kidney: Stanisz et al., MRM 2005; de Bazelaire et al., Radiology 2004. Fat
    and marrow: Gold et al., AJR 2004; Le Ster et al., JMRI 2016 (marrow fat by age). Discs by degeneration:
    Marinelli et al., Spine 2010 (T2 falls with the Pfirrmann grade). CSF T2 is an effective value (flow). The T2 of
    fat is that of an echo train (J-coupling): Henkelman et al., MRM 1992. Ligament, cortex, dura, densities and every
    `texture` were fitted beside real images. Diffusion: Le Bihan and Iima, PLoS Biol 2015 (CSF, cord), Kealey et al.,
    Radiology 2005 (discs), Herneth et al., Radiology 2002 (marrow); enhancement was fitted by eye.
    The papers are cited from memory: look a value up before relying on it.

    Marrow, discs, CSF and fat were then moved until their ratios in mid-sagittal T1w and T2w slices matched those of
    the training part of SPIDER. The tissues that disease added (FIBROUS, SCAR, HAEMANGIOMA, OEDEMA, SCLEROSIS, METAL,
    OSTEOPHYTE) have working values, chosen for their order against their neighbours, neither fitted nor cited.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from spinalis.records import FloatArray


class Tissue(IntEnum):
    """Labels of the kernel."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    CORTEX = 4
    MARROW = 5
    ANNULUS = 6
    NUCLEUS_0 = 7
    NUCLEUS_1 = 8
    NUCLEUS_2 = 9
    NUCLEUS_3 = 10
    CSF = 11
    CORD_WHITE = 12
    CORD_GREY = 13
    ROOTLET = 14
    ROOT = 15
    LIGAMENT = 16
    FLOW_VOID = 17
    SLOW_BLOOD = 18
    LIVER = 19
    KIDNEY = 20
    BODY_VEIN = 21
    FLUID = 22
    MODIC_1 = 23
    MODIC_2 = 24
    LUNG = 25
    BOWEL = 26
    INTERSPINOUS = 27
    EPIDURAL_FAT = 28
    JOINT = 29
    FLAVUM = 30
    BRAIN_WHITE = 31
    BRAIN_GREY = 32
    CARTILAGE = 33
    PEDICLE = 34
    OSTEOPHYTE = 35
    FIBROUS = 36
    SCAR = 37
    HAEMANGIOMA = 38
    OEDEMA = 39
    SCLEROSIS = 40
    METAL = 41


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """T1 in ms at 1.5 and 3 T, T2 in ms, proton density, fat fraction, and how much texture changes the density."""

    t1: tuple[float, float]
    t2: tuple[float, float]
    density: float
    fat: float = 0.0
    texture: float = 0.04


def _disc(factor: float, degeneration: float) -> Relaxation:
    return Relaxation(
        t1=(900, 1100), t2=(95 * factor, 85 * factor), density=0.9 * (1 - 0.12 * degeneration), texture=0.1
    )


RELAXATION: dict[Tissue, Relaxation] = {
    Tissue.AIR: Relaxation(t1=(1000, 1000), t2=(10, 10), density=0.0),
    Tissue.SKIN: Relaxation(t1=(800, 950), t2=(35, 32), density=0.75, fat=0.05),
    Tissue.FAT: Relaxation(t1=(290, 370), t2=(160, 160), density=1.0, fat=0.95, texture=0.05),
    Tissue.MUSCLE: Relaxation(t1=(1000, 1400), t2=(42, 36), density=0.82, fat=0.05, texture=0.09),
    Tissue.CORTEX: Relaxation(t1=(600, 600), t2=(6, 6), density=0.16, texture=0.1),
    Tissue.MARROW: Relaxation(t1=(900, 1080), t2=(84, 75), density=1.0, fat=0.5, texture=0.12),
    Tissue.ANNULUS: Relaxation(t1=(900, 1100), t2=(45, 40), density=0.8, texture=0.1),
    Tissue.NUCLEUS_0: _disc(1.37, 0.0),
    Tissue.NUCLEUS_1: _disc(0.78, 0.35),
    Tissue.NUCLEUS_2: _disc(0.55, 0.6),
    Tissue.NUCLEUS_3: _disc(0.43, 1.0),
    Tissue.CSF: Relaxation(t1=(3800, 3800), t2=(1000, 1000), density=0.97, texture=0.04),
    Tissue.CORD_WHITE: Relaxation(t1=(780, 920), t2=(80, 72), density=0.74, texture=0.03),
    Tissue.CORD_GREY: Relaxation(t1=(920, 1050), t2=(92, 84), density=0.82, texture=0.03),
    Tissue.ROOTLET: Relaxation(t1=(950, 1100), t2=(80, 74), density=0.8),
    Tissue.ROOT: Relaxation(t1=(950, 1100), t2=(80, 74), density=0.8, fat=0.03, texture=0.06),
    Tissue.LIGAMENT: Relaxation(t1=(800, 900), t2=(14, 12), density=0.42, texture=0.1),
    Tissue.FLOW_VOID: Relaxation(t1=(1400, 1600), t2=(60, 50), density=0.12, texture=0.3),
    Tissue.SLOW_BLOOD: Relaxation(t1=(1450, 1650), t2=(120, 100), density=0.5, texture=0.2),
    Tissue.LIVER: Relaxation(t1=(580, 800), t2=(48, 36), density=0.75, fat=0.04),
    Tissue.KIDNEY: Relaxation(t1=(1000, 1200), t2=(95, 85), density=0.85, fat=0.02, texture=0.08),
    Tissue.BODY_VEIN: Relaxation(t1=(1400, 1500), t2=(170, 150), density=0.75, fat=0.2),
    Tissue.FLUID: Relaxation(t1=(3000, 3000), t2=(500, 500), density=1.0),
    Tissue.MODIC_1: Relaxation(t1=(1150, 1300), t2=(110, 100), density=0.85, fat=0.1, texture=0.1),
    Tissue.MODIC_2: Relaxation(t1=(900, 1080), t2=(70, 64), density=1.0, fat=0.85, texture=0.06),
    Tissue.LUNG: Relaxation(t1=(1200, 1300), t2=(30, 20), density=0.1, texture=0.35),
    Tissue.BOWEL: Relaxation(t1=(900, 1050), t2=(70, 60), density=0.75, fat=0.08, texture=0.22),
    Tissue.INTERSPINOUS: Relaxation(t1=(900, 1000), t2=(50, 45), density=0.75, fat=0.42, texture=0.25),
    Tissue.EPIDURAL_FAT: Relaxation(t1=(290, 370), t2=(160, 160), density=1.0, fat=0.95, texture=0.04),
    Tissue.JOINT: Relaxation(t1=(1300, 1500), t2=(60, 52), density=0.7, texture=0.1),
    Tissue.FLAVUM: Relaxation(t1=(800, 900), t2=(22, 19), density=0.5, texture=0.1),
    Tissue.BRAIN_WHITE: Relaxation(t1=(650, 850), t2=(75, 68), density=0.7, texture=0.03),
    Tissue.BRAIN_GREY: Relaxation(t1=(1000, 1350), t2=(98, 90), density=0.82, texture=0.03),
    Tissue.CARTILAGE: Relaxation(t1=(1100, 1240), t2=(45, 38), density=0.75),
    Tissue.PEDICLE: Relaxation(t1=(900, 1080), t2=(66, 59), density=0.93, fat=0.5, texture=0.1),
    Tissue.OSTEOPHYTE: Relaxation(t1=(900, 1080), t2=(58, 53), density=0.78, fat=0.45, texture=0.12),
    Tissue.FIBROUS: Relaxation(t1=(950, 1100), t2=(34, 30), density=0.6, fat=0.08, texture=0.14),
    Tissue.SCAR: Relaxation(t1=(1000, 1200), t2=(60, 52), density=0.7, fat=0.08, texture=0.16),
    Tissue.HAEMANGIOMA: Relaxation(t1=(1000, 1200), t2=(130, 115), density=1.0, fat=0.65, texture=0.2),
    Tissue.OEDEMA: Relaxation(t1=(1200, 1350), t2=(125, 115), density=0.95, fat=0.1, texture=0.1),
    Tissue.SCLEROSIS: Relaxation(t1=(900, 1000), t2=(25, 22), density=0.4, fat=0.15, texture=0.12),
    Tissue.METAL: Relaxation(t1=(1000, 1000), t2=(5, 5), density=0.0),
}
DIFFUSION_UM2_MS: dict[Tissue, float] = {
    Tissue.CSF: 3.0,
    Tissue.FLUID: 2.8,
    Tissue.NUCLEUS_0: 1.9,
    Tissue.NUCLEUS_1: 1.7,
    Tissue.NUCLEUS_2: 1.5,
    Tissue.NUCLEUS_3: 1.2,
    Tissue.MUSCLE: 1.5,
    Tissue.CORD_WHITE: 0.9,
    Tissue.CORD_GREY: 0.9,
    Tissue.BRAIN_WHITE: 0.75,
    Tissue.BRAIN_GREY: 0.85,
    Tissue.ROOT: 1.3,
    Tissue.ROOTLET: 1.5,
    Tissue.MARROW: 0.45,
    Tissue.PEDICLE: 0.45,
    Tissue.OSTEOPHYTE: 0.45,
    Tissue.MODIC_1: 1.1,
    Tissue.OEDEMA: 1.4,
    Tissue.METAL: 0.0,
    Tissue.KIDNEY: 2.1,
    Tissue.FLOW_VOID: 3.0,
    Tissue.SLOW_BLOOD: 2.2,
}
"""Mean diffusion coefficients of water; `DIFFUSION_OF_THE_REST` elsewhere."""

DIFFUSION_OF_THE_REST = 1.1

ENHANCEMENT_MMOL: dict[Tissue, float] = {
    Tissue.SLOW_BLOOD: 0.9,
    Tissue.BODY_VEIN: 0.7,
    Tissue.KIDNEY: 1.2,
    Tissue.LIVER: 0.35,
    Tissue.MODIC_1: 0.35,
    Tissue.OEDEMA: 0.3,
    Tissue.SCAR: 0.4,
    Tissue.MUSCLE: 0.06,
    Tissue.SKIN: 0.1,
    Tissue.JOINT: 0.25,
    Tissue.BOWEL: 0.25,
    Tissue.MARROW: 0.06,
}
"""Contrast agent minutes after 0.1 mmol/kg, mmol/l of tissue; none elsewhere. Fitted by eye."""

MARROW_TISSUES = (Tissue.MARROW, Tissue.PEDICLE, Tissue.OSTEOPHYTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TissueTable:
    """The tissues of one subject at one field strength, each array (labels,), times in ms, diffusion in um2/ms.

    `fat_t1` and `fat_t2` hold for the fat of every tissue; the water of a fatty tissue keeps its own.
    """

    t1: FloatArray
    t2: FloatArray
    water: FloatArray
    fat: FloatArray
    texture: FloatArray
    diffusion: FloatArray
    fat_t1: float
    fat_t2: float


def sample_tissues(rng: np.random.Generator, field_t: float, age: float) -> TissueTable:
    """Draw the subject's tissues: marrow fat grows with age, fat and CSF T2 vary with the echo train.

    CSF varies further, in what stands for its density, by inflow and pulsation. Its spread and that of the texture
    were fitted to the ratios of canal to body, and the noise within bodies, of the training part of SPIDER.
    """
    rows = [RELAXATION[tissue] for tissue in Tissue]
    t1 = at_field(np.array([row.t1 for row in rows]), field_t) * rng.normal(1, 0.04, len(rows))
    t2 = at_field(np.array([row.t2 for row in rows]), field_t) * rng.normal(1, 0.07, len(rows))
    density = np.array([row.density for row in rows]) * rng.normal(1, 0.03, len(rows))
    fraction = np.array([row.fat for row in rows])
    marrow = float(np.clip(rng.normal(0.42 + 0.22 * (age - 20) / 65, 0.1), 0.15, 0.85))
    for tissue in MARROW_TISSUES:
        fraction[tissue] = np.clip(marrow + 0.03 * (tissue != Tissue.MARROW), 0, 0.85)
    t2[Tissue.CSF] = rng.uniform(350, 1600)
    density[Tissue.CSF] *= np.exp(np.clip(rng.normal(0.08, 0.15), -0.3, 0.3))
    grain = float(np.exp(rng.normal(0.1, 0.35)))
    return TissueTable(
        t1=t1,
        t2=t2,
        water=density * (1 - fraction),
        fat=density * fraction,
        texture=grain * np.array([row.texture for row in rows]),
        diffusion=np.array([DIFFUSION_UM2_MS.get(tissue, DIFFUSION_OF_THE_REST) for tissue in Tissue])
        * rng.normal(1, 0.06, len(rows)),
        fat_t1=float(at_field(np.array([RELAXATION[Tissue.FAT].t1]), field_t)[0] * rng.normal(1, 0.04)),
        fat_t2=float(rng.uniform(110, 230)),
    )


def at_field(both: FloatArray, field_t: float) -> FloatArray:
    """Times at any field from those at 1.5 T and 3 T: (N, 2) ms -> (N,) ms."""
    growth = np.log2(both[:, 1] / both[:, 0])
    return np.asarray(both[:, 0] * (field_t / 1.5) ** growth, float)
