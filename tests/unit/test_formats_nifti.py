"""NIfTI volumes are flipped and transposed to the conventional picture, and every voxel keeps its place."""

import pickle
import sys
import zipfile
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from spinalis.errors import InputError, UnreadableFileError
from spinalis.formats import nifti, read_studies
from spinalis.geometry import patient_plane, to_patient
from spinalis.records import Series, Study
from spinalis.vocabulary import Plane
from tests.fakes import texts

SHAPE = (6, 7, 8)


def write(path: Path, affine: np.ndarray, shape: tuple[int, ...] = SHAPE) -> Path:
    """Every voxel holds its own number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    nibabel.save(nibabel.Nifti1Image(volume, affine), path)
    return path


def one_study(path: Path) -> Study:
    (study,) = read_studies(path)
    return study


def axes(order: tuple[int, ...], signs: tuple[int, ...], spacing: tuple[float, ...]) -> np.ndarray:
    """Voxel axis n runs along RAS axis `order[n]` with a sign and a spacing in mm."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis in range(3):
        affine[order[axis], axis] = signs[axis] * spacing[axis]
    affine[:3, 3] = (11.0, -23.0, 37.0)
    return affine


def tilted(affine: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    result = affine.copy()
    result[:3] = turn @ affine[:3]
    return result


def check_every_voxel(series: Series, affine: np.ndarray) -> None:
    """The value shown at a pixel is the number of the voxel that lies at the pixel's place in the patient."""
    for index, item in enumerate(series.slices):
        assert item.plane is not None
        image = series.load(index)
        for row, column in [(0, 0), (1, 2), (series.rows - 1, series.columns - 1)]:
            ras = np.array(to_patient(item.plane, row, column)) * (-1, -1, 1)
            voxel = np.rint(np.linalg.inv(affine) @ [*ras, 1])[:3].astype(int)
            assert image[row, column] == np.ravel_multi_index(tuple(voxel), SHAPE)


CASES = [
    pytest.param(order, signs, id=f"{order} {signs}")
    for order, signs in product(permutations(range(3)), [(1, 1, 1), (-1, 1, -1), (1, -1, -1), (-1, -1, 1)])
]


@pytest.mark.parametrize(("order", "signs"), CASES)
@pytest.mark.parametrize("degrees", [0.0, 20.0], ids=["straight", "oblique"])
def test_every_voxel_keeps_its_place(
    order: tuple[int, ...], signs: tuple[int, ...], degrees: float, tmp_path: Path
) -> None:
    affine = tilted(axes(order, signs, (1.0, 4.0, 0.5)), degrees)
    (series,) = one_study(write(tmp_path / "a.nii", affine)).series
    assert len(series.slices) == SHAPE[1]
    assert series.thickness_mm == pytest.approx(4.0)
    check_every_voxel(series, affine)


@pytest.mark.parametrize(
    ("thick", "plane", "across", "down"),
    [
        (0, Plane.SAGITTAL, (0, 1, 0), (0, 0, -1)),
        (1, Plane.CORONAL, (1, 0, 0), (0, 0, -1)),
        (2, Plane.AXIAL, (1, 0, 0), (0, 1, 0)),
    ],
    ids=["sagittal", "coronal", "axial"],
)
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)), ids=str)
def test_pictures_are_shown_as_radiologists_expect(
    thick: int, plane: Plane, across: Any, down: Any, signs: tuple[int, ...], tmp_path: Path
) -> None:
    spacing = tuple(5.0 if axis == thick else 1.0 for axis in range(3))
    (series,) = one_study(write(tmp_path / "a.nii.gz", axes((0, 1, 2), signs, spacing))).series
    planes = [item.plane for item in series.slices if item.plane is not None]
    assert patient_plane(planes[0]) is plane
    assert (planes[0].along_row, planes[0].along_column) == (across, down)
    origins = [item.origin_lps_mm[thick] for item in planes]
    assert origins == sorted(origins)


def test_an_isotropic_volume_is_cut_sagittally(tmp_path: Path) -> None:
    affine = axes((2, 0, 1), (1, 1, -1), (1.0, 1.0, 1.0))
    (series,) = one_study(write(tmp_path / "a.nii", affine)).series
    assert len(series.slices) == SHAPE[1]
    assert series.slices[0].plane is not None
    assert patient_plane(series.slices[0].plane) is Plane.SAGITTAL
    check_every_voxel(series, affine)


