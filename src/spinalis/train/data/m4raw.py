"""M4Raw: raw data of brains at 0.3 T, reconstructed here; all of it not spine.

Layout, from the tutorial of mylyu/M4Raw: `multicoil_train/2022061003_T201.h5` and the like: subject, contrast (`T1`,
`T2`, `FLAIR`), number of the repetition; inside `kspace` (slice, coil, row, column), complex, and `ismrmrd_header`.
`reconstruction_rss` is there, too, and is the same picture as made here. Axial, and stored with the front up, as the
pictures of the tutorial show; left and right as stored.

Assumed, from memory: gradient echoes of later versions are named `GRE`, and more words may follow a second `_`.

Split by a hash of the subject; the repetitions of a subject stay together. Source: Lyu M et al., M4Raw: a
multi-contrast, multi-repetition, multi-channel MRI k-space dataset for low-field MRI research, Sci Data 2023.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import RecipeError
from spinalis.records import Image
from spinalis.train.data import hdf5
from spinalis.train.data.real_slice import Labels, RealSlice, found, named, subset_of
from spinalis.vocabulary import Anatomy, Plane, Sequence

TITLE, SOURCE = "M4Raw", "m4raw"
RAW, HEADER = "kspace", "ismrmrd_header"
AXES = "slice, coil, row, column"
NAME = re.compile(r"(?P<subject>[^_]+)_(?P<contrast>T1|T2|FLAIR|GRE)\d{2}(_\w+)?")
SEQUENCES = {"T1": Sequence.T1W, "T2": Sequence.T2W, "FLAIR": Sequence.OTHER, "GRE": Sequence.OTHER}
RECONSTRUCTED = "{*}encoding/{*}reconSpace/{*}matrixSize"
"""Where the ISMRMRD header gives the size of the picture; x runs along the rows of `kspace`, as in fastMRI."""


def read(root: Path) -> Iterator[RealSlice]:
    """All slices, file by file.

    Raises:
        RecipeError: there is no file, or one is damaged, without raw data or not named as above.
    """
    for file in found(root, "**/*.h5", TITLE, layout="one .h5 file per scan"):
        name = NAME.fullmatch(file.stem)
        if name is None:
            raise RecipeError(
                f"{named(file)}: expected a name like 2022061003_T201.h5 with T1, T2, FLAIR or GRE, got another. "
                "Leave the file out."
            )
        with hdf5.opened(file) as handle:
            count = hdf5.dataset(handle, RAW, AXES).shape[0]
        patient = f"{SOURCE}-{name['subject']}"
        for index in range(count):
            yield RealSlice(
                load=partial(_load, file, index),
                labels=_labels(SEQUENCES[name["contrast"]]),
                source=SOURCE,
                patient=patient,
                subset=subset_of(patient),
            )


def root_sum_of_squares(raw: NDArray[np.complex64], size: tuple[int, int]) -> Image:
    """The picture of one slice.

    Args:
        raw: (coil, row, column), the centre of k-space in the middle.
        size: rows and columns to keep around the middle; larger ones keep all.

    Returns:
        (rows, columns): the root of the summed squares over the coils, of the orthonormal inverse transform.
    """
    axes = (-2, -1)
    coils = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(raw, axes), norm="ortho"), axes)
    picture = np.sqrt((np.abs(coils) ** 2).sum(axis=0)).astype(np.float32)
    top, left = (max(0, (have - keep) // 2) for have, keep in zip(picture.shape, size, strict=True))
    return np.ascontiguousarray(picture[top : top + size[0], left : left + size[1]])


def _load(file: Path, index: int) -> Image:
    with hdf5.opened(file) as handle:
        return root_sum_of_squares(hdf5.dataset(handle, RAW, AXES)[index], _size(handle, file))


def _size(handle: Any, file: Path) -> tuple[int, int]:
    header = handle.get(HEADER)
    try:
        matrix = ElementTree.fromstring(b"" if header is None else header[()]).find(RECONSTRUCTED)
        sizes = [] if matrix is None else [int(matrix.findtext(f"{{*}}{axis}", "")) for axis in "xy"]
    except (ElementTree.ParseError, ValueError):
        sizes = []
    if len(sizes) != 2:
        raise RecipeError(
            f"{named(file)}: expected {HEADER} in XML with the matrix of the reconstruction, got none. Fetch it again."
        )
    return sizes[0], sizes[1]


def _labels(sequence: Sequence) -> Labels:
    return Labels(anatomy=Anatomy.OTHER, plane=Plane.AXIAL, sequence=sequence, part="BRAIN")
