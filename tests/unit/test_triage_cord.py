from dataclasses import replace

import numpy as np
import pytest

from spinalis.records import FloatArray, Series
from spinalis.triage.cord import RUNS, in_run, with_neighbours
from spinalis.vocabulary import Plane
from tests.fakes import series

SAGITTAL_RUN, AXIAL_RUN = RUNS[Plane.SAGITTAL], RUNS[Plane.AXIAL]


def stack(count: int, **options: object) -> Series:
    return series(np.zeros((count, 4, 4), np.float32), **options)


def alone(log_odds: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-log_odds))


def test_a_peak_in_the_middle_is_the_cord_although_no_slice_is_sure_of_it() -> None:
    log_odds = np.array([-2.5, -2.4, -2.2, -1.9, -0.3, -0.1, -0.2, -1.8, -2.3, -2.4, -2.6])
    found = in_run(log_odds, 4.0, SAGITTAL_RUN)
    assert list(np.flatnonzero(found > 0.5)) == [4, 5, 6]
    assert (alone(log_odds) < 0.5).all()


def test_a_slice_far_from_the_run_is_not_believed() -> None:
    log_odds = np.array([1.5, -2.0, -2.0, -2.0, 1.0, 2.0, 1.0, -2.0, -2.0, -2.0, -2.0])
    assert list(np.flatnonzero(in_run(log_odds, 4.0, SAGITTAL_RUN) > 0.5)) == [4, 5, 6]


def test_an_axial_stack_shows_cord_from_the_conus_up_without_a_gap() -> None:
    log_odds = np.array([-6.0, -6.0, -5.0, -4.0, 4.0, 6.0, -1.0, 5.0, 6.0, 6.0])
    assert list(np.flatnonzero(in_run(log_odds, 4.0, AXIAL_RUN) > 0.5)) == [4, 5, 6, 7, 8, 9]


def test_a_stack_without_cord_has_none() -> None:
    assert (in_run(np.full(20, -5.0), 4.0, AXIAL_RUN) < 0.01).all()
    assert (in_run(np.full(15, -5.0), 4.0, SAGITTAL_RUN) < 0.5).all()


def test_one_slice_and_flat_odds_are_the_odds_of_the_slice() -> None:
    flat = replace(AXIAL_RUN, weight=1.0, shift=(0.0, 0.0), nowhere=0.0)
    np.testing.assert_allclose(in_run(np.array([1.3]), 4.0, flat), alone(np.array([1.3])))


def test_thin_slices_count_for_less_than_thick_ones() -> None:
    thick, thin = (in_run(np.full(6, 1.0), step, AXIAL_RUN).mean() for step in (4.0, 0.5))
    assert thick > thin


def test_a_slice_that_was_not_seen_is_bridged() -> None:
    log_odds = np.array([-4.0, -4.0, -4.0, 2.0, 3.0, 2.0, -4.0, -4.0, -4.0])
    kept = [0, 1, 2, 3, 5, 6, 7, 8]
    found = with_neighbours(log_odds[kept], kept, stack(9), Plane.SAGITTAL)
    assert [kept[row] for row in np.flatnonzero(found > 0.5)] == [3, 5]


def test_right_and_left_are_treated_alike() -> None:
    log_odds = np.array([-3.0, -1.0, 0.5, 1.0, -1.0, -2.0, -3.0])
    mirrored = in_run(log_odds[::-1], 4.0, SAGITTAL_RUN)[::-1]
    np.testing.assert_allclose(mirrored, in_run(log_odds, 4.0, SAGITTAL_RUN), atol=1e-12)


@pytest.mark.parametrize(
    ("made", "plane"),
    [
        (stack(1), Plane.SAGITTAL),
        (stack(5, orientation=None), Plane.SAGITTAL),
        (stack(5), Plane.CORONAL),
        (stack(5), Plane.UNKNOWN),
        (stack(5, step_mm=0.0), Plane.SAGITTAL),
    ],
    ids=["one slice", "no positions", "coronal", "no plane", "one position"],
)
def test_slices_stand_alone_where_their_order_or_run_is_unknown(made: Series, plane: Plane) -> None:
    log_odds = np.linspace(-2, 2, len(made.slices))
    found = with_neighbours(log_odds, list(range(len(log_odds))), made, plane)
    np.testing.assert_allclose(found, alone(log_odds))
