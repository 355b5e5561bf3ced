"""What a patient has, drawn before anything of it is shaped: the disease of every disc, and the lesions around.

One factor of the study (with age in it) and one of each level run through all findings, so that they go together
along the levels, between the sides and with age.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import erf
from typing import Any

import numpy as np

from spinalis import prevalence
from spinalis.errors import SimulationError
from spinalis.records import FloatArray
from spinalis.simulate.grades import kind_of
from spinalis.vocabulary import CONDITIONS, LEVELS, Condition, Level, Side

PREVALENCE: dict[str, tuple[tuple[float, float], ...]] = {
    kind: tuple((moderate, severe) for _, moderate, severe in prevalence.PREVALENCE[group])
    for kind, group in (("canal", "canal"), ("foramen", "foraminal"), ("recess", "subarticular"))
}
"""Share of moderate and of severe per level, L1/L2 first; see `spinalis.prevalence`."""

BALANCED = (0.3, 0.3)
"""Moderate and severe in the balanced profile, the same at every level."""

PFIRRMANN = (
    (0.225, 0.294, 0.234, 0.170, 0.078),
    (0.179, 0.229, 0.317, 0.161, 0.115),
    (0.142, 0.197, 0.326, 0.216, 0.119),
    (0.101, 0.119, 0.330, 0.261, 0.188),
    (0.106, 0.128, 0.271, 0.225, 0.271),
)
"""Share of the Pfirrmann grades 1 to 5 per level, L1/L2 first. Source: SPIDER radiological gradings, 218 patients."""

SLIP_OF_LEVEL = (0.017, 0.017, 0.017, 0.047, 0.076)
HERNIATION_OF_LEVEL = (0.006, 0.023, 0.041, 0.163, 0.105)
"""Share of discs with a slip and with a herniation per level.

Source: counted in the SPIDER gradings of 172 training patients, as are the shares by Pfirrmann grade below.
"""
SLIP_OF_GRADE = (0.0, 0.0, 0.020, 0.061, 0.119)
HERNIATION_OF_GRADE = (0.0, 0.0, 0.066, 0.104, 0.190)
BULGE_OF_GRADE = (0.19, 0.30, 0.73, 0.88, 0.87)
MODIC_OF_GRADE = (0.03, 0.15, 0.38, 0.50, 0.87)
ENDPLATE_OF_GRADE = (0.16, 0.17, 0.40, 0.55, 0.83)

MODIC_TYPES = (0.15, 0.82, 0.03)
"""Types 1, 2 and 3 among Modic changes. Chosen by judgement: the reader of SPIDER called nearly all of them type 2."""

NODE_SHARE = 0.25
"""Share of the end-plate changes that are a Schmorl node one can see. Chosen by judgement."""

STUDY_SHARE, LEVEL_SHARE, AGE_SHARE = 0.4, 0.3, 0.36
"""Shares of the variance that the levels of a study, and the findings of a level, have in common; share of the former
that is age. Chosen by judgement; for comparison, Pfirrmann grades of two levels of SPIDER correlate by .36 to .78."""

RARE = {"haemangioma": 0.03, "fracture": 0.12, "lipomatosis": 0.07, "congenital": 0.1, "cyst": 0.02, "operated": 0.05}
"""Haemangioma per vertebra; fracture per patient at 85 years, none at 50; lipomatosis and congenital narrowing per
patient with a narrow canal; cyst per narrow recess; operation per patient.

