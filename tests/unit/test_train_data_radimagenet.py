from pathlib import Path

import cv2
import numpy as np
import pytest

from spinalis.errors import RecipeError, TableError
from spinalis.train.data import radimagenet
from spinalis.train.data.real_slice import Labels
from spinalis.vocabulary import Anatomy

PICTURES = {
    "train": ("MR/spine/normal/spine001.png,spine-normal", "CT/abd/normal/abd001.png,abd-normal"),
    "val": ("MR/knee/acl_tear/knee001.png,knee-acl_tear",),
    "test": ("MR/spine/disc/spine001.png,spine-disc", "US/liver/usn001.png,usn"),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for part, rows in PICTURES.items():
        for row in rows:
            file = tmp_path / "radiology_ai" / row.split(",")[0]
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), np.full((8, 8), 77, np.uint8))
        lines = "".join(f"radiology_ai/{row}\n" for row in rows)
        (tmp_path / f"RadiologyAI_{part}.csv").write_text("filename,label\n" + lines)
    return tmp_path


def test_mr_of_the_spine_is_spine_and_nothing_else(tree: Path) -> None:
    items = list(radimagenet.read(tree))
    spine = Labels(anatomy=Anatomy.MR_SPINE, part="SPINE")
    parts = [item.labels.part for item in items]
    assert parts == ["SPINE", "CT", "KNEE", "SPINE", "US"]
    assert [item.labels == spine for item in items] == [True, False, False, True, False]
    assert {item.labels.anatomy for item in items if item.labels != spine} == {Anatomy.OTHER}
    assert [item.subset for item in items] == ["training"] * 2 + ["validation"] * 3
    assert all((item.image == 77).all() for item in items)


def test_pictures_of_one_name_are_different_patients(tree: Path) -> None:
    assert len({item.patient for item in radimagenet.read(tree)}) == 5


def test_tables_are_also_found_below(tree: Path) -> None:
    for file in tree.glob("*.csv"):
        file.rename(tree / "radiology_ai" / file.name)
    assert len(list(radimagenet.read(tree))) == 5


def test_a_missing_picture_names_table_and_line(tree: Path) -> None:
    (tree / "radiology_ai/CT/abd/normal/abd001.png").unlink()
    items = list(radimagenet.read(tree))
    with pytest.raises(RecipeError, match=r"normal/abd001\.png \(named in RadiologyAI_train\.csv, line 3\)"):
        items[1].load()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "radiology_ai/MR/elbow/normal/a.png,x",
            r"val\.csv, line 2: expected an anatomy of abd, af, .* below MR, got elbow",
        ),
        ("radiology_ai/XR/hand/normal/a.png,x", r"line 2: expected radiology_ai/<CT\|MR\|US>"),
        ("MR/spine/normal/a.png,x", r"line 2: expected radiology_ai/"),
    ],
)
def test_unknown_labels_are_refused(tree: Path, row: str, message: str) -> None:
    (tree / "RadiologyAI_val.csv").write_text(f"filename,label\n{row}\n")
    with pytest.raises(TableError, match=message):
        list(radimagenet.read(tree))


def test_a_missing_column_and_missing_tables_are_named(tree: Path, tmp_path: Path) -> None:
    (tree / "RadiologyAI_train.csv").write_text("file,label\n")
    with pytest.raises(TableError, match=r"RadiologyAI_train\.csv, line 1: expected a column filename"):
        list(radimagenet.read(tree))
    with pytest.raises(RecipeError, match=r"expected RadiologyAI_train\.csv under nowhere"):
        list(radimagenet.read(tmp_path / "nowhere"))
