"""From a DICOM header to one `Frame` record per picture. Nothing that names a patient is read."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from spinalis.errors import GeometryError
from spinalis.formats.source import Source
from spinalis.geometry import slice_plane
from spinalis.records import Header, SlicePlane

HEADER_KEYWORDS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "SeriesNumber",
    "InstanceNumber",
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "TriggerTime",
    "DiffusionBValue",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PlanarConfiguration",
    "BitsStored",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ModalityLUTSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "BitsAllocated",
    "PhotometricInterpretation",
    "ImageType",
    "BurnedInAnnotation",
    "BodyPartExamined",
    "AnatomicRegionSequence",
    "SeriesDescription",
    "ProtocolName",
    "ScanningSequence",
    "SequenceVariant",
    "EchoPulseSequence",
    "EchoPlanarPulseSequence",
    "InversionRecovery",
    "SteadyStatePulseSequence",
    "SegmentedKSpaceTraversal",
    "EchoTime",
    "EchoNumbers",
    "RepetitionTime",
    "InversionTime",
    "FlipAngle",
    "MagneticFieldStrength",
    "Manufacturer",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "RescaleSlope",
    "RescaleIntercept",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
"""All that is ever taken from a header; the name, the birth date and the numbers of the patient are not in it."""

SPLIT_KEYWORDS = (
    ("TemporalPositionIndex", "TemporalPositionIdentifier"),
    ("FrameAcquisitionNumber", "AcquisitionNumber"),
    ("NominalCardiacTriggerDelayTime", "TriggerTime"),
    ("DiffusionBValue",),
    ("StackID",),
)
"""What may tell slices at one position apart, each in its enhanced and its classic spelling."""

ENHANCED_SEQUENCES = (
    ("EchoPulseSequence", {"SPIN": ("SE",), "GRADIENT": ("GR",), "BOTH": ("SE", "GR")}),
    ("InversionRecovery", {"YES": ("IR",)}),
    ("EchoPlanarPulseSequence", {"YES": ("EP",)}),
)
ENHANCED_VARIANTS = (
    ("SegmentedKSpaceTraversal", {"PARTIAL": ("SK",), "FULL": ("SK",)}),
    ("Spoiling", {"RF": ("SP",), "GRADIENT": ("SP",), "RF_AND_GRADIENT": ("SP",)}),
    ("SteadyStatePulseSequence", {"FREE_PRECESSION": ("SS",), "TRANSVERSE": ("SS",), "TIME_REVERSED": ("SS",)}),
    ("MagnetizationTransfer", {"ON_RESONANCE": ("MTC",), "OFF_RESONANCE": ("MTC",)}),
)
"""The enhanced MR object says in words what ScanningSequence and SequenceVariant say in codes. PS3.3 C.8.13.4."""

LOCALIZER_WORDS = frozenset({"LOCALIZER", "SCOUT", "SURVEY"})
DERIVED_WORDS = frozenset({"DERIVED", "SECONDARY", "MPR", "MIP", "REFORMATTED", "PROJECTION IMAGE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelElement:
    """Where the pixels of a file start, and all that a codec must know to decode one frame of them.

    `offset` is None where the whole file has to be parsed for it: deflated, or with tables to look values up in.
    """

    offset: int | None
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelRule:
    """How to get the pixels of one frame: `syntax` is the transfer syntax UID, `frame` counts from 0.

    Stored values from the first to the second of `padding` are no part of the picture. PS3.3 C.7.5.1.1.2.
    """

    source: Source
    syntax: str
    element: PixelElement
    frame: int
    slope: float
    intercept: float
    padding: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture as its header describes it. UIDs are None where missing; `folder` then stands in for them."""

    name: str
    folder: str
    frame: int | None
    study_uid: str | None
    series_uid: str | None
    instance_uid: str | None = field(repr=False)
    frame_of_reference_uid: str | None
    series_number: int | None
    instance_number: int | None
    header: Header
    rows: int
    columns: int
    plane: SlicePlane | None
    thickness_mm: float | None
    echo_number: int | None
    split_by: tuple[str | None, ...]
    flags: frozenset[str]
    pixels: PixelRule