def test_a_volume_of_one_slice_keeps_it_whole(tmp_path: Path) -> None:
    (series,) = one_study(write(tmp_path / "a.nii", axes((0, 1, 2), (1, 1, 1), (3.0, 1.0, 1.0)), (6, 7, 1))).series
    assert (series.rows, series.columns, series.flags) == (7, 6, ("single_slice",))


def test_of_several_volumes_the_first_is_read(tmp_path: Path) -> None:
    (series,) = one_study(write(tmp_path / "a.nii", np.diag([1.0, 1.0, 4.0, 1.0]), (6, 7, 8, 3))).series
    assert series.flags == ("more_volumes",)
    assert set(np.unique(series.load(0)) % 3) == {0.0}


def test_scaled_integers_are_unscaled(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.full(SHAPE, 7, np.int16), np.diag([4.0, 1.0, 1.0, 1.0]))
    image.header.set_slope_inter(0.5, 10)
    image.to_filename(tmp_path / "a.nii")
    assert one_study(tmp_path).series[0].load(0) == pytest.approx(13.5)


def test_sheared_axes_have_no_geometry(tmp_path: Path) -> None:
    affine = np.diag([4.0, 1.0, 1.0, 1.0])
    affine[1, 2] = 0.3
    (series,) = one_study(write(tmp_path / "a.nii", affine)).series
    assert series.flags == ("no_geometry",)


def test_every_folder_is_a_study_and_every_file_a_series(tmp_path: Path) -> None:
    for name in ("p1/t1.nii.gz", "p1/t2.nii.gz", "p2/t2.nii"):
        write(tmp_path / name, np.diag([4.0, 1.0, 1.0, 1.0]))
    (tmp_path / "p1" / "x.nii").write_bytes(b"junk")
    (tmp_path / "p1" / "x.json").write_text("{}")
    first, second = read_studies(tmp_path)
    assert [[series.slices[0].file for series in study.series] for study in (first, second)] == [
        ["p1/t1.nii.gz", "p1/t2.nii.gz"],
        ["p2/t2.nii"],
    ]
    assert first.key != second.key
    assert texts(first) == ("1 file that cannot be read was left out.", "1 file of another kind was left out.")


def test_a_loader_works_in_another_process(tmp_path: Path) -> None:
    (series,) = one_study(write(tmp_path / "a.nii.gz", np.diag([4.0, 1.0, 1.0, 1.0]))).series
    assert np.array_equal(pickle.loads(pickle.dumps(series.load))(3), series.load(3))


def test_a_cut_file_is_unreadable_when_loaded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", np.diag([4.0, 1.0, 1.0, 1.0]))
    path.write_bytes(path.read_bytes()[:600])
    (series,) = one_study(path).series
    with pytest.raises(UnreadableFileError, match="Series 1, slice 0: expected voxels"):
        series.load(0)


def test_junk_named_nii_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(b"junk")
    with pytest.raises(UnreadableFileError, match="got a damaged picture"):
        read_studies(tmp_path / "a.nii")


def test_a_zip_of_nifti_says_to_unpack_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", np.diag([4.0, 1.0, 1.0, 1.0]))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "a.nii")
    with pytest.raises(InputError, match="Unpack the zip"):
        read_studies(tmp_path / "a.zip")


def test_without_nibabel_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.nii", np.diag([4.0, 1.0, 1.0, 1.0]))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(InputError, match=r"pip install 'spinalis\[nifti\]'"):
        read_studies(path)


def test_a_volume_in_colour_is_unreadable_when_loaded(tmp_path: Path) -> None:
    rgb = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(rgb, np.eye(4)), tmp_path / "x.nii")
    (series,) = one_study(tmp_path).series
    with pytest.raises(UnreadableFileError, match="expected voxels that can be read"):
        series.load(0)


def test_a_volume_that_claims_an_impossible_size_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.nii", np.eye(4), (4, 5, 6))
    write(tmp_path / "b.nii", np.eye(4), (40, 50, 60))
    monkeypatch.setattr(nifti, "MAX_VOXELS", 1000)
    assert texts(one_study(tmp_path)) == ("1 file that cannot be read was left out.",)
