"""A series, or one slice of it, as a NIfTI volume (extra `nifti`): pixels as they are, the affine from the positions.

Source:
    The affine: DICOM PS3.3 C.7.6.2.1.1 for pixel to LPS mm, x and y negated for RAS mm (NIfTI-1).
"""

import gzip
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import GeometryError
from spinalis.formats.nifti import load_nibabel
from spinalis.geometry import normal_of, slice_spacing_mm
from spinalis.records import FloatArray, Series, SlicePlane

UNEVEN = 0.05
"""Slices may stand off an even grid by this share of its step; beyond it one affine would put them elsewhere. A
judgement: 0.2 mm at 4 mm."""

DESCRIPTION = b"Spinalis; research use only"


def to_nifti(series: Series, indices: Sequence[int]) -> bytes:
    """The packed file (`.nii.gz`) of neighbouring slices; the same bytes every time.

    Args:
        series: the series.
        indices: neighbouring slices in their order, at least one.

    Returns:
        A volume with the axes column, row, slice: int16 where that holds every value, else float32; qform and sform
        are both scanner coordinates.

    Raises:
        GeometryError: a position is missing, or the slices stand unevenly.
        UnreadableFileError: a slice cannot be decoded.
        InputError: nibabel is not installed.
    """
    nibabel = load_nibabel()
    affine = affine_of(series, indices)
    voxels = np.stack([series.load(index) for index in indices]).transpose(2, 1, 0)
    image = nibabel.Nifti1Image(np.ascontiguousarray(_small(voxels)), affine)
    image.header["descrip"] = DESCRIPTION
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    return gzip.compress(image.to_bytes(), compresslevel=6, mtime=0)


def affine_of(series: Series, indices: Sequence[int]) -> FloatArray:
    """Voxel (column, row, slice) to RAS mm, (4, 4).

    Raises:
        GeometryError: see `to_nifti`.
    """
    planes = [plane for index in indices if (plane := series.slices[index].plane) is not None]
    if len(planes) < len(indices):
        raise GeometryError(
            f"{_title(series)}: expected a position for every slice, got {len(planes)} of {len(indices)}. "
            "Export it as PNG."
        )
    first = planes[0]
    affine = np.eye(4)
    affine[:3, 0] = np.asarray(first.along_row) * first.column_spacing_mm
    affine[:3, 1] = np.asarray(first.along_column) * first.row_spacing_mm
    affine[:3, 2] = _step(series, planes)
    affine[:3, 3] = first.origin_lps_mm
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)


def _step(series: Series, planes: list[SlicePlane]) -> FloatArray:
    """From one slice to the next, LPS mm, (3,)."""
    if len(planes) == 1:
        depth = slice_spacing_mm(series) or series.thickness_mm
        if not depth:
            raise GeometryError(
                f"{_title(series)}: expected a slice thickness, got none in its only slice. Export it as PNG."
            )
        return np.asarray(normal_of(planes[0]) * depth, float)
    origins = np.array([plane.origin_lps_mm for plane in planes])
    step = (origins[-1] - origins[0]) / (len(planes) - 1)
    off = np.linalg.norm(origins - origins[0] - np.arange(len(planes))[:, None] * step, axis=1).max()
    size = float(np.linalg.norm(step))
    if size == 0.0 or off > UNEVEN * size:
        raise GeometryError(
            f"{_title(series)}: expected evenly spaced slices, got one {off:.2f} mm off a step of {size:.2f} mm. "
            "Export it as PNG, or slice by slice."
        )
    return np.asarray(step, float)


def _small(voxels: NDArray[np.float32]) -> NDArray[np.float32] | NDArray[np.int16]:
    """As int16 where nothing is lost."""
    limits = np.iinfo(np.int16)
    if voxels.min() < limits.min or voxels.max() > limits.max:
        return voxels
    whole = voxels.astype(np.int16)
    return whole if np.array_equal(whole, voxels) else voxels


def _title(series: Series) -> str:
    return f"Series {'without a number' if series.number is None else series.number}"
