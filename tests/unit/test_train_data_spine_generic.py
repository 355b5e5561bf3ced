from pathlib import Path

import nibabel
import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.train.data import spine_generic
from spinalis.train.data.real_slice import subset_of
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

SAGITTAL, AXIAL = np.diag([3.0, 1.0, 1.0, 1.0]), np.diag([1.0, 1.0, 5.0, 1.0])


def write(file: Path, affine: np.ndarray, cord: tuple[int, ...] | None = None) -> None:
    """A volume of 6 slices, or a mask with the cord in some of them."""
    axis = int(np.argmax(np.abs(np.diag(affine)[:3])))
    volume = np.arange(6 * 8 * 8, dtype=np.float32).reshape(6, 8, 8)
    if cord is not None:
        volume = np.zeros((6, 8, 8), np.float32)
        volume[list(cord), 3:5, 3:5] = 1
    file.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.moveaxis(volume, 0, axis), affine), file)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    anat, masks = tmp_path / "sub-amu01/anat", tmp_path / "derivatives/labels/sub-amu01/anat"
    write(anat / "sub-amu01_T1w.nii.gz", SAGITTAL)
    write(anat / "sub-amu01_T2w.nii.gz", SAGITTAL)
    write(anat / "sub-amu01_space-other_T2star.nii.gz", AXIAL)
    write(anat / "sub-amu01_flip-1_mt-on_MTS.nii.gz", AXIAL)
    write(anat / "sub-amu01_flip-2_mt-off_MTS.nii.gz", AXIAL)
    write(tmp_path / "sub-amu01/dwi/sub-amu01_rec-average_dwi.nii.gz", AXIAL)
    write(tmp_path / "sub-mgh02/ses-1/anat/sub-mgh02_ses-1_acq-T1w_MTS.nii.gz", AXIAL)
    write(masks / "sub-amu01_T2w_label-SC_seg.nii.gz", SAGITTAL, cord=(2, 3))
    write(masks / "sub-amu01_T2w_seg-manual.nii.gz", SAGITTAL, cord=(0,))
    write(masks / "sub-amu01_space-other_T2star_seg-manual.nii.gz", AXIAL, cord=(1, 2, 4))
    return tmp_path


def of(tree: Path, end: str) -> list[spine_generic.RealSlice]:
    """The slices of one volume, found by what its labels and cord say."""
    items = list(spine_generic.read(tree))
    names = [file.name for subject in ("sub-amu01", "sub-mgh02") for file in sorted((tree / subject).rglob("*.nii.gz"))]
    place = next(place for place, name in enumerate(names) if name.endswith(f"{end}.nii.gz"))
    return items[6 * place : 6 * place + 6]


@pytest.mark.parametrize(
    ("end", "plane", "sequence"),
    [
        ("amu01_T1w", Plane.SAGITTAL, Sequence.T1W),
        ("amu01_T2w", Plane.SAGITTAL, Sequence.T2W),
        ("T2star", Plane.AXIAL, Sequence.OTHER),
        ("flip-1_mt-on_MTS", Plane.AXIAL, Sequence.OTHER),
        ("flip-2_mt-off_MTS", Plane.AXIAL, Sequence.T1W),
        ("acq-T1w_MTS", Plane.AXIAL, Sequence.T1W),
        ("dwi", Plane.AXIAL, Sequence.OTHER),
    ],
)
def test_names_give_contrast_and_geometry_the_plane(tree: Path, end: str, plane: Plane, sequence: Sequence) -> None:
    for item in of(tree, end):
        assert (item.labels.anatomy, item.labels.region) == (Anatomy.MR_SPINE, Region.CERVICAL)
        assert (item.labels.plane, item.labels.sequence) == (plane, sequence)


def test_a_sagittal_slice_beside_the_mask_is_free_of_cord(tree: Path) -> None:
    items = of(tree, "amu01_T2w")
    cord = [item.labels.cord for item in items]
    assert sorted(cord) == [False] * 4 + [True] * 2
    # Slices run from right to left, and RAS x to the right: slice 2 of the file is shown as number 3.
    assert cord == [False, False, True, True, False, False]
    values = [set(np.unique(item.image // 64).astype(int)) for item in items]
    assert values == [{5}, {4}, {3}, {2}, {1}, {0}]


def test_an_axial_slice_beyond_the_ends_of_the_mask_is_unknown(tree: Path) -> None:
    assert [item.labels.cord for item in of(tree, "T2star")] == [None, True, True, False, True, None]


def test_without_a_mask_nothing_is_known_of_the_cord(tree: Path) -> None:
    assert {item.labels.cord for item in of(tree, "amu01_T1w")} == {None}


def test_subjects_are_patients(tree: Path) -> None:
    items = list(spine_generic.read(tree))
    assert [item.patient for item in items] == ["spine-generic-amu01"] * 36 + ["spine-generic-mgh02"] * 6
    assert all(item.subset == subset_of(item.patient) for item in items)


def test_what_is_not_fetched_or_does_not_fit_is_named(tree: Path, tmp_path: Path) -> None:
    mask = tree / "derivatives/labels/sub-amu01/anat/sub-amu01_T2w_label-SC_seg.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((5, 8, 8), np.float32), SAGITTAL), mask)
    with pytest.raises(RecipeError, match=r"T2w_label-SC_seg\.nii\.gz: expected 6 slices of 8 x 8 .*, got 5 of 8 x 8"):
        list(spine_generic.read(tree))
    mask.unlink()
    mask.symlink_to("../../.git/annex/objects/gone")
    with pytest.raises(RecipeError, match=r"label-SC_seg\.nii\.gz: expected a volume, got a link .* git annex get"):
        list(spine_generic.read(tree))
    mask.unlink()
    volume = tree / "sub-mgh02/ses-1/anat/sub-mgh02_ses-1_acq-T1w_MTS.nii.gz"
    volume.write_bytes(b"no gzip")
    with pytest.raises(RecipeError, match=r"acq-T1w_MTS\.nii\.gz: expected images that can be read"):
        list(spine_generic.read(tree))
    volume.rename(volume.with_name("sub-mgh02_PDw.nii.gz"))
    with pytest.raises(RecipeError, match=r"sub-mgh02_PDw\.nii\.gz: expected a contrast of T1w, .*, got PDw"):
        list(spine_generic.read(tree))
    with pytest.raises(RecipeError, match="Spine Generic: expected sub-<name>/anat under nowhere"):
        list(spine_generic.read(tmp_path / "nowhere"))
