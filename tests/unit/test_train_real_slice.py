from pathlib import Path

import cv2
import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.train.data.real_slice import (
    VALIDATION,
    VALIDATION_SHARE,
    Labels,
    found,
    load_picture,
    slices_of,
    subset_of,
)
from spinalis.vocabulary import Anatomy, Plane
from tests.dicoms import AXIAL, picture, save_series


def test_the_split_depends_on_the_patient_alone_and_keeps_its_share() -> None:
    subsets = {f"patient-{number}": subset_of(f"patient-{number}") for number in range(2000)}
    share = sum(subset == VALIDATION for subset in subsets.values()) / len(subsets)
    assert share == pytest.approx(VALIDATION_SHARE, abs=0.03)
    assert [subset_of(name) for name in ("m4raw-2022061003", "chaos-1", "chaos-2")] == ["training"] * 3
    assert subset_of("patient-7") == subsets["patient-7"]


def test_slices_of_dicom_take_their_plane_from_the_geometry_and_are_turned(tmp_path: Path) -> None:
    save_series(tmp_path, 3, ImageOrientationPatient=AXIAL, ImagePositionPatient=[0.0, 0.0, 0.0])
    save_series(tmp_path / "flipped", 1, series=2, ImageOrientationPatient=[-1.0, 0, 0, 0, 1.0, 0])
    labels = Labels(anatomy=Anatomy.OTHER)
    items = list(slices_of(tmp_path, labels, source="some", patient="some-1", subset="training"))
    assert {item.labels.plane for item in items} == {Plane.AXIAL}
    assert {item.labels.anatomy for item in items} == {Anatomy.OTHER}
    flipped = [item for item in items if np.array_equal(item.image, picture(200)[:, ::-1].astype(np.float32))]
    assert len(flipped) == 1


def test_a_label_that_names_the_plane_wins_over_the_geometry(tmp_path: Path) -> None:
    save_series(tmp_path, 1)
    labels = Labels(plane=Plane.CORONAL)
    (item,) = slices_of(tmp_path, labels, source="some", patient="some-1", subset="training")
    assert item.labels == labels


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    (tmp_path / "scan" / "notes.txt").write_text("no picture")
    with pytest.raises(RecipeError, match=r"scan: expected images that can be read"):
        list(slices_of(tmp_path / "scan", Labels(), source="s", patient="p", subset="training"))
    with pytest.raises(RecipeError, match=r"scan/a\.png \(named in list\.csv, line 4\): expected a PNG or JPEG"):
        load_picture(tmp_path / "scan" / "a.png", "list.csv, line 4")
    with pytest.raises(RecipeError, match=r"Some set: expected one \.h5 file per scan under scan, got none"):
        found(tmp_path / "scan", "**/*.h5", "Some set", layout="one .h5 file per scan")


def test_pictures_are_read_as_grey(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((5, 4, 3), (10, 20, 30), np.uint8))
    image = load_picture(tmp_path / "a.png")
    assert image.shape == (5, 4)
    assert image.dtype == np.float32
    assert image[0, 0] == pytest.approx(0.114 * 10 + 0.587 * 20 + 0.299 * 30, abs=1)
