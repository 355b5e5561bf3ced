"""Headers as they come: missing tags, odd values, damaged files, files that are no images."""

import logging
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, DeflatedExplicitVRLittleEndian, RLELossless

from spinalis.errors import EmptyInputError, InputError, UnreadableFileError
from spinalis.formats import read_studies
from spinalis.formats.dicom import pixels
from spinalis.formats.dicom.quiet import quiet
from spinalis.formats.dicom.scan import scan
from spinalis.formats.source import list_folder
from spinalis.records import Header, Study
from tests.dicoms import classic, enhanced, picture, save, save_series
from tests.fakes import texts
from tests.unit.test_formats_dicom_pixels import compressed


def one_study(path: Path) -> Study:
    (study,) = read_studies(path)
    return study


def test_header_fields_arrive(tmp_path: Path) -> None:
    changes = {
        "BodyPartExamined": "LSPINE",
        "SeriesDescription": "T2 sag",
        "ProtocolName": "t2_tse_sag",
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "ScanningSequence": ["SE", "IR"],
        "SequenceVariant": "SK",
        "InversionTime": 160.0,
        "FlipAngle": 150.0,
        "MagneticFieldStrength": 1.5,
        "Manufacturer": "Maker",
    }
    (series,) = one_study(save(classic(0, **changes), tmp_path / "a.dcm")).series
    assert series.header == Header(
        modality="MR",
        body_part="LSPINE",
        description="T2 sag",
        protocol="t2_tse_sag",
        image_type=("ORIGINAL", "PRIMARY", "M"),
        scanning_sequence=("SE", "IR"),
        sequence_variant=("SK",),
        echo_time_ms=100.0,
        repetition_time_ms=3000.0,
        inversion_time_ms=160.0,
        flip_angle_deg=150.0,
        field_strength_t=1.5,
        manufacturer="Maker",
    )
    assert (series.number, series.thickness_mm, series.rows, series.columns) == (1, 3.5, 40, 36)
    assert (series.instance_uid, series.frame_of_reference_uid) == ("1.2.3.1", "1.2.3.99")
    plane = series.slices[0].plane
    assert plane is not None
    assert (plane.row_spacing_mm, plane.column_spacing_mm) == (1.5, 1.25)


def test_files_like_those_of_rsna_2024_are_read(tmp_path: Path) -> None:
    gone = dict.fromkeys(("SOPClassUID", "Modality", "BodyPartExamined", "EchoTime", "RepetitionTime"))
    for index in range(3):
        dataset = compressed(classic(index, SeriesDescription="T2", **gone), RLELossless)
        save(dataset, tmp_path / "1" / f"{index}.dcm", RLELossless)
    (series,) = one_study(tmp_path).series
    assert series.header == Header(description="T2")
    assert (len(series.slices), series.flags, series.load(0).shape) == (3, (), (40, 36))


@pytest.mark.parametrize(
    ("tag", "vr", "value", "field"),
    [
        ("EchoTime", "DS", b"12,5 ms ", "echo_time_ms"),
        ("RepetitionTime", "DS", b"nan ", "repetition_time_ms"),
        ("FlipAngle", "DS", b"1e999 ", "flip_angle_deg"),
        ("MagneticFieldStrength", "LO", b"high", "field_strength_t"),
        ("InversionTime", "US", b"\1", "inversion_time_ms"),
    ],
    ids=["comma", "nan", "infinite", "wrong representation", "wrong length"],
)
def test_numbers_that_do_not_parse_count_as_missing(
    tag: str, vr: str, value: bytes, field: str, tmp_path: Path
) -> None:
    path = save(classic(0, **{tag: None}), tmp_path / "a.dcm")
    insert(path, tag, vr, value)
    (series,) = one_study(path).series
    assert getattr(series.header, field) is None


def insert(path: Path, keyword: str, vr: str, value: bytes) -> None:
    """Put raw bytes as the first element behind the meta header of an explicit little endian file."""
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    tag = tag_for_keyword(keyword) or 0
    element = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value
    path.write_bytes(data[:start] + element + data[start:])


@pytest.mark.parametrize(
    "charset", [b"ISO_IR 999", b"\xff\xfe", b"ISO 2022 IR 87\\GB18030"], ids=["unknown", "junk", "two"]
)
def test_odd_character_sets_do_not_matter(charset: bytes, tmp_path: Path) -> None:
    path = save(classic(0, SeriesDescription=None), tmp_path / "a.dcm")
    insert(path, "SeriesDescription", "LO", "R\u00fccken ".encode("latin-1"))
    insert(path, "SpecificCharacterSet", "CS", charset)
    (series,) = one_study(path).series
    assert series.load(0).shape == (40, 36)


