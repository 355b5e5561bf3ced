import gzip
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinalis.errors import GeometryError, UnreadableFileError
from spinalis.formats import read_studies
from spinalis.formats.volume import affine_of, to_nifti
from spinalis.geometry import to_patient
from tests.fakes import AXIAL, SAGITTAL, series

CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def pixels(slices: int = 4) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 900, (slices, 12, 9)).astype(np.float32)


@pytest.mark.parametrize("orientation", [SAGITTAL, AXIAL, CORONAL], ids=["sagittal", "axial", "coronal"])
@given(
    at=st.tuples(st.integers(0, 3), st.integers(0, 11), st.integers(0, 8)),
    tilt=st.floats(-0.5, 0.5),
    spacing=st.tuples(st.floats(0.3, 2.0), st.floats(0.3, 2.0)),
)
def test_every_voxel_lies_where_its_pixel_does(
    orientation: tuple[tuple[float, ...], tuple[float, ...]],
    at: tuple[int, int, int],
    tilt: float,
    spacing: tuple[float, float],
) -> None:
    turn = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    turned = (tuple(turn @ orientation[0]), tuple(turn @ orientation[1]))
    made = series(pixels(), orientation=turned, spacing_mm=spacing, step_mm=3.7)
    index, row, column = at
    found = affine_of(made, range(4)) @ (column, row, index, 1)
    assert found[:3] == pytest.approx(LPS_TO_RAS * to_patient(made.slices[index].plane, row, column), abs=1e-6)


def saved(data: bytes, folder: Path) -> Path:
    path = folder / "volume.nii.gz"
    path.write_bytes(data)
    return path


def test_pixels_and_affine_survive_the_file(tmp_path: Path) -> None:
    made = series(pixels())
    image = nibabel.load(saved(to_nifti(made, range(4)), tmp_path))
    assert image.get_data_dtype() == np.int16
    assert np.array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), pixels())
    assert np.allclose(image.affine, affine_of(made, range(4)), atol=1e-4)
    assert np.allclose(image.get_qform(), image.get_sform(), atol=1e-4)
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)
    assert b"research use only" in image.header["descrip"].item()


def test_our_own_reader_finds_the_same_pictures_in_the_same_place(tmp_path: Path) -> None:
    made = series(pixels(), spacing_mm=(1.5, 0.8))
    (study,) = read_studies(saved(to_nifti(made, range(4)), tmp_path))
    (again,) = study.series
    for index in range(4):
        assert np.array_equal(again.load(index), made.load(index))
        plane, before = again.slices[index].plane, made.slices[index].plane
        assert to_patient(plane, 3, 5) == pytest.approx(to_patient(before, 3, 5), abs=1e-3)


@pytest.mark.parametrize("change", [lambda p: p + 0.5, lambda p: p * 100], ids=["fractions", "too large"])
def test_what_int16_cannot_hold_is_float32(change, tmp_path: Path) -> None:
    image = nibabel.load(saved(to_nifti(series(change(pixels())), range(4)), tmp_path))
    assert image.get_data_dtype() == np.float32
    assert np.array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), change(pixels()))


def test_one_slice_is_a_volume_as_thick_as_its_step(tmp_path: Path) -> None:
    made = series(pixels(), step_mm=4.0)
    image = nibabel.load(saved(to_nifti(made, (2,)), tmp_path))
    assert image.shape == (9, 12, 1)
    assert image.header.get_zooms() == pytest.approx((1.0, 1.0, 4.0))
    found = image.affine @ (5, 3, 0, 1)
    assert found[:3] == pytest.approx(LPS_TO_RAS * to_patient(made.slices[2].plane, 3, 5), abs=1e-3)


def test_the_same_series_gives_the_same_bytes() -> None:
    assert to_nifti(series(pixels()), range(4)) == to_nifti(series(pixels()), range(4))
    assert gzip.decompress(to_nifti(series(pixels()), range(4)))[344:348] == b"n+1\0"


def test_without_positions_there_is_no_volume() -> None:
    with pytest.raises(GeometryError, match="Series 1: expected a position for every slice, got 0 of 4"):
        to_nifti(series(pixels(), orientation=None), range(4))


def test_a_gap_is_refused_since_one_affine_cannot_say_it() -> None:
    made = series(pixels(5))
    with_gap = replace(made, slices=(*made.slices[:2], *made.slices[3:]))
    with pytest.raises(GeometryError, match="expected evenly spaced slices, got one"):
        to_nifti(with_gap, range(4))


def test_slices_at_one_place_are_refused() -> None:
    with pytest.raises(GeometryError, match=r"off a step of 0\.00 mm"):
        to_nifti(series(pixels(), step_mm=0.0), range(4))


def test_a_lone_slice_without_thickness_is_refused() -> None:
    with pytest.raises(GeometryError, match="expected a slice thickness, got none"):
        to_nifti(series(pixels(1)), (0,))


def test_a_damaged_slice_is_no_volume() -> None:
    with pytest.raises(UnreadableFileError):
        to_nifti(series(pixels(), broken=(1,)), range(4))
