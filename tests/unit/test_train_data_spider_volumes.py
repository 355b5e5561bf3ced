from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from spinalis.errors import RecipeError, TableError
from spinalis.train.data import spider_volumes
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

SLICES, ROWS, COLUMNS = 9, 80, 40
DISC_BACK, CANAL_FRONT = 21, 23
OVERVIEW = "new_file_name,subset,sex\n7_t1,training,F\n7_t2,training,F\n8_t2_SPACE,validation,M\n"


def drawn_mask(middle: int = 4, discs: range = range(7)) -> np.ndarray:
    """(slice, row, column) in display: a canal three slices wide, discs 12 rows apart, the lowest at row 74."""
    mask = np.zeros((SLICES, ROWS, COLUMNS), np.uint8)
    mask[middle - 1 : middle + 2, :, CANAL_FRONT:30] = 100
    for number in discs:
        mask[1:-1, 73 - 12 * number : 76 - 12 * number, 8 : DISC_BACK + 1] = 201 + number
        mask[1:-1, 62 - 12 * number : 72 - 12 * number, 8:20] = 1 + number
    return mask


def save(file: Path, array: np.ndarray, stored: str = "PIL") -> None:
    """Write an array given in display as an .mha that is stored along other axes; slices are 4 mm apart."""
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((0.5, 0.5, 4.0))
    image.SetDirection((0, 0, 1, 1, 0, 0, 0, -1, 0))  # columns to the back, rows to the feet, slices to the left
    file.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(SimpleITK.DICOMOrient(image, stored), str(file), useCompression=True)


def numbered() -> np.ndarray:
    """Every voxel holds its own number."""
    return np.arange(SLICES * ROWS * COLUMNS, dtype=np.int32).reshape(SLICES, ROWS, COLUMNS)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, stored in (("7_t1", "PIL"), ("7_t2", "LPS"), ("8_t2_SPACE", "SAR")):
        save(tmp_path / "images" / f"{name}.mha", numbered(), stored)
        save(tmp_path / "masks" / f"{name}.mha", drawn_mask(), stored)
    (tmp_path / "overview.csv").write_text(OVERVIEW)
    return tmp_path


def test_slices_are_shown_alike_however_they_are_stored(tree: Path) -> None:
    items = list(spider_volumes.read(tree))
    assert len(items) == 3 * SLICES
    for place, item in enumerate(items):
        np.testing.assert_array_equal(item.image, numbered()[place % SLICES].astype(np.float32))


def test_names_and_overview_give_labels_patient_and_subset(tree: Path) -> None:
    volumes = list(spider_volumes.read(tree))[::SLICES]
    assert [item.labels.sequence for item in volumes] == [Sequence.T1W, Sequence.T2W, Sequence.T2W]
    kinds = {(item.labels.anatomy, item.labels.region, item.labels.plane, item.labels.cord) for item in volumes}
    assert kinds == {(Anatomy.MR_SPINE, Region.LUMBAR, Plane.SAGITTAL, None)}
    assert [item.patient for item in volumes] == ["spider-7", "spider-7", "spider-8"]
    assert [item.subset for item in volumes] == ["training", "training", "validation"]


def test_points_lie_at_the_back_of_the_discs_in_the_slices_near_the_midline(tree: Path) -> None:
    items = list(spider_volumes.read(tree))[:SLICES]
    assert [item.points is not None for item in items] == [abs(place - 4) * 4 <= 7 for place in range(SLICES)]
    expected = [[DISC_BACK, 74 - 12 * number] for number in (4, 3, 2, 1, 0)]
    np.testing.assert_allclose(items[4].points, expected)


def test_a_curved_spine_has_its_levels_in_different_slices() -> None:
    mask = np.concatenate([drawn_mask(middle=2)[:, :40], drawn_mask(middle=6)[:, 40:]], axis=1)
    points = spider_volumes.level_points(mask)
    assert points[:, 0].tolist() == [2, 2, 6, 6, 6]
    np.testing.assert_allclose(spider_volumes._points_in(points, 6, 4.0)[:2], np.nan)
    assert np.isfinite(spider_volumes._points_in(points, 6, 4.0)[2:]).all()


def test_a_disc_or_a_canal_that_is_not_there_has_no_point() -> None:
    points = spider_volumes.level_points(drawn_mask(discs=range(4)))
    assert np.isnan(points).all(axis=1).tolist() == [True, False, False, False, False]
    without_canal = drawn_mask()
    without_canal[without_canal == 100] = 0
    assert np.isnan(spider_volumes.level_points(without_canal)).all()


def test_the_overview_may_be_separated_by_semicolons(tree: Path) -> None:
    (tree / "overview.csv").write_text(OVERVIEW.replace(",", ";"))
    assert len(list(spider_volumes.read(tree))) == 3 * SLICES


def test_what_is_missing_or_unknown_is_named(tree: Path) -> None:
    (tree / "masks" / "7_t1.mha").write_bytes(b"no volume")
    with pytest.raises(RecipeError, match=r"masks/7_t1\.mha: expected an MHA volume"):
        list(spider_volumes.read(tree))
    save(tree / "masks" / "7_t1.mha", drawn_mask()[1:])
    with pytest.raises(RecipeError, match=r"images/7_t1\.mha: expected \(8, 80, 40\) slices, rows and columns"):
        next(spider_volumes.read(tree)).load()
    (tree / "overview.csv").write_text("new_file_name,subset\n7_t2,training\n")
    with pytest.raises(RecipeError, match=r"images/7_t1\.mha: expected a row in overview\.csv"):
        list(spider_volumes.read(tree))
    (tree / "overview.csv").write_text("new_file_name,subset\n7_t1,test\n")
    with pytest.raises(TableError, match=r"overview\.csv, line 2: expected training or validation in subset, got test"):
        list(spider_volumes.read(tree))
    (tree / "overview.csv").unlink()
    with pytest.raises(TableError, match=r"overview\.csv: expected a readable file"):
        list(spider_volumes.read(tree))
    (tree / "overview.csv").write_text(OVERVIEW)
    (tree / "images" / "1_ct.mha").write_bytes(b"")
    with pytest.raises(RecipeError, match=r"images/1_ct\.mha: expected a name that ends in t1, t2, t2_SPACE, got ct"):
        list(spider_volumes.read(tree))
    for file in (tree / "images").iterdir():
        file.unlink()
    with pytest.raises(RecipeError, match="SPIDER: expected images/<patient>_<contrast>"):
        list(spider_volumes.read(tree))