def test_nothing_of_the_patient_is_logged_or_warned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    path = save(classic(0, SOPInstanceUID=None, StudyInstanceUID=None), tmp_path / "a.dcm")
    insert(path, "SOPInstanceUID", "UI", b"Doe^Jane.not.a.uid")
    insert(path, "StudyInstanceUID", "UI", b"001.02.Doe")
    with caplog.at_level(logging.DEBUG):
        (series,) = one_study(path).series
        series.load(0)
    assert caplog.text == ""
    assert list(recwarn) == []


def test_silence_ends_when_the_last_reader_has_left() -> None:
    with quiet:
        with quiet:
            pass
        warnings.warn("unheard", stacklevel=1)
    with pytest.warns(UserWarning, match="heard again"):
        warnings.warn("heard again", stacklevel=1)
    assert logging.getLogger("pydicom").propagate


def test_files_that_are_not_dicom_are_counted(tmp_path: Path) -> None:
    save_series(tmp_path, 2)
    for name in ("readme.txt", "viewer.exe", "a.dcm"):
        (tmp_path / name).write_text("no image " * 100)
    (tmp_path / ".DS_Store").write_text("hidden")
    assert texts(one_study(tmp_path)) == ("3 files are not DICOM and were left out.",)


@pytest.mark.parametrize(
    "changes",
    [
        {"SOPClassUID": BasicTextSRStorage, "Modality": "SR", "Rows": None, "Columns": None, "PixelData": None},
        {"Modality": "SEG"},
        {"SOPClassUID": None, "Modality": None, "Rows": None, "PixelData": None},
    ],
    ids=["SR", "SEG", "nothing said"],
)
def test_objects_without_an_image_are_counted(changes: dict[str, Any], tmp_path: Path) -> None:
    save_series(tmp_path, 2)
    save(classic(0, series=9, **changes), tmp_path / "x.dcm")
    study = one_study(tmp_path)
    assert [series.key for series in study.series] == ["s1"]
    assert texts(study) == ("Series 9: 1 file without an image was left out.",)


def test_a_mosaic_is_refused(tmp_path: Path) -> None:
    save_series(tmp_path, 2)
    save_series(tmp_path, 2, series=4, ImageType=["ORIGINAL", "PRIMARY", "MOSAIC"])
    assert texts(one_study(tmp_path)) == ("Series 4: 2 files with a mosaic of slices were left out.",)


def test_computed_tomography_is_read_and_said_so(tmp_path: Path) -> None:
    save_series(tmp_path, 2, Modality="CT")
    assert one_study(tmp_path).series[0].header.modality == "CT"


@pytest.mark.parametrize("part", [0.97, 0.5, 0.14], ids=["in the last row", "in the pixels", "in the header"])
def test_a_cut_file_costs_only_itself(part: float, tmp_path: Path) -> None:
    files = save_series(tmp_path, 4)
    cut(files[1], part)
    study = one_study(tmp_path)
    (series,) = study.series
    assert [item.instance_number for item in series.slices] == [1, 3, 4]
    assert texts(study)[0].endswith("1 file without complete pixels was left out.")


def cut(path: Path, part: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])


def test_a_series_that_lost_slices_is_flagged(tmp_path: Path) -> None:
    cut(save_series(tmp_path, 4)[3], 0.9)
    assert one_study(tmp_path).series[0].flags == ("missing_pixels",)


def test_a_cut_compressed_file_is_noticed_before_decoding(tmp_path: Path) -> None:
    save_series(tmp_path, 2)
    cut(save(compressed(classic(2), RLELossless), tmp_path / "x.dcm", RLELossless), 0.95)
    study = one_study(tmp_path)
    assert len(study.series[0].slices) == 2
    assert texts(study) == ("Series 1: 1 file without complete pixels was left out.",)


def test_a_cut_deflated_file_is_counted(tmp_path: Path) -> None:
    save_series(tmp_path, 2)
    cut(save(classic(2), tmp_path / "x.dcm", DeflatedExplicitVRLittleEndian), 0.9)
    assert texts(one_study(tmp_path)) == ("1 file that cannot be read was left out.",)


def test_a_deflated_bomb_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_series(tmp_path, 2)
    save(classic(2, PixelData=bytes(40 * 36 * 2)), tmp_path / "x.dcm", DeflatedExplicitVRLittleEndian)
    monkeypatch.setattr(pixels, "MAX_INFLATED_BYTES", 2000)
    assert texts(one_study(tmp_path)) == ("1 file that cannot be read was left out.",)


@pytest.mark.parametrize(
    "changes", [{"Rows": 8192, "Columns": 8192}, {"NumberOfFrames": 2**31 - 1}], ids=["rows", "frames"]
)
def test_a_file_that_claims_an_impossible_size_is_left_out(changes: dict[str, Any], tmp_path: Path) -> None:
    save_series(tmp_path, 2)
    save(classic(2, **changes), tmp_path / "x.dcm")
    assert texts(one_study(tmp_path)) == ("Series 1: 1 file that cannot be read was left out.",)


