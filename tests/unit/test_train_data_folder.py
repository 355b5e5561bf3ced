from pathlib import Path

import cv2
import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.train.data import folder
from spinalis.train.data.real_slice import Labels, subset_of
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence


def draw(file: Path, grey: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), np.full((6, 5), grey, np.uint8))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "mine"
    draw(root / "spine_cervical_sagittal_T2w_cord" / "anna" / "1.png", 10)
    draw(root / "spine_cervical_sagittal_T2w_cord" / "anna" / "2.jpg", 20)
    draw(root / "spine_cervical_sagittal_T2w_nocord" / "anna" / "3.png", 30)
    draw(root / "Elsewhere_axial" / "brain.png", 40)
    draw(root / "Elsewhere_axial" / ".hidden.png", 50)
    return root


def test_the_name_of_a_folder_is_the_label(tree: Path) -> None:
    items = list(folder.read(tree))
    assert [int(item.image.mean()) for item in items] == [40, 10, 20, 30]
    spine = Labels(
        anatomy=Anatomy.MR_SPINE, region=Region.CERVICAL, plane=Plane.SAGITTAL, sequence=Sequence.T2W, cord=True
    )
    assert items[0].labels == Labels(anatomy=Anatomy.OTHER, plane=Plane.AXIAL)
    assert [item.labels for item in items[1:3]] == [spine, spine]
    assert items[3].labels.cord is False


def test_a_patient_is_the_same_in_every_class(tree: Path) -> None:
    items = list(folder.read(tree))
    assert [item.patient for item in items] == ["folder-mine-brain.png", *["folder-mine-anna"] * 3]
    assert all(item.subset == subset_of(item.patient) for item in items)


@pytest.mark.parametrize("name", ["spine_lumber", "lumbar_cervical", "spine__t1w", "t1w_T1W"])
def test_unknown_and_doubled_words_are_refused(tree: Path, name: str) -> None:
    draw(tree / name / "a.png", 1)
    with pytest.raises(RecipeError, match=f"Class folder {name}: expected words of spine, elsewhere, cervical"):
        list(folder.read(tree))


def test_an_empty_root_and_an_empty_class_are_named(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="expected a folder per class under nowhere"):
        list(folder.read(tmp_path / "nowhere"))
    (tree / "coronal").mkdir()
    with pytest.raises(RecipeError, match="Class coronal: expected pictures or folders of patients"):
        list(folder.read(tree))