class Attributes:
    """Looks a keyword up in the macros of one frame, then in the shared ones, then in the data set itself.

    A value that does not parse counts as missing: headers are evidence, and one bad number must not cost the image.
    """

    def __init__(self, dataset: Dataset, *macros: Mapping[str, Dataset]) -> None:
        self._dataset = dataset
        self._macros = macros

    def value(self, keyword: str) -> object | None:
        """The raw value, or None where it is missing, empty or cannot be parsed."""
        holders = [*(macro[keyword] for macro in self._macros if keyword in macro), self._dataset]
        for holder in holders:
            try:
                found = holder.get(keyword)
            except Exception:  # pydicom converts on access, and a bad value raises nearly anything
                continue
            if found not in (None, "", b"") and not (isinstance(found, Items) and not found):
                return cast(object, found)
        return None

    def texts(self, *keywords: str) -> tuple[str, ...]:
        """The values of the first keyword that is there, as stripped upper or lower case text as written."""
        for keyword in keywords:
            found = self.value(keyword)
            if found is not None and not isinstance(found, Items):
                cleaned = (_clean(item) for item in _several(found))
                if texts := tuple(text for text in cleaned if text):
                    return texts
        return ()

    def text(self, *keywords: str) -> str | None:
        """The values of the first keyword that is there, joined by a blank."""
        return " ".join(self.texts(*keywords)) or None

    def numbers(self, *keywords: str) -> tuple[float, ...]:
        """The finite numbers of the first keyword that is there; empty where one of them does not parse."""
        try:
            values = tuple(float(text) for text in self.texts(*keywords))
        except ValueError:
            return ()
        return values if all(math.isfinite(value) for value in values) else ()

    def number(self, *keywords: str) -> float | None:
        """The first number of the first keyword that is there."""
        values = self.numbers(*keywords)
        return values[0] if values else None

    def integer(self, *keywords: str) -> int | None:
        """The first number of the first keyword that is there, where it is whole."""
        value = self.number(*keywords)
        return int(value) if value is not None and value == int(value) else None

    def items(self, keyword: str) -> Items | None:
        """A sequence with at least one item."""
        found = self.value(keyword)
        return found if isinstance(found, Items) else None


def frames_of(dataset: Dataset, source: Source, syntax: str, element: PixelElement) -> list[Frame]:
    """One record per picture in a data set that has rows and columns, in stored order."""
    top = Attributes(dataset)
    count = max(1, top.integer("NumberOfFrames") or 1)
    shared, per_frame = top.items("SharedFunctionalGroupsSequence"), top.items("PerFrameFunctionalGroupsSequence")
    below = [_macros(shared[0])] if shared else []
    frames = []
    for index in range(count):
        above = [_macros(per_frame[index])] if per_frame and index < len(per_frame) else []
        enhanced = bool(above or below)
        number = index if enhanced or count > 1 else None
        attributes = Attributes(dataset, *above, *below)
        rule = PixelRule(
            source=source,
            syntax=syntax,
            element=element,
            frame=index,
            slope=attributes.number("RescaleSlope") or 1.0,
            intercept=attributes.number("RescaleIntercept") or 0.0,
            padding=_padding(top),
        )
        frame = _frame(attributes, rule, number)
        # One position for many frames is that of none of them.
        placed = count == 1 or any("ImagePositionPatient" in macros for macros in above)
        frames.append(frame if placed else replace(frame, plane=None))
    return frames


