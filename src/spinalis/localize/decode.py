"""From probability maps to one plausible chain of levels, and the doubt about its numbering."""

from dataclasses import dataclass

import cv2
import numpy as np

from spinalis.records import FloatArray, Image

CHANNELS = ("T11/T12", "T12/L1", "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1", "S1/S2")
"""The maps of the localizer: the five lumbar levels and the neighbours that help to count them."""

FIRST, COUNT = 2, 5
"""Where the five lumbar levels stand in `CHANNELS`."""

CANDIDATES = 16
RADIUS = 3
"""Radius in map pixels over which the mass of a peak is collected; a level is about 8 map pixels high."""

TRUST = (0.3, 0.3, 0.3, 0.6, 1.0)
"""How much the names of L1/L2 to L5/S1 count in the choice of the chain.

Levels are counted from the sacrum: an error of the count is common to all levels above it, so that their four votes
are hardly more than one. Source: fitted on SPIDER training patients with networks that never saw a real picture (T1w
84 to 87 % right, T2w unchanged).
"""

SKIPPED = 2.0
"""Cost, in log-probability, of a chain that passes over a place where some level is surely seen.

Unequal spacings, as beside a narrow or a fused disc, must not make a chain leave out a disc that is in plain sight.
Source: fitted on SPIDER training patients out of fold and on simulated studies; 1 to 5 do the same within one slice.
"""

BESIDE = 0.5
"""A place this far aside of the way between two levels, in its length, is not passed over. A convention."""

FLOOR = 1e-3
"""Mass that every place gets, so that one unseen level does not break the chain."""

RATIO_SPREAD = 0.22
"""Spread of the log-ratio of neighbouring spacings.

Source: root mean square in 313 SPIDER training slices, .14, widened.
"""

BEND_SPREAD_DEG = 18.0
"""Spread of the angle between neighbouring spacings. Source: root mean square in the same slices, 12, widened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Five levels, L1/L2 to L5/S1, in map coordinates.

    `points` is (5, 2), (column, row); `mass` (5,) is the probability found at each point under its own name;
    `numbering` (0..1) says how well the count fits, against the same chain one level up or down; not calibrated.
    `junction` (0..1) is the share of what speaks for another lumbosacral disc; see `_junction`.
    """

    points: FloatArray
    mass: FloatArray
    numbering: float
    junction: float


def decode(maps: Image) -> Chain | None:
    """Choose the most probable ordered chain of five levels.

    Args:
        maps: (8, H, W), probability of each level at each place, head up.

    Returns:
        The chain, or None where fewer than five places show any level.
    """
    points = _candidates(maps)
    if len(points) < COUNT:
        return None
    mass = _mass(maps, points)
    score = np.log(mass + FLOOR)
    skipped = SKIPPED * _passed_over(points, np.minimum(mass.sum(axis=1), 1.0))
    names = _best_chain(points, score[:, FIRST : FIRST + COUNT] * TRUST, skipped)
    if names is None:
        return None
    chosen = points[names]
    return Chain(
        points=chosen,
        mass=mass[names, range(FIRST, FIRST + COUNT)],
        numbering=_numbering(maps, chosen),
        junction=_junction(mass, names[-1]),
    )


def _candidates(maps: Image) -> FloatArray:
    total = maps.sum(axis=0)
    total = np.asarray(cv2.GaussianBlur(total, (0, 0), 0.8), np.float32)
    peaks = (total == cv2.dilate(total, np.ones((5, 5), np.uint8))) & (total > FLOOR)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-total[rows, columns])[:CANDIDATES]
    return np.array([_centroid(total, columns[i], rows[i]) for i in order]).reshape(-1, 2)


def _centroid(values: Image, column: int, row: int) -> tuple[float, float]:
    top, left = max(0, row - RADIUS), max(0, column - RADIUS)
    window = values[top : row + RADIUS + 1, left : column + RADIUS + 1]
    rows, columns = np.mgrid[: window.shape[0], : window.shape[1]]
    weight = max(float(window.sum()), 1e-12)
    return left + float((window * columns).sum()) / weight, top + float((window * rows).sum()) / weight


