"""Writes a study as MR Image Storage files, or as enhanced multi-frame ones, that name nobody."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from spinalis.errors import OutputError
from spinalis.formats.dicom.form import PLAIN, FileForm
from spinalis.formats.dicom.quiet import quiet
from spinalis.geometry import normal_of, position_along, slice_spacing_mm
from spinalis.records import Header, Image, Series, SlicePlane, Study

PATIENT_NAME = "SPINALIS^SIMULATED"
STUDY_DESCRIPTION = "Simulated, research use only"
ANONYMOUS = ("Modality", "SOPClassUID", "BodyPartExamined", "EchoTime", "RepetitionTime")
"""What the files of the RSNA 2024 set lack."""

UNPAIRED = (
    "CSPINE",
    "TSPINE",
    "LSPINE",
    "SSPINE",
    "SPINE",
    "CTSPINE",
    "TLSPINE",
    "LSSPINE",
    "BRAIN",
    "ABDOMEN",
    "NECK",
)
"""Defined terms of body parts that have no side. PS3.16 annex L."""

STORED_MAX = 2**16 - 1


@dataclass(frozen=True, slots=True)
class Scale:
    """How the values of a series are stored, and their range: `value = stored * slope + intercept`."""

    slope: float
    intercept: float
    low: float
    high: float


Member = tuple[Series, int]
"""A series and the index of one of its slices."""


def write_study(
    study: Study,
    folder: Path,
    *,
    transfer_syntax: str = ExplicitVRLittleEndian,
    anonymous_header: bool = False,
    forms: Mapping[str, FileForm] | None = None,
) -> None:
    """Write every slice of a study to `<folder>/<series number>_<series key>/NNNN.dcm`.

    The same study gives the same bytes: UIDs are hashes of the keys, and no time is written. Values that are whole
    numbers in 0..65535 throughout a series are stored as they are, others through one slope and intercept per
    series. Series without a frame of reference share that of the study.

    Args:
        study: what to write; pixels come from `Series.load`, one slice at a time.
        folder: is made where missing; files of the same name in it are replaced.
        transfer_syntax: UID of an uncompressed or a lossless transfer syntax that pydicom can encode.
        anonymous_header: leave out Modality, SOPClassUID, BodyPartExamined, EchoTime and RepetitionTime.
        forms: by series key, how its files look; a plain file per slice where there is none.

    Raises:
        OutputError: a file cannot be written, or not in this transfer syntax.
        UnreadableFileError: pixels of the study cannot be decoded.
    """
    forms = forms or {}
    groups: dict[str, list[Series]] = defaultdict(list)
    for series in study.series:
        groups[forms.get(series.key, PLAIN).group or series.key].append(series)
    for key, members in groups.items():
        form = forms.get(members[0].key, PLAIN)
        target = folder / f"{members[0].number or 0:03d}_{key}"
        syntax = UID(form.transfer_syntax or transfer_syntax)
        files = _enhanced_file(study, key, members, form) if form.enhanced else _files(study, key, members, form)
        for place, dataset in enumerate(files, start=1):
            if anonymous_header:
                for keyword in ANONYMOUS:
                    dataset.pop(keyword, None)
            save(dataset, target / f"{place:04d}.dcm", syntax)


def _files(study: Study, key: str, members: list[Series], form: FileForm) -> Iterator[Dataset]:
    scale = _scale_of(members)
    place = 0
    for series in members:
        for index in range(len(series.slices)):
            yield instance_dataset(study, (series, index), (key, place), form, scale)
            place += 1


def _enhanced_file(study: Study, key: str, members: list[Series], form: FileForm) -> Iterator[Dataset]:
    from spinalis.formats.dicom.enhanced import merged  # noqa: PLC0415  built upon this module

    yield merged(list(_files(study, key, members, form)))


def instance_dataset(
    study: Study, member: Member, place: tuple[str, int], form: FileForm = PLAIN, scale: Scale | None = None
) -> Dataset:
    """One slice as an MR image.

    Args:
        study: gives the UIDs of study and frame of reference.
        member: the series and the index of the slice in it.
        place: the series in the files, and the number of the slice there, from 0; both go into the UIDs.
        form: further attributes.
        scale: how values are stored; by default that of the series.
    """
    series, index = member
    dataset = _dataset(study, member, place)
    _add_pixels(dataset, series.load(index), scale or _scale_of([series]))
    for keyword, value in form.attributes:
        setattr(dataset, keyword, value)
    for item in form.private:
        dataset.private_block(item.group, item.creator, create=True).add_new(item.offset, item.vr, item.value)
    return dataset


def _dataset(study: Study, member: Member, place: tuple[str, int]) -> Dataset:
    series, index = member
    key, number = place
    item = series.slices[index]
    uid = _uid(study.key, key, str(number))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = uid
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _uid(study.key), _uid(study.key, key)
    dataset.PatientName, dataset.PatientID = PATIENT_NAME, f"SPINALIS-{study.key}"
    for empty in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "StudyID"):
        setattr(dataset, empty, "")
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = STUDY_DESCRIPTION
    dataset.SeriesNumber = series.number
    dataset.InstanceNumber = number + 1 if item.instance_number is None else item.instance_number
    dataset.FrameOfReferenceUID = _uid(study.key, "frame", series.frame_of_reference_uid or "")
    dataset.PositionReferenceIndicator = ""
    dataset.SliceThickness = _decimal(series.thickness_mm)
    if spacing := slice_spacing_mm(series):
        dataset.SpacingBetweenSlices = _decimal(spacing)
    _add_header(dataset, series.header)
    if item.plane is not None:
        _add_plane(dataset, item.plane)
    return dataset


def _add_header(dataset: Dataset, header: Header) -> None:
    dataset.Modality = header.modality or "MR"
    dataset.Manufacturer = header.manufacturer or ""
    dataset.ImageType = list(header.image_type) or ["ORIGINAL", "PRIMARY", "OTHER"]
    dataset.ScanningSequence = list(header.scanning_sequence) or "RM"
    dataset.SequenceVariant = list(header.sequence_variant) or "NONE"
    dataset.ScanOptions, dataset.MRAcquisitionType = "", "2D"
    dataset.EchoTime = _decimal(header.echo_time_ms)
    dataset.RepetitionTime = _decimal(header.repetition_time_ms)
    dataset.EchoTrainLength = None
    for keyword, text in (
        ("BodyPartExamined", header.body_part),
        ("SeriesDescription", header.description),
        ("ProtocolName", header.protocol),
    ):
        if text:
            setattr(dataset, keyword, text)
    if header.body_part not in UNPAIRED:
        dataset.Laterality = ""  # PS3.3 C.7.3.1.1.1 demands it unless a body part that is not paired is named
    for keyword, value in (
        ("InversionTime", header.inversion_time_ms),
        ("FlipAngle", header.flip_angle_deg),
        ("MagneticFieldStrength", header.field_strength_t),
    ):
        if value is not None:
            setattr(dataset, keyword, _decimal(value))
    if "IR" in header.scanning_sequence:
        dataset.setdefault("InversionTime", None)  # PS3.3 C.8.3.1: may be empty, not absent


def _add_plane(dataset: Dataset, plane: SlicePlane) -> None:
    dataset.PatientPosition = "HFS"
    dataset.ImagePositionPatient = [_decimal(value) for value in plane.origin_lps_mm]
    dataset.ImageOrientationPatient = [_decimal(value) for value in plane.along_row + plane.along_column]
    dataset.PixelSpacing = [_decimal(plane.row_spacing_mm), _decimal(plane.column_spacing_mm)]
    dataset.SliceLocation = _decimal(position_along(plane, normal_of(plane)))


def _add_pixels(dataset: Dataset, image: Image, scale: Scale) -> None:
    stored = np.rint((image.astype(np.float64) - scale.intercept) / scale.slope).clip(0, STORED_MAX)
    dataset.Rows, dataset.Columns = image.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.WindowCenter = _decimal((scale.low + scale.high) / 2)
    dataset.WindowWidth = _decimal(max(scale.high - scale.low, 1.0))
    if (scale.slope, scale.intercept) != (1.0, 0.0):
        dataset.RescaleSlope, dataset.RescaleIntercept = _decimal(scale.slope), _decimal(scale.intercept)
        dataset.RescaleType = "US"
    dataset.PixelData = stored.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"


def _scale_of(members: list[Series]) -> Scale:
    low, high, whole = np.inf, -np.inf, True
    for image in (series.load(index) for series in members for index in range(len(series.slices))):
        low, high = min(low, float(image.min())), max(high, float(image.max()))
        whole = whole and bool(np.array_equal(image, np.rint(image)))
    if whole and low >= 0 and high <= STORED_MAX:
        return Scale(1.0, 0.0, low, high)
    # What is read back is computed from the rounded decimal string in the file, so the same is used here.
    slope, intercept = float(_decimal((high - low) / STORED_MAX) or 0) or 1.0, float(_decimal(low) or 0)
    return Scale(slope, intercept, low, high)


def save(dataset: Dataset, path: Path, syntax: UID) -> None:
    """Write one data set in a transfer syntax; folders are made.

    Raises:
        OutputError: it cannot be written, or not in this transfer syntax.
    """
    try:
        with quiet:
            path.parent.mkdir(parents=True, exist_ok=True)
            if syntax.is_compressed and syntax.is_encapsulated:
                dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
                dataset.compress(syntax, generate_instance_uid=False)
            elif not syntax.is_little_endian:
                dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
            dataset.file_meta.TransferSyntaxUID = syntax
            dcmwrite(path, dataset, enforce_file_format=True)
    except (OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise OutputError(
            f"DICOM file: expected to write it, got {type(error).__name__}. "
            "Check the folder's rights and space, and the transfer syntax."
        ) from error


def _uid(*parts: str) -> UID:
    """A UID from a hash; the root 2.25 takes any 128-bit number. PS3.5 B.2."""
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()
    return UID(f"2.25.{int(digest[:32], 16)}")


def _decimal(value: float | None) -> str | None:
    """A number as a decimal string of at most 16 characters, as DS demands."""
    return None if value is None else format_number_as_ds(float(value))
