import numpy as np
import pytest

from spinalis.records import FloatArray
from spinalis.simulate.anatomy import NAMES, PLANE_OF_LEVEL, PLANES, S1, VERTEBRAE, sample_subject
from spinalis.simulate.coordinates import Body, locate, warp
from spinalis.simulate.disease import sample_disease
from spinalis.simulate.grades import judge
from spinalis.simulate.kernel import ANNULUS, CORTEX, NUCLEUS, OSTEOPHYTE
from spinalis.simulate.pathology import shape
from spinalis.simulate.render import tissue_at
from spinalis.simulate.study import sample_body
from spinalis.simulate.truth import measures_of, truth_of


@pytest.mark.parametrize("seed", range(8))
def test_planes_descend_and_their_frames_are_right_handed(seed: int) -> None:
    subject = sample_subject(np.random.default_rng(seed))
    assert subject.frames.shape == (PLANES, 4, 3)
    assert np.all(np.diff(subject.frames[:, 0, 2]) < 0)
    u, v, n = subject.frames[:, 1], subject.frames[:, 2], subject.frames[:, 3]
    np.testing.assert_allclose(np.cross(u, v), n, atol=1e-9)


def test_the_lumbar_pitch_is_that_of_the_real_spines() -> None:
    pitches = []
    for seed in range(40):
        centres = sample_subject(np.random.default_rng(seed)).frames[20:25, 0]
        pitches.extend(np.linalg.norm(np.diff(centres, axis=0), axis=1))
    assert np.mean(pitches) == pytest.approx(36.9, abs=1.5)


def test_the_sacrum_turns_back_below_the_promontory() -> None:
    slopes = []
    for seed in range(30):
        normal = sample_subject(np.random.default_rng(seed)).frames[S1, 3]
        slopes.append(np.degrees(np.arctan2(-normal[1], normal[2])))
    assert 20 < np.mean(slopes) < 38
    assert len(NAMES) == VERTEBRAE


def test_locating_a_point_does_not_depend_on_the_hint() -> None:
    body, subject = sample_body(np.random.default_rng(3))
    point = subject.frames[22, 0] + 5 * subject.frames[22, 2] + 7 * subject.frames[22, 3]
    found = [locate(body, *point, hint) for hint in (15, 22, 28)]
    assert found[0] == found[1] == found[2]
    assert found[0][0] == 21


@pytest.mark.parametrize("seed", range(4))
def test_level_points_lie_on_the_posterior_disc_edge_of_the_picture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    body, subject = sample_body(rng)
    measures = measures_of(body)
    shape(rng, subject, measures, sample_disease(rng, subject.age, balanced=True))
    truth = truth_of(subject, body, measures, judge(measures))
    disc = {CORTEX, ANNULUS, OSTEOPHYTE, NUCLEUS, NUCLEUS + 1, NUCLEUS + 2, NUCLEUS + 3}
    for level, point in truth.levels.items():
        back = subject.frames[PLANE_OF_LEVEL[level], 2]
        before = {label_at(body, np.asarray(point) - mm * back) for mm in (0.6, 1.2)}
        behind = {label_at(body, np.asarray(point) + mm * back) for mm in (0.8, 1.4, 2.0)}
        assert before <= disc
        assert not behind & disc


def label_at(body: Body, point: FloatArray) -> int:
    return int(tissue_at(body, *warp(body, *point), 22)[0])
