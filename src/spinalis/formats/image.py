"""PNG and JPEG pictures: slices without geometry."""

import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from spinalis.errors import UnreadableFileError
from spinalis.formats.dicom.group import left_out, natural, study_key
from spinalis.formats.dicom.scan import UNREADABLE
from spinalis.formats.source import Source
from spinalis.records import Header, Image, Series, Slice, Study

SUFFIXES = (".png", ".jpg", ".jpeg")

MAX_PIXELS = 2**25
"""What says to be larger is damaged, and must not be let loose on the memory."""

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the segment that holds the size of a JPEG. Source: ITU-T T.81, table B.1."""


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
    warnings = (left_out(UNREADABLE, damaged),) if damaged else ()
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
            data = stream.read()
        if not 0 < _pixels(data) <= MAX_PIXELS:
            return None
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    except Exception:  # zipfile and OpenCV raise nearly anything on damaged bytes; the caller counts it
        return None
    return None if picture is None else np.asarray(picture, np.float32)


def _pixels(data: bytes) -> int:
    """How many pixels a PNG or JPEG says to have; 0 where it does not say it."""
    if data.startswith(PNG_START):
        columns, rows = struct.unpack(">LL", data[16:24])
        return int(columns * rows)
    place = len(JPEG_START)
    while data.startswith(JPEG_START) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in JPEG_SIZES:
            rows, columns = struct.unpack(">HH", data[place + 5 : place + 9])
            return int(columns * rows)
        filled = marker == 0xFF  # a marker may follow any number of fill bytes
        place += 1 if filled else 2 + int.from_bytes(data[place + 2 : place + 4])
    return 0
