"""Kinds of torture: headers that are wrong, empty or strange, and places in the patient."""

import copy

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import RLELossless

from spinalis.records import FloatArray
from spinalis.simulate.torture.draft import Draft, Sheet, other_sheets
from spinalis.simulate.torture.expectation import ExpectedSeries, Likeness
from spinalis.simulate.torture.order import NO_GRADES, decimals
from spinalis.vocabulary import Anatomy, Plane

EVIDENCE = (
    "BodyPartExamined",
    "SeriesDescription",
    "ProtocolName",
    "StudyDescription",
    "ScanningSequence",
    "SequenceVariant",
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "FlipAngle",
    "MagneticFieldStrength",
    "Manufacturer",
    "ImageType",
)
NAMELESS = ("Modality", "SOPClassUID", "BodyPartExamined", "EchoTime", "RepetitionTime")
"""What the files of the RSNA 2024 set lack."""


PIXEL_DESCRIPTION = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
)
"""What the pixels of a file cannot be read without. Source: PS3.3 table C.7-11a, type 1."""


SAME_LEVELS = Likeness(within_mm=None, grades="free")
"""As many levels; another series may be the best one now, or the patient lies elsewhere."""

DIAGONAL: FloatArray = np.array(
    [
        [1 / np.sqrt(3), -1 / np.sqrt(2), -1 / np.sqrt(6)],
        [1 / np.sqrt(3), 1 / np.sqrt(2), -1 / np.sqrt(6)],
        [1 / np.sqrt(3), 0, 2 / np.sqrt(6)],
    ]
)
"""Turns the left-right axis into the diagonal between the three axes of the patient."""


def brain_in_the_header(draft: Draft) -> None:
    """Description and body part say brain; the pixels show a lumbar spine and must win, and it must be said."""
    for sheet in draft.sheets:
        sheet.dataset.BodyPartExamined = "BRAIN"
        sheet.dataset.SeriesDescription = sheet.dataset.ProtocolName = "Brain"
    draft.expect(like=Likeness(within_mm=6.0, grades="free"))
    for sheet in (draft.sagittal_t1[0], draft.sagittal_t2[0]):
        draft.expect_series(sheet.number, anatomies=(Anatomy.MR_SPINE,), flags=("header_contradicts_pixels_anatomy",))


def lumbar_in_the_header(draft: Draft) -> None:
    """Description and body part say lumbar spine; the pixels show another part of the body. Nothing is graded."""
    draft.sheets = other_sheets(draft)
    for sheet in draft.sheets:
        sheet.dataset.BodyPartExamined = "LSPINE"
        sheet.dataset.SeriesDescription = sheet.dataset.ProtocolName = "L-spine"
    numbers = sorted({sheet.number for sheet in draft.sheets})
    # An axial belly does show a spine, so that its anatomy may be called so; its levels must not be graded.
    series = tuple(ExpectedSeries(number=n, slices=sum(s.number == n for s in draft.sheets)) for n in numbers)
    draft.expect(series=series, like=None, codes=(4,), not_assessed=NO_GRADES)


def cervical_in_the_header(draft: Draft) -> None:
    """Description and body part name the wrong region."""
    for sheet in draft.sheets:
        sheet.dataset.BodyPartExamined = "CSPINE"
        sheet.dataset.SeriesDescription = "C-spine"
    for sheet in (draft.sagittal_t1[0], draft.sagittal_t2[0]):
        draft.expect_series(sheet.number, anatomies=(Anatomy.MR_SPINE,), flags=("header_contradicts_pixels_region",))
    draft.expect(like=Likeness(within_mm=6.0, grades="free"))


def wrong_echo_times(draft: Draft) -> None:
    """Echo and repetition times of T1w and T2w have changed places."""
    for sheet in draft.sheets:
        t1 = sheet in draft.sagittal_t1
        sheet.dataset.EchoTime, sheet.dataset.RepetitionTime = ("110", "4000") if t1 else ("9", "500")
        sheet.dataset.SeriesDescription = sheet.dataset.ProtocolName = ""
    draft.expect(like=SAME_LEVELS)


