"""Kinds of torture: how much of the spine is in view."""

import numpy as np

from spinalis.geometry import slice_plane, to_pixel
from spinalis.simulate.torture.draft import Draft, Sheet
from spinalis.simulate.torture.expectation import Likeness
from spinalis.simulate.torture.pixels import shifted
from spinalis.vocabulary import Level, Plane

MARGIN_MM = 8.0
"""Pictures are cut so far beside a level's point, within the vertebra next to it."""


def sacrum_out_of_view(draft: Draft) -> None:
    """Sagittal pictures end above L4/L5: nothing tells which level is which."""
    cropped(draft, Level.L4_L5)
    draft.expect(like=None, codes=(0, 4), doubted=True)


def half_the_field(draft: Draft) -> None:
    """Sagittal pictures end above L3/L4."""
    cropped(draft, Level.L3_L4)
    draft.expect(like=None, codes=(0, 4), doubted=True)


def cropped(draft: Draft, level: Level) -> None:
    """Cut sagittal pictures off above a level."""
    for sheet in draft.of(Plane.SAGITTAL):
        sheet.pixels = sheet.pixels[: max(32, int(_row(draft, sheet, level, -MARGIN_MM)))]
    _divided(draft)


def top_out_of_view(draft: Draft) -> None:
    """Sagittal pictures begin below L1/L2: it carries no grade, and the others keep their names or are doubted."""
    for sheet in draft.of(Plane.SAGITTAL):
        first = int(_row(draft, sheet, Level.L1_L2, MARGIN_MM))
        shifted(sheet, first, 0)
        sheet.pixels = sheet.pixels[first:]
    _divided(draft)
    draft.expect(like=None, codes=(0, 4), placed=True)


def _row(draft: Draft, sheet: Sheet, level: Level, below_mm: float) -> float:
    """The row that passes so far below a level's point."""
    dataset = sheet.dataset
    spacing = float(dataset.PixelSpacing[0]), float(dataset.PixelSpacing[1])
    plane = slice_plane(tuple(dataset.ImagePositionPatient), tuple(dataset.ImageOrientationPatient), spacing)
    return to_pixel(plane, draft.made.truth.levels[level])[0] + below_mm / spacing[0]


def _divided(draft: Draft) -> None:
    """Slices that were cut to different sizes may come as a series per size."""
    shapes = {(s.number, s.dataset.Rows) for s in draft.of(Plane.SAGITTAL)}
    for number in {number for number, _ in shapes}:
        draft.expect_series(number, parts=(1, sum(n == number for n, _ in shapes)))


def wide_field(draft: Draft) -> None:
    """Pictures are framed by a wide black border."""
    for sheet in draft.sheets:
        shifted(sheet, -40, -40)
        sheet.pixels = np.pad(sheet.pixels, 40)
    draft.expect(like=Likeness(within_mm=12.0, grades="free"))


KINDS = (
    sacrum_out_of_view,
    half_the_field,
    top_out_of_view,
    wide_field,
)
