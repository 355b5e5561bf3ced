"""Kinds of torture: how pixels are stored, and what is wrong with the pictures themselves."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from spinalis.formats.dicom.enhanced import merged
from spinalis.geometry import slice_plane, to_pixel
from spinalis.simulate.torture.draft import Draft, Sheet
from spinalis.simulate.torture.expectation import PARTIAL, ExpectedSeries, Likeness
from spinalis.simulate.torture.headers import SAME_LEVELS, groups
from spinalis.simulate.torture.order import FORAMINAL, NO_GRADES, copied
from spinalis.vocabulary import Anatomy, Condition, Level, Plane

CLOSE = Likeness(within_mm=4.0, grades="free")
"""Values were changed, and with them the last digits of the answer."""

VOID_MM = 24.0
"""Radius of what screws blacken in a spin echo; fitted by eye."""


def big_endian(draft: Draft) -> None:
    """Explicit VR, big endian."""
    encoded(draft, ExplicitVRBigEndian)


def implicit(draft: Draft) -> None:
    """Implicit VR, little endian."""
    encoded(draft, ImplicitVRLittleEndian)


def deflated(draft: Draft) -> None:
    """The whole data set is deflated."""
    encoded(draft, DeflatedExplicitVRLittleEndian)


def run_length(draft: Draft) -> None:
    """RLE."""
    encoded(draft, RLELossless)


def jpeg_ls(draft: Draft) -> None:
    """JPEG-LS without loss."""
    encoded(draft, JPEGLSLossless)


def jpeg_2000(draft: Draft) -> None:
    """JPEG 2000 without loss."""
    encoded(draft, JPEG2000Lossless)


def mixed_syntaxes(draft: Draft) -> None:
    """Every file of a series has another transfer syntax."""
    syntaxes = (RLELossless, JPEGLSLossless, ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEG2000Lossless)
    for count, sheet in enumerate(draft.sheets):
        sheet.syntax = syntaxes[count % len(syntaxes)]


def without_meta_header(draft: Draft) -> None:
    """No preamble and no meta header, as old archives keep them."""
    for sheet in draft.sheets:
        sheet.preamble = False


def encoded(draft: Draft, syntax: UID) -> None:
    """Write every file in one transfer syntax."""
    for sheet in draft.sheets:
        sheet.syntax = syntax


def multi_frame(draft: Draft) -> None:
    """Every series is one enhanced multi-frame file."""
    draft.sheets = [
        replace(sheets[0], name=f"{sheets[0].number:03d}/0001.dcm", dataset=merged([sheet.dataset for sheet in sheets]))
        for sheets in groups(draft)
    ]


def monochrome1(draft: Draft) -> None:
    """Bright is stored as low values."""
    for sheet in draft.sheets:
        sheet.dataset.PhotometricInterpretation = "MONOCHROME1"
        sheet.pixels = (2**16 - 1) - sheet.pixels
    for one in draft.expected.series:
        draft.expect_series(one.number, flags=("monochrome1",))


def signed(draft: Draft) -> None:
    """Signed values with an intercept."""
    for sheet in draft.sheets:
        sheet.dataset.PixelRepresentation = 1
        sheet.dataset.RescaleSlope, sheet.dataset.RescaleIntercept = "1", "1024"
        sheet.pixels = sheet.pixels.astype("<i2") - 1024


def rescaled(draft: Draft) -> None:
    """Slope and intercept differ from slice to slice."""
    for sheet in draft.sheets:
        factor = int(draft.rng.integers(2, 9))
        sheet.pixels = np.asarray(sheet.pixels.astype(np.int64) * factor + 100, "<u2")
        sheet.dataset.RescaleSlope, sheet.dataset.RescaleIntercept = f"{1 / factor:.10f}", f"{-100 / factor:.10f}"
    draft.expect(like=CLOSE)


def eight_bit(draft: Draft) -> None:
    """Eight bits per pixel."""
    for sheets in groups(draft):
        top = max(float(np.percentile(sheet.pixels, 99.5)) for sheet in sheets)
        for sheet in sheets:
            dataset = sheet.dataset
            values = np.clip(sheet.pixels * (255 / max(top, 1)), 0, 255).astype(np.uint8)
            dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
            sheet.pixels = values
            dataset.PixelData += b"\0" * (len(dataset.PixelData) % 2)
            dataset["PixelData"].VR = "OB"
    draft.expect(like=Likeness(within_mm=8.0, grades="free"))


def grey_as_colour(draft: Draft) -> None:
    """Grey pictures stored as RGB with eight bits."""
    eight_bit(draft)
    for sheet in draft.sheets:
        dataset = sheet.dataset
        grey = np.frombuffer(dataset.PixelData, np.uint8)[: dataset.Rows * dataset.Columns]
        as_colour(dataset, grey.reshape(dataset.Rows, dataset.Columns))
    for one in draft.expected.series:
        draft.expect_series(one.number, flags=("colour",))


def as_colour(dataset: Dataset, grey: NDArray[np.uint8]) -> None:
    """Store a picture as RGB."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    content = np.repeat(grey[..., None], 3, axis=2).tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OB"


