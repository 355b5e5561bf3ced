"""Is the cord in a slice, seen with its neighbours?

The slices at the edge of the cord show a little of it, and look like those beside them (paper 1, figure 5). But slices
with cord stand in one run: in a sagittal stack a few in the middle, as wide as a cord is, in an axial stack from the
conus up to the top. So every run is weighed: by how well it agrees with the slices, by a shift of their log-odds that
the whole series shares, and by how usual it is. A slice is as likely to show cord as the runs that hold it. Coronal
stacks stay as they are: too few were at hand to fit theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinalis.geometry import slice_spacing_mm
from spinalis.records import FloatArray, Series
from spinalis.vocabulary import Plane

SHIFTS = np.linspace(-2.0, 2.0, 9)
"""Shared shifts that are tried, in standard deviations."""

FULL_STEP_MM = 4.0
"""Slices nearer than this see the same, and count for less each. About the step of sagittal stacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How the slices with cord of a plane stand together.

    Attributes:
        weight: what the log-odds of a slice are worth beside those of its neighbours.
        shift: mean of the shared shift of the log-odds, and its standard deviation.
        width_mm: mean width of the run and its standard deviation, or None where any is as likely.
        off_middle_mm: standard deviation of its place from the middle of the stack, or None as above.
        inside: log-odds against a run that begins (towards right or feet), or ends, within the stack.
        nowhere: log-odds against a stack without cord.
    """

    weight: float
    shift: tuple[float, float]
    width_mm: tuple[float, float] | None
    off_middle_mm: float | None
    inside: tuple[float, float]
    nowhere: float


RUNS: Mapping[Plane, Run] = {
    Plane.SAGITTAL: Run(
        weight=1.5, shift=(-0.74, 1.93), width_mm=(18.5, 4.1), off_middle_mm=10.8, inside=(0.0, 0.0), nowhere=7.5
    ),
    Plane.AXIAL: Run(weight=0.45, shift=(0.0, 0.7), width_mm=None, off_middle_mm=None, inside=(3.0, 4.0), nowhere=0.5),
}
"""Fitted on the log-odds of triage 0.4.0 (axial: 0.2.0), on the 231 sagittal series of 76 simulated studies of seeds 12
and 505 (axial: 62 series of 22), but for `inside`, which is an assumption. For another pack:
python -m spinalis.train.triage_series --fit."""


def with_neighbours(log_odds: FloatArray, indices: list[int], series: Series, plane: Plane) -> FloatArray:
    """The probability of cord in each slice, in sight of the others.

    Args:
        log_odds: (N,), of each slice alone.
        indices: (N,) of these slices in the series.
        series: the series.
        plane: its plane.

    Returns:
        (N,), 0..1: of each slice alone in other planes, in single slices, and where the order of the slices is unknown.
    """
    step = slice_spacing_mm(series)
    if plane not in RUNS or len(indices) < 2 or not step or any(item.plane is None for item in series.slices):
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds)), float)
    evidence = np.full(len(series.slices), np.nan)
    evidence[indices] = log_odds
    return in_run(evidence, step, RUNS[plane])[indices]


def in_run(log_odds: FloatArray, step_mm: float, run: Run) -> FloatArray:
    """The probability that each slice of a stack lies in its run.

    Args:
        log_odds: (N,) in order, NaN where nothing was seen.
        step_mm: distance of neighbours.
        run: what is usual.
    """
    count = len(log_odds)
    seen = ~np.isnan(log_odds)
    first, end = np.arange(count + 1)[:, None], np.arange(count + 1)[None]
    usual = np.where(end > first, _usual((first, end), count, step_mm, run), -np.inf)
    weight = run.weight * min(1.0, step_mm / FULL_STEP_MM)
    parts, nowhere = [], []
    for place in SHIFTS:
        shifted = np.where(seen, np.nan_to_num(log_odds) + run.shift[0] + place * run.shift[1], 0.0)
        within, outside = (_summed(np.where(seen, weight * _log_sigmoid(sign * shifted), 0.0)) for sign in (1, -1))
        spoken = outside[first] + within[end] - within[first] + outside[count] - outside[end]
        parts.append(spoken + usual - 0.5 * place**2)
        nowhere.append(float(outside[count]) - run.nowhere - 0.5 * place**2)
    chances = np.logaddexp.reduce(parts)
    total = np.logaddexp(np.logaddexp.reduce(chances, axis=None), np.logaddexp.reduce(nowhere))
    shares = np.exp(chances - total)
    return np.asarray(np.cumsum(shares.sum(axis=1) - shares.sum(axis=0))[:-1].clip(0.0, 1.0), float)


def _usual(bounds: tuple[NDArray[np.integer], NDArray[np.integer]], count: int, step_mm: float, run: Run) -> FloatArray:
    """How usual each run is, a log-probability but for a constant, (count + 1, count + 1)."""
    first, end = bounds
    found = -np.where(first > 0, run.inside[0], 0.0) - np.where(end < count, run.inside[1], 0.0)
    if run.width_mm is not None:
        found = found - 0.5 * (((end - first) * step_mm - run.width_mm[0]) / run.width_mm[1]) ** 2
    if run.off_middle_mm is not None:
        found = found - 0.5 * ((first + end - count) / 2 * step_mm / run.off_middle_mm) ** 2
    return np.asarray(found, float)


def _summed(values: FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(values)])


def _log_sigmoid(values: FloatArray) -> FloatArray:
    return np.asarray(-np.logaddexp(0.0, -values), float)
