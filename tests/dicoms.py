"""Build small DICOM data sets in memory, for the tests that read them."""

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)

ROWS, COLUMNS = 40, 36
SAGITTAL = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
CORONAL = [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]

SYNTAXES = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "RLE": RLELossless,
    "JPEG-LS": JPEGLSLossless,
    "JPEG 2000": JPEG2000Lossless,
}
"""The lossless transfer syntaxes that are read and written."""


def picture(seed: int, dtype: str = "<u2", high: int = 4000) -> np.ndarray:
    """Noise that differs by seed, (40, 36)."""
    return np.random.default_rng(seed).integers(0, high, (ROWS, COLUMNS)).astype(dtype)


def classic(index: int, series: int = 1, **changes: Any) -> Dataset:
    """Slice `index` of a sagittal series with 4 mm spacing; a change to None takes the attribute away."""
    dataset = Dataset()
    values = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": f"1.2.3.{series}.{index + 1}",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": f"1.2.3.{series}",
        "FrameOfReferenceUID": "1.2.3.99",
        "PatientName": "Doe^Jane",
        "Modality": "MR",
        "SeriesNumber": series,
        "InstanceNumber": index + 1,
        "EchoTime": 100.0,
        "RepetitionTime": 3000.0,
        "ImagePositionPatient": [4.0 * index, -50.0, 60.0],
        "ImageOrientationPatient": SAGITTAL,
        "PixelSpacing": [1.5, 1.25],
        "SliceThickness": 3.5,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": ROWS,
        "Columns": COLUMNS,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "PixelData": picture(100 * series + index).tobytes(),
    }
    for keyword, value in (values | changes).items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def save(dataset: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian, preamble: bool = True) -> Path:
    """Write a data set; `syntax` must fit its pixels. Without preamble there is no meta header either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    uid = UID(syntax)
    if not preamble:
        dcmwrite(path, dataset, implicit_vr=uid.is_implicit_VR, little_endian=uid.is_little_endian)
        return path
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", MRImageStorage)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OW"
    dcmwrite(path, dataset, enforce_file_format=True)
    return path


def save_series(folder: Path, count: int = 5, series: int = 1, **changes: Any) -> list[Path]:
    """Write a whole series of classic slices."""
    return [save(classic(index, series, **changes), folder / f"{series}_{index:02d}.dcm") for index in range(count)]


def enhanced(order: tuple[int, ...] = (2, 0, 3, 1), echoes: tuple[float, ...] = (20.0,)) -> Dataset:
    """An enhanced multi-frame object: frame k lies at position `order[k]`, for each echo in turn."""
    dataset = classic(0, series=7)
    for keyword in ("EchoTime", "RepetitionTime", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(dataset, keyword)
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    dataset.EchoPulseSequence, dataset.SegmentedKSpaceTraversal = "SPIN", "PARTIAL"
    shared = Dataset()
    shared.PlaneOrientationSequence = _macro(ImageOrientationPatient=SAGITTAL)
    shared.PixelMeasuresSequence = _macro(PixelSpacing=[1.5, 1.25], SliceThickness=3.0)
    shared.MRTimingAndRelatedParametersSequence = _macro(RepetitionTime=2500.0, FlipAngle=90.0)
    shared.FrameAnatomySequence = _macro(AnatomicRegionSequence=_macro(CodeMeaning="Lumbar spine"))
    frames, pixels = [], []
    for echo in echoes:
        for place in order:
            frame = Dataset()
            frame.PlanePositionSequence = _macro(ImagePositionPatient=[4.0 * place, -50.0, 60.0])
            frame.MREchoSequence = _macro(EffectiveEchoTime=echo)
            frame.PixelValueTransformationSequence = _macro(RescaleSlope=place + 1.0, RescaleIntercept=-place)
            frames.append(frame)
            pixels.append(picture(place + int(echo)).tobytes())
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    dataset.NumberOfFrames = len(frames)
    dataset.PixelData = b"".join(pixels)
    return dataset


def _macro(**values: Any) -> Sequence:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return Sequence([item])
