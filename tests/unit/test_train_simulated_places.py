import numpy as np
import pytest

from spinalis.train.data.whole import KEPT_SIZE, Stack, Whole
from spinalis.train.papers import stage1_errors
from spinalis.train.simulated_places import _points_table, canal_gaps, places
from spinalis.vocabulary import CONDITIONS

LEVELS_MM = np.array([[0.0, -20.0, 60.0 - 30.0 * k] for k in range(5)])
WAYS = np.zeros((len(CONDITIONS), 1, 3))
WAYS[1:3, 0, 0] = 14.0, -14.0  # foramina; the patient's left first


def sagittal(x_mm: list[float]) -> Stack:
    """Slices at some distances from the midline, 1 mm pixels, the picture's middle at the origin."""
    half = KEPT_SIZE / 2
    frames = np.array([[[0.0, 0.0, x], [1.0, 0.0, -half], [0.0, -1.0, half]] for x in x_mm])
    return Stack(pixels=np.zeros((len(x_mm), KEPT_SIZE, KEPT_SIZE), np.uint8), frames=frames)


@pytest.fixture
def study() -> Whole:
    return Whole(
        name="one",
        fold=0,
        grades=np.zeros((5, 5), np.int8),
        points=LEVELS_MM[None] + WAYS,
        views={"sagittal_t1": sagittal([-14.0, 0.0, 14.0]), "sagittal_t2": sagittal([-4.0, 0.0, 4.0])},
    )


def test_levels_on_the_truth_miss_nothing(study: Whole) -> None:
    rows = stage1_errors.misses(study, "packs", places(study, LEVELS_MM, WAYS))
    assert {(row.view, row.slices, row.x_mm, row.y_mm) for row in rows} == {
        ("sagittal_t1", 0, 0.0, 0.0),
        ("sagittal_t2", 0, 0.0, 0.0),
    }
    assert len(rows) == 15


def test_a_level_aside_is_a_slice_and_pixels_away_and_one_not_found_has_no_place(study: Whole) -> None:
    moved = LEVELS_MM + np.array([4.0, 3.0, -4.0])
    moved[4] = np.nan
    gaps = canal_gaps(study, places(study, moved, WAYS))
    assert gaps[:4] == pytest.approx(np.tile([1.0, 3.0, 4.0], (4, 1)))
    assert np.isnan(gaps[4]).all()
    row = _points_table({"packs": gaps}, 192).rows[0]
    # 5 pixels of 384 are 6.7 of 512 and 2.5 of 192.
    assert [cell.split(" (")[0] for cell in row[1:4]] == ["0.0 %", "80.0 %", "80.0 %"]
    assert row[4] == "6.7"
