"""Real T2-SPACE slabs of SPIDER with masks: consecutive sagittal slices around the midline.

Source: SPIDER, van der Graaf et al. 2024, CC BY 4.0. Patients and subsets are those of `spider`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spinalis.errors import RecipeError
from spinalis.records import FloatArray, Image
from spinalis.train.data import spider
from spinalis.vocabulary import LEVELS

FOLDER = "spider_t2space_slabs"
BACKGROUND, DISC, VERTEBRA, CANAL = range(4)
"""Values of a mask."""

PIXEL_MM, SLICE_MM = 0.469, 0.9
"""In-plane pixel size and distance between slices. Source: SPIDER's acquisition table, the same in every slab."""

MIDLINE_SLICE = 61
"""Number of the slice that SPIDER's mid-sagittal set took from each of these slabs (found by comparing pixels)."""

LEAST_DISC_MM2 = 40.0
"""A smaller piece of a disc's mask is no disc of its own. Fitted."""

CANAL_WITHIN_MM = 18.0
"""A disc borders on the canal where it begins within this behind the disc's posterior edge; epidural fat at L5/S1 is
as thick as 16 mm in these slabs. Fitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlabSlice:
    """One slice, head up, anterior at the left, with its mask beside it.

    `midline_mm` is its distance from the mid-sagittal slice, negative on the side of the lower numbers.
    """

    file: Path
    patient: str
    subset: str
    midline_mm: float

    def load(self) -> Image:
        """(rows, columns) float32 in 0..255.

        Raises:
            RecipeError: the file cannot be read.
        """
        return spider.load_png(self.file)

    def load_mask(self) -> NDArray[np.uint8]:
        """(rows, columns) of `BACKGROUND`, `DISC`, `VERTEBRA`, `CANAL`.

        Raises:
            RecipeError: the file cannot be read or holds another value.
        """
        mask = spider.load_png(self.file.with_name(f"{self.file.stem}_mask.png")).astype(np.uint8)
        if mask.max(initial=0) > CANAL:
            raise RecipeError(
                f"{self.file.parent.name}/{self.file.stem}_mask.png: expected values 0..{CANAL}, "
                f"got {mask.max()}. Fetch the set again."
            )
        return mask


def read(root: Path) -> Iterator[SlabSlice]:
    """The slices of every slab under `root`, patient by patient, in the order of their numbers.

    Raises:
        RecipeError: SPIDER's manifest is not there.
    """
    subsets = {item.patient: item.subset for item in spider.read(root)}
    for folder in sorted((root / FOLDER).iterdir()):
        for file in sorted(folder.glob("[0-9][0-9][0-9].png")):
            yield SlabSlice(
                file=file,
                patient=folder.name,
                subset=subsets[folder.name],
                midline_mm=(int(file.stem) - MIDLINE_SLICE) * SLICE_MM,
            )


def level_points(mask: NDArray[np.uint8]) -> FloatArray | None:
    """The posterior disc edges at the canal, L1/L2 to L5/S1, found in a mask; (5, 2) pixels (x, y).

    The lowest disc is L5/S1, as SPIDER names it (its disc label 1); at a transitional junction that name is a matter
    of opinion.

    Args:
        mask: (rows, columns), anterior at the left.

    Returns:
        The points, or None where one of the five lowest discs does not border on the canal, or a gap in their chain
        is wider than 1.6 times the median, so that a disc is missing.
    """
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((mask == DISC).astype(np.uint8))
    points = []
    for piece in range(1, count):
        if stats[piece, cv2.CC_STAT_AREA] * PIXEL_MM**2 >= LEAST_DISC_MM2:
            rows, columns = np.nonzero(pieces == piece)
            edge = columns >= np.quantile(columns, 0.97)
            points.append((float(columns[edge].mean()), float(rows[edge].mean())))
    lowest = np.array(sorted(points, key=lambda point: point[1])[-len(LEVELS) :])
    if len(lowest) < len(LEVELS):
        return None
    reach = round(CANAL_WITHIN_MM / PIXEL_MM)
    before_canal = [(mask[round(y), round(x) : round(x) + reach] == CANAL).any() for x, y in lowest]
    gaps = np.linalg.norm(np.diff(lowest, axis=0), axis=1)
    return lowest if all(before_canal) and gaps.max() < 1.6 * np.median(gaps) else None
