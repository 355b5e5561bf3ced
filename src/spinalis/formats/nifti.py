"""NIfTI volumes, by nibabel (extra `nifti`): one series each, turned to the picture that radiologists expect.

Volumes are flipped and transposed, never resampled; oblique axes stay as they are.
"""

import importlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import GeometryError, InputError, UnreadableFileError
from spinalis.formats.dicom.group import left_out, natural, study_key
from spinalis.formats.dicom.scan import UNREADABLE
from spinalis.formats.source import DiskFile, Source
from spinalis.geometry import slice_plane
from spinalis.records import FloatArray, Header, Image, Series, Slice, SlicePlane, Study

SUFFIXES = (".nii", ".nii.gz")

MAX_VOXELS = 2**28
"""What says to be larger is damaged, and must not be let loose on the memory."""

THICKEST = 0.9
"""Axes whose spacing is at least this part of the largest may be the slice axis; several mean an isotropic volume."""

DISPLAY: tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...] = (
    ((0, 1, 0), (0, 0, -1)),
    ((1, 0, 0), (0, 0, -1)),
    ((1, 0, 0), (0, 1, 0)),
)
"""LPS directions of growing column and row index for sagittal, coronal and axial pictures: head up and front to the
left; head up and the patient's right to the left; front up and the patient's right to the left."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which voxel axis is slice, row and column; which of them run backwards; their sizes in that order."""

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    shape: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class VolumePixels:
    """The pixel loader of a NIfTI series. The volume read last stays in memory, since it is packed as one."""

    number: int
    path: Path
    layout: Layout

    def __call__(self, index: int) -> Image:
        """Slice `index`: (rows, columns) float32 after the scaling in the file.

        Raises:
            UnreadableFileError: the file is gone or damaged.
        """
        axes, flips = self.layout.axes, self.layout.flips
        at = self.layout.shape[0] - 1 - index if flips[0] else index
        try:
            picture = np.take(_volume(self.path), at, axis=axes[0]).astype(np.float32)
        except Exception as error:  # nibabel raises nearly anything on damaged bytes
            raise UnreadableFileError(
                f"Series {self.number}, slice {index}: expected voxels that can be read, got {type(error).__name__}. "
                "Make the file anew or leave it out."
            ) from error
        picture = picture.T if axes[1] > axes[2] else picture
        picture = picture[:: -1 if flips[1] else 1, :: -1 if flips[2] else 1]
        return np.ascontiguousarray(picture)


def is_nifti(name: str) -> bool:
    """True for the file names of NIfTI volumes."""
    return name.lower().endswith(SUFFIXES)


def read(sources: Sequence[Source], input_name: str) -> tuple[Study, ...]:
    """One study per folder, one series per file in the natural order of the names.

    Raises:
        InputError: nibabel is not installed, or the files lie in a zip.
    """
    nibabel = load_nibabel()
    folders: dict[str, list[DiskFile]] = defaultdict(list)
    for source in sorted(sources, key=lambda source: natural(source.name)):
        if not isinstance(source, DiskFile):
            raise InputError("NIfTI file: expected it on disk, got it in a zip. Unpack the zip and read the folder.")
        folders[source.name.rpartition("/")[0]].append(source)
    studies = (_study(nibabel, members, f"{input_name}/{folder}") for folder, members in folders.items())
    return tuple(study for study in studies if study is not None)


def _study(nibabel: Any, sources: Sequence[DiskFile], identity: str) -> Study | None:
    series: list[Series] = []
    for source in sources:
        try:
            series.append(_series(nibabel.load(source.path), source, number=len(series) + 1))
        except Exception:  # nibabel raises nearly anything on damaged bytes; the file is counted
            continue
    damaged = len(sources) - len(series)
    warnings = (left_out(UNREADABLE, damaged),) if damaged else ()
    return Study(key=study_key(identity), series=tuple(series), warnings=warnings) if series else None


