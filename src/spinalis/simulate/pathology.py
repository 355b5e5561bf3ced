"""Disease: drawn first as a wish per level and side, then carved into the anatomy, then graded from what came out.

For every condition one knob widens the structures that narrow it (disc, ligament, facet). The knob is set inside the
interval in which the measured grade is the wished one; what is measured in the end is the truth.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import erf

import numpy as np
from numpy.typing import NDArray

from spinalis.simulate.anatomy import PLANE_OF_LEVEL, Subject
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level, Severity, Side

PREVALENCE: dict[str, tuple[tuple[float, float], ...]] = {
    "canal": ((0.0341, 0.0110), (0.0770, 0.0274), (0.1166, 0.0618), (0.1202, 0.1288), (0.0259, 0.0096)),
    "foramen": ((0.0320, 0.0038), (0.0858, 0.0041), (0.2093, 0.0201), (0.3190, 0.0686), (0.2578, 0.1003)),
    "recess": ((0.0561, 0.0144), (0.1314, 0.0410), (0.2304, 0.0987), (0.3162, 0.2337), (0.2049, 0.0815)),
}
"""Share of moderate and of severe per level, L1/L2 first; left and right pooled.

Source: RSNA 2024 Lumbar Spine Degenerative Classification, training labels (aggregate counts).
"""

BALANCED = (0.3, 0.3)
"""Moderate and severe in the balanced profile, the same at every level."""

SAC_MODERATE_MM2, SAC_SEVERE_MM2 = 100.0, 75.0
"""Area of the thecal sac below which the canal is narrow, and severely so.

Source: Schonstrom et al., Spine 1985 (100 mm2), Schonstrom and Hansson, Spine 1988 (75 mm2); moderate and severe
answer to grades 2 and 3 of Lee et al., Skeletal Radiol 2011, and B and C of Schizas et al., Spine 2010, which also look
at the CSF: see `SEVERE_CSF_SHARE`.
"""

SEVERE_CSF_SHARE, MODERATE_CSF_SHARE = 0.18, 0.38
"""Share of the sac that is CSF below which the rootlets cannot be told apart (severe) or crowd (moderate). Fitted."""

RECESS_MODERATE, RECESS_SEVERE = 1.1, 0.62
"""Height of the lateral recess, in diameters of its root, below which the root is flattened, and severely so.

Source: Bartynski and Lin, AJNR 2003 (root flattened with, and without, CSF around it); the ratios are fitted.
"""

FORAMEN_FAT_SHARE, FORAMEN_ROOT_SHARE = 0.5, 0.62
"""Moderate: the root has lost half of the fat around it; severe: the root itself has collapsed below
this share of its area.

Source: Lee et al., AJR 2010 (grade 2: fat obliterated around the root; grade 3: root deformed). Both shares are fitted:
in this anatomy the root collapses before fat is gone in all four directions, so the share of fat stands for them.
"""

STUDY_CORRELATION, LEVEL_CORRELATION = 0.4, 0.3
"""Shares of the variance that the levels of a study, and the conditions of a level, have in common. Fitted."""

SWEEP = ("foramen", "recess", "canal", "recess", "canal")
"""The facets that narrow the recesses narrow the canal too, and the ligament of the canal narrows the recesses."""

KNOB_STEPS = 6
KNOB_MAX = 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The measuring functions of the kernel, bound to one subject: by plane, and side (0 right, 1 left)."""

    canal: Callable[[int], tuple[float, float, float]]
    recess: Callable[[int, int], tuple[float, float]]
    foramen: Callable[[int, int], tuple[float, float, float]]


def grade_canal(area_mm2: float, csf_share: float) -> int:
    """0 normal or mild, 1 moderate, 2 severe; see `SAC_MODERATE_MM2`."""
    if area_mm2 < SAC_SEVERE_MM2 or csf_share < SEVERE_CSF_SHARE:
        return 2
    return int(area_mm2 < SAC_MODERATE_MM2 or csf_share < MODERATE_CSF_SHARE)


def grade_recess(height_mm: float, root_mm: float) -> int:
    """0 normal or mild, 1 moderate, 2 severe; see `RECESS_MODERATE`."""
    ratio = height_mm / root_mm
    return 2 if ratio < RECESS_SEVERE else int(ratio < RECESS_MODERATE)


def grade_foramen(root_share: float, fat_share: float) -> int:
    """0 normal or mild, 1 moderate, 2 severe; see `FORAMEN_FAT_SHARE`."""
    return 2 if root_share < FORAMEN_ROOT_SHARE else int(fat_share < FORAMEN_FAT_SHARE)


def side_index(side: Side | None) -> int:
    """0 right, 1 left, as the kernel counts."""
    return int(side is Side.LEFT)


def wished_grades(rng: np.random.Generator, balanced: bool, boost: float) -> dict[tuple[Condition, Level], int]:
    """Draw a grade per condition and level from the prevalences, correlated within the study and the level.

    Args:
        rng: source of chance.
        balanced: moderate and severe in 30 % each instead of the prevalences.
        boost: added to the standard normal score of every finding; 0 keeps the prevalences.
    """
    study = rng.normal() * np.sqrt(STUDY_CORRELATION)
    own = np.sqrt(1 - STUDY_CORRELATION - LEVEL_CORRELATION)
    if balanced:
        study, own = 0.4 * study, np.sqrt(1 - 0.16 * STUDY_CORRELATION - LEVEL_CORRELATION)
    wishes = {}
    for index, level in enumerate(LEVELS):
        shared = rng.normal() * np.sqrt(LEVEL_CORRELATION)
        for condition in CONDITIONS:
            moderate, severe = BALANCED if balanced else PREVALENCE[_kind(condition)][index]
            score = study + shared + own * rng.normal() + boost
            rank = 0.5 * (1 + erf(score / np.sqrt(2)))
            wishes[condition, level] = 2 if rank > 1 - severe else int(rank > 1 - severe - moderate)
    return wishes


