"""One real slice with what is known of it: the record that every reader of a set of real images yields.

Pixels come late: a record holds a loader, so that a set of a million pictures can be listed and drawn from.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from spinalis.errors import InputError, RecipeError
from spinalis.formats import read_studies
from spinalis.geometry import display_matrix, patient_plane
from spinalis.models.prepare import resample
from spinalis.records import FloatArray, Header, Image, Series, Slice
from spinalis.vocabulary import Anatomy, Plane, Region
from spinalis.vocabulary import Sequence as Contrast

TRAINING, VALIDATION = "training", "validation"
VALIDATION_SHARE = 0.2
"""Share of the patients of a set that is judged on, where the set itself says nothing. SPIDER keeps 39 of 218."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What is known of a slice; None where nothing is.

    `part` says more than `anatomy`, in the words of a condition in `triage/hierarchy.toml`, such as KNEE or CT.
    """

    anatomy: Anatomy | None = None
    region: Region | None = None
    plane: Plane | None = None
    sequence: Contrast | None = None
    cord: bool | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RealSlice:
    """One slice with its labels.

    `load` decodes it in conventional display: (rows, columns) float32; raises `RecipeError` or `UnreadableFileError`.
    `patient` is unique over all sources; `subset` is `training` or `validation`. `points` is (5, 2): pixels (x, y) of
    the posterior disc edges at the canal, L1/L2 to L5/S1, NaN where one is not in this slice; None where unknown.
    """

    load: Callable[[], Image] = field(repr=False)
    labels: Labels
    source: str
    patient: str
    subset: str
    points: FloatArray | None = field(default=None, repr=False)

    @property
    def image(self) -> Image:
        """The picture, decoded anew each time."""
        return self.load()


def subset_of(patient: str) -> str:
    """`training` or `validation`, by a hash of the patient's key alone: the same on every machine and in every run."""
    place = int(sha256(patient.encode()).hexdigest()[:8], 16) / 16**8
    return VALIDATION if place < VALIDATION_SHARE else TRAINING


def slices_of(path: Path, labels: Labels, *, source: str, patient: str, subset: str) -> Iterator[RealSlice]:
    """Every slice of a file or folder that Spinalis reads: DICOM, NIfTI, PNG or JPEG.

    Args:
        path: the file or folder.
        labels: what is known of all its slices. Where they name no plane, the geometry of a slice does.
        source: the set, for tables.
        patient: key of the patient, unique over all sets.
        subset: `training` or `validation`.

    Raises:
        RecipeError: nothing there can be read.
    """
    for series in series_of(path):
        for index in range(len(series.slices)):
            yield RealSlice(
                load=partial(shown, series, index),
                labels=with_plane(labels, series, index),
                source=source,
                patient=patient,
                subset=subset,
            )


def with_plane(labels: Labels, series: Series, index: int) -> Labels:
    """Labels whose plane, where they name none, is that of the geometry."""
    plane = series.slices[index].plane
    return replace(labels, plane=patient_plane(plane)) if labels.plane is None and plane else labels


def series_of(path: Path) -> tuple[Series, ...]:
    """All series of a file or folder.

    Raises:
        RecipeError: nothing there can be read.
    """
    try:
        return tuple(series for study in read_studies(path) for series in study.series)
    except InputError as error:
        raise RecipeError(f"{named(path)}: expected images that can be read. {error}") from error


def shown(series: Series, index: int) -> Image:
    """A slice in conventional display, its own pixels."""
    image = series.load(index)
    turn = display_matrix(series.slices[index].plane, *image.shape)
    shape = image.shape if turn[0, 0] else image.shape[::-1]
    return resample(image, turn, (shape[0], shape[1]))


def picture(image: Image, key: str = "picture") -> Series:
    """One picture without header or positions, as a series."""
    return pictures([lambda: image], key)


def pictures(loads: Sequence[Callable[[], Image]], key: str) -> Series:
    """Pictures of one shape without header or positions, as a series."""
    rows, columns = loads[0]().shape
    return Series(
        key=key,
        number=None,
        header=Header(),
        rows=rows,
        columns=columns,
        slices=(Slice(file=key),) * len(loads),
        load=lambda index: loads[index](),
    )


def load_picture(file: Path, listed: str = "") -> Image:
    """A grey PNG or JPEG, (rows, columns) float32 in 0..255.

    Args:
        file: the picture.
        listed: which table and line names it, for the message.

    Raises:
        RecipeError: it is not there or cannot be decoded.
    """
    image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) if file.is_file() else None
    if image is None:
        where = f" (named in {listed})" if listed else ""
        raise RecipeError(f"{named(file)}{where}: expected a PNG or JPEG picture, got none. Fetch the set again.")
    return np.asarray(image, np.float32)


def named(path: Path) -> str:
    """A path in a message: its last two parts."""
    return f"{path.parent.name}/{path.name}"


def found(root: Path, pattern: str, title: str, *, layout: str) -> list[Path]:
    """Files or folders of a set, in the order of their names; those that a file manager hid are left out.

    Raises:
        RecipeError: there are none.
    """
    paths = sorted(path for path in root.glob(pattern) if not path.name.startswith("."))
    if not paths:
        raise RecipeError(
            f"{title}: expected {layout} under {root.name}, got none. Correct the path or unpack the set."
        )
    return paths