def no_header(draft: Draft) -> None:
    """Nothing in the header says what the pictures are; they still lie in the patient."""
    for sheet in draft.sheets:
        for keyword in (*EVIDENCE, "Modality"):
            sheet.dataset.pop(keyword, None)
    draft.expect(like=SAME_LEVELS)


def nothing_but_pixels(draft: Draft) -> None:
    """A header says only how pixels are stored: each folder is a study, told by its pixels, and nothing is graded."""
    numbers = sorted({sheet.number for sheet in draft.sheets})
    for sheet in draft.sheets:
        for element in [item for item in sheet.dataset if item.keyword not in PIXEL_DESCRIPTION]:
            del sheet.dataset[element.tag]
    series = ExpectedSeries(
        number=None,
        slices=len(draft.sheets),
        parts=(len(numbers), len(numbers)),
        anatomies=(Anatomy.MR_SPINE,),
        flags=("no_geometry",),
    )
    draft.expect(studies=len(numbers), series=(series,), like=None, codes=(4,), not_assessed=NO_GRADES)


def rsna_like(draft: Draft) -> None:
    """Headers like those of the RSNA 2024 set: nearly empty, RLE, a description of two letters."""
    for sheet in draft.sheets:
        for keyword in NAMELESS + EVIDENCE:
            sheet.dataset.pop(keyword, None)
        sheet.dataset.SeriesDescription = "T1" if sheet in draft.sagittal_t1 else "T2"
        sheet.syntax = RLELossless
    draft.expect(like=Likeness(within_mm=12.0, grades="free"))


def no_positions(draft: Draft) -> None:
    """ImagePositionPatient is missing: nothing can be cut in millimetres."""
    without(draft, "ImagePositionPatient")


def no_orientation(draft: Draft) -> None:
    """ImageOrientationPatient is missing: nothing can be cut in millimetres."""
    without(draft, "ImageOrientationPatient")


def no_spacing(draft: Draft) -> None:
    """PixelSpacing is missing: nothing can be cut in millimetres."""
    without(draft, "PixelSpacing")


def without(draft: Draft, keyword: str) -> None:
    """Take one attribute of the geometry away everywhere."""
    for sheet in draft.sheets:
        delattr(sheet.dataset, keyword)
    for one in draft.expected.series:
        draft.expect_series(one.number, flags=("no_geometry",), planes=())
    draft.expect(like=None, codes=(4,), not_assessed=NO_GRADES)


def a_position_is_missing(draft: Draft) -> None:
    """One sagittal slice has no position, and one an infinite one: they are read apart, the others as ever."""
    sheets = draft.sagittal_t2
    del sheets[0].dataset.ImagePositionPatient
    sheets[-1].dataset.ImagePositionPatient = ["1e30", "0", "0"]
    draft.expect_series(sheets[0].number, parts=(2, 3), flags=("no_geometry",), planes=())
    draft.expect(like=Likeness(within_mm=12.0, grades="free"))


def zero_orientation(draft: Draft) -> None:
    """ImageOrientationPatient is six zeros."""
    for sheet in draft.sheets:
        sheet.dataset.ImageOrientationPatient = ["0"] * 6
    for one in draft.expected.series:
        draft.expect_series(one.number, flags=("no_geometry",), planes=())
    draft.expect(like=None, codes=(4,), not_assessed=NO_GRADES)


def non_ascii(draft: Draft) -> None:
    """Descriptions in Latin letters with accents, and in a declared character set."""
    for sheet in draft.sheets:
        sheet.dataset.SpecificCharacterSet = "ISO_IR 192"
        sheet.dataset.SeriesDescription = f"Wirbelsäule – größer – 腰椎 {sheet.number}"
        sheet.name = f"Rücken 腰椎/{sheet.name}"
    draft.expect(like=Likeness(within_mm=6.0, grades="free"))


def broken_character_set(draft: Draft) -> None:
    """Bytes of Latin-1 without a character set that allows them."""
    for sheet in draft.sheets:
        sheet.dataset.SpecificCharacterSet = "ISO_IR 100"
        sheet.dataset.SeriesDescription = f"R\u00fccken {sheet.number}"
        sheet.damage = lambda content: content.replace(b"ISO_IR 100", b"ISO_IR 999")
    draft.expect(like=Likeness(within_mm=6.0, grades="free"))


