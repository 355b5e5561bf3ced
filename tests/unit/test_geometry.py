import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spinalis import geometry
from spinalis.errors import GeometryError
from spinalis.records import Header, Series, Slice
from spinalis.vocabulary import Plane

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

coordinates = st.floats(-300, 300)
points = st.tuples(coordinates, coordinates, coordinates)
spacings = st.tuples(st.floats(0.2, 4), st.floats(0.2, 4))
pixels = st.floats(-50, 600)


@st.composite
def rotations(draw):
    """A proper rotation, (3, 3), from a unit quaternion."""
    numbers = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 4)))
    assume(np.linalg.norm(numbers) > 0.1)
    w, x, y, z = numbers / np.linalg.norm(numbers)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@st.composite
def planes(draw):
    turn = draw(rotations())
    return geometry.slice_plane(draw(points), (*turn[0], *turn[1]), draw(spacings))


def moved(plane, turn, shift):
    return dataclasses.replace(
        plane,
        origin_lps_mm=tuple(turn @ plane.origin_lps_mm + shift),
        along_row=tuple(turn @ plane.along_row),
        along_column=tuple(turn @ plane.along_column),
    )


def a_series(orientation=SAGITTAL, positions=range(-8, 9, 4), rows=400, columns=300):
    """Slices 4 mm apart along the normal, pixels of 0.7 (between rows) by 0.9 mm; position 0 passes the origin."""
    normal = np.abs(np.cross(orientation[:3], orientation[3:]))
    corner = -0.9 * 150 * np.array(orientation[:3]) - 0.7 * 200 * np.array(orientation[3:])
    slices = tuple(
        Slice(
            file=f"{position}", plane=geometry.slice_plane(tuple(corner + position * normal), orientation, (0.7, 0.9))
        )
        for position in positions
    )
    return Series(
        key="s1",
        number=1,
        header=Header(),
        rows=rows,
        columns=columns,
        slices=slices,
        load=lambda index: np.zeros((rows, columns), np.float32),
    )


# One slice


@given(planes(), pixels, pixels)
def test_a_pixel_comes_back_from_the_patient(plane, row, column):
    back = geometry.to_pixel(plane, geometry.to_patient(plane, row, column))
    assert back == pytest.approx((row, column, 0), abs=1e-6)


@given(planes(), pixels, pixels, st.floats(-30, 30))
def test_a_point_off_the_slice_keeps_its_pixel_and_tells_its_distance(plane, row, column, away):
    normal = np.cross(plane.along_row, plane.along_column)
    point = tuple(np.array(geometry.to_patient(plane, row, column)) + away * normal)
    assert geometry.to_pixel(plane, point) == pytest.approx((row, column, abs(away)), abs=1e-6)


@given(planes(), points, rotations(), points)
def test_moving_patient_and_slice_together_changes_no_pixel(plane, point, turn, shift):
    moved_point = tuple(turn @ point + shift)
    assert geometry.to_pixel(moved(plane, turn, shift), moved_point) == pytest.approx(
        geometry.to_pixel(plane, point), abs=1e-6
    )


@given(planes(), st.integers(2, 600), pixels, pixels)
def test_turning_the_picture_over_keeps_the_millimetres(plane, rows, row, column):
    last = rows - 1
    flipped = dataclasses.replace(
        plane,
        origin_lps_mm=geometry.to_patient(plane, last, 0),
        along_column=tuple(-np.array(plane.along_column)),
    )
    assert geometry.to_patient(flipped, last - row, column) == pytest.approx(
        geometry.to_patient(plane, row, column), abs=1e-6
    )


@given(planes(), pixels, pixels)
def test_swapping_rows_and_columns_keeps_the_millimetres(plane, row, column):
    transposed = dataclasses.replace(
        plane,
        along_row=plane.along_column,
        along_column=plane.along_row,
        row_spacing_mm=plane.column_spacing_mm,
        column_spacing_mm=plane.row_spacing_mm,
    )
    assert geometry.to_patient(transposed, column, row) == pytest.approx(geometry.to_patient(plane, row, column))


def test_rows_and_columns_keep_their_own_spacing():
    plane = geometry.slice_plane((10, -80, 120), SAGITTAL, (0.5, 2.0))
    assert geometry.to_patient(plane, row=10, column=3) == pytest.approx((10, -74, 115))


# Building a plane


@given(rotations(), spacings, st.floats(0.995, 1.005))
def test_directions_are_normalized(turn, spacing, length):
    plane = geometry.slice_plane((0, 0, 0), (*(length * turn[0]), *(length * turn[1])), spacing)
    assert np.linalg.norm(plane.along_row) == pytest.approx(1)
    assert np.linalg.norm(plane.along_column) == pytest.approx(1)
    assert (plane.row_spacing_mm, plane.column_spacing_mm) == spacing


