"""Whole slices of lumbar studies in the three views that readers grade on, kept once on disk for the papers' methods.

| file | holds |
| --- | --- |
| `<view>.npy` | (n, S, S) bytes, S = `KEPT_SIZE`: slices in conventional display, their longer side fitted |
| `labels.npz` | `grades` (5, 5), `points` (5, 5, 3), `fold`, and per view `frames_<view>` (n, 3, 3) |

Pixels are read on demand. A frame maps (column, row, 1) of a kept picture to LPS mm, so that millimetres stay known
whatever was turned and scaled.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis.grade.crops import VIEWS
from spinalis.records import FloatArray, Vector
from spinalis.simulate.rsna_layout import IN_VIEW_MM
from spinalis.train.data.rsna import FOLDS
from spinalis.vocabulary import CONDITIONS, LEVELS, Condition, Level

KEPT_SIZE = 384
"""Pixels of a kept picture: sagittal fields of about 280 mm come to .73 mm, as fine as they are scanned."""

BRIGHT = 200.0
"""The byte of a series' 99.5th percentile; what is brighter has a quarter of headroom."""

LAYOUT = 1

CONDITIONS_OF: Mapping[str, tuple[Condition, ...]] = {
    "sagittal_t1": CONDITIONS[1:3],
    "sagittal_t2": CONDITIONS[:1],
    "axial_t2": CONDITIONS[3:5],
}
"""View -> the conditions whose points readers set there. Source: the RSNA 2024 set's description."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a point lies in a stack: slice, column and row (fractions allowed), distance from the slice in mm."""

    index: int
    column: float
    row: float
    distance_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stack:
    """The slices of one view: `pixels` (n, S, S) bytes, `frames` (n, 3, 3)."""

    pixels: NDArray[np.uint8] = field(repr=False)
    frames: FloatArray = field(repr=False)

    def spot(self, point: Vector | FloatArray) -> Spot | None:
        """Drop a point (LPS mm) onto its nearest slice; None where none within `IN_VIEW_MM` has it in its picture."""
        across, down, origin = self.frames[:, :, 0], self.frames[:, :, 1], self.frames[:, :, 2]
        offset = np.asarray(point, float) - origin
        columns = (offset * across).sum(axis=1) / (across**2).sum(axis=1)
        rows = (offset * down).sum(axis=1) / (down**2).sum(axis=1)
        distance = np.linalg.norm(offset - columns[:, None] * across - rows[:, None] * down, axis=1)
        size = self.pixels.shape[1]
        inside = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size) & (distance <= IN_VIEW_MM)
        if not inside.any():
            return None
        index = int(np.where(inside, distance, np.inf).argmin())
        return Spot(
            index=index, column=float(columns[index]), row=float(rows[index]), distance_mm=float(distance[index])
        )

    def drop(self, index: int, point: Vector | FloatArray) -> tuple[float, float]:
        """Column and row of a point (LPS mm) dropped onto one slice, wherever it falls; NaN for NaN."""
        frame = self.frames[index]
        offset, across, down = np.asarray(point, float) - frame[:, 2], frame[:, 0], frame[:, 1]
        return float(offset @ across / (across @ across)), float(offset @ down / (down @ down))

    def distance(self, index: int, point: Vector | FloatArray) -> float:
        """Distance of a point (LPS mm) from the plane of a slice, mm."""
        frame = self.frames[index]
        normal = np.cross(frame[:, 0], frame[:, 1])
        return abs(float((np.asarray(point, float) - frame[:, 2]) @ normal / np.linalg.norm(normal)))

    def pixel_mm(self, index: int) -> tuple[float, float]:
        """Distance between columns, then between rows, of a kept slice, mm."""
        frame = self.frames[index]
        return float(np.linalg.norm(frame[:, 0])), float(np.linalg.norm(frame[:, 1]))

    def lps_mm(self, index: int, column: float, row: float) -> FloatArray:
        """(3,) the place of a pixel in the patient."""
        return np.asarray(self.frames[index] @ (column, row, 1.0), float)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whole:
    """One kept study; a view that it lacks is not among its `views`.

    `grades` (5, 5) index `SEVERITIES`, or are `UNLABELLED`; `points` (5, 5, 3) LPS mm, NaN where the readers set none;
    both in the order of `CONDITIONS` and `LEVELS`.
    """

    name: str
    fold: int
    grades: NDArray[np.int8] = field(repr=False)
    points: FloatArray = field(repr=False)
    views: Mapping[str, Stack] = field(repr=False)

    def spot(self, view: str, condition: Condition, level: Level) -> Spot | None:
        """Where the readers saw a condition in a view; None without a point or a slice there."""
        point = self.points[CONDITIONS.index(condition), LEVELS.index(level)]
        return None if view not in self.views or np.isnan(point).any() else self.views[view].spot(point)


def load(place: Path) -> Whole:
    """Open a kept study; pixels are mapped from the file."""
    with np.load(place / "labels.npz") as labels:
        found = dict(labels)
    views = {
        view.name: Stack(pixels=np.load(place / f"{view.name}.npy", mmap_mode="r"), frames=found[f"frames_{view.name}"])
        for view in VIEWS
        if f"frames_{view.name}" in found
    }
    name, fold = str(found["name"]), int(found["fold"])
    return Whole(name=name, fold=fold, grades=found["grades"], points=found["points"], views=views)


def fold_of(name: str) -> int:
    """0..FOLDS-1, by a hash of a study's name."""
    return int(sha256(name.encode()).hexdigest(), 16) % FOLDS


def write(whole: Whole, place: Path) -> None:
    """Keep a study, whole or not at all."""
    partial_place = place.with_name(f".{place.name}.part")
    shutil.rmtree(partial_place, ignore_errors=True)
    partial_place.mkdir(parents=True)
    for name, stack in whole.views.items():
        np.save(partial_place / f"{name}.npy", stack.pixels)
    frames: dict[str, Any] = {f"frames_{name}": stack.frames for name, stack in whole.views.items()}
    np.savez(
        partial_place / "labels.npz",
        grades=whole.grades,
        points=whole.points,
        fold=np.array(whole.fold),
        name=np.array(whole.name),
        **frames,
    )
    partial_place.rename(place)