def private_noise(draft: Draft) -> None:
    """Private elements of a vendor, some of them large, and sequences that nobody reads."""
    for sheet in draft.sheets:
        block = sheet.dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", draft.rng.bytes(4096))
        note = Dataset()
        note.ReferencedSOPInstanceUID = "2.25.5"
        sheet.dataset.ReferencedImageSequence = Items([note] * 3)


def feet_first(draft: Draft) -> None:
    """The patient lies feet first: pictures and directions are turned by 180 degrees, places are the same."""
    for sheet in draft.sheets:
        sheet.dataset.PatientPosition = "FFS"
        turned(sheet, np.rot90(sheet.pixels, 2), "rotate")


def prone(draft: Draft) -> None:
    """The patient lies on the belly: axial pictures come upside down, with the geometry saying so."""
    for sheet in draft.sheets:
        sheet.dataset.PatientPosition = "HFP"
        if sheet.plane is Plane.AXIAL:
            turned(sheet, np.rot90(sheet.pixels, 2), "rotate")


def mirrored_and_said(draft: Draft) -> None:
    """Every picture is mirrored, with the geometry saying so."""
    for sheet in draft.sheets:
        turned(sheet, sheet.pixels[:, ::-1], "columns")


def upside_down_and_said(draft: Draft) -> None:
    """Every picture stands on its head, with the geometry saying so."""
    for sheet in draft.sheets:
        turned(sheet, sheet.pixels[::-1], "rows")


def transposed_and_said(draft: Draft) -> None:
    """Rows and columns have changed places, with the geometry saying so."""
    for sheet in draft.sheets:
        turned(sheet, sheet.pixels.T, "transpose")


def mirrored_in_silence(draft: Draft) -> None:
    """The patient is mirrored and nothing says so: what is called left is right, and that is all that differs."""
    for sheets in groups(draft):
        places = [sheet.dataset.ImagePositionPatient for sheet in sheets]
        for sheet, place in zip(sheets, reversed(places), strict=True):
            if sheet.plane is Plane.SAGITTAL:
                sheet.dataset.ImagePositionPatient = place
            else:
                sheet.pixels = sheet.pixels[:, ::-1]
    draft.expect(like=SAME_LEVELS)


def upside_down_in_silence(draft: Draft) -> None:
    """Sagittal pictures stand on their head and nothing says so: no level may be given without doubt."""
    for sheet in draft.of(Plane.SAGITTAL):
        sheet.pixels = sheet.pixels[::-1]
    draft.expect(like=None, codes=(0, 4), doubted=True)


def upside_down_without_geometry(draft: Draft) -> None:
    """Sagittal pictures stand on their head, without an orientation: no level without doubt, and no grade."""
    upside_down_in_silence(draft)
    without(draft, "ImageOrientationPatient")


def oblique(draft: Draft) -> None:
    """The patient lies turned by 30 degrees: planes keep their names, and as many levels are found."""
    rotated(draft, 30.0)
    draft.expect(like=SAME_LEVELS)


def between_the_planes(draft: Draft) -> None:
    """Sagittal slices lie 55 degrees away from every axis: their plane has no name, and nothing is graded."""
    for sheet in draft.sheets:
        turn_frame(sheet, DIAGONAL)
    for one in draft.expected.series:
        if one.planes == (Plane.SAGITTAL,):
            draft.expect_series(one.number, planes=(Plane.UNKNOWN,), flags=("oblique",))
        else:
            draft.expect_series(one.number, planes=())
    draft.expect(like=None, codes=(4,), not_assessed=NO_GRADES)


def rotated(draft: Draft, degrees: float) -> None:
    """Turn the patient about the head-feet axis."""
    for sheet in draft.sheets:
        turn_frame(sheet, rotation((0, 0, 1), degrees))


def mixed_anatomy(draft: Draft) -> None:
    """Two series of another part of the body are in the study."""
    others = other_sheets(draft)
    for sheet in others:
        sheet.dataset.StudyInstanceUID = draft.sheets[0].dataset.StudyInstanceUID
    draft.sheets += others
    series = tuple(
        ExpectedSeries(number=n, slices=sum(s.number == n for s in others)) for n in sorted({s.number for s in others})
    )
    draft.expect(series=draft.expected.series + series)


