import numpy as np
import pytest

from spinalis.errors import PackError
from spinalis.models.prepare import (
    InputSpec,
    apply_matrix,
    crop_matrix,
    fit_matrix,
    invert_matrix,
    is_blank,
    normalize,
    prepare,
    resample,
    void_share,
)

SPEC = InputSpec(height=64, width=64, spacing_mm=0.8)


def blob(rows: int, columns: int, row: float, column: float, sigma: float = 3.0) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    return np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2)).astype(np.float32)


def centroid(image: np.ndarray) -> tuple[float, float]:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return float((image * y).sum() / image.sum()), float((image * x).sum() / image.sum())


@pytest.mark.parametrize("shape", [(512, 512), (640, 400), (300, 500), (50, 60)], ids=str)
def test_fit_matrix_brings_the_corners_of_the_longer_side_to_the_border(shape: tuple[int, int]) -> None:
    matrix = fit_matrix(shape, SPEC)
    corners = apply_matrix(matrix, np.array([[-0.5, -0.5], [shape[1] - 0.5, shape[0] - 0.5]]))
    longer = int(shape[0] < shape[1])
    assert corners[0][1 - longer] == pytest.approx(-0.5)
    assert corners[1][1 - longer] == pytest.approx(63.5)
    assert corners.mean(axis=0) == pytest.approx([31.5, 31.5])


@pytest.mark.parametrize("scale", [0.1, 0.3, 0.9, 1.7], ids=lambda value: f"x{value}")
def test_resample_moves_a_blob_where_the_matrix_says(scale: float) -> None:
    image = blob(300, 300, 120.0, 200.0, 8.0)
    matrix = np.array([[scale, 0.0, 3.0], [0.0, scale, -2.0]])
    size = round(300 * scale) + 8
    out = resample(image, matrix, (size, size))
    row, column = centroid(out)
    assert (row, column) == pytest.approx((120 * scale - 2, 200 * scale + 3), abs=0.12)


def test_crop_matrix_puts_the_asked_pixel_in_the_middle_and_keeps_millimetres() -> None:
    matrix = crop_matrix((100.0, 50.0), (0.4, 0.8), SPEC)
    middle = apply_matrix(matrix, np.array([[50.0, 100.0]]))[0]
    eight_mm_right_and_down = apply_matrix(matrix, np.array([[60.0, 120.0]]))[0]
    assert middle == pytest.approx([31.5, 31.5])
    assert eight_mm_right_and_down - middle == pytest.approx([10.0, 10.0])


def test_crop_matrix_mirrors_left_and_right_only() -> None:
    plain = crop_matrix((30.0, 30.0), (0.8, 0.8), SPEC)
    mirrored = crop_matrix((30.0, 30.0), (0.8, 0.8), SPEC, mirror=True)
    point = np.array([[34.0, 28.0]])
    assert apply_matrix(mirrored, point)[0] == pytest.approx(
        [63.0 - apply_matrix(plain, point)[0][0], apply_matrix(plain, point)[0][1]]
    )


def test_crop_matrix_needs_millimetres() -> None:
    with pytest.raises(PackError, match="spacing in mm"):
        crop_matrix((1.0, 1.0), (1.0, 1.0), InputSpec(height=8, width=8))


def test_invert_matrix_leads_back() -> None:
    matrix = fit_matrix((300, 200), SPEC)
    points = np.array([[3.0, 7.0], [150.0, 20.0]])
    assert apply_matrix(invert_matrix(matrix), apply_matrix(matrix, points)) == pytest.approx(points)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (37.0, 900.0), (0.001, -5.0)])
def test_normalize_does_not_depend_on_the_scanner_scale(gain: float, offset: float) -> None:
    image = np.random.default_rng(3).random((64, 64), np.float32)
    spec = InputSpec(height=64, width=64, channels=("intensity", "local_contrast"))
    assert normalize(gain * image + offset, spec) == pytest.approx(normalize(image, spec), abs=2e-3)


def test_a_blank_slice_stays_finite() -> None:
    spec = InputSpec(height=32, width=32, channels=("intensity", "local_contrast"))
    out = prepare(np.full((100, 90), 7.0, np.float32), fit_matrix((100, 90), spec), spec)
    assert out.shape == (2, 32, 32)
    assert np.isfinite(out).all()


@pytest.mark.parametrize(
    ("image", "blank"),
    [
        (np.full((8, 8), 7.0), True),
        (np.full((8, 8), np.nan), True),
        (np.where(np.eye(8) > 0, np.inf, 3.0), True),
        (np.eye(8), False),
    ],
    ids=["even", "no number", "infinite", "a picture"],
)
def test_a_picture_is_blank_where_all_its_numbers_are_equal(image: np.ndarray, blank: bool) -> None:
    assert is_blank(image) is blank


def test_a_void_counts_by_its_share_of_the_part_and_not_what_lies_outside() -> None:
    image = np.random.default_rng(0).uniform(0.5, 1.0, (64, 64)).astype(np.float32)
    image[:, :16] = 0.0
    assert void_share(image, np.eye(2, 3), (64, 64)) == pytest.approx(0.25, abs=0.01)
    beyond = np.array([[1.0, 0.0, 64.0], [0.0, 1.0, 0.0]])  # the part begins 64 columns left of the picture
    assert void_share(image, beyond, (64, 128)) == pytest.approx(0.125, abs=0.01)
    assert void_share(np.zeros((64, 64), np.float32), np.eye(2, 3), (64, 64)) == 1.0


def test_pixels_that_are_no_numbers_count_as_dark() -> None:
    image = blob(80, 80, 40.0, 40.0, 12.0)
    holed = image.copy()
    holed[:10] = np.nan
    holed[70:] = np.inf
    matrix = fit_matrix((80, 80), SPEC)
    assert np.isfinite(prepare(holed, matrix, SPEC)).all()
    assert prepare(holed, matrix, SPEC)[0][32, 32] == pytest.approx(prepare(image, matrix, SPEC)[0][32, 32], abs=0.1)
    assert np.isfinite(prepare(np.full((80, 80), np.nan, np.float32), matrix, SPEC)).all()


def test_what_lies_outside_the_picture_is_as_dark_as_its_darkest_pixel() -> None:
    tall = blob(100, 50, 50.0, 25.0, 9.0)
    matrix = fit_matrix((100, 50), SPEC)
    assert prepare(1000.0 * tall - 1000.0, matrix, SPEC) == pytest.approx(prepare(tall, matrix, SPEC), abs=1e-3)


def test_unknown_channels_are_refused() -> None:
    with pytest.raises(PackError, match="edges"):
        InputSpec(height=8, width=8, channels=("edges",))