def _kind(condition: Condition) -> str:
    if condition is Condition.SPINAL_CANAL_STENOSIS:
        return "canal"
    return "foramen" if "Foraminal" in condition.value else "recess"


def carve(
    rng: np.random.Generator, subject: Subject, measures: Measures, wishes: dict[tuple[Condition, Level], int]
) -> dict[tuple[Condition, Level], Severity]:
    """Change the subject's planes and sides in place towards the wished grades, and return the measured ones."""
    for level, k in PLANE_OF_LEVEL.items():
        worst = max(wishes[condition, level] for condition in CONDITIONS)
        _wear(rng, subject, k, worst)
        knobs = {condition: _knob(rng, subject, k, condition) for condition in CONDITIONS}
        for kind in SWEEP:
            for condition in CONDITIONS:
                if _kind(condition) == kind:
                    grade = _grader(measures, k, side_index(condition.side), condition)
                    _settle(rng, knobs[condition], grade, wishes[condition, level])
    return measured_grades(measures)


def measured_grades(measures: Measures) -> dict[tuple[Condition, Level], Severity]:
    """The grades of the anatomy as it is."""
    grades = {}
    for level, k in PLANE_OF_LEVEL.items():
        for condition in CONDITIONS:
            grades[condition, level] = SEVERITIES[_grader(measures, k, side_index(condition.side), condition)()]
    return grades


def _wear(rng: np.random.Generator, subject: Subject, k: int, worst: int) -> None:
    """Age the disc of a narrowed level: darker, lower, with changes of the end-plates."""
    planes = subject.planes
    if worst:
        more = rng.uniform(0, 0.25) * worst
        planes["degeneration"][k] = min(1.0, planes["degeneration"][k] + more)
    worn = planes["degeneration"][k]
    if rng.random() < 0.3 * worn:
        kind = 1.0 if rng.random() < 0.35 else -1.0
        subject.vertebrae["modic_low"][k - 1] = kind * rng.uniform(2, 8)
        subject.vertebrae["modic_high"][k] = kind * rng.uniform(2, 8)


def _grader(measures: Measures, k: int, s: int, condition: Condition) -> Callable[[], int]:
    kind = _kind(condition)
    if kind == "canal":
        return lambda: grade_canal(*measures.canal(k)[:2])
    if kind == "recess":
        return lambda: grade_recess(*measures.recess(k, s))
    return lambda: grade_foramen(*measures.foramen(k, s)[::2])


def _knob(rng: np.random.Generator, subject: Subject, k: int, condition: Condition) -> Callable[[float], None]:
    """The function that narrows a place by an amount, 0 being what the subject has already."""
    kind = _kind(condition)
    row: NDArray[np.void] = subject.planes if kind == "canal" else subject.sides[:, side_index(condition.side)]
    mixture = rng.dirichlet(np.full(4, 1.5))
    full: dict[str, float] = {
        "canal": {"bulge": 2 + 9 * mixture[0] + 4 * mixture[1], "flavum": 1.5 + 6 * mixture[2] + 4 * mixture[3]},
        "recess": {"facet": 2 + 5 * mixture[0], "recess_bulge": 1.5 + 5 * mixture[1]},
        "foramen": {
            "foramen_bulge": 3 + 4 * mixture[0],
            "bulge_up": 5 + 7 * mixture[1],
            "process_forward": 1.5 + 3.5 * mixture[2],
            "process_up": 5 + 7 * mixture[3],
            "roof_down": 1.5 + 2.5 * mixture[1],
        },
    }[kind]
    start = {name: float(row[name][k]) for name in full}

    def turn(amount: float) -> None:
        for name, most in full.items():
            row[name][k] = start[name] + amount * most

    return turn


def _settle(rng: np.random.Generator, turn: Callable[[float], None], grade: Callable[[], int], wish: int) -> None:
    """Turn the knob to a place inside the interval of the wished grade."""

    def first(reached: int) -> float:
        turn(KNOB_MAX)
        if grade() < reached:
            return KNOB_MAX
        low, high = 0.0, KNOB_MAX
        for _ in range(KNOB_STEPS):
            middle = (low + high) / 2
            turn(middle)
            low, high = (low, middle) if grade() >= reached else (middle, high)
        return high

    moderate = first(1)
    if wish == 0:
        turn(0.95 * moderate * rng.beta(1.0, 2.0))
        return
    severe = max(first(2), moderate)
    if wish == 1:
        turn(moderate + rng.uniform(0.0, 0.95) * (severe - moderate))
        return
    turn(severe + rng.uniform(0.0, 0.35) * min(severe, KNOB_MAX - severe) + 0.01)


def measurement_table(measures: Measures) -> dict[tuple[str, Level, Side | None], float]:
    """What was measured, by name, level and side: areas in mm2, lengths in mm, shares in 0..1."""
    table: dict[tuple[str, Level, Side | None], float] = {}
    for level, k in PLANE_OF_LEVEL.items():
        area, share, depth = measures.canal(k)
        table["sac_area_mm2", level, None] = area
        table["csf_share", level, None] = share
        table["sac_depth_mm", level, None] = depth
        for side in Side:
            s = side_index(side)
            height, root = measures.recess(k, s)
            root_share, lost, fat = measures.foramen(k, s)
            table["recess_height_mm", level, side] = height
            table["recess_root_mm", level, side] = root
            table["foramen_root_share", level, side] = root_share
            table["foramen_lost_directions", level, side] = lost
            table["foramen_near_fat_share", level, side] = fat
    return table