def colour_capture(draft: Draft) -> None:
    """A colour secondary capture of a screen lies beside the series; it has no place in the patient."""
    sheet = copied(draft.sagittal_t2[3], "070/0001.dcm")
    dataset = sheet.dataset
    dataset.SeriesNumber, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = 70, "2.25.70", "2.25.701"
    dataset.SOPClassUID, dataset.ImageType = "1.2.840.10008.5.1.4.1.1.7", ["DERIVED", "SECONDARY"]
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(dataset, keyword)
    grey = np.clip(sheet.pixels / max(1, int(sheet.pixels.max())) * 255, 0, 255).astype(np.uint8)
    cv2.putText(grey, "REPORT", (10, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 2)
    as_colour(dataset, grey)
    draft.sheets.append(sheet)
    expected = ExpectedSeries(number=70, slices=1, flags=("colour", "derived", "no_geometry"))
    draft.expect(series=(*draft.expected.series, expected))


def burned_in(draft: Draft) -> None:
    """Text stands in the pixels, as the header says."""
    for sheet in draft.sheets:
        sheet.dataset.BurnedInAnnotation = "YES"
        pixels = sheet.pixels
        ink = np.zeros(pixels.shape, np.uint8)
        for row, text in ((14, "SPINALIS"), (28, f"{sheet.index}")):
            cv2.putText(ink, text, (4, row), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1)
        pixels[ink > 0] = pixels.max()
        sheet.pixels = pixels
    for one in draft.expected.series:
        draft.expect_series(one.number, flags=("burned_in",))
    draft.expect(like=Likeness(within_mm=8.0, grades="free"))


def padded(draft: Draft) -> None:
    """A border holds the padding value, far above all others."""
    for sheet in draft.sheets:
        pixels = np.full((int(sheet.dataset.Rows) + 12, int(sheet.dataset.Columns) + 12), 60000, np.uint16)
        pixels[6:-6, 6:-6] = sheet.pixels
        shifted(sheet, -6, -6)
        sheet.pixels = pixels
        sheet.dataset.add_new("PixelPaddingValue", "US", 60000)
    draft.expect(like=Likeness(within_mm=12.0, grades="free"))


def overlay_bits(draft: Draft) -> None:
    """Twelve bits are stored; an overlay of old stands in the bits above them."""
    for sheet in draft.sheets:
        sheet.dataset.BitsStored, sheet.dataset.HighBit = 12, 11
        pixels = np.minimum(sheet.pixels, 4095)
        pixels[::3] |= 0x8000
        sheet.pixels = pixels


def stretched(draft: Draft) -> None:
    """Pixels are not square: half of the rows."""
    for sheet in draft.of(Plane.SAGITTAL):
        rows = int(sheet.dataset.Rows) // 2
        pixels = sheet.pixels[: 2 * rows].reshape(rows, 2, -1).mean(axis=1)
        spacing = [float(value) for value in sheet.dataset.PixelSpacing]
        place = np.asarray(sheet.dataset.ImagePositionPatient, float)
        down = np.asarray(sheet.dataset.ImageOrientationPatient[3:], float)
        sheet.pixels = np.rint(pixels).astype(np.uint16)
        sheet.dataset.PixelSpacing = [f"{2 * spacing[0]:.8f}", f"{spacing[1]:.8f}"]
        sheet.dataset.ImagePositionPatient = [f"{value:.6f}" for value in place + down * spacing[0] / 2]
    draft.expect(like=Likeness(within_mm=8.0, grades="free"))


def blank_slices(draft: Draft) -> None:
    """Outer slices of every sagittal series are blank."""
    for sheets in (draft.sagittal_t1, draft.sagittal_t2):
        for sheet in (sheets[0], sheets[-1]):
            sheet.pixels = np.zeros_like(sheet.pixels)
        draft.expect_series(sheets[0].number, flags=("blank_slices",))
    draft.expect(like=Likeness(within_mm=12.0, grades="free"))


def blank_and_noisy_slices(draft: Draft) -> None:
    """Of every sagittal series one slice is blank and one is noise: the others decide what it is."""
    for sheets in (draft.sagittal_t1, draft.sagittal_t2):
        sheets[1].pixels = np.full_like(sheets[1].pixels, 100)
        sheets[-2].pixels = draft.rng.integers(0, 4096, sheets[-2].pixels.shape).astype(np.uint16)
        draft.expect_series(sheets[0].number, anatomies=(Anatomy.MR_SPINE,), flags=("blank_slices",))
    draft.expect(like=Likeness(within_mm=12.0, grades="free"))


def blank_series(draft: Draft) -> None:
    """The sagittal T1w series is blank from end to end: it shows no foramen, so none may be graded."""
    for sheet in draft.sagittal_t1:
        sheet.pixels = np.zeros_like(sheet.pixels)
    draft.expect_series(draft.sagittal_t1[0].number, flags=("blank_slices",))
    missing = tuple((condition, None) for condition in FORAMINAL)
    draft.expect(like=Likeness(grades="free"), not_assessed=missing)


def blank_study(draft: Draft) -> None:
    """Every picture is blank. Nothing is graded."""
    for sheet in draft.sheets:
        sheet.pixels = np.zeros_like(sheet.pixels)
    for one in draft.expected.series:
        draft.expect_series(one.number, flags=("blank_slices",))
    draft.expect(like=None, codes=(4,), not_assessed=NO_GRADES)


def saturated(draft: Draft) -> None:
    """What is bright is clipped."""
    for sheets in groups(draft):
        top = int(np.percentile(np.stack([sheet.pixels for sheet in sheets]), 90))
        for sheet in sheets:
            sheet.pixels = np.minimum(sheet.pixels, top)
    draft.expect(like=SAME_LEVELS)


def derived_series(draft: Draft) -> None:
    """A subtraction of two series is among them; it says that it is derived."""
    for first, sheet in zip(list(draft.sagittal_t2), draft.sagittal_t1, strict=True):
        made = copied(first, f"060/{first.index:04d}.dcm")
        dataset = made.dataset
        dataset.SeriesNumber, dataset.SeriesInstanceUID = 60, "2.25.60"
        dataset.SOPInstanceUID = f"2.25.60{first.index}"
        dataset.ImageType, dataset.SeriesDescription = ["DERIVED", "PRIMARY", "SUB"], "subtraction"
        made.pixels = np.abs(first.pixels.astype(np.int32) - sheet.pixels).astype(np.uint16)
        draft.sheets.append(made)
    expected = ExpectedSeries(number=60, slices=len(draft.sagittal_t1), flags=("derived",))
    draft.expect(series=(*draft.expected.series, expected), like=Likeness())


def metal(draft: Draft) -> None:
    """Screws from L4 to S1 leave a black hole: no grade in it, and levels keep their names or are doubted."""
    points = [draft.made.truth.levels[level] for level in (Level.L4_L5, Level.L5_S1)]
    for sheet in draft.sheets:
        blacken(sheet, points)
    missing = tuple((condition, level) for condition in Condition for level in (Level.L4_L5, Level.L5_S1))
    draft.expect(like=None, codes=(0, 4), not_assessed=missing, placed=True)


def blacken(sheet: Sheet, points: list[tuple[float, float, float]]) -> None:
    """Void within `VOID_MM` of the points, behind a bright rim, in all slices."""
    dataset = sheet.dataset
    spacing = float(dataset.PixelSpacing[0]), float(dataset.PixelSpacing[1])
    plane = slice_plane(tuple(dataset.ImagePositionPatient), tuple(dataset.ImageOrientationPatient), spacing)
    pixels = sheet.pixels
    top = int(np.percentile(pixels, 99))
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    for point in points:
        row, column, distance = to_pixel(plane, point)
        radius_mm = np.sqrt(max(0.0, VOID_MM**2 - (0.0 if sheet.plane is Plane.SAGITTAL else distance) ** 2))
        away = np.hypot((rows - row) * spacing[0], (columns - column) * spacing[1])
        pixels[(away < radius_mm) & (away >= radius_mm - 2)] = top
        pixels[away < radius_mm - 2] = 0
    sheet.pixels = pixels


def shifted(sheet: Sheet, rows: float, columns: float) -> None:
    """Move the first pixel by so many rows and columns."""
    dataset = sheet.dataset
    orientation = np.asarray(dataset.ImageOrientationPatient, float)
    step = (
        columns * float(dataset.PixelSpacing[1]) * orientation[:3]
        + rows * float(dataset.PixelSpacing[0]) * (orientation[3:])
    )
    place = np.asarray(dataset.ImagePositionPatient, float) + step
    dataset.ImagePositionPatient = [f"{value:.8f}"[:16] for value in place]


def unreadable_codec(draft: Draft) -> None:
    """The compressed data of one slice is noise: the slice is lost and it is said, the others are read."""
    for sheet in draft.sagittal_t2:
        sheet.syntax = JPEGLSLossless
    draft.sagittal_t2[1].damage = _noise_in_the_middle
    draft.expect_series(draft.sagittal_t2[0].number, flags=("unreadable_slices",))
    draft.expect(like=Likeness(within_mm=12.0, grades="free"), codes=(PARTIAL,))


def _noise_in_the_middle(content: bytes) -> bytes:
    start = content.index(b"\xff\xd8\xff") + 2
    return content[:start] + b"\0" * 64 + content[start + 64 :]


KINDS = (
    big_endian,
    implicit,
    deflated,
    run_length,
    jpeg_ls,
    jpeg_2000,
    mixed_syntaxes,
    without_meta_header,
    multi_frame,
    monochrome1,
    signed,
    rescaled,
    eight_bit,
    grey_as_colour,
    colour_capture,
    burned_in,
    padded,
    overlay_bits,
    stretched,
    blank_slices,
    blank_and_noisy_slices,
    blank_series,
    blank_study,
    saturated,
    derived_series,
    metal,
    unreadable_codec,
)
