from pathlib import Path

import h5py
import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.train.data import fastmri
from spinalis.train.data.real_slice import Labels, subset_of
from spinalis.vocabulary import Anatomy, Plane, Sequence


def write(file: Path, acquisition: str, patient: str, slices: int = 2) -> Path:
    """A scan whose rows hold their own number, plus 100 per slice."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(file, "w") as handle:
        rows = np.arange(6, dtype=np.float32)[None, :, None] + 100 * np.arange(slices)[:, None, None]
        handle["reconstruction_rss"] = np.broadcast_to(rows, (slices, 6, 5)).astype(np.float32)
        handle["kspace"] = np.zeros((slices, 2, 12, 10), np.complex64)
        handle.attrs.update(acquisition=acquisition, patient_id=patient, max=1.0)
    return file


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write(tmp_path / "multicoil_val" / "file1000001.h5", "CORPDFS_FBK", "k1")
    write(tmp_path / "multicoil_train" / "file_brain_AXT2_200_2000019.h5", "AXT2", "b1")
    write(tmp_path / "multicoil_train" / "file_brain_AXT1POST_200_2000020.h5", "AXT1POST", "b1")
    write(tmp_path / "multicoil_train" / "file_brain_AXFLAIR_200_2000021.h5", "AXFLAIR", "b2", slices=1)
    write(tmp_path / "training_T2" / "file_prostate_AXT2_001.h5", "AXT2", "p1")
    (tmp_path / "training_T2" / "._file_prostate_AXT2_001.h5").write_bytes(b"a file manager's shadow")
    (tmp_path / "training_DIFFUSION").mkdir()
    (tmp_path / "training_DIFFUSION" / "file_prostate_AXDIFF_001.h5").write_bytes(b"never opened")
    return tmp_path


def test_acquisitions_give_plane_and_contrast(tree: Path) -> None:
    seen = {item.source + " " + str(item.labels.sequence): item.labels for item in fastmri.read(tree)}
    assert seen == {
        "fastmri-brain other": Labels(anatomy=Anatomy.OTHER, plane=Plane.AXIAL, sequence=Sequence.OTHER, part="BRAIN"),
        "fastmri-brain T1w": Labels(anatomy=Anatomy.OTHER, plane=Plane.AXIAL, sequence=Sequence.T1W, part="BRAIN"),
        "fastmri-brain T2w": Labels(anatomy=Anatomy.OTHER, plane=Plane.AXIAL, sequence=Sequence.T2W, part="BRAIN"),
        "fastmri-knee other": Labels(anatomy=Anatomy.OTHER, plane=Plane.CORONAL, sequence=Sequence.OTHER, part="KNEE"),
        "fastmri-prostate T2w": Labels(
            anatomy=Anatomy.OTHER, plane=Plane.AXIAL, sequence=Sequence.T2W, part="PROSTATE"
        ),
    }


def test_knees_and_brains_are_turned_over_and_prostates_are_not(tree: Path) -> None:
    for item in fastmri.read(tree):
        step = np.diff(item.image[:, 0])
        assert (step == (1 if item.source == "fastmri-prostate" else -1)).all()
    knee = [item.image for item in fastmri.read(tree) if item.source == "fastmri-knee"]
    assert [image[-1, 0] for image in knee] == [0, 100]


def test_scans_of_one_patient_stay_together(tree: Path) -> None:
    items = [item for item in fastmri.read(tree) if item.patient == "fastmri-b1"]
    assert len(items) == 4
    assert {item.subset for item in items} == {subset_of("fastmri-b1")}


def test_what_is_missing_or_unknown_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"fastMRI: expected one \.h5 file per scan"):
        list(fastmri.read(tmp_path))
    file = write(tmp_path / "set" / "file1.h5", "SAGPD", "k1")
    with pytest.raises(RecipeError, match=r"set/file1\.h5: expected an acquisition of CORPD_FBK, .*, got SAGPD"):
        list(fastmri.read(tmp_path))
    with h5py.File(file, "a") as handle:
        del handle.attrs["patient_id"]
    with pytest.raises(RecipeError, match=r"set/file1\.h5: expected an attribute patient_id"):
        list(fastmri.read(tmp_path))
    with h5py.File(file, "a") as handle:
        del handle["reconstruction_rss"]
    with pytest.raises(RecipeError, match=r"expected an array reconstruction_rss \(slice, row, column\), got none"):
        list(fastmri.read(tmp_path))
    file.write_bytes(b"no HDF5")
    with pytest.raises(RecipeError, match=r"set/file1\.h5: expected an HDF5 file"):
        list(fastmri.read(tmp_path))
