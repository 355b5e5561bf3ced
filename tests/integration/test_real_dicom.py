"""Real scanner DICOM and NIfTI, openly licensed, kept outside the repository."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from spinalis.formats import read_studies
from spinalis.geometry import patient_plane, slice_spacing_mm
from spinalis.records import Series, Study
from spinalis.vocabulary import Plane
from tests.fakes import texts

DATA = Path(os.environ.get("SPINALIS_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not (DATA / "dicom").is_dir(), reason="the open real images are not there"),
]


def one_study(path: Path) -> Study:
    (study,) = read_studies(path)
    return study


def plane_of(series: Series) -> Plane:
    assert series.slices[0].plane is not None
    return patient_plane(series.slices[0].plane)


@pytest.mark.parametrize(
    ("folder", "expected", "spacing", "flags"),
    [
        ("brain_sag_t1_flash", ("MR", Plane.SAGITTAL, 35), 4.8, ()),
        ("brain_sag_t1_mprage", ("MR", Plane.SAGITTAL, 64), 0.9, ()),
        ("torso_ct", ("CT", Plane.AXIAL, 48), 4.0, ("gap",)),
    ],
    ids=["flash", "mprage", "a CT of which every fifth slice or so was published"],
)
def test_a_real_series_is_read_whole(
    folder: str, expected: tuple[str, Plane, int], spacing: float, flags: tuple[str, ...]
) -> None:
    study = one_study(DATA / "dicom" / folder)
    (series,) = study.series
    assert series.flags == flags
    assert (series.header.modality, plane_of(series), len(series.slices)) == expected
    assert slice_spacing_mm(series) == pytest.approx(spacing, abs=0.01)
    assert study.warnings == ()


@pytest.mark.parametrize("folder", ["brain_sag_t1_flash", "brain_sag_t1_mprage", "torso_ct"])
def test_real_pixels_equal_those_of_pydicom(folder: str) -> None:
    (series,) = one_study(DATA / "dicom" / folder).series
    for index in (0, len(series.slices) // 2, len(series.slices) - 1):
        dataset = dcmread(DATA / "dicom" / folder / series.slices[index].file)
        slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
        expected = dataset.pixel_array * slope + intercept
        assert np.array_equal(series.load(index), expected.astype(np.float32))


def test_every_spider_series_is_sagittal_and_runs_to_the_left() -> None:
    studies = read_studies(DATA / "dicom" / "spine_sag_t2space")
    assert len(studies) == len(list((DATA / "dicom" / "spine_sag_t2space").iterdir()))
    for study in studies:
        (series,) = study.series
        places = [item.plane.origin_lps_mm[0] for item in series.slices if item.plane is not None]
        assert plane_of(series) is Plane.SAGITTAL
        assert places == sorted(places)
        assert series.flags == ()


def test_all_real_series_at_once_are_as_many_studies() -> None:
    studies = read_studies(DATA / "dicom")
    folders = {file.parent for file in (DATA / "dicom").rglob("*.dcm")}
    assert len(studies) == len({study.key for study in studies}) == len(folders)


def test_real_files_in_a_zip_with_a_cut_one_are_read(tmp_path: Path) -> None:
    copy = tmp_path / "study"
    shutil.copytree(DATA / "dicom" / "brain_sag_t1_flash", copy)
    victim = sorted(copy.iterdir())[7]
    content = victim.read_bytes()
    victim.chmod(0o644)
    victim.write_bytes(content[: len(content) // 2])
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", copy))
    study = one_study(packed)
    (series,) = study.series
    assert (len(series.slices), series.flags) == (34, ("gap", "missing_pixels"))
    assert texts(study) == ("Series 3: 1 file without complete pixels was left out.",)


@pytest.mark.parametrize(
    ("name", "plane", "spacing"),
    [
        ("sct_tutorial_thoracolumbar_sag_t2", Plane.SAGITTAL, 1.0),
        ("sct_tutorial_cervical_ax_t2", Plane.AXIAL, 7.5),
        ("sct_testing_cervical_ax_t2star", Plane.AXIAL, 7.5),
        ("sct_testing_cervical_t2", Plane.SAGITTAL, 1.0),
    ],
)
def test_a_real_volume_is_turned_to_its_slices(name: str, plane: Plane, spacing: float) -> None:
    (series,) = one_study(DATA / "nifti" / f"{name}.nii.gz").series
    assert plane_of(series) is plane
    assert slice_spacing_mm(series) == pytest.approx(spacing, abs=0.05)
    assert series.load(len(series.slices) // 2).max() > 0