def _series(image: Any, source: DiskFile, number: int) -> Series:
    sizes = (*image.shape, 1, 1)[:3]
    if math.prod(sizes) > MAX_VOXELS:
        raise ValueError("too many voxels")
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(image.affine, float)  # RAS -> LPS
    layout = _layout(affine, sizes)
    planes = _planes(affine, layout)
    noticed = {
        "more_volumes": int(np.prod(image.shape[3:])) > 1,
        "no_geometry": planes[0] is None,
        "single_slice": len(planes) == 1,
    }
    return Series(
        key=f"s{number}",
        number=number,
        header=Header(),
        rows=layout.shape[1],
        columns=layout.shape[2],
        slices=tuple(Slice(file=source.name, frame=index, plane=plane) for index, plane in enumerate(planes)),
        load=VolumePixels(number, source.path, layout),
        thickness_mm=float(np.linalg.norm(affine[:3, layout.axes[0]])),
        flags=tuple(flag for flag, seen in noticed.items() if seen),
    )


def _layout(affine: FloatArray, sizes: tuple[int, ...]) -> Layout:
    """Choose the slice axis by the largest spacing (else left-right), and the other two by the display convention."""
    spacings = np.linalg.norm(affine[:3, :3], axis=0)
    directions = affine[:3, :3] / spacings
    thickest = [axis for axis in range(3) if sizes[axis] == 1]
    thickest = thickest or [axis for axis in range(3) if spacings[axis] >= THICKEST * spacings.max()]
    slices = max(thickest, key=lambda axis: abs(directions[0, axis]))
    one, other = (axis for axis in range(3) if axis != slices)
    normal = np.cross(directions[:, one], directions[:, other])
    across, down = DISPLAY[int(np.argmax(np.abs(normal)))]
    if abs(directions[:, one] @ across) < abs(directions[:, other] @ across):
        one, other = other, one
    onward = abs(normal).argmax()
    flips = (
        directions[onward, slices] < 0,
        directions[:, other] @ np.asarray(down) < 0,
        directions[:, one] @ np.asarray(across) < 0,
    )
    axes = (slices, other, one)
    return Layout(
        axes=axes,
        flips=(bool(flips[0]), bool(flips[1]), bool(flips[2])),
        shape=(sizes[axes[0]], sizes[axes[1]], sizes[axes[2]]),
    )


def _planes(affine: FloatArray, layout: Layout) -> list[SlicePlane | None]:
    """The plane of each slice; all None where the axes are not orthogonal."""
    start = np.array([0.0, 0.0, 0.0, 1.0])
    steps = []
    for axis, flip, size in zip(layout.axes, layout.flips, layout.shape, strict=True):
        start[axis] = size - 1 if flip else 0
        steps.append(affine[:3, axis] * (-1 if flip else 1))
    origin = (affine @ start)[:3]
    spacing = float(np.linalg.norm(steps[1])), float(np.linalg.norm(steps[2]))
    orientation = (*(steps[2] / spacing[1]), *(steps[1] / spacing[0]))
    try:
        return [slice_plane(tuple(origin + steps[0] * index), orientation, spacing) for index in range(layout.shape[0])]
    except GeometryError:
        return [None] * layout.shape[0]


@lru_cache(maxsize=1)
def _volume(path: Path) -> NDArray[Any]:
    """The first volume of a file, in the type it is stored in where it is not scaled."""
    stored = load_nibabel().load(path).dataobj
    volume = np.asanyarray(stored[(..., *(0,) * (len(stored.shape) - 3))] if len(stored.shape) > 3 else stored)
    return np.reshape(volume, (*volume.shape, 1, 1)[:3])


def load_nibabel() -> Any:
    """The library that knows NIfTI.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module("nibabel")
    except ImportError as error:
        raise InputError(
            "NIfTI: expected the extra 'nifti', got no nibabel. Install it with: pip install 'spinalis[nifti]'."
        ) from error
