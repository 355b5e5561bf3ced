"""SPIDER as published: lumbar volumes with masks, from which level points are taken.

Layout, as public code reads it: `images/<patient>_t1.mha`, `<patient>_t2.mha`, `<patient>_t2_SPACE.mha`, masks of the
same names below `masks`, and `overview.csv` with the columns `new_file_name` (the stem of a file) and `subset`
(`training` or `validation`). A mask holds 0 background, 1-25 vertebrae (1 = L5, upwards), 100 the canal, 101-125
vertebrae that are cut off, 201-225 discs (201 = L5/S1, upwards).

The set's own split is kept, and patients have the same keys as in `spider`, so that no patient is trained on in one
form and judged on in the other. Assumed: `overview.csv` is separated by commas or semicolons.

A level's point is the posterior edge of its disc, in the slice through the middle of the canal behind it: the mean of
the hindmost 3 % of the disc's pixels, as in `slabs`. The lowest disc is L5/S1 by name; at a transitional junction that
is a matter of opinion.

Source: van der Graaf JW et al., Lumbar spine segmentation in MR images: a dataset and a public benchmark, Sci Data
2024, CC BY 4.0.
"""

import importlib
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import RecipeError
from spinalis.formats import csv_rows
from spinalis.records import FloatArray, Image
from spinalis.train.data.real_slice import TRAINING, VALIDATION, Labels, RealSlice, found, named
from spinalis.vocabulary import LEVELS, Anatomy, Plane, Region, Sequence

TITLE, SOURCE, OVERVIEW = "SPIDER", "spider-volumes", "overview.csv"
CANAL, LOWEST_DISC = 100, 201
"""Values in a mask."""

SEQUENCES: Mapping[str, Sequence] = {"t1": Sequence.T1W, "t2": Sequence.T2W, "t2_SPACE": Sequence.T2W}
"""What follows the patient in the name of a file -> contrast."""

DISPLAY = "PIL"
"""Where columns, rows and slices run to: back, feet, left, so that the front is at the left and the head up."""

POSTERIOR = 0.97
"""The posterior edge of a disc: its pixels behind this quantile. As in `slabs`."""

MIDLINE_MM = 7.0
"""A slice shows a level's point when it passes within this of it, as in the harvest of simulated studies."""


def read(root: Path) -> Iterator[RealSlice]:
    """All sagittal slices, volume by volume, from the patient's right to the left.

    Raises:
        RecipeError: there is no volume, or one is damaged, unlisted, without mask or of an unknown contrast.
        TableError: `overview.csv` is missing or breaks a rule of its layout.
    """
    subsets = _subsets(root / OVERVIEW)
    for file in found(root, "images/*.mha", TITLE, layout="images/<patient>_<contrast>.mha"):
        patient, _, contrast = file.stem.partition("_")
        if contrast not in SEQUENCES:
            raise RecipeError(
                f"{named(file)}: expected a name that ends in {', '.join(SEQUENCES)}, got {contrast or 'none'}. "
                "Leave the file out."
            )
        if file.stem not in subsets:
            raise RecipeError(
                f"{named(file)}: expected a row in {OVERVIEW} that says its subset, got none. Leave the file out."
            )
        mask, spacing_mm = _oriented(root / "masks" / file.name)
        points = level_points(mask)
        labels = Labels(
            anatomy=Anatomy.MR_SPINE, region=Region.LUMBAR, plane=Plane.SAGITTAL, sequence=SEQUENCES[contrast]
        )
        for index in range(len(mask)):
            yield RealSlice(
                load=partial(_load, file, index, mask.shape),
                labels=labels,
                source=SOURCE,
                patient=f"spider-{patient}",
                subset=subsets[file.stem],
                points=_points_in(points, index, spacing_mm),
            )


def level_points(mask: NDArray[np.integer[Any]]) -> FloatArray:
    """The posterior disc edges at the canal, L1/L2 to L5/S1.

    Args:
        mask: (slice, row, column), slices from right to left, head up, front at the left.

    Returns:
        (5, 3): slice, row, column; NaN where the disc, or the canal behind it, is not in the mask.
    """
    points = np.full((len(LEVELS), 3), np.nan)
    for place in range(len(LEVELS)):
        disc = mask == LOWEST_DISC + len(LEVELS) - 1 - place
        rows = np.flatnonzero(disc.any(axis=(0, 2)))
        if not rows.size:
            continue
        behind = np.nonzero(mask[:, rows[0] : rows[-1] + 1] == CANAL)[0]
        middle = round(float(np.median(behind))) if behind.size else -1
        if middle >= 0 and disc[middle].any():
            row, column = np.nonzero(disc[middle])
            edge = column >= np.quantile(column, POSTERIOR)
            points[place] = middle, row[edge].mean(), column[edge].mean()
    return points


def _points_in(points: FloatArray, index: int, spacing_mm: float) -> FloatArray | None:
    """(5, 2): x, y of the points that a slice passes; None where it passes none."""
    near = np.abs(points[:, 0] - index) * spacing_mm <= MIDLINE_MM
    return np.where(near[:, None], points[:, :0:-1], np.nan) if near.any() else None


def _subsets(overview: Path) -> dict[str, str]:
    """Stem of a file -> its subset."""
    head = overview.read_text("utf-8-sig", errors="replace").partition("\n")[0] if overview.is_file() else ""
    subsets = {}
    for line, row in csv_rows.read(overview, ("new_file_name", "subset"), ";" if ";" in head else ","):
        if row["subset"] not in (TRAINING, VALIDATION):
            raise csv_rows.broken(overview, line, f"{TRAINING} or {VALIDATION} in subset", row["subset"] or "nothing")
        subsets[row["new_file_name"]] = row["subset"]
    return subsets


def _load(file: Path, index: int, shape: tuple[int, int, int]) -> Image:
    volume, _ = _oriented(file)
    if volume.shape != shape:
        raise RecipeError(
            f"{named(file)}: expected {shape} slices, rows and columns as in its mask, got {volume.shape}. "
            "Fetch both again."
        )
    return np.ascontiguousarray(volume[index], np.float32)


@lru_cache(maxsize=1)
def _oriented(file: Path) -> tuple[NDArray[Any], float]:
    """A volume (slice, row, column) turned to the display, never resampled, and the distance of its slices in mm."""
    try:
        sitk = importlib.import_module("SimpleITK")
    except ImportError as error:
        raise RecipeError(
            "MHA file: expected the extra 'train', got no SimpleITK. Install it with: pip install 'spinalis[train]'."
        ) from error
    try:
        image = sitk.DICOMOrient(sitk.ReadImage(str(file)), DISPLAY)
    except RuntimeError as error:
        raise RecipeError(f"{named(file)}: expected an MHA volume, got none. Fetch the set again.") from error
    return sitk.GetArrayFromImage(image), float(image.GetSpacing()[2])
