"""Voxel and patient: planes, the order of slices, and the projection of a point into another series.

Patient coordinates are LPS in millimetres. Nothing here reads pixels.
"""

import numpy as np

from spinalis.errors import GeometryError
from spinalis.records import FloatArray, Location, Series, SlicePlane, Vector
from spinalis.vocabulary import Plane

OBLIQUE_DEG = 45.0
"""A slice is named after the nearest patient axis; beyond this tilt no axis is the nearest one."""

DISC_TILT_DEG = 60.0
"""A slice that falls to the front, as lumbosacral discs do, is axial up to this tilt about the left-right axis.

Fitted: of 5,603 lumbar axial stacks of 1,200 simulated studies 147 are tilted beyond 45 degrees, and 16 of them beyond
this. Coronal stacks that are tilted so far follow the sacrum, and rise to the front; the simulator draws none of them.
"""

DISC_LEAN_DEG = 20.0
"""The most that such a slice leans to the side. A convention."""

PARALLEL_COSINE_TOLERANCE = 1e-3
"""Two slices are parallel where the cosine of their normals is within this of 1 (about 2.6 degrees)."""

UNIT_TOLERANCE = 1e-2
"""Direction cosines are accepted where length and orthogonality are within this; scanners round to 6 digits."""


def slice_plane(
    position: tuple[float, ...], orientation: tuple[float, ...], spacing_mm: tuple[float, float]
) -> SlicePlane:
    """Build a slice's plane from three DICOM attributes.

    Args:
        position: ImagePositionPatient, 3 numbers, LPS mm.
        orientation: ImageOrientationPatient, 6 numbers: direction of a row, then of a column.
        spacing_mm: PixelSpacing: distance between rows, then between columns.

    Returns:
        The plane, its directions normalized.

    Raises:
        GeometryError: a number is missing or not finite, a spacing is not positive, or the directions are not
            orthogonal.

    Source:
        DICOM PS3.3 C.7.6.2.1.1.
    """
    if len(position) != 3 or len(orientation) != 6:
        raise GeometryError(
            f"Slice position: expected 3 coordinates and 6 cosines, got {len(position)} and {len(orientation)}. "
            "Read the series without geometry."
        )
    row, column = np.asarray(orientation[:3], float), np.asarray(orientation[3:], float)
    numbers = np.concatenate([np.asarray(position, float), row, column, np.asarray(spacing_mm, float)])
    if not np.all(np.isfinite(numbers)) or min(spacing_mm) <= 0:
        raise GeometryError(
            f"Slice position: expected finite numbers and positive spacing, got spacing {spacing_mm}. "
            "Read the series without geometry."
        )
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    skew = abs(float(row @ column))
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), skew) > UNIT_TOLERANCE:
        raise GeometryError(
            f"Slice orientation: expected orthogonal unit vectors, got lengths {lengths[0]:.3f}, {lengths[1]:.3f} "
            f"and cosine {skew:.3f}. Read the series without geometry."
        )
    return SlicePlane(
        origin_lps_mm=_vector(np.asarray(position, float)),
        along_row=_vector(row / lengths[0]),
        along_column=_vector(column / lengths[1]),
        row_spacing_mm=float(spacing_mm[0]),
        column_spacing_mm=float(spacing_mm[1]),
    )


def normal_of(plane: SlicePlane) -> FloatArray:
    """The unit normal of a slice, (3,), pointing to the patient's left, back or head, see `patient_plane`."""
    normal = np.cross(plane.along_row, plane.along_column)
    return np.asarray(normal * (1.0 if normal[_axis(normal)] > 0 else -1.0), float)


def patient_plane(plane: SlicePlane) -> Plane:
    """The patient plane of a slice: the nearest one, but axial where it is tilted as a lumbosacral disc.

    UNKNOWN where it is tilted more than `OBLIQUE_DEG` from all three, and not as a disc: see `DISC_TILT_DEG`.
    """
    normal = normal_of(plane)
    axis = _axis(normal)
    if _tilt_deg(normal, axis) > OBLIQUE_DEG and not _along_disc(normal):
        return Plane.UNKNOWN
    return (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)[axis]


def _axis(normal: FloatArray) -> int:
    """The patient axis, 0..2, after which a slice with this normal is named."""
    return 2 if _along_disc(normal) else int(np.argmax(np.abs(normal)))


