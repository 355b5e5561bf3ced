"""Disease shaped into the anatomy: discs worn, vertebrae slipped and broken, lesions laid, places narrowed.

For every graded condition one knob widens the structures that narrow it (disc, ligament, facet, fibrous tissue). It is
set inside the interval in which the measured grade is the wished one; what is measured in the end is the truth.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import SimulationError
from spinalis.simulate.anatomy import (
    CONTOUR_STEP_MM,
    L1,
    L3,
    MOST_LESIONS,
    NAMES,
    PLANES,
    S1,
    Subject,
)
from spinalis.simulate.disease import Disease, Lesion, LesionKind
from spinalis.simulate.grades import Measures, grade, kind_of, score_at, side_index
from spinalis.simulate.shapes import SHAPES
from spinalis.vocabulary import CONDITIONS, LEVELS, Condition, Level

DEGENERATION = ((0.0, 0.1), (0.12, 0.24), (0.3, 0.48), (0.5, 0.7), (0.8, 1.0))
"""Degeneration of the kernel's disc by Pfirrmann grade: 5 is black. Set to the stages of the nucleus."""

HEIGHT_LEFT = ((0.98, 1.08), (0.95, 1.05), (0.82, 1.0), (0.65, 0.88), (0.3, 0.6))
"""Height of the disc by Pfirrmann grade. Source: Pfirrmann et al., Spine 2001 (4: lower, 5: collapsed), cited
from memory;
the shares are judgement.
"""

SWEEP = ("foramen", "recess", "canal", "recess", "canal", "foramen")
"""The facets that narrow the recesses narrow the canal too, and the ligament of the canal narrows the recesses."""

KNOB_STEPS = 6
KNOB_MIN, KNOB_MAX = -0.7, 1.6
LEAST = {"bulge": 0.0, "flavum": 1.2, "facet": -1.0, "recess_bulge": 0.0, "foramen_bulge": 0.0, "fibrous": 0.0}


def shape(rng: np.random.Generator, subject: Subject, measures: Measures, disease: Disease) -> None:
    """Change the subject's arrays in place until it has the disease; the wished grades are reached where they can be.

    Raises:
        SimulationError: a lesion at an unknown place, or more lesions than the subject holds.
    """
    heights = subject.vertebrae["height"].copy()
    for level in LEVELS:
        _wear(rng, subject, subject.plane_of_level[level], disease.pfirrmann[level], level in disease.bulging)
    restack(subject, heights)
    for lesion in disease.lesions:
        _deform(rng, subject, lesion)
    rows: list[tuple[int, dict[str, float]]] = []
    for lesion in disease.lesions:
        rows += _forms(rng, subject, lesion)
    lay(subject, rows)
    carve(rng, subject, measures, disease.wishes)


def carve(
    rng: np.random.Generator, subject: Subject, measures: Measures, wishes: dict[tuple[Condition, Level], int]
) -> None:
    """Narrow every place towards its wished grade, or widen it where disease already narrowed it more."""
    for level, k in subject.plane_of_level.items():
        knobs = {condition: _knob(rng, subject, k, condition) for condition in CONDITIONS}
        for sweep, turn in enumerate(SWEEP):
            for condition in CONDITIONS:
                wish, now = wishes[condition, level], _grader(measures, k, condition)
                if kind_of(condition) == turn and (sweep < len(set(SWEEP)) or now() != wish):
                    _settle(rng, knobs[condition], now, wish)


def _grader(measures: Measures, k: int, condition: Condition) -> Callable[[], int]:
    return lambda: grade(score_at(measures, k, condition))


def _wear(rng: np.random.Generator, subject: Subject, k: int, pfirrmann: int, bulging: bool) -> None:
    """Give a disc its Pfirrmann grade: darker, lower, bulging, with spurs."""
    plane, sides = subject.planes, subject.sides
    worn = rng.uniform(*DEGENERATION[pfirrmann - 1])
    before = float(plane["half_height"][k])
    healthy = before / (1 - 0.25 * plane["degeneration"][k] ** 1.5)
    after = max(healthy * rng.uniform(*HEIGHT_LEFT[pfirrmann - 1]), 1.0)
    plane["degeneration"][k], plane["half_height"][k] = worn, after
    subject.vertebrae["height"][k - 1 : k + 1] += after - before
    for name, i in (("pedicle_low", k - 1), ("pedicle_high", k - 1)):
        subject.vertebrae[name][i] += after - before
    limit = 0.75 * after / plane["half_depth"][k]
    plane["wedge"][k] = np.clip(plane["wedge"][k], -limit, limit)
    plane["concavity"][k] *= 1 - 0.5 * worn
    plane["bulge"][k] = rng.uniform(1.0, 2.2) if bulging else rng.uniform(0, 0.7)
    plane["front_bulge"][k] += rng.uniform(0, 1.5) * bulging
    plane["reach"][k] += 2.5 * worn * rng.random()
    sides["foramen_bulge"][k] += rng.uniform(0, 0.8, 2) * bulging
    for i in (k - 1, k):
        subject.vertebrae["front_lip"][i] += rng.uniform(0, 2.0) * max(worn - 0.45, 0.0)


