"""Mid-sagittal slices of real lumbar spines with five level points.

Source: SPIDER, van der Graaf et al. 2024, and the lumbar coordinate pre-training set; both CC BY 4.0.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from spinalis.errors import RecipeError
from spinalis.records import FloatArray, Image
from spinalis.vocabulary import LEVELS, Sequence

FOLDER = "spider_midsagittal"
_SEQUENCES = {"T1w": Sequence.T1W, "T2w": Sequence.T2W, "T2w-SPACE": Sequence.T2W}


@dataclass(frozen=True, slots=True, kw_only=True)
class MidSagittal:
    """One mid-sagittal slice, head up, anterior at the left.

    `points` is (5, 2): relative (x, y) in 0..1 of the posterior disc edge at the canal, L1/L2 to L5/S1; None where
    the source gives none. `space` marks a T2w SPACE slice.
    """

    file: Path
    patient: str
    subset: str
    sequence: Sequence
    space: bool
    points: FloatArray | None

    def load(self) -> Image:
        """The picture, (rows, columns) float32 in 0..255.

        Raises:
            RecipeError: the file cannot be read.
        """
        return load_png(self.file)


def read(root: Path) -> tuple[MidSagittal, ...]:
    """List the slices under `root/spider_midsagittal`, in the order of the manifest.

    Raises:
        RecipeError: the manifest is not there.
    """
    manifest = root / FOLDER / "manifest.csv"
    if not manifest.is_file():
        raise RecipeError(f"Real images: expected {FOLDER}/manifest.csv under the data folder, got none. Set --data.")
    with manifest.open(newline="") as lines:
        return tuple(_item(row, manifest.parent) for row in csv.DictReader(lines))


def load_png(file: Path) -> Image:
    """A grey picture, (rows, columns) float32 in 0..255.

    Raises:
        RecipeError: the file cannot be read.
    """
    image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise RecipeError(f"{file.parent.name}/{file.name}: expected a PNG picture, got none. Fetch the set again.")
    return np.asarray(image, np.float32)


def _item(row: dict[str, str], folder: Path) -> MidSagittal:
    points = None
    if row["keypoints"] in ("exact", "same_aspect_as_t2"):
        names = [level.value.replace("/", "") for level in LEVELS]
        points = np.array([[float(row[f"x_{name}"]), float(row[f"y_{name}"])] for name in names])
    return MidSagittal(
        file=folder / row["file"],
        patient=row["patient"],
        subset=row["subset"],
        sequence=_SEQUENCES[row["sequence"]],
        space=row["sequence"] == "T2w-SPACE",
        points=points,
    )
