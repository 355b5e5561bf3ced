"""How well the five lumbar levels are located, judged along the spine.

Points stand in the order of `LEVELS`, head to feet, in axes of equal scale (mm, or pixels of square size): relative
coordinates of a picture that is not square must be stretched first. What matters is whether a point names the
right disc, so errors are taken along the spine and compared with the pitch, the distance to the neighbour level.
"""

from dataclasses import dataclass

import numpy as np

from spinalis.evaluate.metrics import IntArray, Share
from spinalis.records import FloatArray
from spinalis.vocabulary import LEVELS

RIGHT_WITHIN = 0.5
"""A point names the right disc where its error along the spine is below this part of the pitch: beyond the half,
the neighbour is nearer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelAgreement:
    """Located levels against the truth, over patients.

    `shifted_one` and `shifted_more` count the patients whose points, taken together, sit one level off, or further.
    `missing` counts the points that were not found; they make their patient wrong and are in no median.
    `median_percent` is in % of the pitch; `median_mm` is None where the scale is unknown.
    """

    all_right: Share
    shifted_one: Share
    shifted_more: Share
    missing: Share
    median_percent: float | None
    median_mm: float | None


def errors_along_spine(predicted: FloatArray, truth: FloatArray) -> FloatArray:
    """Signed error of each point along the spine, positive to the feet.

    The direction of the spine at a level runs between its true neighbours; at L1/L2 and L5/S1 it is that of the
    one neighbour.

    Args:
        predicted: (N, 5, D) or what broadcasts to it; NaN where a level was not found.
        truth: (N, 5, D), D = 2 or 3, no two neighbours in one place.

    Returns:
        (N, 5), in the unit of the points; NaN where a level was not found.

    Raises:
        ValueError: the shapes do not fit, or two true neighbours coincide.
    """
    _check(predicted, truth)
    steps = np.empty_like(truth)
    steps[:, 1:-1] = truth[:, 2:] - truth[:, :-2]
    steps[:, 0] = truth[:, 1] - truth[:, 0]
    steps[:, -1] = truth[:, -1] - truth[:, -2]
    directions = steps / np.linalg.norm(steps, axis=-1, keepdims=True)
    return np.asarray(((predicted - truth) * directions).sum(axis=-1), float)


def pitch(truth: FloatArray) -> FloatArray:
    """(N, 5) mean distance from each point of `truth` (N, 5, D) to its one or two neighbours, in its unit."""
    gaps = np.linalg.norm(np.diff(truth, axis=1), axis=-1)
    return np.concatenate([gaps[:, :1], (gaps[:, :-1] + gaps[:, 1:]) / 2, gaps[:, -1:]], axis=1)


def judge(predicted: FloatArray, truth: FloatArray, mm_per_unit: FloatArray | None = None) -> LevelAgreement:
    """Compare located levels with the truth.

    Args:
        predicted: (N, 5, D) or what broadcasts to it; NaN where a level was not found.
        truth: (N, 5, D), D = 2 or 3.
        mm_per_unit: (N,) millimetres per unit of the points, or None where unknown. Pass ones for points in mm.

    Raises:
        ValueError: the shapes do not fit, or two true neighbours coincide.
    """
    errors = errors_along_spine(predicted, truth)
    relative = errors / pitch(truth)
    found = np.isfinite(relative)
    right = (found & (np.abs(relative) < RIGHT_WITHIN)).all(axis=1)
    shifts = _shifts(relative)
    patients = len(truth)
    in_mm = None if mm_per_unit is None else np.abs(errors * mm_per_unit[:, None])[found]
    return LevelAgreement(
        all_right=Share(count=int(right.sum()), total=patients),
        shifted_one=Share(count=int((np.abs(shifts) == 1).sum()), total=patients),
        shifted_more=Share(count=int((np.abs(shifts) > 1).sum()), total=patients),
        missing=Share(count=int((~found).sum()), total=found.size),
        median_percent=_median(100 * np.abs(relative[found])),
        median_mm=None if in_mm is None else _median(in_mm),
    )


def mean_position(training: FloatArray) -> FloatArray:
    """(5, D) mean of the points of the training patients (M, 5, D): the answer without a look at the picture.

    Take it in coordinates relative to the picture, and stretch it to each judged picture as its truth is stretched.
    """
    if training.ndim != 3 or not len(training):
        raise ValueError(
            f"Training points: expected shape (M, {len(LEVELS)}, D) with M > 0, got {training.shape}. "
            "Give the points of at least one training patient."
        )
    return np.asarray(training.mean(axis=0), float)


def _shifts(relative: FloatArray) -> IntArray:
    """(N,) whole levels by which the points of each patient are off together; 0 where none was found."""
    shifts = np.zeros(len(relative), np.int64)
    for patient, errors in enumerate(relative):
        found = errors[np.isfinite(errors)]
        if found.size:
            shifts[patient] = int(np.rint(np.median(found)))
    return shifts


def _median(values: FloatArray) -> float | None:
    return float(np.median(values)) if values.size else None


def _check(predicted: FloatArray, truth: FloatArray) -> None:
    if truth.ndim != 3 or truth.shape[1] != len(LEVELS) or truth.shape[2] not in (2, 3):
        raise ValueError(
            f"True levels: expected shape (N, {len(LEVELS)}, 2 or 3), got {truth.shape}. Order the points as LEVELS."
        )
    if predicted.shape[-2:] != truth.shape[1:] or predicted.shape[:-2] not in ((), (1,), truth.shape[:1]):
        raise ValueError(
            f"Predicted levels: expected shape {truth.shape}, got {predicted.shape}. "
            "Give five points for each patient, NaN where a level was not found."
        )
    if not np.all(np.isfinite(truth)) or not np.all(pitch(truth) > 0):
        raise ValueError(
            "True levels: expected five finite points apart from each other, got gaps or points in one place. "
            "Leave out the patients without all five levels."
        )