Source: cited from memory: haemangioma in about 11 % of spines (Schmorl and Junghanns); fractures by age, Melton et al.
1993; lipomatosis in about 2.5 % of all (Theyskens et al. 2017). Congenital narrowing, cysts and operations are
judgement.
"""

VERTEBRAE_AT_RISK = ("T11", "T12", "L1", "L2", "L3", "L4", "L5")


class LesionKind(StrEnum):
    """A lesion that has a shape of its own."""

    PROTRUSION = "disc protrusion"
    EXTRUSION = "disc extrusion"
    SLIP = "degenerative spondylolisthesis"
    ISTHMIC_SLIP = "isthmic spondylolisthesis"
    RETROLISTHESIS = "retrolisthesis"
    MODIC_1 = "Modic 1"
    MODIC_2 = "Modic 2"
    MODIC_3 = "Modic 3"
    SCHMORL_NODE = "Schmorl node"
    HAEMANGIOMA = "haemangioma"
    WEDGE_FRACTURE = "wedge fracture"
    BICONCAVE_FRACTURE = "biconcave fracture"
    CYST = "synovial cyst"
    LIPOMATOSIS = "epidural lipomatosis"
    CONGENITAL = "congenital narrow canal"
    LAMINECTOMY = "laminectomy"
    SCREWS = "pedicle screws"
    CAGE = "cage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """One lesion.

    Attributes:
        kind: what it is.
        place: a level (`L4/L5`), a vertebra (`L3`), or `lumbar`.
        side: the patient's; None in the midline, or both.
        size_mm: how far it reaches or slips; of a fracture, the height that is lost.
        upwards: whether it lies above the disc; None where that means nothing.
        acute: of a fracture, whether the marrow is oedematous.
    """

    kind: LesionKind
    place: str
    side: Side | None = None
    size_mm: float = 5.0
    upwards: bool | None = None
    acute: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Disease:
    """What one patient has.

    Attributes:
        wishes: per condition and level the grade to be reached: 0 normal or mild, 1 moderate, 2 severe.
        pfirrmann: per level, 1 to 5.
        bulging: the levels with a bulging disc.
        lesions: everything with a shape of its own.
    """

    wishes: dict[tuple[Condition, Level], int]
    pfirrmann: dict[Level, int]
    bulging: tuple[Level, ...] = ()
    lesions: tuple[Lesion, ...] = field(default=())


def sample_disease(rng: np.random.Generator, age: float, balanced: bool = False, boost: float = 0.0) -> Disease:
    """Draw what a patient has.

    Args:
        rng: source of chance.
        age: years; its distribution is that of `anatomy.sample_subject`.
        balanced: moderate and severe in 30 % each instead of the prevalences.
        boost: added to the standard normal score of every graded finding; 0 keeps the prevalences.
    """
    study = np.sqrt(AGE_SHARE) * (age - 52) / 17 + np.sqrt(1 - AGE_SHARE) * rng.normal()
    levels = rng.normal(size=len(LEVELS))
    wishes = _wishes(rng, study, levels, balanced, boost)
    own = np.convolve(rng.normal(size=len(LEVELS) + 2), np.array([0.5, 0.7, 0.5]), "valid") / np.sqrt(0.99)
    score = np.sqrt(STUDY_SHARE) * study + np.sqrt(LEVEL_SHARE / 2) * levels
    score += np.sqrt(1 - STUDY_SHARE - LEVEL_SHARE / 2) * own
    pfirrmann = {
        level: 1 + int(np.searchsorted(np.cumsum(PFIRRMANN[index])[:4], _rank(score[index])))
        for index, level in enumerate(LEVELS)
    }
    bulging = tuple(level for level in LEVELS if rng.random() < BULGE_OF_GRADE[pfirrmann[level] - 1])
    lesions: list[Lesion] = []
    for index, level in enumerate(LEVELS):
        narrow = {condition: wishes[condition, level] for condition in CONDITIONS}
        lesions += _disc_lesions(rng, index, pfirrmann[level], narrow)
    lesions += _bone_lesions(rng, age)
    lesions += _canal_lesions(rng, wishes)
    return Disease(wishes=wishes, pfirrmann=pfirrmann, bulging=bulging, lesions=tuple(lesions))


def forced(disease: Disease, wanted: Mapping[str, Any]) -> Disease:
    """The disease with parts of it replaced: `wishes` and `pfirrmann` are merged, the others taken as they are.

    Raises:
        SimulationError: an unknown part, or a grade out of range.
    """
    known = ("wishes", "pfirrmann", "bulging", "lesions")
    if not set(wanted) <= set(known):
        raise SimulationError(f"Disease: expected parts {', '.join(known)}, got {', '.join(wanted)}. Choose of these.")
    wishes, pfirrmann = wanted.get("wishes", {}), wanted.get("pfirrmann", {})
    if not all(grade in {0, 1, 2} for grade in wishes.values()):
        raise SimulationError(f"Disease: expected grades 0, 1 or 2, got {list(wishes.values())}. Choose one of these.")
    if not all(grade in {1, 2, 3, 4, 5} for grade in pfirrmann.values()):
        raise SimulationError(f"Disease: expected Pfirrmann 1 to 5, got {list(pfirrmann.values())}. Choose of these.")
    return replace(
        disease,
        wishes={**disease.wishes, **wishes},
        pfirrmann={**disease.pfirrmann, **pfirrmann},
        bulging=tuple(wanted.get("bulging", disease.bulging)),
        lesions=tuple(wanted.get("lesions", disease.lesions)),
    )


def _rank(score: float) -> float:
    return 0.5 * (1 + erf(score / np.sqrt(2)))


def _wishes(
    rng: np.random.Generator, study: float, levels: FloatArray, balanced: bool, boost: float
) -> dict[tuple[Condition, Level], int]:
    common, own = np.sqrt(STUDY_SHARE), np.sqrt(1 - STUDY_SHARE - LEVEL_SHARE)
    if balanced:
        common, own = 0.4 * common, np.sqrt(1 - 0.16 * STUDY_SHARE - LEVEL_SHARE)
    wishes = {}
    for index, level in enumerate(LEVELS):
        shared = levels[index] * np.sqrt(LEVEL_SHARE)
        for condition in CONDITIONS:
            moderate, severe = BALANCED if balanced else PREVALENCE[kind_of(condition)][index]
            rank = _rank(common * study + shared + own * rng.normal() + boost)
            wishes[condition, level] = 2 if rank > 1 - severe else int(rank > 1 - severe - moderate)
    return wishes


def _disc_lesions(rng: np.random.Generator, index: int, grade: int, narrow: Mapping[Condition, int]) -> list[Lesion]:
    """Herniation, slip, Modic changes and Schmorl nodes of one level; `narrow` are its wished grades."""
    place = LEVELS[index].value
    out: list[Lesion] = []

    def chance(of_level: tuple[float, ...], of_grade: tuple[float, ...]) -> float:
        return min(0.6, of_level[index] * of_grade[grade - 1] / float(np.dot(of_grade, PFIRRMANN[index])))

    if rng.random() < chance(HERNIATION_OF_LEVEL, HERNIATION_OF_GRADE):
        out.append(_herniation(rng, place, narrow))
    if rng.random() < chance(SLIP_OF_LEVEL, SLIP_OF_GRADE):
        isthmic = rng.random() < (0.7 if index == len(LEVELS) - 1 else 0.1)
        kind = LesionKind.ISTHMIC_SLIP if isthmic else LesionKind.SLIP
        out.append(Lesion(kind=kind, place=place, size_mm=float(rng.uniform(3, 10 if isthmic else 7))))
    elif grade >= 4 and rng.random() < 0.05:
        out.append(Lesion(kind=LesionKind.RETROLISTHESIS, place=place, size_mm=float(rng.uniform(2, 4))))
    if rng.random() < MODIC_OF_GRADE[grade - 1]:
        kinds = (LesionKind.MODIC_1, LesionKind.MODIC_2, LesionKind.MODIC_3)
        kind = kinds[int(rng.choice(3, p=MODIC_TYPES))]
        size = 1.5 + rng.exponential(1.2 + 0.8 * grade)
        out.append(Lesion(kind=kind, place=place, size_mm=float(min(size, 16))))
    for upwards in (True, False):
        if rng.random() < ENDPLATE_OF_GRADE[grade - 1] * NODE_SHARE:
            size = float(rng.uniform(2.5, 6))
            out.append(Lesion(kind=LesionKind.SCHMORL_NODE, place=place, size_mm=size, upwards=upwards))
    return out


def _herniation(rng: np.random.Generator, place: str, narrow: Mapping[Condition, int]) -> Lesion:
    """Towards the narrower recess; extruded only where something is narrow."""
    left, right = narrow[Condition.LEFT_SUBARTICULAR_STENOSIS], narrow[Condition.RIGHT_SUBARTICULAR_STENOSIS]
    side = (Side.LEFT if left > right else Side.RIGHT) if left != right else (Side.LEFT, Side.RIGHT)[rng.integers(2)]
    where = None if rng.random() < 0.3 else side
    if max(left, right, narrow[Condition.SPINAL_CANAL_STENOSIS]) and rng.random() < 0.4:
        upwards = bool(rng.random() < 0.35)
        size = float(rng.uniform(4, 9))
        return Lesion(kind=LesionKind.EXTRUSION, place=place, side=where, size_mm=size, upwards=upwards)
    return Lesion(kind=LesionKind.PROTRUSION, place=place, side=where, size_mm=float(rng.uniform(2, 4.5)))


def _bone_lesions(rng: np.random.Generator, age: float) -> list[Lesion]:
    out = [
        Lesion(kind=LesionKind.HAEMANGIOMA, place=name, size_mm=float(rng.uniform(5, 12)))
        for name in VERTEBRAE_AT_RISK
        if rng.random() < RARE["haemangioma"]
    ]
    if rng.random() < RARE["fracture"] * np.clip((age - 50) / 35, 0, 1.2):
        kind = LesionKind.WEDGE_FRACTURE if rng.random() < 0.65 else LesionKind.BICONCAVE_FRACTURE
        place = VERTEBRAE_AT_RISK[int(rng.choice(7, p=(0.1, 0.27, 0.3, 0.15, 0.08, 0.06, 0.04)))]
        out.append(Lesion(kind=kind, place=place, size_mm=float(rng.uniform(4, 12)), acute=bool(rng.random() < 0.3)))
    return out


def _canal_lesions(rng: np.random.Generator, wishes: Mapping[tuple[Condition, Level], int]) -> list[Lesion]:
    """Narrow canals, fat and cysts only where a grade is wished that they explain; operations anywhere."""
    out: list[Lesion] = []
    canal = [wishes[Condition.SPINAL_CANAL_STENOSIS, level] for level in LEVELS]
    if max(canal) and rng.random() < RARE["congenital"]:
        out.append(Lesion(kind=LesionKind.CONGENITAL, place="lumbar", size_mm=float(rng.uniform(1.5, 4))))
    if max(canal[2:]) and rng.random() < RARE["lipomatosis"]:
        out.append(Lesion(kind=LesionKind.LIPOMATOSIS, place="lumbar", size_mm=float(rng.uniform(2, 5))))
    for level in (Level.L3_L4, Level.L4_L5, Level.L5_S1):
        for side, condition in (
            (Side.LEFT, Condition.LEFT_SUBARTICULAR_STENOSIS),
            (Side.RIGHT, Condition.RIGHT_SUBARTICULAR_STENOSIS),
        ):
            if wishes[condition, level] and rng.random() < RARE["cyst"]:
                out.append(Lesion(kind=LesionKind.CYST, place=level.value, side=side, size_mm=float(rng.uniform(5, 9))))
    if rng.random() < RARE["operated"]:
        level = LEVELS[int(rng.choice(5, p=(0.03, 0.07, 0.2, 0.4, 0.3)))]
        out.append(Lesion(kind=LesionKind.LAMINECTOMY, place=level.value, size_mm=float(rng.uniform(10, 15))))
        if rng.random() < 0.4:
            out.append(Lesion(kind=LesionKind.SCREWS, place=level.value, size_mm=6.0))
            if rng.random() < 0.6:
                out.append(Lesion(kind=LesionKind.CAGE, place=level.value, size_mm=10.0))
    return out
