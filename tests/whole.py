"""Kept studies without a simulator: noise with a bright square whose size tells the grade of the nearest label."""

from pathlib import Path

import numpy as np

from spinalis.train.data import whole
from spinalis.train.data.whole import CONDITIONS_OF, Stack, Whole
from spinalis.vocabulary import CONDITIONS, LEVELS

SIZE = 64
"""Pixels of these pictures; 4 mm each."""

PIXEL_MM, SLICES, LEVEL_MM = 4.0, 9, 30.0


def frames_of(view: str) -> np.ndarray:
    """(n, 3, 3): slices around the origin of the patient, 4 mm apart (axial 15 mm, one per level and between)."""
    half = SIZE * PIXEL_MM / 2
    found = np.zeros((SLICES, 3, 3))
    for index in range(SLICES):
        if view == "axial_t2":
            found[index] = np.array([[PIXEL_MM, 0, 0], [0, PIXEL_MM, 0], [-half, -half, 15.0 * (index - 4)]]).T
        else:
            found[index] = np.array([[0, PIXEL_MM, 0], [0, 0, -PIXEL_MM], [4.0 * (index - 4), -half, half]]).T
    return found


def point_of(condition: int, level: int) -> tuple[float, float, float]:
    """Canal in the midline, foramina 12 mm and recesses 8 mm to the side, 30 mm from level to level."""
    side = {0: 0.0, 1: 12.0, 2: -12.0, 3: 8.0, 4: -8.0}[condition]
    return side, 4.0, LEVEL_MM * (2 - level)


def make(number: int, seed: int = 5) -> Whole:
    """One study; its grades are shown at their points."""
    rng = np.random.default_rng((seed, number))
    grades = rng.integers(0, 3, (len(CONDITIONS), len(LEVELS))).astype(np.int8)
    points = np.array([[point_of(row, column) for column in range(5)] for row in range(5)], float)
    views = {}
    for view, conditions in CONDITIONS_OF.items():
        pixels = rng.integers(40, 80, (SLICES, SIZE, SIZE)).astype(np.uint8)
        stack = Stack(pixels=pixels, frames=frames_of(view))
        for condition in map(CONDITIONS.index, conditions):
            for level in range(5):
                spot = stack.spot(points[condition, level])
                if spot is not None:
                    size, row, column = 1 + int(grades[condition, level]), round(spot.row), round(spot.column)
                    pixels[spot.index, row - size : row + size + 1, column - size : column + size + 1] = 220
        views[view] = stack
    return Whole(name=f"{number}", fold=whole.fold_of(f"{number}"), grades=grades, points=points, views=views)


def keep(count: int, folder: Path) -> list[Whole]:
    """Studies on disk."""
    for number in range(count):
        whole.write(make(number), folder / f"{number:05d}")
    return [whole.load(folder / f"{number:05d}") for number in range(count)]
