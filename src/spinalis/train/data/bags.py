"""Bags of crops with their grades, kept as small arrays: what the grader is trained on, simulated or real."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis.grade.crops import collect
from spinalis.models.prepare import InputSpec
from spinalis.records import FloatArray, SeriesLabel, Study, Vector
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level, Severity, Side

JITTER_MM = (2.0, 2.0, 2.5)
"""Standard deviation of the point's error in training, left-back-head. Source: the localizer's own, rounded up."""

CROP_QUANTUM = 160.0
"""Crops in 0..1.5 are kept as bytes times this."""

LAYOUT = 2
"""Number of the layout of the arrays: what was kept in another one is made again."""

UNLABELLED = -1
"""Stands for a grade that is not known."""


def cut_bags(
    study: Study,
    labels: tuple[SeriesLabel, ...],
    points: Mapping[Level, Vector],
    grades: Mapping[tuple[Condition, Level], Severity | None],
    spec: InputSpec,
    rng: np.random.Generator,
) -> dict[str, NDArray[Any]]:
    """Cut one bag for each level that has a point, and side, the point jittered as the localizer errs.

    Args:
        study: the study.
        labels: what its series are.
        points: the levels' points (posterior disc edge in the midline), LPS mm.
        grades: of every condition and level; None where not known.
        spec: the crops.
        rng: draws the jitter.

    Returns:
        bag_crops (rows, slots, C, H, W) bytes, bag_mask (rows, slots), bag_grades (rows, 3) for canal, foraminal,
        subarticular in 0..2 or `UNLABELLED`, bag_levels (rows,) index into `LEVELS`; no keys where no level has a
        point.
    """
    canal, foramina, recess = CONDITIONS[0], CONDITIONS[1:3], CONDITIONS[3:5]
    crops, masks, rows, levels = [], [], [], []
    for level in (level for level in LEVELS if level in points):
        for number, side in enumerate((Side.LEFT, Side.RIGHT)):
            point = shifted(points[level], rng.normal(0.0, JITTER_MM))
            bag = collect(study, labels, point, side, spec)
            crops.append(np.clip(bag.crops * CROP_QUANTUM, 0, 255).astype(np.uint8))
            masks.append(bag.mask)
            asked = (canal, foramina[number], recess[number])
            rows.append([_index(grades[condition, level]) for condition in asked])
            levels.append(LEVELS.index(level))
    if not rows:
        return {}
    return {
        "bag_crops": np.stack(crops),
        "bag_mask": np.stack(masks),
        "bag_grades": np.array(rows, np.int8),
        "bag_levels": np.array(levels, np.int8),
    }


def shifted(point: Vector, by_mm: FloatArray) -> Vector:
    """A point moved by (3,) mm: the error of the localizer, imitated."""
    moved = np.asarray(point) + by_mm
    return float(moved[0]), float(moved[1]), float(moved[2])


def _index(severity: Severity | None) -> int:
    return UNLABELLED if severity is None else SEVERITIES.index(severity)
