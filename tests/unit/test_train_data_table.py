from pathlib import Path

import cv2
import nibabel
import numpy as np
import pytest

from spinalis.errors import TableError
from spinalis.train.data import table
from spinalis.train.data.real_slice import Labels
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((6, 5), 90, np.uint8))
    volume = np.arange(4 * 6 * 7, dtype=np.float32).reshape(4, 6, 7)
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([4.0, 1.0, 1.0, 1.0])), tmp_path / "b.nii.gz")
    return tmp_path


def write(folder: Path, *lines: str) -> Path:
    file = folder / "mine.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_rows_give_labels_and_empty_cells_nothing(folder: Path) -> None:
    rows = (
        "path,anatomy,region,plane,sequence,cord,patient",
        "a.png,spine,lumbar,axial,STIR,nocord,p1",
        "a.png,,,,,,p2",
    )
    first, second = table.read(write(folder, *rows))
    assert first.labels == Labels(
        anatomy=Anatomy.MR_SPINE, region=Region.LUMBAR, plane=Plane.AXIAL, sequence=Sequence.STIR, cord=False
    )
    assert second.labels == Labels()
    assert [first.patient, second.patient] == ["table-mine-p1", "table-mine-p2"]
    assert first.image.shape == (6, 5)


def test_every_slice_of_a_volume_carries_the_labels_and_its_own_plane(folder: Path) -> None:
    items = list(table.read(write(folder, "patient,path,sequence", "p1,b.nii.gz,other")))
    assert [item.labels for item in items] == [Labels(plane=Plane.SAGITTAL, sequence=Sequence.OTHER)] * 4
    assert [item.image.shape for item in items] == [(7, 6)] * 4
    assert len({item.subset for item in items}) == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("path,plane", "a.png,axial"), r"mine\.csv, line 1: expected a column patient, got path, plane"),
        (("path,patient", "a.png,p1", "c.png,p1"), r"mine\.csv, line 3: expected a file or folder in path, got c\.png"),
        (("path,patient", ",p1"), r"mine\.csv, line 2: expected a file or folder in path, got an empty cell"),
        (("path,patient", "a.png,"), r"mine\.csv, line 2: expected a key in patient"),
        (("path,patient,region", "a.png,p1,sacral"), r"line 2: expected one of cervical, thoracic, lumbar in region"),
        (("path,patient,cord", "a.png,p1,yes"), r"line 2: expected one of cord, nocord in cord, got yes"),
        (("path,patient", "a.png"), r"line 2: expected 2 cells, got 1"),
    ],
)
def test_broken_tables_are_refused_by_line(folder: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(TableError, match=message):
        list(table.read(write(folder, *lines)))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"mine\.csv: expected a readable file"):
        list(table.read(tmp_path / "mine.csv"))
