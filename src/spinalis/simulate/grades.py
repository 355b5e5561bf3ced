"""Grades from measures, by the rules of a reader.

Every rule first gives a continuous score: below 1 normal or mild, 1 to 2 moderate, from 2 severe. So a case near a
border can be told, and a reader who is unsure can be imitated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from spinalis.vocabulary import CONDITIONS, SEVERITIES, Condition, Level, Severity, Side

SAC_AREA_MM2 = (150.0, 100.0, 75.0, 40.0)
"""Area of the thecal sac at the scores 0, 1, 2, 3.

Source: Schonstrom et al., Spine 1985 (100 mm2), Schonstrom and Hansson, Spine 1988 (75 mm2), cited from memory;
150 and 40 mm2 are judgement.
"""

CSF_SHARE = (0.7, 0.38, 0.18, 0.0)
"""Share of the sac that is CSF at the scores 0, 1, 2, 3.

Source: the rule is that of Lee et al., Skeletal Radiol 2011 (grade 2: rootlets crowd; 3: none can be told apart), and
Schizas et al., Spine 2010 (B: some CSF left; C: none), cited from memory; the shares are judgement.
"""

RECESS_HEIGHT = (1.8, 1.1, 0.62, 0.2)
"""Height of the lateral recess, in diameters of its root, at the scores 0, 1, 2, 3.

Source: the rule is that of Bartynski and Lin, AJNR 2003 (2: root flattened, CSF kept; 3: compressed), cited from
memory; the ratios are judgement.
"""

KEPT_FAT = (1.0, 0.3, 0.0)
"""Share of fat in the best kept of the four quarters around the root at the scores 0, 1, 1.5; a quarter with less
than the second has lost its fat.

Source: the rule is that of Lee et al., AJR 2010 (1: fat lost in two opposing directions; 2: in all four), cited from
memory; the shares are judgement.
"""

ROOT_FORM = (0.86, 0.74, 0.62, 0.3)
"""Shortest diameter of the root, as a share of the undeformed one, at the scores 0, 1, 2, 3.

Source: the rule is that of Lee et al., AJR 2010 (3: root collapsed or its form changed), cited from memory; the
shares are judgement.
"""

BORDERLINE = 0.15
"""Scores closer than this to 1 or 2 are borderline: readers differ there. Judgement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The measuring functions of the kernel, bound to one subject: by plane, and side (0 right, 1 left)."""

    plane_of_level: dict[Level, int]
    canal: Callable[[int], tuple[float, float, float]]
    recess: Callable[[int, int], tuple[float, float]]
    foramen: Callable[[int, int], tuple[float, float, float, float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A place as a reader sees it.

    Attributes:
        score: below 1 normal or mild, 1 to 2 moderate, from 2 severe; 0..3.
        read: the grade that an unsure reader gives; the exact one without reader noise.
    """

    score: float
    read: Severity

    @property
    def severity(self) -> Severity:
        """The exact grade."""
        return SEVERITIES[grade(self.score)]

    @property
    def borderline(self) -> bool:
        """Whether readers would differ."""
        return min(abs(self.score - 1), abs(self.score - 2)) < BORDERLINE


def grade(score: float) -> int:
    """0 normal or mild, 1 moderate, 2 severe."""
    return int(score >= 1) + int(score >= 2)


def canal_score(area_mm2: float, csf_share: float) -> float:
    """The worse of area and CSF; see `SAC_AREA_MM2` and `CSF_SHARE`."""
    return max(_falling(area_mm2, SAC_AREA_MM2), _falling(csf_share, CSF_SHARE))


def recess_score(height_mm: float, root_mm: float) -> float:
    """See `RECESS_HEIGHT`."""
    return _falling(height_mm / root_mm, RECESS_HEIGHT)


def foramen_score(form: float, *kept: float) -> float:
    """Fat decides up to moderate, the form of the root from there; see `KEPT_FAT` and `ROOT_FORM`.

    Args:
        form: shortest diameter of the root, as a share of the undeformed one.
        kept: share of fat in front of the root, behind, below, above it.
    """
    fat = float(np.interp(-max(kept), [-share for share in KEPT_FAT], (0.0, 1.0, 1.5)))
    return max(fat, _falling(form, ROOT_FORM))


def lee_grade(form: float, front: float, back: float, low: float, high: float) -> int:
    """Grade 0 to 3 of Lee et al., AJR 2010, cited from memory; see `KEPT_FAT` and `ROOT_FORM`."""
    if form < ROOT_FORM[2]:
        return 3
    lost = [share < KEPT_FAT[1] for share in (front, back, low, high)]
    if all(lost):
        return 2
    return int((lost[0] and lost[1]) or (lost[2] and lost[3]))


def _falling(value: float, at: tuple[float, ...]) -> float:
    return float(np.interp(-value, [-each for each in at], range(len(at))))


def kind_of(condition: Condition) -> str:
    """`canal`, `recess` or `foramen`."""
    if condition is Condition.SPINAL_CANAL_STENOSIS:
        return "canal"
    return "foramen" if "Foraminal" in condition.value else "recess"


def side_index(side: Side | None) -> int:
    """0 right, 1 left, as the kernel counts."""
    return int(side is Side.LEFT)


def score_at(measures: Measures, k: int, condition: Condition) -> float:
    """The score of a condition at plane `k` in the anatomy as it is."""
    s = side_index(condition.side)
    kind = kind_of(condition)
    if kind == "canal":
        return canal_score(*measures.canal(k)[:2])
    if kind == "recess":
        return recess_score(*measures.recess(k, s))
    return foramen_score(*measures.foramen(k, s))


def judge(
    measures: Measures, rng: np.random.Generator | None = None, reader_noise: float = 0.0
) -> dict[tuple[Condition, Level], Judgement]:
    """Grade the anatomy as it is.

    Args:
        measures: of the subject.
        rng: the reader's chance; needed with noise only.
        reader_noise: standard deviation of what a reader adds to the score; 0 reads exactly.
    """
    judgements = {}
    for level, k in measures.plane_of_level.items():
        for condition in CONDITIONS:
            score = score_at(measures, k, condition)
            noise = rng.normal(0, reader_noise) if rng is not None and reader_noise > 0 else 0.0
            judgements[condition, level] = Judgement(score=score, read=SEVERITIES[grade(score + noise)])
    return judgements


def severities(judgements: Mapping[tuple[Condition, Level], Judgement]) -> dict[tuple[Condition, Level], Severity]:
    """The exact grades."""
    return {place: judgement.severity for place, judgement in judgements.items()}


def measurement_table(measures: Measures) -> dict[tuple[str, Level, Side | None], float]:
    """What was measured, by name, level and side: areas in mm2, lengths in mm, shares in 0..1."""
    table: dict[tuple[str, Level, Side | None], float] = {}
    for level, k in measures.plane_of_level.items():
        area, share, depth = measures.canal(k)
        table["sac_area_mm2", level, None] = area
        table["csf_share", level, None] = share
        table["sac_depth_mm", level, None] = depth
        for side in Side:
            s = side_index(side)
            height, root = measures.recess(k, s)
            form, *kept = measures.foramen(k, s)
            table["recess_height_mm", level, side] = height
            table["recess_root_mm", level, side] = root
            table["foramen_root_form", level, side] = form
            table["foramen_lee_grade", level, side] = lee_grade(form, *kept)
            for name, value in zip(("front", "back", "low", "high"), kept, strict=True):
                table[f"foramen_fat_{name}", level, side] = value
    return table
