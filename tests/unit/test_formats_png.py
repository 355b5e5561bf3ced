import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinalis.errors import UnreadableFileError
from spinalis.formats.png import to_png, upright, upright_spacing_mm, window_of
from spinalis.records import Image
from tests.fakes import AXIAL, SAGITTAL, series

CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def ramp(slices: int = 3, rows: int = 20, columns: int = 30) -> Image:
    """Every pixel differs: 0 in the first corner, growing along rows, then down."""
    return np.arange(slices * rows * columns, dtype=np.float32).reshape(slices, rows, columns)


@pytest.mark.parametrize("orientation", [SAGITTAL, AXIAL, CORONAL], ids=["sagittal", "axial", "coronal"])
@given(st.booleans(), st.booleans(), st.booleans())
def test_however_it_is_stored_it_is_shown_in_one_way(
    orientation: tuple[tuple[float, ...], tuple[float, ...]], mirrored: bool, upside_down: bool, transposed: bool
) -> None:
    pixels, (across, down) = ramp(), (np.array(orientation[0]), np.array(orientation[1]))
    stored = pixels[:, :: -1 if upside_down else 1, :: -1 if mirrored else 1]
    row, column = across * (-1 if mirrored else 1), down * (-1 if upside_down else 1)
    if transposed:
        stored, row, column = stored.transpose(0, 2, 1), column, row
    made = series(np.ascontiguousarray(stored), orientation=(tuple(row), tuple(column)))
    assert np.array_equal(upright(made, 1), pixels[1])


def test_without_geometry_it_is_shown_as_stored() -> None:
    made = series(ramp(), orientation=None)
    assert np.array_equal(upright(made, 0), ramp()[0])
    assert upright_spacing_mm(made, 0) is None


def test_the_spacing_turns_with_the_picture() -> None:
    assert upright_spacing_mm(series(ramp(), spacing_mm=(2.0, 1.0)), 0) == (2.0, 1.0)
    turned = series(ramp(), orientation=(SAGITTAL[1], SAGITTAL[0]), spacing_mm=(2.0, 1.0))
    assert upright_spacing_mm(turned, 0) == (1.0, 2.0)


def test_a_picture_is_eight_bits_with_the_window_of_its_series() -> None:
    made = series(ramp())
    low, high = window_of(made)
    values = ramp()
    assert low == pytest.approx(np.percentile(values, 1), abs=40)
    assert high == pytest.approx(np.percentile(values, 99), abs=120)
    shown = decoded(to_png(made, 1, (low, high)))
    assert (shown.dtype, shown.shape) == (np.uint8, (20, 30))
    assert np.array_equal(shown, np.round(255 * np.clip((values[1] - low) / (high - low), 0, 1)).astype(np.uint8))
    assert decoded(to_png(made, 0, (low, high))).min() == 0
    assert decoded(to_png(made, 2, (low, high))).max() == 255


def test_a_blank_series_is_black() -> None:
    made = series(np.full((2, 8, 8), 7.0, np.float32))
    assert not decoded(to_png(made, 0, window_of(made))).any()


def test_a_damaged_slice_does_not_spoil_the_window() -> None:
    assert window_of(series(ramp(), broken=(1,))) == pytest.approx(window_of(series(ramp()[[0, 2]])))


def test_a_series_without_a_readable_slice_has_no_window() -> None:
    with pytest.raises(UnreadableFileError):
        window_of(series(ramp(), broken=(0, 1, 2)))