def mixed_tomography(draft: Draft) -> None:
    """A CT of the same patient is in the study: it is no MR spine."""
    number, count = 80, len(draft.sagittal_t2)
    for sheet in [*draft.sagittal_t2]:
        dataset = copy.deepcopy(sheet.dataset)
        dataset.Modality, dataset.SOPClassUID = "CT", "1.2.840.10008.5.1.4.1.1.2"
        dataset.SeriesNumber, dataset.SeriesInstanceUID = number, "2.25.88"
        dataset.SOPInstanceUID = f"2.25.{draft.rng.integers(2**62)}"
        draft.sheets.append(
            Sheet(
                name=f"080/{sheet.index:04d}.dcm",
                dataset=dataset,
                plane=sheet.plane,
                sequence=sheet.sequence,
                index=sheet.index,
            )
        )
    expected = ExpectedSeries(number=number, slices=count, anatomies=(Anatomy.OTHER,), flags=("modality_ct",))
    draft.expect(series=(*draft.expected.series, expected))


def groups(draft: Draft) -> list[list[Sheet]]:
    """The files of every series."""
    numbers = dict.fromkeys(sheet.number for sheet in draft.sheets)
    return [[sheet for sheet in draft.sheets if sheet.number == number] for number in numbers]


def rotation(axis: tuple[int, int, int], degrees: float) -> FloatArray:
    """The rotation about an axis of the patient, (3, 3)."""
    a, b = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y = [k for k in range(3) if not axis[k]]
    matrix = np.eye(3)
    matrix[x, x] = matrix[y, y] = a
    matrix[x, y], matrix[y, x] = -b, b
    return matrix


def turn_frame(sheet: Sheet, matrix: FloatArray) -> None:
    """Turn the patient, and with him where the slice lies."""
    dataset = sheet.dataset
    directions = np.asarray(dataset.ImageOrientationPatient, float).reshape(2, 3)
    dataset.ImageOrientationPatient = decimals((directions @ matrix.T).ravel())
    dataset.ImagePositionPatient = decimals(matrix @ np.asarray(dataset.ImagePositionPatient, float))


def turned(sheet: Sheet, pixels: np.ndarray, how: str) -> None:
    """Store the picture turned, and say so: the same slice in the same place."""
    dataset = sheet.dataset
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    along_row, along_column = np.asarray(dataset.ImageOrientationPatient, float).reshape(2, 3)
    row_mm, column_mm = map(float, dataset.PixelSpacing)
    place = np.asarray(dataset.ImagePositionPatient, float)
    to_last_column, to_last_row = along_row * (columns - 1) * column_mm, along_column * (rows - 1) * row_mm
    if how in ("columns", "rotate"):
        place, along_row = place + to_last_column, -along_row
    if how in ("rows", "rotate"):
        place, along_column = place + to_last_row, -along_column
    if how == "transpose":
        along_row, along_column, row_mm, column_mm = along_column, along_row, column_mm, row_mm
    sheet.pixels = pixels
    dataset.ImagePositionPatient = decimals(place)
    dataset.ImageOrientationPatient = decimals(np.concatenate([along_row, along_column]))
    dataset.PixelSpacing = [f"{row_mm:.10f}"[:16], f"{column_mm:.10f}"[:16]]


KINDS = (
    brain_in_the_header,
    lumbar_in_the_header,
    cervical_in_the_header,
    wrong_echo_times,
    no_header,
    nothing_but_pixels,
    rsna_like,
    no_positions,
    no_orientation,
    no_spacing,
    a_position_is_missing,
    zero_orientation,
    non_ascii,
    broken_character_set,
    private_noise,
    feet_first,
    prone,
    mirrored_and_said,
    upside_down_and_said,
    transposed_and_said,
    mirrored_in_silence,
    upside_down_in_silence,
    upside_down_without_geometry,
    oblique,
    between_the_planes,
    mixed_anatomy,
    mixed_tomography,
)
