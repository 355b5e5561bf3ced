"""PNG and JPEG pictures: slices without geometry."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from spinalis.errors import UnreadableFileError
from spinalis.formats.dicom.group import left_out, natural, study_key
from spinalis.formats.source import Source
from spinalis.records import Header, Image, Series, Slice, Study

SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class PicturePixels:
    """The pixel loader of a series of pictures."""

    title: str
    shape: tuple[int, int]
    sources: tuple[Source, ...]

    def __call__(self, index: int) -> Image:
        """Decode picture `index`: (rows, columns) float32 grey values as stored, 0..255 or 0..65535.

        Raises:
            UnreadableFileError: the file is gone or cannot be decoded.
        """
        picture = _decode(self.sources[index])
        if picture is None or picture.shape != self.shape:
            raise UnreadableFileError(
                f"{self.title}, slice {index}: expected a PNG or JPEG of {self.shape[0]} x {self.shape[1]} pixels, "
                "got something else. Save the picture again or leave it out."
            )
        return picture


def is_image(name: str) -> bool:
    """True for the file names of PNG and JPEG pictures."""
    return name.lower().endswith(SUFFIXES)


def read(sources: Sequence[Source], input_name: str) -> tuple[Study, ...]:
    """One study with one series per folder and shape, in the natural order of the file names.

    Every picture is decoded once, since its size stands nowhere else; pictures that cannot be are counted.
    """
    groups: dict[tuple[str, tuple[int, int]], list[Source]] = defaultdict(list)
    damaged = 0
    for source in sorted(sources, key=lambda source: natural(source.name)):
        picture = _decode(source)
        if picture is None:
            damaged += 1
        else:
            groups[source.name.rpartition("/")[0], (picture.shape[0], picture.shape[1])].append(source)
    shapes = {folder: sum(other == folder for other, _ in groups) for folder, _ in groups}
    series = [
        _series(number, shape, members, split=shapes[folder] > 1)
        for number, ((folder, shape), members) in enumerate(groups.items(), start=1)
    ]
    if not series:
        return ()
    warnings = (left_out("that cannot be read", damaged),) if damaged else ()
    return (Study(key=study_key(input_name), series=tuple(series), warnings=warnings),)


def _series(number: int, shape: tuple[int, int], sources: list[Source], split: bool) -> Series:
    noticed = {"no_geometry": True, "single_slice": len(sources) == 1, "split": split}
    return Series(
        key=f"s{number}",
        number=number,
        header=Header(),
        rows=shape[0],
        columns=shape[1],
        slices=tuple(Slice(file=source.name, instance_number=index) for index, source in enumerate(sources, start=1)),
        load=PicturePixels(f"Series {number}", shape, tuple(sources)),
        flags=tuple(flag for flag, seen in noticed.items() if seen),
    )


def _decode(source: Source) -> Image | None:
    try:
        with source.open() as stream:
            data = np.frombuffer(stream.read(), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    except Exception:  # zipfile and OpenCV raise nearly anything on damaged bytes; the caller counts it
        return None
    return None if picture is None else np.asarray(picture, np.float32)
