from pathlib import Path

import cv2
import numpy as np
import pytest

from spinalis.train.data import categories
from spinalis.train.data.categories import CATEGORIES, CROP_PIXELS, Category, Shown
from tests.unit.test_train_data import tree  # noqa: F401  a fixture
from tests.unit.test_train_slabs import drawn_mask, write_slab

BY_NAME = {item.name: item for item in CATEGORIES}


def test_names_are_unique_and_sources_are_of_a_known_kind() -> None:
    assert len(BY_NAME) == len(CATEGORIES)
    assert {source.partition(":")[0] for item in CATEGORIES for source in item.real} == {
        "spider",
        "slabs",
        "volume",
        "redrawn",
    }


def test_real_pictures_are_of_the_asked_contrast_and_subset(tree: Path) -> None:  # noqa: F811
    t2w = list(categories.real_pictures(BY_NAME["lumbar-t2w"], tree, "training"))
    assert [item.patient for item in t2w] == ["7"]
    assert t2w[0].points is not None
    assert not list(categories.real_pictures(BY_NAME["lumbar-t2w"], tree, "validation"))


def test_a_slab_gives_one_slice_on_either_side(tree: Path) -> None:  # noqa: F811
    write_slab(tree, "7", range(50, 73), drawn_mask())
    whole = list(categories.real_pictures(BY_NAME["lumbar-space-side"], tree))
    crops = list(categories.real_pictures(BY_NAME["recess-space"], tree))
    assert [item.image.shape for item in whole] == [(600, 400)] * 2
    assert [item.image.shape for item in crops] == [(CROP_PIXELS, CROP_PIXELS)] * 2


def test_a_crop_shows_50_mm_behind_the_level() -> None:
    image = np.zeros((500, 300), np.float32)
    points = np.array([[150.0, 100.0 + 63.2 * k] for k in range(5)])  # half a millimetre per pixel
    for x, y in points:
        cv2.circle(image, (round(x), round(y)), 6, 255, -1)
    crop = categories._cropped(Shown(image=image, patient="a", points=points), BY_NAME["canal-t2w"]).image
    y, x = np.nonzero(crop > 120)
    middle = (CROP_PIXELS - 1) / 2
    assert (y.mean(), x.mean()) == pytest.approx((middle, middle - 5.0 * CROP_PIXELS / 50), abs=1.5)
    assert np.ptp(x) == pytest.approx(12 * 0.5 * CROP_PIXELS / 50, abs=3)


def test_simulated_pictures_are_of_different_studies_and_in_the_wanted_plane() -> None:
    wanted: list[Category] = [BY_NAME["lumbar-t1w"], BY_NAME["foramen-t1w"]]
    found = categories.simulated_pictures(wanted, 1, seed=5)
    again = categories.simulated_pictures(wanted[:1], 1, seed=5)
    whole, crop = found["lumbar-t1w"][0], found["foramen-t1w"][0]
    assert whole.patient == crop.patient
    assert whole.points is not None
    assert (np.diff(whole.points[:, 1]) > 0).all()
    assert crop.image.shape == (CROP_PIXELS, CROP_PIXELS)
    assert (again["lumbar-t1w"][0].image == whole.image).all()


def test_bytes_span_the_percentiles() -> None:
    picture = categories.stretched(np.linspace(-5, 900, 10_000, dtype=np.float32).reshape(100, 100))
    assert (picture.min(), picture.max()) == (0, 255)


def test_axial_slices_of_a_sagittal_volume_show_the_front_above_and_the_right_side_at_the_left() -> None:
    sagittal = [np.full((4, 5), float(x), np.float32) for x in range(3)]  # right to left
    for image in sagittal:
        image[:, 0] += 10.0  # the front
    axial = categories.axial_from(sagittal)
    assert len(axial) == 4
    assert axial[0].shape == (5, 3)
    assert axial[0][0].tolist() == [10.0, 11.0, 12.0]
    assert axial[0][1].tolist() == [0.0, 1.0, 2.0]