def restack(subject: Subject, heights: NDArray[np.float64], turns: NDArray[np.float64] | None = None) -> None:
    """Stack the vertebrae on the sacrum anew after their heights changed, and let the body outline follow.

    Args:
        subject: changed in place.
        heights: (30,) of the vertebrae before they changed, mm.
        turns: (31,) radians by which each plane bends forward about its own left-right axis; none if omitted.
    """
    frames = subject.frames
    before = frames[:, 0].copy()
    turns = np.zeros(PLANES) if turns is None else turns
    cosine, sine = np.cos(turns)[:, None], np.sin(turns)[:, None]
    back, normal = frames[:, 2].copy(), frames[:, 3].copy()
    frames[:, 2], frames[:, 3] = cosine * back + sine * normal, cosine * normal - sine * back
    grown = subject.vertebrae["height"] - heights
    for i in range(S1 - 1, -1, -1):
        chord, turn = before[i] - before[i + 1], 0.5 * (turns[i] + turns[i + 1])
        length = np.linalg.norm(chord)
        bent = chord - np.sin(turn) * length * back[i + 1]
        frames[i, 0] = frames[i + 1, 0] + bent / np.linalg.norm(bent) * (length + grown[i])
    _follow(subject, before)


def _follow(subject: Subject, before: NDArray[np.float64]) -> None:
    """Move the outline of the body with the spine: `before` (31, 3) are the centres as they were."""
    frames = subject.frames
    move = frames[:, 0] - before
    z = subject.contour_z + CONTOUR_STEP_MM * np.arange(len(subject.contour))
    order = slice(None, None, -1)
    for column in (0, 1):
        subject.contour[:, column] += np.interp(z, before[order, 2], move[order, column])
    subject.contour[:, 7] = np.interp(z, frames[order, 0, 2], np.arange(PLANES, dtype=float)[order])
    for name, i in (("z_l1", L1), ("z_l4", L3 + 2), ("z_s1", S1 + subject.junction.extra)):
        subject.whole[name] = frames[i, 0, 2]


def plane_of(subject: Subject, lesion: Lesion) -> int:
    """The plane of a lesion's disc, or the one below its vertebra; both are counted from the sacrum.

    Raises:
        SimulationError: the place is neither.
    """
    if lesion.place in {level.value for level in LEVELS}:
        return subject.plane_of_level[Level(lesion.place)]
    if lesion.place in NAMES[7:S1]:
        return NAMES.index(lesion.place) + 1 + subject.junction.extra
    if lesion.place == "lumbar":
        return subject.plane_of_level[Level.L4_L5]
    raise SimulationError(
        f"Lesion: expected a level (L1/L2 to L5/S1), a vertebra (T1 to L5) or lumbar, got {lesion.place!r}. "
        "Choose one of these."
    )


def _deform(rng: np.random.Generator, subject: Subject, lesion: Lesion) -> None:
    """What a lesion does to the structures that are there already."""
    k, planes, sides, size = plane_of(subject, lesion), subject.planes, subject.sides, lesion.size_mm
    kind = lesion.kind
    if kind in {LesionKind.SLIP, LesionKind.ISTHMIC_SLIP, LesionKind.RETROLISTHESIS}:
        slip = -size if kind is LesionKind.RETROLISTHESIS else size
        planes["slip"][k] = slip
        before = subject.frames[:, 0].copy()
        subject.frames[:k, 0] -= slip * subject.frames[k, 2]
        subject.frames[k, 0] -= 0.5 * slip * subject.frames[k, 2]
        _follow(subject, before)
        planes["canal_depth"][k] += 0.5 * size if kind is LesionKind.ISTHMIC_SLIP else -0.3 * size
        sides["facet"][k] += rng.uniform(0.3, 1.0) if kind is LesionKind.SLIP else 0.0
    elif kind in {LesionKind.PROTRUSION, LesionKind.EXTRUSION}:
        if lesion.side is None:
            planes["bulge"][k] = max(planes["bulge"][k], min(size, 4.5))
        else:
            sides["recess_bulge"][k, side_index(lesion.side)] += min(size, 3.5)
    elif kind is LesionKind.CONGENITAL:
        lumbar = slice(subject.plane_of_level[Level.L1_L2], subject.plane_of_level[Level.L5_S1] + 1)
        planes["canal_depth"][lumbar] -= size
        planes["sac_half_depth"][lumbar] -= 0.3 * size
        subject.vertebrae["pedicle_width"][lumbar] *= 1.08
    elif kind is LesionKind.LIPOMATOSIS:
        share = 1 - size / 12 * np.array([0.3, 0.7, 1.0, 1.0])
        planes["sac_half_depth"][22:26] *= share
        planes["sac_half_width"][22:26] *= share
    elif kind in {LesionKind.WEDGE_FRACTURE, LesionKind.BICONCAVE_FRACTURE}:
        _break(subject, k - 1, size, kind is LesionKind.WEDGE_FRACTURE)


