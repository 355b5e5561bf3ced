import shutil
from pathlib import Path

import pytest

from spinalis.errors import RecipeError
from spinalis.train.data import chaos
from spinalis.train.data.real_slice import Labels, subset_of
from spinalis.vocabulary import Anatomy, Plane, Sequence
from tests.dicoms import AXIAL, COLUMNS, ROWS, save_series


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for half, patient in (("Train", "1"), ("Test", "4")):
        for number, place in enumerate(chaos.SERIES, start=1):
            geometry = {} if patient == "1" else {"ImageOrientationPatient": None, "ImagePositionPatient": None}
            changes = {"ImageOrientationPatient": AXIAL, "ImagePositionPatient": [0.0, 0.0, 5.0], **geometry}
            save_series(tmp_path / f"{half}_Sets/MR/{patient}/{place}", 2, series=number, **changes)
        (tmp_path / f"{half}_Sets/MR/{patient}/T2SPIR/Ground").mkdir()
        (tmp_path / f"{half}_Sets/CT/{patient}/DICOM_anon").mkdir(parents=True)
    return tmp_path


def test_folders_give_contrast_and_patient(tree: Path) -> None:
    items = list(chaos.read(tree))
    assert [item.patient for item in items] == ["chaos-4"] * 6 + ["chaos-1"] * 6
    t1w, t2w = (
        Labels(anatomy=Anatomy.OTHER, plane=Plane.AXIAL, sequence=sequence, part="ABDOMEN")
        for sequence in (Sequence.T1W, Sequence.T2W)
    )
    assert [item.labels for item in items] == [*[t1w] * 4, *[t2w] * 2] * 2
    assert all(item.subset == subset_of(item.patient) for item in items)
    assert items[0].image.shape == (ROWS, COLUMNS)


def test_what_is_missing_is_named(tree: Path, tmp_path: Path) -> None:
    shutil.rmtree(tree / "Train_Sets/MR/1/T1DUAL/DICOM_anon/OutPhase")
    with pytest.raises(RecipeError, match=r"CHAOS, MR/1: expected T1DUAL/DICOM_anon/OutPhase, got no such folder"):
        list(chaos.read(tree))
    (tree / "Train_Sets/MR/1/T1DUAL/DICOM_anon/OutPhase").mkdir()
    with pytest.raises(RecipeError, match=r"DICOM_anon/OutPhase: expected images that can be read"):
        list(chaos.read(tree))
    with pytest.raises(RecipeError, match=r"CHAOS: expected Train_Sets/MR/<patient>"):
        list(chaos.read(tmp_path / "nowhere"))
