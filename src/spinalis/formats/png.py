"""A slice as an 8-bit PNG in conventional display; flips and a transposition, never resampled."""

import cv2
import numpy as np

from spinalis.errors import OutputError, UnreadableFileError
from spinalis.geometry import display_matrix
from spinalis.records import Image, Series

WINDOW_PERCENTILES = (1.0, 99.0)
"""Darkest and brightest value shown, over all slices of the series, so that they can be compared. As in the report."""

SAMPLED = 4
"""The window is taken from every fourth pixel of every fourth row."""


def window_of(series: Series) -> tuple[float, float]:
    """The values shown as black and as white, over every slice that can be decoded.

    Raises:
        UnreadableFileError: none can.
    """
    sampled: list[Image] = []
    failure: UnreadableFileError | None = None
    for index in range(len(series.slices)):
        try:
            sampled.append(series.load(index)[::SAMPLED, ::SAMPLED].ravel())
        except UnreadableFileError as error:
            failure = error
    if failure is not None and not sampled:
        raise failure
    low, high = np.percentile(np.concatenate(sampled), WINDOW_PERCENTILES)
    return float(low), float(high)


def to_png(series: Series, index: int, window: tuple[float, float]) -> bytes:
    """Slice `index` as a PNG: sagittal anterior left, axial and coronal the patient's right left, head or front up.

    Raises:
        UnreadableFileError: it cannot be decoded.
        OutputError: OpenCV cannot encode it.
    """
    low, high = window
    picture = upright(series, index)
    scaled = np.clip((picture - low) / ((high - low) or 1.0), 0.0, 1.0)
    done, encoded = cv2.imencode(".png", np.round(255 * scaled).astype(np.uint8))
    if not done:
        raise OutputError(f"Picture: expected a PNG of {picture.shape} pixels, got none. Report this as a bug.")
    return encoded.tobytes()


def upright(series: Series, index: int) -> Image:
    """Slice `index` in conventional display, (rows, columns); as stored where its plane has no name."""
    image = series.load(index)
    turn = display_matrix(series.slices[index].plane, *image.shape)[:, :2]
    picture = image if turn[0, 0] else image.T
    picture = picture[:: int(turn[1].sum()), :: int(turn[0].sum())]
    return np.ascontiguousarray(picture)


def upright_spacing_mm(series: Series, index: int) -> tuple[float, float] | None:
    """Distance of pixels down and across in conventional display; None without geometry."""
    plane = series.slices[index].plane
    if plane is None:
        return None
    straight = bool(display_matrix(plane, series.rows, series.columns)[0, 0])
    spacing = plane.row_spacing_mm, plane.column_spacing_mm
    return spacing if straight else spacing[::-1]