def _break(subject: Subject, i: int, lost_mm: float, wedge: bool) -> None:
    """Lower a vertebra: in front only (the spine above bends forward, its discs take half of it back), or all over."""
    lost = min(lost_mm, 0.5 * float(subject.vertebrae["height"][i]))
    half = 0.5 if wedge else 0.35
    heights = subject.vertebrae["height"].copy()
    subject.vertebrae["height"][i] -= half * lost
    for name in ("pedicle_low", "pedicle_high"):
        subject.vertebrae[name][i] -= 0.5 * half * lost
    subject.vertebrae["waist"][i] *= 0.6
    turns = np.zeros(PLANES)
    if wedge:
        angle = lost / (2 * float(subject.planes["half_depth"][i]))
        turns[: i + 1] = angle * np.interp(np.arange(i, -1, -1), (0, 1, 4), (1.0, 0.7, 0.0))
    restack(subject, heights, turns)


def lay(subject: Subject, rows: list[tuple[int, dict[str, float]]]) -> None:
    """Write lesions into the subject, by plane.

    Raises:
        SimulationError: more of them than the subject holds.
    """
    if len(rows) > MOST_LESIONS:
        raise SimulationError(f"Disease: expected at most {MOST_LESIONS} shapes, got {len(rows)}. Ask for fewer.")
    subject.planes["first_lesion"] = subject.planes["end_lesion"] = 0
    place = 0
    for k in sorted({k for k, _ in rows}):
        subject.planes["first_lesion"][k] = place
        for row in (row for at, row in rows if at == k):
            for name, value in row.items():
                subject.lesions[name][place] = value
            place += 1
        subject.planes["end_lesion"][k] = place


def _settle(rng: np.random.Generator, turn: Callable[[float], None], grade_now: Callable[[], int], wish: int) -> None:
    """Turn the knob to a place inside the interval of the wished grade."""

    def first(reached: int, low: float) -> float:
        """The least amount from `low` on at which the grade is reached."""
        turn(KNOB_MAX)
        if grade_now() < reached:
            return KNOB_MAX
        high = KNOB_MAX
        for _ in range(KNOB_STEPS):
            middle = (low + high) / 2
            turn(middle)
            low, high = (low, middle) if grade_now() >= reached else (middle, high)
        return high

    moderate = first(1, KNOB_MIN)
    if wish == 0:
        if moderate > 0:
            turn(0.93 * moderate * rng.beta(1.0, 2.0))
        else:
            turn(max(moderate - rng.uniform(0.05, 0.3), KNOB_MIN))
        return
    severe = first(2, moderate)
    if wish == 1:
        for share in (rng.uniform(0.02, 0.95), 0.5, 0.25, 0.1, 0.0):
            turn(moderate + share * (severe - moderate))
            if grade_now() == wish:
                return
        return
    turn(severe + rng.uniform(0.02, 0.35) * max(min(severe, KNOB_MAX - severe), 0.0))


def _knob(rng: np.random.Generator, subject: Subject, k: int, condition: Condition) -> Callable[[float], None]:
    """The function that narrows a place by an amount, 0 being what the subject has already."""
    kind = kind_of(condition)
    row: NDArray[np.void] = subject.planes if kind == "canal" else subject.sides[:, side_index(condition.side)]
    mixture = rng.dirichlet(np.full(4, 1.5))
    full: dict[str, float] = {
        "canal": {"bulge": 2 + 9 * mixture[0] + 4 * mixture[1], "flavum": 1.5 + 6 * mixture[2] + 4 * mixture[3]},
        "recess": {"facet": 2.8 + 5 * mixture[0], "recess_bulge": 2.2 + 5 * mixture[1]},
        "foramen": {
            "fibrous": 1.9 + 1.6 * mixture[3],
            "foramen_bulge": 3.6 + 5 * mixture[0],
            "bulge_up": 4 + 8 * mixture[1],
            "process_forward": 2.0 + 4.5 * mixture[2],
            "process_up": 4 + 8 * mixture[3],
            "roof_down": 1.5 + 2.5 * mixture[1],
        },
    }[kind]
    start = {name: float(row[name][k]) for name in full}

    def turn(amount: float) -> None:
        for name, most in full.items():
            row[name][k] = max(start[name] + amount * most, min(start[name], LEAST.get(name, -9.0)))

    return turn


def _forms(rng: np.random.Generator, subject: Subject, lesion: Lesion) -> list[tuple[int, dict[str, float]]]:
    """The shapes of a lesion, as planes and rows of `LESION_TYPE`."""
    build = SHAPES.get(lesion.kind)
    return build(rng, subject, plane_of(subject, lesion), lesion) if build else []
