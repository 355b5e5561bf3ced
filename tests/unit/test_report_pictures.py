from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from spinalis.geometry import to_pixel
from spinalis.records import Evidence, Location, Series
from spinalis.report.pictures import CROP_SIDE_PX, LEVELS_SIDE_PX, Gallery, _windowed, view_of
from spinalis.report.sections import Picture
from tests.readings import axial_series, reading, sagittal_series


def decoded(picture: Picture) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def grey(series: Series, index: int) -> NDArray[np.float32]:
    image = series.load(index)
    return np.asarray(np.clip(image / 700 * 255, 0, 255), np.float32)


@pytest.mark.parametrize("flipped", [False, True], ids=["stored as shown", "stored mirrored"])
def test_the_right_of_the_patient_is_on_the_left_of_an_axial_picture(flipped: bool) -> None:
    series = axial_series("s5", 5, flipped=flipped)
    plane = series.slices[7].plane
    view = view_of(grey(series, 7), plane, 300)
    assert view.letters == ("R", "L", "A", "P")
    # The phantom carries a bright rod on its left, 45 mm from the midline.
    assert plane is not None
    row, column, _ = to_pixel(plane, (45.0, 32.0, 0.0))
    x, y = view.at(row, column)
    assert x > 150
    assert view.canvas[round(y), round(x), 0] > 200
    assert view.canvas[round(y), 299 - round(x), 0] < 200


def test_a_mirrored_series_gives_the_same_picture() -> None:
    straight, mirrored = (axial_series("s5", 5, flipped=flip) for flip in (False, True))
    pictures = [view_of(grey(s, 7), s.slices[7].plane, 200).canvas.astype(float) for s in (straight, mirrored)]
    assert np.abs(pictures[0] - pictures[1])[:, 2:-2].mean() < 12  # the noise of the two differs


def test_a_sagittal_picture_has_the_front_left_and_the_head_up() -> None:
    series = sagittal_series("s3", 3, bright_fluid=True)
    assert view_of(grey(series, 5), series.slices[5].plane, 300).letters == ("A", "P", "H", "F")


def test_millimetres_are_square() -> None:
    series = sagittal_series("s3", 3, bright_fluid=True)
    view = view_of(grey(series, 5), series.slices[5].plane, 264)
    assert view.canvas.shape[:2] == (264, 180)  # 330 rows of 0.8 mm, 300 columns of 0.6 mm
    assert view.scale == pytest.approx(1.0)


def test_without_geometry_there_are_no_letters_and_no_turn() -> None:
    pixels = np.zeros((40, 80), np.float32)
    pixels[:10] = 255
    view = view_of(pixels, None, 160)
    assert view.letters is None
    assert view.canvas.shape == (80, 160, 3)
    assert view.canvas[:18].min() > 200
    assert view.canvas[22:].max() < 50


def test_a_crop_is_centred_on_its_place_and_black_outside_the_slice() -> None:
    series = sagittal_series("s3", 3, bright_fluid=True)
    spot = Location(series_key="s3", slice_index=5, row=0.0, column=150.0)
    crop = Evidence(location=spot, height=40.0, width=20.0, unit="mm", attention=1.0)
    view = view_of(np.full((330, 300), 200, np.float32), series.slices[5].plane, 200, crop)
    assert view.canvas.shape == (200, 100, 3)
    assert view.at(0.0, 150.0) == pytest.approx((49.5, 99.5))
    assert view.canvas[:90].max() < 30
    assert view.canvas[110:].min() > 170


def test_the_levels_are_marked_on_their_points() -> None:
    made = reading()
    picture = Gallery(made).levels()
    assert picture is not None
    assert picture.height == LEVELS_SIDE_PX
    assert all(str(mark.level) in picture.alt for mark in made.levels)
    plane = made.study.series[0].slices[5].plane
    view = view_of(np.zeros((330, 300), np.float32), plane, LEVELS_SIDE_PX)
    canvas = decoded(picture).astype(int)
    for mark in made.levels:
        x, y = view.at(mark.location.row, mark.location.column)
        blue, _, red = canvas[round(y), round(x)]
        assert red - blue > 80  # amber


def test_each_level_shows_every_crop_that_was_looked_at() -> None:
    shown = Gallery(reading()).looked_at()
    assert [item.level for item in shown] == ["L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1"]
    for item in shown:
        assert len(item.overviews) == 3
        assert [p.caption.split(",")[0] for p in item.crops] == [
            "1. Right foramen",
            "2. Right subarticular",
            "3. Canal",
            "4. Canal",
            "5. Left subarticular",
            "6. Left foramen",
        ]
        assert all(max(p.width, p.height) == CROP_SIDE_PX for p in item.crops)


def test_conditions_that_share_a_crop_share_its_picture() -> None:
    made = reading()
    shared = next(f for f in made.graded if "Canal" in f.condition and f.level == "L4/L5").result
    findings = tuple(replace(f, result=shared) if f.level == "L4/L5" else f for f in made.findings)
    crops = Gallery(replace(made, findings=findings)).looked_at()[3].crops
    assert len(crops) == 2
    assert crops[0].caption.startswith(
        "1. Right foramen, Right subarticular, Canal, Left subarticular and Left foramen"
    )


def test_a_slice_of_one_value_is_drawn() -> None:
    made = reading()
    flat = tuple(replace(s, load=lambda _, s=s: np.full((s.rows, s.columns), 7, np.float32)) for s in made.study.series)
    picture = Gallery(replace(made, study=replace(made.study, series=flat))).levels()
    assert picture is not None
    assert decoded(picture).shape == (picture.height, picture.width, 3)


def test_pixels_that_are_no_numbers_do_not_blank_the_picture() -> None:
    image = np.arange(100, dtype=np.float32).reshape(10, 10)
    image[0, 0], image[9, 9] = np.nan, np.inf
    shown = _windowed(image)
    assert np.isfinite(shown).all()
    assert np.ptp(shown) == 255
