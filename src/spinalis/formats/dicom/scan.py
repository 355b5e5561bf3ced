"""Reads the headers of many files; what cannot be used is counted with its reason, never raised."""

import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from spinalis.formats.dicom.headers import HEADER_KEYWORDS, Attributes, Frame, frames_of
from spinalis.formats.dicom.pixels import check_inflated_size
from spinalis.formats.dicom.quiet import quiet
from spinalis.formats.source import Source

NOT_DICOM = "not DICOM"
UNREADABLE = "damaged"
NO_IMAGE = "without an image"
NO_PIXELS = "without complete pixels"
MOSAIC = "with a mosaic of slices, which is not supported,"

NON_IMAGE_MODALITIES = frozenset({"SEG", "RTDOSE", "RTSTRUCT", "RTPLAN", "SR", "KO", "PR", "REG", "FID", "RWV"})
"""Objects about images. Some of them have rows and columns, yet they are no picture of a patient."""

MAX_PIXELS_PER_FRAME = 2**28
UNDEFINED_LENGTH = 0xFFFFFFFF

_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
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

    def count(self, reason: str) -> int:
        """How many files were left out for one reason."""
        return Counter(reject.reason for reject in self.rejects)[reason]


def scan(sources: Iterable[Source]) -> Scan:
    """Read the header of every file; no pixel is decoded."""
    frames: list[Frame] = []
    rejects: list[Reject] = []
    with quiet:
        for source in sources:
            found = _scan_one(source)
            if isinstance(found, Reject):
                rejects.append(found)
            else:
                frames.extend(found)
    return Scan(frames=tuple(frames), rejects=tuple(rejects))


def is_dicom(head: bytes) -> bool:
    """True for a file that starts like DICOM (at least 132 bytes of it), with or without the preamble."""
    return head[128:132] == b"DICM" or head[:2] in _FIRST_GROUPS


def _scan_one(source: Source) -> list[Frame] | Reject:
    try:
        with source.open() as stream:
            head = stream.read(1024)
            if not is_dicom(head):
                return Reject(reason=NOT_DICOM)
            stream.seek(0)
            if DeflatedExplicitVRLittleEndian.encode() in head:
                check_inflated_size(stream)
            dataset = dcmread(stream, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
            return _judge(dataset, stream, source, has_preamble=head[128:132] == b"DICM")
    except Exception:  # pydicom and zipfile raise nearly anything on damaged bytes; the file is counted
        return Reject(reason=UNREADABLE)


def _judge(dataset: FileDataset, stream: BinaryIO, source: Source, has_preamble: bool) -> list[Frame] | Reject:
    attributes = Attributes(dataset)

    def left_out(reason: str) -> Reject:
        return Reject(
            reason=reason,
            study_uid=attributes.text("StudyInstanceUID"),
            series_uid=attributes.text("SeriesInstanceUID"),
            series_number=attributes.integer("SeriesNumber"),
            folder=source.name.rpartition("/")[0],
        )

    identified = attributes.text("StudyInstanceUID") or attributes.text("SOPClassUID")
    if not has_preamble and not identified:
        return Reject(reason=NOT_DICOM)
    modality = (attributes.text("Modality") or "").upper()
    if not attributes.integer("Rows") or not attributes.integer("Columns") or modality in NON_IMAGE_MODALITIES:
        cut = "Image Storage" in UID(attributes.text("SOPClassUID") or "").name
        return left_out(NO_PIXELS if cut and modality not in NON_IMAGE_MODALITIES else NO_IMAGE)
    syntax = _syntax(dataset)
    if syntax != DeflatedExplicitVRLittleEndian and not _has_pixels(attributes, stream, syntax, source.size):
        return left_out(NO_PIXELS)
    frames = frames_of(dataset, source, syntax)
    return left_out(MOSAIC) if "mosaic" in frames[0].flags else frames


def _syntax(dataset: FileDataset) -> UID:
    """The transfer syntax, as guessed by pydicom where a file has no meta header."""
    named = dataset.file_meta.get("TransferSyntaxUID")
    if named:
        return UID(named)
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _has_pixels(attributes: Attributes, stream: BinaryIO, syntax: UID, size: int) -> bool:
    """True where the pixel element that `stream` stands at lies completely within the file."""
    order = "<" if syntax.is_little_endian else ">"
    start = stream.read(8 if syntax.is_implicit_VR else 12)
    if len(start) < (8 if syntax.is_implicit_VR else 12):
        return False
    group, element = struct.unpack(order + "HH", start[:4])
    (length,) = struct.unpack(order + "L", start[-4:])
    if group != 0x7FE0 or element not in (0x0008, 0x0009, 0x0010):
        return False
    if length == UNDEFINED_LENGTH:
        return _has_all_fragments(stream)
    pixels = (attributes.integer("Rows") or 0) * (attributes.integer("Columns") or 0)
    if pixels > MAX_PIXELS_PER_FRAME:
        return False
    bits = pixels * max(1, attributes.integer("NumberOfFrames") or 1) * (attributes.integer("BitsAllocated") or 8)
    return bool(length >= bits // 8 and stream.tell() + length <= size)


def _has_all_fragments(stream: BinaryIO) -> bool:
    """Walk the items of encapsulated pixel data to the delimiter; a cut file ends before it. PS3.5 A.4."""
    fragments = 0
    while len(item := stream.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", item)
        if (group, element) == (0xFFFE, 0xE0DD):
            return fragments > 1  # the first item is the offset table
        if (group, element) != (0xFFFE, 0xE000):
            return False
        fragments += 1
        stream.seek(length, 1)
    return False
