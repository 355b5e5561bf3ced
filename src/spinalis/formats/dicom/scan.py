"""Reads the headers of many files; what cannot be used is counted with its reason, never raised."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileDataset
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from spinalis.formats.dicom.headers import HEADER_KEYWORDS, Attributes, Frame, PixelElement, frames_of
from spinalis.formats.dicom.pixels import check_inflated_size
from spinalis.formats.dicom.quiet import quiet
from spinalis.formats.source import Source

NOT_DICOM = "not DICOM"
UNREADABLE = "that cannot be read"
NO_IMAGE = "without an image"
NO_PIXELS = "without complete pixels"
MOSAIC = "with a mosaic of slices"
ANOTHER_KIND = "of another kind"
EMPTY = "without a byte in it"
ARCHIVE = "in the form of a zip within the input"

HARMLESS = frozenset({NOT_DICOM, NO_IMAGE, ANOTHER_KIND})
"""Reasons to leave a file out that lose no image."""

NON_IMAGE_MODALITIES = frozenset({"SEG", "RTDOSE", "RTSTRUCT", "RTPLAN", "SR", "KO", "PR", "REG", "FID", "RWV"})
"""Objects about images. Some of them have rows and columns, yet they are no picture of a patient."""

MAX_PIXELS_PER_FRAME = 2**25
MAX_FRAMES = 100_000
"""What says to be larger is damaged, and must not be let loose on the memory."""

PIXEL_KEYWORDS = {
    (0x7FE0, 0x0008): "FloatPixelData",
    (0x7FE0, 0x0009): "DoubleFloatPixelData",
    (0x7FE0, 0x0010): "PixelData",
}
PIXEL_REPRESENTATIONS = (b"OB", b"OW", b"OF", b"OD", b"UN")
UNDEFINED_LENGTH = 0xFFFFFFFF

FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
"""How a file without the 128-byte preamble begins: group 0002, or group 0008 in either byte order."""

_TAGS: list[int] = [tag for tag in map(tag_for_keyword, HEADER_KEYWORDS) if tag is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A file that was left out, why, and to which series it says it belongs."""

    reason: str
    study_uid: str | None = None
    series_uid: str | None = None
    series_number: int | None = None
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """All pictures found, and all files left out."""

    frames: tuple[Frame, ...]
    rejects: tuple[Reject, ...]

    def count(self, *reasons: str) -> int:
        """How many files were left out for any of these reasons."""
        return sum(reject.reason in reasons for reject in self.rejects)


def scan(sources: Iterable[Source]) -> Scan:
    """Read the header of every file; no pixel is decoded."""
    frames: list[Frame] = []
    rejects: list[Reject] = []
    known: dict[object, Any] = {}
    with quiet:
        for source in sources:
            found = _scan_one(source, known)
            if isinstance(found, Reject):
                rejects.append(found)
            else:
                frames.extend(found)
    return Scan(frames=tuple(frames), rejects=tuple(rejects))