@pytest.mark.parametrize(
    ("position", "orientation", "spacing", "message"),
    [
        ((0, 0), AXIAL, (1, 1), "3 coordinates and 6 cosines, got 2 and 6"),
        ((0, 0, 0), AXIAL[:5], (1, 1), "got 3 and 5"),
        ((0, 0, float("nan")), AXIAL, (1, 1), "finite numbers"),
        ((0, 0, 0), AXIAL, (1, 0), "positive spacing"),
        ((0, 0, 0), AXIAL, (-0.5, 0.5), "positive spacing"),
        ((0, 0, 0), AXIAL, (1, float("inf")), "finite numbers"),
        ((0, 0, 0), (0, 0, 0, 0, 0, 0), (1, 1), "orthogonal unit vectors"),
        ((0, 0, 0), (1, 0, 0, 0.5, 0.8660254, 0), (1, 1), "cosine 0.500"),
        ((0, 0, 0), (1.1, 0, 0, 0, 1, 0), (1, 1), "lengths 1.100"),
    ],
    ids=["position", "orientation", "nan", "zero", "negative", "infinite", "no direction", "skew", "long"],
)
def test_slice_plane_rejects(position, orientation, spacing, message):
    with pytest.raises(GeometryError, match=message):
        geometry.slice_plane(position, orientation, spacing)


# Normals and patient planes


@given(planes())
def test_the_normal_is_a_unit_vector_to_left_back_or_head(plane):
    normal = geometry.normal_of(plane)
    assert np.linalg.norm(normal) == pytest.approx(1)
    assert abs(normal @ plane.along_row) < 1e-9
    assert abs(normal @ plane.along_column) < 1e-9
    axial = geometry.patient_plane(plane) is Plane.AXIAL
    assert normal[2 if axial else np.argmax(np.abs(normal))] > 0


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [(SAGITTAL, Plane.SAGITTAL), (CORONAL, Plane.CORONAL), (AXIAL, Plane.AXIAL)],
    ids=["sagittal", "coronal", "axial"],
)
def test_the_patient_plane_survives_flips_and_moderate_tilt(orientation, expected):
    plane = geometry.slice_plane((0, 0, 0), orientation, (1, 1))
    assert geometry.patient_plane(plane) is expected
    backwards = dataclasses.replace(plane, along_row=tuple(-np.array(plane.along_row)))
    assert geometry.patient_plane(backwards) is expected
    for degrees, answer in ((44, expected), (-44, expected)):
        assert geometry.patient_plane(moved(plane, tilt(degrees), np.zeros(3))) is answer


@pytest.mark.parametrize(
    ("degrees", "lean", "expected"),
    [
        (50, 0, Plane.AXIAL),
        (59, 10, Plane.AXIAL),
        (61, 0, Plane.CORONAL),
        (-50, 0, Plane.CORONAL),
        (50, 30, Plane.UNKNOWN),
    ],
    ids=["steep disc", "steep and leaning disc", "too steep", "rises to the front, as along the sacrum", "sideways"],
)
def test_a_slice_along_a_steep_disc_is_axial(degrees, lean, expected):
    a, b = np.radians((degrees, lean))
    fall = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    aside = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    plane = moved(geometry.slice_plane((0, 0, 0), AXIAL, (1, 1)), aside @ fall, np.zeros(3))
    assert plane.along_column[2] * degrees > 0, "its back lies higher where it falls to the front"
    assert geometry.patient_plane(plane) is expected
    assert (geometry.normal_of(plane)[2] > 0) == (expected is Plane.AXIAL or degrees < 0), "feet to head if axial"


def test_a_steep_axial_block_is_shown_with_its_front_on_top():
    a = np.radians(52)
    plane = geometry.slice_plane((0, 0, 0), (1, 0, 0, 0, np.cos(a), np.sin(a)), (1, 1))
    np.testing.assert_array_equal(geometry.display_matrix(plane, 8, 8), [[1, 0, 0], [0, 1, 0]])


