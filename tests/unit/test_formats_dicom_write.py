"""What is written reads back the same, is valid DICOM and names nobody."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from spinalis.errors import OutputError
from spinalis.formats import read_studies
from spinalis.formats.dicom.write import write_study
from spinalis.geometry import slice_plane
from spinalis.records import Header, Image, Series, Slice, Study
from tests.dicoms import SYNTAXES

HEADER = Header(
    modality="MR",
    body_part="LSPINE",
    description="T2 sag",
    protocol="t2_tse_sag",
    image_type=("ORIGINAL", "PRIMARY", "M"),
    scanning_sequence=("SE",),
    sequence_variant=("SK", "SP"),
    echo_time_ms=101.5,
    repetition_time_ms=3200.0,
    flip_angle_deg=150.0,
    field_strength_t=1.5,
    manufacturer="Spinalis",
)
ORIENTATION = (0.0, 0.9961946980917455, -0.08715574274765817, 0.0, -0.08715574274765817, -0.9961946980917455)
VOLUME = np.random.default_rng(0).integers(0, 4000, (4, 48, 40)).astype(np.float32)


def whole(index: int) -> Image:
    return VOLUME[index]


def fractional(index: int) -> Image:
    return VOLUME[index] * np.float32(0.37) - 200


def study(load: object = whole, header: Header = HEADER) -> Study:
    planes = [slice_plane((1 / 3 + 4.4 * index, -50.0, 60.0), ORIENTATION, (1.5, 1.25)) for index in range(4)]
    series = Series(
        key="s3",
        number=3,
        header=header,
        rows=48,
        columns=40,
        slices=tuple(Slice(file="", plane=plane) for plane in planes),
        load=load,  # type: ignore[arg-type]
        thickness_mm=4.0,
    )
    return Study(key="abc", series=(series, replace(series, key="s4", number=4)))


def read_back(folder: Path) -> Study:
    (found,) = read_studies(folder)
    return found


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES.keys())
def test_what_is_written_reads_back_the_same(syntax: str, tmp_path: Path) -> None:
    write_study(study(), tmp_path, transfer_syntax=syntax)
    assert sorted(item.relative_to(tmp_path).as_posix() for item in tmp_path.rglob("*4/*")) == [
        f"004_s4/000{number}.dcm" for number in (1, 2, 3, 4)
    ]
    assert dcmread(tmp_path / "003_s3" / "0001.dcm").file_meta.TransferSyntaxUID == syntax
    for before, after in zip(study().series, read_back(tmp_path).series, strict=True):
        assert (after.key, after.number, after.header, after.flags) == (before.key, before.number, before.header, ())
        assert (after.rows, after.columns, after.thickness_mm) == (48, 40, 4.0)
        for index in range(4):
            assert np.array_equal(after.load(index), VOLUME[index])
            one, other = before.slices[index].plane, after.slices[index].plane
            assert one is not None
            assert other is not None
            assert other.origin_lps_mm == pytest.approx(one.origin_lps_mm, abs=1e-9)
            assert other.along_column == pytest.approx(one.along_column, abs=1e-9)
            assert (other.row_spacing_mm, other.column_spacing_mm) == (1.5, 1.25)


def test_values_that_do_not_fit_are_scaled(tmp_path: Path) -> None:
    write_study(study(fractional), tmp_path)
    for index in range(4):
        step = 4000 * 0.37 / 65535
        assert read_back(tmp_path).series[0].load(index) == pytest.approx(fractional(index), abs=step)


def test_a_constant_fraction_is_kept(tmp_path: Path) -> None:
    write_study(study(lambda index: np.full((48, 40), -0.125, np.float32)), tmp_path)
    assert set(np.unique(read_back(tmp_path).series[0].load(1))) == {np.float32(-0.125)}


def test_the_same_study_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_study(study(), tmp_path / folder, transfer_syntax=RLELossless)
    for file in (tmp_path / "a").rglob("*.dcm"):
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()


def test_uids_are_unique_and_shared_where_they_should_be(tmp_path: Path) -> None:
    write_study(study(), tmp_path)
    files = [dcmread(file) for file in tmp_path.rglob("*.dcm")]
    counts = {
        keyword: len({item[keyword].value for item in files})
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
    }
    assert counts == {
        "SOPInstanceUID": 8,
        "SeriesInstanceUID": 2,
        "StudyInstanceUID": 1,
        "FrameOfReferenceUID": 1,
    }
    assert all(len(item.SOPInstanceUID) <= 64 for item in files)


def test_nobody_is_named(tmp_path: Path) -> None:
    write_study(study(), tmp_path)
    dataset = dcmread(tmp_path / "003_s3" / "0001.dcm")
    assert str(dataset.PatientName) == "SPINALIS^SIMULATED"
    assert dataset.StudyDescription == "Simulated, research use only"
    assert (dataset.PatientBirthDate, dataset.StudyDate, dataset.ReferringPhysicianName) == ("", "", "")


def test_the_anonymous_header_lacks_what_rsna_2024_lacks(tmp_path: Path) -> None:
    write_study(study(), tmp_path, transfer_syntax=RLELossless, anonymous_header=True)
    dataset = dcmread(tmp_path / "003_s3" / "0001.dcm")
    for keyword in ("Modality", "SOPClassUID", "BodyPartExamined", "EchoTime", "RepetitionTime"):
        assert keyword not in dataset
    series = read_back(tmp_path).series[0]
    assert (series.header.modality, series.header.description) == (None, "T2 sag")
    assert np.array_equal(series.load(2), VOLUME[2])


def test_slices_without_plane_come_back_without_geometry(tmp_path: Path) -> None:
    bare = study()
    loose = replace(bare.series[0], slices=tuple(Slice(file="") for _ in range(4)))
    write_study(replace(bare, series=(loose,)), tmp_path)
    series = read_back(tmp_path).series[0]
    assert series.flags == ("no_geometry",)
    assert np.array_equal(series.load(3), VOLUME[3])


def test_a_lossy_syntax_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="got NotImplementedError"):
        write_study(study(), tmp_path, transfer_syntax=JPEGBaseline8Bit)


def test_a_folder_that_is_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("file")
    with pytest.raises(OutputError, match="got NotADirectoryError"):
        write_study(study(), tmp_path / "out")


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy of dicom3tools is not installed")
@pytest.mark.parametrize("header", [HEADER, Header()], ids=["full", "bare"])
@pytest.mark.parametrize("load", [whole, fractional], ids=["whole", "fractional"])
@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless], ids=["explicit", "RLE", "JLS"]
)
def test_dciodvfy_finds_no_error(syntax: str, load: object, header: Header, tmp_path: Path) -> None:
    write_study(study(load, header), tmp_path, transfer_syntax=syntax)
    done = subprocess.run(
        ["dciodvfy", str(tmp_path / "003_s3" / "0002.dcm")], capture_output=True, text=True, check=False
    )
    lines = (done.stdout + done.stderr).splitlines()
    assert "MRImage" in lines
    assert [line for line in lines if "Error" in line] == []