def _scan_one(source: Source, known: dict[object, Any]) -> list[Frame] | Reject:
    reason, folder = UNREADABLE, source.name.rpartition("/")[0]
    unopened = ARCHIVE if source.name.lower().endswith(".zip") else None if source.size else EMPTY
    if unopened:
        return Reject(reason=unopened, folder=folder)
    try:
        with source.open() as stream:
            head = stream.read(1024)
            has_preamble = head[128:132] == b"DICM"
            if not has_preamble and head[:2] not in FIRST_GROUPS:
                return Reject(reason=NOT_DICOM, folder=folder)
            reason = UNREADABLE if has_preamble else NOT_DICOM
            stream.seek(0)
            if DeflatedExplicitVRLittleEndian.encode() in head:
                check_inflated_size(stream)
            dataset = dcmread(stream, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
            attributes = Attributes(dataset)
            named = attributes.text("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID")
            if not named and not dataset.file_meta.get("MediaStorageSOPClassUID"):
                return Reject(reason=reason, folder=folder)
            syntax = _syntax(dataset)
            problem = _problem(attributes)
            element = None if problem else _pixel_element(dataset, stream, syntax, source.size)
            if problem or element is None:
                return _reject(problem or NO_PIXELS, attributes, source)
            # The files of a series say mostly the same: what is equal is kept once.
            options = known.setdefault(tuple(element.options.items()), element.options)
            frames = frames_of(dataset, source, syntax, replace(element, options=options))
            return [replace(frame, header=known.setdefault(frame.header, frame.header)) for frame in frames]
    except Exception:  # pydicom and zipfile raise nearly anything on damaged bytes; the file is counted
        return Reject(reason=reason, folder=folder)


def _reject(reason: str, attributes: Attributes, source: Source) -> Reject:
    return Reject(
        reason=reason,
        study_uid=attributes.text("StudyInstanceUID"),
        series_uid=attributes.text("SeriesInstanceUID"),
        series_number=attributes.integer("SeriesNumber"),
        folder=source.name.rpartition("/")[0],
    )


def _problem(attributes: Attributes) -> str | None:
    """Why the header alone makes a file of no use, or None."""
    if (attributes.text("Modality") or "").upper() in NON_IMAGE_MODALITIES:
        return NO_IMAGE
    pixels = (attributes.integer("Rows") or 0) * (attributes.integer("Columns") or 0)
    if pixels <= 0:  # a file cut within its header still says that it is an image
        cut = "Image Storage" in UID(attributes.text("SOPClassUID") or "").name
        return NO_PIXELS if cut else NO_IMAGE
    if "MOSAIC" in attributes.texts("ImageType"):
        return MOSAIC
    if pixels > MAX_PIXELS_PER_FRAME or (attributes.integer("NumberOfFrames") or 1) > MAX_FRAMES:
        return UNREADABLE
    return None


def _syntax(dataset: FileDataset) -> UID:
    """The transfer syntax, as guessed by pydicom where a file has no meta header."""
    named = dataset.file_meta.get("TransferSyntaxUID")
    if named:
        return UID(named)
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _pixel_element(dataset: FileDataset, stream: BinaryIO, syntax: UID, size: int) -> PixelElement | None:
    """The pixel element that `stream` stands at; None where it does not lie completely in the file of `size` bytes."""
    if syntax == DeflatedExplicitVRLittleEndian:  # was unpacked as a whole: a cut file does not get here
        return PixelElement(offset=None, options={})
    order, start = "<" if syntax.is_little_endian else ">", stream.tell()
    head = stream.read(12)
    if len(head) < 12:
        return None
    keyword = PIXEL_KEYWORDS.get(struct.unpack(order + "HH", head[:4]))
    if keyword is None:
        return None
    options = as_pixel_options(dataset, transfer_syntax_uid=syntax, pixel_keyword=keyword)
    # Some writers say explicit and write implicit. Lengths are even and representations start with an odd byte.
    explicit = head[4:6] in PIXEL_REPRESENTATIONS
    if explicit:
        options["pixel_vr"] = "OW" if head[4:6] == b"UN" else head[4:6].decode()
    offset = start + (12 if explicit else 8)
    (length,) = struct.unpack(order + "L", head[8:12] if explicit else head[4:8])
    stream.seek(offset)
    if length == UNDEFINED_LENGTH:
        complete = _count_fragments(stream) >= options["number_of_frames"]
    else:
        pixels = options["rows"] * options["columns"] * options["number_of_frames"]
        complete = length >= pixels * options["bits_allocated"] // 8 and offset + length <= size
    if not complete:
        return None
    tables = "ModalityLUTSequence" in dataset or dataset.PhotometricInterpretation == "PALETTE COLOR"
    return PixelElement(offset=None if tables else offset, options=options)


def _count_fragments(stream: BinaryIO) -> int:
    """Walk the items of encapsulated pixel data; 0 where the delimiter is not reached. PS3.5 A.4."""
    items = 0
    while len(item := stream.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", item)
        if (group, element) == (0xFFFE, 0xE0DD):
            return items - 1  # the first item is the offset table
        if (group, element) != (0xFFFE, 0xE000):
            return 0
        items += 1
        stream.seek(length, 1)
    return 0