def _along_disc(normal: FloatArray) -> bool:
    """Whether a slice falls to the front no more steeply than a disc, whichever way its normal points."""
    falls = normal[1] * normal[2] < 0
    leans = abs(normal[0]) > np.sin(np.radians(DISC_LEAN_DEG))
    return bool(falls and not leans and _tilt_deg(normal, 2) <= DISC_TILT_DEG)


def _tilt_deg(normal: FloatArray, axis: int) -> float:
    """The angle between a normal and a patient axis, 0..90 degrees."""
    return float(np.degrees(np.arccos(min(1.0, abs(float(normal[axis]))))))


def position_along(plane: SlicePlane, normal: FloatArray) -> float:
    """Signed distance of a slice's first pixel from the patient's origin along `normal` (3,), in mm."""
    return float(np.asarray(plane.origin_lps_mm) @ normal)


def to_patient(plane: SlicePlane, row: float, column: float) -> Vector:
    """Map a pixel (0 at the first pixel's centre, fractions allowed) to LPS mm.

    Source:
        DICOM PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1.
    """
    point = (
        np.asarray(plane.origin_lps_mm)
        + np.asarray(plane.along_row) * column * plane.column_spacing_mm
        + np.asarray(plane.along_column) * row * plane.row_spacing_mm
    )
    return _vector(point)


def to_pixel(plane: SlicePlane, point_lps_mm: Vector) -> tuple[float, float, float]:
    """Drop a point onto a slice.

    Returns:
        Row, column (fractional pixels) and the distance in mm between point and slice, always >= 0.
    """
    offset = np.asarray(point_lps_mm) - np.asarray(plane.origin_lps_mm)
    row = float(offset @ np.asarray(plane.along_column)) / plane.row_spacing_mm
    column = float(offset @ np.asarray(plane.along_row)) / plane.column_spacing_mm
    return row, column, abs(float(offset @ np.cross(plane.along_row, plane.along_column)))


def project(point_lps_mm: Vector, series: Series, tolerance_mm: float) -> Location | None:
    """Find a point in another series.

    Args:
        point_lps_mm: the point, in the same frame of reference.
        series: the series to look into.
        tolerance_mm: the largest accepted distance between the point and the nearest slice.

    Returns:
        The nearest slice and the pixel in it, or None where the series has no geometry, the nearest slice is too
        far away, or the pixel lies outside the picture.
    """
    best: Location | None = None
    nearest = tolerance_mm
    for index, item in enumerate(series.slices):
        if item.plane is None:
            continue
        row, column, distance = to_pixel(item.plane, point_lps_mm)
        inside = 0 <= row <= series.rows - 1 and 0 <= column <= series.columns - 1
        if distance <= nearest and inside:
            nearest = distance
            best = Location(series_key=series.key, slice_index=index, row=row, column=column)
    return best


def slice_spacing_mm(series: Series) -> float | None:
    """Median distance between neighbouring slices in mm; None with fewer than two placed slices."""
    planes = [item.plane for item in series.slices if item.plane is not None]
    if len(planes) < 2:
        return None
    normal = normal_of(planes[0])
    return float(np.median(np.abs(np.diff([position_along(plane, normal) for plane in planes]))))


def display_matrix(plane: SlicePlane | None, rows: int, columns: int) -> FloatArray:
    """The turn that brings a slice into the conventional display: (2, 3), picture (column, row) -> display.

    Sagittal: anterior left, head up. Axial: the patient's right left, anterior up. Coronal: the patient's right left,
    head up. Only flips and a transposition; the identity without a plane, since most pictures are stored that way.
    """
    if plane is None or patient_plane(plane) is Plane.UNKNOWN:
        return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    across, down = {
        Plane.SAGITTAL: ((0, 1, 0), (0, 0, -1)),
        Plane.AXIAL: ((1, 0, 0), (0, 1, 0)),
        Plane.CORONAL: ((1, 0, 0), (0, 0, -1)),
    }[patient_plane(plane)]
    row, column = np.asarray(plane.along_row), np.asarray(plane.along_column)
    turn = np.array([[row @ across, column @ across], [row @ down, column @ down]], float)
    straight = abs(turn[0, 0]) + abs(turn[1, 1]) >= abs(turn[0, 1]) + abs(turn[1, 0])
    turn = np.sign(turn) * (np.eye(2) if straight else np.array([[0.0, 1.0], [1.0, 0.0]]))
    corner = np.array([columns - 1, rows - 1], float)
    offset = [sum(float(corner[j]) for j in (0, 1) if turn[i, j] < 0) for i in (0, 1)]
    return np.hstack([turn, np.array(offset)[:, None]])


def _vector(values: FloatArray) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