def test_fewer_fragments_than_frames_are_noticed(tmp_path: Path) -> None:
    save_series(tmp_path, 2)
    dataset = compressed(enhanced(), RLELossless)
    dataset.NumberOfFrames = 5
    save(dataset, tmp_path / "x.dcm", RLELossless)
    assert texts(one_study(tmp_path)) == ("Series 7: 1 file without complete pixels was left out.",)


def test_text_named_dcm_is_empty_input(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_text("this is not an image")
    for path in (tmp_path / "a.dcm", tmp_path):
        with pytest.raises(EmptyInputError, match=r"got 1 files without a readable one \(0 of them DICOM, 0 zips"):
            read_studies(path)


def test_an_empty_folder_is_empty_input(tmp_path: Path) -> None:
    with pytest.raises(EmptyInputError, match="got 0 files"):
        read_studies(tmp_path)


def test_a_path_that_does_not_exist_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_studies(tmp_path / "none")


def test_a_single_cut_file_is_unreadable(tmp_path: Path) -> None:
    path = save(classic(0), tmp_path / "a.dcm")
    cut(path, 0.5)
    with pytest.raises(UnreadableFileError, match="a DICOM file without complete pixels"):
        read_studies(path)


def test_a_single_report_object_is_empty_input(tmp_path: Path) -> None:
    path = save(classic(0, Modality="SR", Rows=None, PixelData=None), tmp_path / "a.dcm")
    with pytest.raises(EmptyInputError, match="1 of them DICOM"):
        read_studies(path)


def test_a_folder_of_damaged_files_is_empty_input(tmp_path: Path) -> None:
    for file in save_series(tmp_path, 3):
        cut(file, 0.5)
    with pytest.raises(EmptyInputError, match=r"got 3 files without a readable one \(3 of them DICOM, 0 zips"):
        read_studies(tmp_path)


def test_the_study_of_a_damaged_file_carries_the_warning(tmp_path: Path) -> None:
    save_series(tmp_path / "a", 2)
    files = save_series(tmp_path / "b", 3, StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1")
    cut(files[0], 0.9)
    first, second = read_studies(tmp_path)
    assert first.warnings == ()
    assert texts(second) == ("Series 1: 1 file without complete pixels was left out.",)


def test_file_names_are_relative_to_the_input(tmp_path: Path) -> None:
    save_series(tmp_path / "deep" / "er", 1)
    assert one_study(tmp_path).series[0].slices[0].file == "deep/er/1_00.dcm"
    assert one_study(tmp_path / "deep" / "er" / "1_00.dcm").series[0].slices[0].file == "1_00.dcm"


def test_pixels_in_float_are_read(tmp_path: Path) -> None:
    dataset: Dataset = classic(0, PixelData=None, BitsAllocated=32, BitsStored=None, HighBit=None)
    dataset.FloatPixelData = (picture(1) / 7).astype("<f4").tobytes()
    (series,) = one_study(save(dataset, tmp_path / "a.dcm")).series
    assert series.load(0) == pytest.approx(picture(1) / 7, rel=1e-6)


def test_pixels_of_unknown_representation_are_words(tmp_path: Path) -> None:
    path = save(classic(0), tmp_path / "x.dcm")
    data = path.read_bytes()
    head = b"\xe0\x7f\x10\x00"
    assert data.count(head + b"OW") == 1
    expected = one_study(tmp_path).series[0].load(0)
    path.write_bytes(data.replace(head + b"OW", head + b"UN"))
    np.testing.assert_array_equal(one_study(tmp_path).series[0].load(0), expected)


def test_frames_without_positions_of_their_own_have_no_geometry(tmp_path: Path) -> None:
    save(classic(0, NumberOfFrames=3, PixelData=bytes(3 * 40 * 36 * 2)), tmp_path / "x.dcm")
    (series,) = one_study(tmp_path).series
    assert [item.plane for item in series.slices] == [None] * 3
    assert "no_geometry" in series.flags


def test_a_region_in_a_sequence_names_the_body_part(tmp_path: Path) -> None:
    item = Dataset()
    item.CodeMeaning = "Lumbar spine"
    save(classic(0, AnatomicRegionSequence=[item]), tmp_path / "x.dcm")
    assert one_study(tmp_path).series[0].header.body_part == "Lumbar spine"


def test_what_all_files_of_a_series_say_is_kept_once(tmp_path: Path) -> None:
    save_series(tmp_path, 3)
    frames = scan(list_folder(tmp_path)[0]).frames
    assert len(frames) == 3
    assert len({id(frame.header) for frame in frames}) == 1
    assert len({id(frame.pixels.element.options) for frame in frames}) == 1