def tilt(degrees):
    """A turn about the axis halfway between left and back, (3, 3): every plane leans by `degrees` or less."""
    angle = np.radians(degrees)
    axis = np.array([1, 1, 0]) / np.sqrt(2)
    cross = np.array([[0, 0, axis[1]], [0, 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def test_a_slice_near_no_patient_axis_has_no_plane_name():
    diagonal = np.array([1, 1, 1]) / np.sqrt(3)
    along_row = np.array([1, -1, 0]) / np.sqrt(2)
    plane = geometry.slice_plane((0, 0, 0), (*along_row, *np.cross(diagonal, along_row)), (1, 1))
    assert geometry.patient_plane(plane) is Plane.UNKNOWN


@given(planes(), st.floats(-50, 50))
def test_position_grows_along_the_normal(plane, step):
    normal = geometry.normal_of(plane)
    further = dataclasses.replace(plane, origin_lps_mm=tuple(np.array(plane.origin_lps_mm) + step * normal))
    before, after = geometry.position_along(plane, normal), geometry.position_along(further, normal)
    assert after - before == pytest.approx(step, abs=1e-6)


# A series


@given(
    st.tuples(st.floats(-9.9, 9.9), st.floats(-100, 100), st.floats(-100, 100)),
    st.permutations(range(5)),
)
def test_the_order_of_slices_does_not_move_a_point(point, order):
    series = a_series()
    shuffled = dataclasses.replace(series, slices=tuple(series.slices[index] for index in order))
    found, again = geometry.project(point, series, 2.0), geometry.project(point, shuffled, 2.0)
    assert found is not None
    if abs((point[0] + 10) % 4) > 1e-6:  # between two slices either is the nearest
        assert series.slices[found.slice_index] == shuffled.slices[again.slice_index]
    assert (again.row, again.column) == (found.row, found.column)


@given(st.tuples(st.floats(-9, 9), st.floats(-100, 100), st.floats(-100, 100)), rotations(), points)
def test_moving_patient_and_series_together_finds_the_same_place(point, turn, shift):
    series = a_series()
    slices = tuple(dataclasses.replace(item, plane=moved(item.plane, turn, shift)) for item in series.slices)
    assume(abs((point[0] + 10) % 4) > 1e-3)
    found = geometry.project(point, series, 2.0)
    again = geometry.project(tuple(turn @ point + shift), dataclasses.replace(series, slices=slices), 2.0)
    assert again.slice_index == found.slice_index
    assert (again.row, again.column) == pytest.approx((found.row, found.column), abs=1e-6)


def test_a_sagittal_point_lands_on_the_axial_slice_through_it():
    axial = a_series(AXIAL, positions=range(-60, 61, 4))
    location = geometry.project((4.5, -14.0, 21.0), axial, 4.0)
    assert axial.slices[location.slice_index].file == "20"
    assert (location.row, location.column) == pytest.approx((200 - 14 / 0.7, 150 + 4.5 / 0.9))
    assert location.series_key == "s1"


@pytest.mark.parametrize(
    "point",
    [(12.1, 0.0, 0.0), (0.0, 400.0, 0.0), (0.0, 0.0, 141.0), (0.0, 0.0, -141.0)],
    ids=["beside the stack", "right of the picture", "above it", "below it"],
)
def test_a_point_outside_the_series_is_not_found(point):
    assert geometry.project(point, a_series(), 4.0) is None


def test_a_series_without_geometry_finds_nothing_and_has_no_spacing():
    series = dataclasses.replace(a_series(), slices=(Slice(file="a.png"), Slice(file="b.png")))
    assert geometry.project((0, 0, 0), series, 1000.0) is None
    assert geometry.slice_spacing_mm(series) is None


def test_slices_without_plane_are_passed_over():
    series = a_series()
    with_gap = dataclasses.replace(series, slices=(Slice(file="lost"), *series.slices))
    assert geometry.project((0, 0, 0), with_gap, 2.0).slice_index == 3
    assert geometry.slice_spacing_mm(with_gap) == pytest.approx(4)


def test_slice_spacing_is_the_median_and_bears_a_gap():
    assert geometry.slice_spacing_mm(a_series(positions=(0, 4, 8, 12, 24))) == pytest.approx(4)
    assert geometry.slice_spacing_mm(a_series(positions=(0,))) is None


# The conventional display

ACROSS_AND_DOWN = {
    Plane.SAGITTAL: ((0, 1, 0), (0, 0, -1)),
    Plane.AXIAL: ((1, 0, 0), (0, 1, 0)),
    Plane.CORONAL: ((1, 0, 0), (0, 0, -1)),
}


@given(
    st.sampled_from([SAGITTAL, CORONAL, AXIAL]),
    st.sampled_from([1, -1]),
    st.sampled_from([1, -1]),
    st.booleans(),
    st.floats(-25, 25),
)
def test_the_display_turns_every_stored_picture_the_same_way(orientation, flip_row, flip_column, transposed, degrees):
    row, column = flip_row * np.array(orientation[:3]), flip_column * np.array(orientation[3:])
    if transposed:
        row, column = column, row
    stored = moved(geometry.slice_plane((0, 0, 0), (*row, *column), (1, 1)), tilt(degrees), np.zeros(3))
    turn = geometry.display_matrix(stored, rows=30, columns=20)
    across, down = ACROSS_AND_DOWN[geometry.patient_plane(stored)]
    shown = np.linalg.inv(turn[:, :2])  # display (column, row) -> stored (column, row)
    for step, wanted in ((shown[:, 0], across), (shown[:, 1], down)):
        direction = step[0] * np.array(stored.along_row) + step[1] * np.array(stored.along_column)
        assert direction @ np.array(wanted) > 0.8
    corners = np.array([(0, 0), (19, 0), (0, 29), (19, 29)]) @ turn[:, :2].T + turn[:, 2]
    assert corners.min(axis=0).tolist() == [0, 0]
    assert sorted(corners.max(axis=0)) == [19, 29]


def test_a_picture_without_plane_is_shown_as_it_is_stored():
    assert geometry.display_matrix(None, 30, 20).tolist() == [[1, 0, 0], [0, 1, 0]]