def _mass(maps: Image, points: FloatArray) -> FloatArray:
    """Probability of every level around every point: (points, 8)."""
    rows, columns = np.mgrid[: maps.shape[1], : maps.shape[2]]
    near = [(rows - y) ** 2 + (columns - x) ** 2 <= (RADIUS + 0.5) ** 2 for x, y in points]
    return np.array([maps[:, disc].sum(axis=1) for disc in near], float).reshape(len(points), maps.shape[0])


def _step_scores(points: FloatArray) -> FloatArray:
    """Plausibility of three points in a row, top to bottom: (N, N, N) log-density without constants."""
    step = points[None] - points[:, None]
    length = np.hypot(step[..., 0], step[..., 1]) + 1e-9
    angle = np.degrees(np.arctan2(step[..., 0], step[..., 1]))
    down = (step[..., 1] > 0) & (length > RADIUS)
    ratio = np.log(length[None, :, :] / length[:, :, None])
    bend = angle[None, :, :] - angle[:, :, None]
    score = -0.5 * (ratio / RATIO_SPREAD) ** 2 - 0.5 * (bend / BEND_SPREAD_DEG) ** 2
    return np.where(down[:, :, None] & down[None, :, :], score, -np.inf)


def _passed_over(points: FloatArray, shown: FloatArray) -> FloatArray:
    """How much is seen between two places: (N, N), the sum of `shown` (N,) over the places between them.

    Places in the first and last fifth of the way are the same level seen twice.
    """
    step = points[None] - points[:, None]
    length = np.hypot(step[..., 0], step[..., 1])[:, :, None] + 1e-9
    way = points[None, None] - points[:, None, None]
    along = (way * step[:, :, None]).sum(axis=-1) / length**2
    aside = np.abs(way[..., 0] * step[:, :, None, 1] - way[..., 1] * step[:, :, None, 0]) / length**2
    return np.asarray((((along > 0.2) & (along < 0.8) & (aside < BESIDE)) * shown).sum(axis=-1))


def _best_chain(points: FloatArray, score: FloatArray, cost: FloatArray) -> list[int] | None:
    """Second-order Viterbi over candidates; `score` is (N, 5), `cost` (N, N) of a step from one to the next."""
    triples = _step_scores(points) - cost[None]
    best = score[:, 0][:, None] + score[:, 1][None, :] - cost
    back: list[FloatArray] = []
    for level in range(2, COUNT):
        reach = best[:, :, None] + triples
        back.append(reach.argmax(axis=0))
        best = reach.max(axis=0) + score[:, level][None, :]
    if not np.isfinite(best.max()):
        return None
    last = np.unravel_index(int(best.argmax()), best.shape)
    chain = [int(last[1]), int(last[0])]
    for pointer in reversed(back):
        chain.append(int(pointer[chain[-1], chain[-2]]))
    return chain[::-1]


def _junction(mass: FloatArray, last: int) -> float:
    """What speaks for another disc as L5/S1, over that and what speaks for the chosen one; 0..1, not calibrated.

    Against: the chosen place bears the names of its neighbours, L4/L5 or S1/S2, or another place the name L5/S1. A
    regular junction has one well-formed last disc; at a transitional one two discs share its looks.

    Args:
        mass: (places, 8), probability of every level around every place.
        last: the place chosen for L5/S1.

    Source: the signs, a well-formed S1/S2 or a rudimentary L5/S1 disc: O'Driscoll et al., Skeletal Radiol 1996 (cited
        from memory).
    """
    name = FIRST + COUNT - 1
    against = mass[last, [name - 1, name + 1]].sum() + np.delete(mass[:, name], last).max(initial=0.0)
    return float(against / (against + mass[last, name] + FLOOR))


def _numbering(maps: Image, chosen: FloatArray) -> float:
    """How well the count fits against the same places named one level higher or lower; 0..1, not calibrated."""
    mass = np.log(_mass(maps, chosen) + FLOOR)
    names = np.arange(FIRST, FIRST + COUNT)
    scores = [float(mass[range(COUNT), names + shift].mean()) for shift in (-1, 0, 1)]
    weights = np.exp(np.array(scores) - max(scores))
    return float(weights[1] / weights.sum())