def _frame(attributes: Attributes, rule: PixelRule, index: int | None) -> Frame:
    return Frame(
        name=rule.source.name,
        folder=rule.source.name.rpartition("/")[0],
        frame=index,
        study_uid=attributes.text("StudyInstanceUID"),
        series_uid=attributes.text("SeriesInstanceUID"),
        instance_uid=attributes.text("SOPInstanceUID"),
        frame_of_reference_uid=attributes.text("FrameOfReferenceUID"),
        series_number=attributes.integer("SeriesNumber"),
        instance_number=attributes.integer("InstanceNumber"),
        header=_header(attributes),
        rows=attributes.integer("Rows") or 0,
        columns=attributes.integer("Columns") or 0,
        plane=_plane(attributes),
        thickness_mm=_positive(attributes.number("SliceThickness")),
        echo_number=attributes.integer("EchoNumbers"),
        split_by=tuple(attributes.text(*keywords) for keywords in SPLIT_KEYWORDS),
        flags=_flags(attributes),
        pixels=rule,
    )


def _header(attributes: Attributes) -> Header:
    return Header(
        modality=attributes.text("Modality"),
        body_part=attributes.text("BodyPartExamined") or _region(attributes),
        description=attributes.text("SeriesDescription"),
        protocol=attributes.text("ProtocolName"),
        image_type=_upper(attributes.texts("FrameType", "ImageType")),
        scanning_sequence=_upper(attributes.texts("ScanningSequence")) or _codes(attributes, ENHANCED_SEQUENCES),
        sequence_variant=_upper(attributes.texts("SequenceVariant")) or _codes(attributes, ENHANCED_VARIANTS),
        echo_time_ms=attributes.number("EffectiveEchoTime", "EchoTime"),
        repetition_time_ms=attributes.number("RepetitionTime"),
        inversion_time_ms=attributes.number("InversionTimes", "InversionTime"),
        flip_angle_deg=attributes.number("FlipAngle"),
        field_strength_t=attributes.number("MagneticFieldStrength"),
        manufacturer=attributes.text("Manufacturer"),
    )


def _plane(attributes: Attributes) -> SlicePlane | None:
    position = attributes.numbers("ImagePositionPatient")
    orientation = attributes.numbers("ImageOrientationPatient")
    spacing = attributes.numbers("PixelSpacing")
    if len(spacing) != 2:
        return None
    try:
        return slice_plane(position, orientation, (spacing[0], spacing[1]))
    except GeometryError:
        return None


def _flags(attributes: Attributes) -> frozenset[str]:
    words = set(_upper(attributes.texts("ImageType")) + _upper(attributes.texts("FrameType")))
    photometric = (attributes.text("PhotometricInterpretation") or "").upper()
    noticed = {
        "localizer": bool(words & LOCALIZER_WORDS),
        "derived": bool(words & DERIVED_WORDS),
        "burned_in": (attributes.text("BurnedInAnnotation") or "").upper() == "YES",
        "colour": (attributes.integer("SamplesPerPixel") or 1) > 1 or photometric == "PALETTE COLOR",
        "monochrome1": photometric == "MONOCHROME1",
    }
    return frozenset(flag for flag, seen in noticed.items() if seen)


def _macros(group: Dataset) -> dict[str, Dataset]:
    """Which macro holds which keyword: functional groups are sequences of one item, and names do not clash."""
    holders: dict[str, Dataset] = {}
    for raw in group.elements():
        element = group[raw.tag]
        if element.tag.is_private or element.VR != "SQ" or not element.value:
            continue
        for inner in element.value[0].elements():
            if keyword := keyword_for_tag(inner.tag):
                holders.setdefault(keyword, element.value[0])
    return holders


def _padding(attributes: Attributes) -> tuple[int, int] | None:
    value, limit = attributes.integer("PixelPaddingValue"), attributes.integer("PixelPaddingRangeLimit")
    if value is None:
        return None
    return (value, value) if limit is None else (min(value, limit), max(value, limit))


def _region(attributes: Attributes) -> str | None:
    items = attributes.items("AnatomicRegionSequence")
    return Attributes(items[0]).text("CodeMeaning") if items else None


def _codes(attributes: Attributes, table: Iterable[tuple[str, Mapping[str, tuple[str, ...]]]]) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    for keyword, codes in table:
        found += codes.get((attributes.text(keyword) or "").upper(), ())
    return found


def _several(value: object) -> list[object]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def _clean(value: object) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text.replace("\0", "").strip()


def _upper(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text.upper() for text in texts)


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None
