import numpy as np
import pytest

from spinalis.simulate.anatomy import Subject, sample_subject
from spinalis.simulate.coordinates import Body
from spinalis.simulate.grades import foramen_score, grade, lee_grade
from spinalis.simulate.measures import measure_foramen, tissue_in_plane
from spinalis.simulate.tissue import Tissue

L3_L4, L4_L5, L5_S1 = 22, 23, 24
LEFT = 1
WITHIN = {Tissue.EPIDURAL_FAT, Tissue.ROOT, Tissue.SLOW_BLOOD, Tissue.FIBROUS}


def regular(seed: int) -> Subject:
    """A subject without noise, so that shapes are as drawn."""
    subject = sample_subject(np.random.default_rng(seed), "regular")
    subject.noise[:] = 0
    return subject


def joint_places(subject: Subject, k: int) -> np.ndarray:
    """(N, 3) places (u, v, q) of the left facet joint of a plane."""
    body, plane = Body(*subject.arrays), subject.planes[k]
    c, wall = float(plane["canal_half_width"]), float(plane["half_depth"])
    grid = np.stack(
        np.meshgrid(np.arange(c - 5, c + 12, 0.5), np.arange(wall + 4, wall + 28, 0.5), (-5.0, -2.0, 1.0)), -1
    )
    places = grid.reshape(-1, 3)
    return np.array([place for place in places if tissue_in_plane(body, k, *place) == Tissue.JOINT])


def width_at(subject: Subject, k: int, q: float) -> int:
    """How many cells of 0.4 mm the foramen is deep at a height above the disc's plane."""
    body, plane = Body(*subject.arrays), subject.planes[k]
    u, wall = float(plane["canal_half_width"]) + 6, float(plane["half_depth"])
    return sum(tissue_in_plane(body, k, u, wall + v, q) in WITHIN for v in np.arange(-3, 14, 0.4))


def test_a_thin_rim_of_fat_on_all_sides_is_normal() -> None:
    for seed in range(6):
        subject = regular(seed)
        side = subject.sides[L4_L5, LEFT]
        side["rim"], side["fibrous"], side["roof_down"], side["process_forward"] = 1.3, 0.0, 0.0, 0.0
        wide = width_at(subject, L4_L5, 3.0)
        measured = measure_foramen(Body(*subject.arrays), L4_L5, LEFT)
        assert lee_grade(*measured) == 0
        assert grade(foramen_score(*measured)) == 0
        assert wide > 0


def test_fat_beyond_the_rim_of_the_root_does_not_change_the_grade() -> None:
    subject = regular(3)
    scores = []
    for rim in (9.0, 1.4):
        subject.sides["rim"][L4_L5, LEFT] = rim
        scores.append(foramen_score(*measure_foramen(Body(*subject.arrays), L4_L5, LEFT)))
    assert scores[0] == pytest.approx(scores[1], abs=0.05)


@pytest.mark.parametrize("k", [L3_L4, L4_L5])
def test_a_healthy_foramen_is_wider_around_the_root_than_beside_the_disc(k: int) -> None:
    upper, lower = [], []
    for seed in range(10):
        subject = regular(seed)
        low = float(subject.vertebrae["pedicle_low"][k - 1])
        upper.append(width_at(subject, k, low - 4))
        lower.append(width_at(subject, k, 1.0))
    assert np.mean(upper) > 1.3 * np.mean(lower)


def test_a_facet_joint_runs_outwards_and_back_and_leans_forward_above() -> None:
    for k in (L3_L4, L4_L5):
        places = joint_places(regular(5), k)
        assert len(places) > 40
        for q in (-5.0, -2.0, 1.0):
            u, v, _ = places[places[:, 2] == q].T
            assert np.corrcoef(u, v)[0, 1] > 0.8
        assert places[places[:, 2] == 1.0, 1].mean() < places[places[:, 2] == -5.0, 1].mean() - 0.4


def test_facet_joints_face_more_to_the_front_at_the_lowest_levels() -> None:
    turn = {
        k: np.mean([np.arctan2(s.sides["joint_u"][k], s.sides["joint_v"][k]) for s in map(regular, range(12))])
        for k in (20, L3_L4, L5_S1)
    }
    assert np.degrees(turn[20]) < np.degrees(turn[L3_L4]) < np.degrees(turn[L5_S1]) < 60
