import numpy as np
import pytest

from spinalis.errors import SimulationError
from spinalis.records import FloatArray
from spinalis.simulate import coordinates, kernel
from spinalis.simulate.anatomy import L1, NAMES, PLANES, S1, VERTEBRAE, WHOLE_ALA, WHOLE_DISC, sample_subject
from spinalis.simulate.coordinates import Body, locate, warp
from spinalis.simulate.disease import sample_disease
from spinalis.simulate.grades import judge
from spinalis.simulate.junction import Junction
from spinalis.simulate.kernel import ANNULUS, CORTEX, NUCLEUS, OSTEOPHYTE, PEDICLE
from spinalis.simulate.pathology import shape
from spinalis.simulate.render import tissue_at
from spinalis.simulate.study import sample_body, simulate_study
from spinalis.simulate.truth import measures_of, truth_of
from spinalis.vocabulary import Level


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
        subject = sample_subject(np.random.default_rng(seed))
        centres = subject.frames[list(subject.plane_of_level.values()), 0]
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
        back = subject.frames[subject.plane_of_level[level], 2]
        before = {label_at(body, np.asarray(point) - mm * back) for mm in (0.6, 1.2)}
        behind = {label_at(body, np.asarray(point) + mm * back) for mm in (0.8, 1.4, 2.0)}
        assert before <= disc
        assert not behind & disc


def label_at(body: Body, point: FloatArray) -> int:
    return int(tissue_at(body, *warp(body, *point), 22)[0])


@pytest.mark.parametrize("junction", list(Junction))
def test_the_last_level_is_the_last_well_formed_disc(junction: Junction) -> None:
    for seed in range(10):
        subject = sample_subject(np.random.default_rng(seed), junction)
        last = subject.plane_of_level[Level.L5_S1]
        assert subject.junction is junction
        assert np.all(subject.planes["remnant"][: last + 1] == WHOLE_DISC)
        assert subject.planes["remnant"][last + 1] < 1
        assert subject.planes["half_height"][last] > 1.25 * subject.planes["half_height"][last + 1]
        assert subject.planes["half_depth"][last] > 1.15 * subject.planes["half_depth"][last + 1]
        assert np.all(subject.vertebrae["ala"][:last] == 0)
        assert np.all(subject.vertebrae["ala"][last + 1 :] == WHOLE_ALA)


@pytest.mark.parametrize(
    ("junction", "names"),
    [
        ("regular", ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")),
        ("sacralized L5", ("T12/L1", "L1/L2", "L2/L3", "L3/L4", "L4/L5")),
        ("lumbarized S1", ("L2/L3", "L3/L4", "L4/L5", "L5/S1", "S1/S2")),
    ],
)
def test_levels_are_counted_from_the_sacrum_and_named_from_c2(junction: str, names: tuple[str, ...]) -> None:
    body, subject = sample_body(np.random.default_rng(2), junction)
    truth = truth_of(subject, body, measures_of(body), {})
    assert truth.junction.value == junction
    assert tuple(truth.counted_from_c2.values()) == names
    heights = [point[2] for point in truth.levels.values()]
    assert heights == sorted(heights, reverse=True)
    assert truth.landmarks["S1/S2"][2] < heights[-1] < heights[0] < truth.landmarks["T12/L1"][2]


def test_forcing_a_junction_leaves_the_rest_of_the_body_alone() -> None:
    free = sample_subject(np.random.default_rng(5))
    forced = [sample_subject(np.random.default_rng(5), junction) for junction in Junction]
    assert len({one.age for one in (free, *forced)}) == 1
    for one in forced:
        np.testing.assert_array_equal(one.noise, free.noise)
        np.testing.assert_array_equal(one.planes["half_depth"][:20], free.planes["half_depth"][:20])


def test_thirteenth_ribs_reach_beyond_the_transverse_process_and_leave_the_names() -> None:
    kinds = (Junction.REGULAR, Junction.THIRTEENTH_RIBS)
    (regular, subject), (ribbed, _) = (sample_body(np.random.default_rng(5), kind) for kind in kinds)
    np.testing.assert_array_equal(regular.frames, ribbed.frames)
    below, above = subject.frames[L1 + 1], subject.frames[L1]
    middle = 0.37 * below[0] + 0.63 * above[0]
    wall = subject.planes["half_depth"][L1]
    for side in (-1, 1):
        tip = middle + side * 50 * above[1] + (wall + 11) * above[2]
        assert tissue_at(ribbed, *tip, L1)[0] in (PEDICLE, CORTEX)
        assert tissue_at(regular, *tip, L1)[0] not in (PEDICLE, CORTEX)


def test_an_unknown_junction_is_refused() -> None:
    with pytest.raises(SimulationError, match="got 'L6'"):
        simulate_study(1, 0, junction="L6")


def test_transitional_junctions_are_as_frequent_as_reported() -> None:
    kinds = [sample_subject(np.random.default_rng(seed)).junction for seed in range(300)]
    assert 0.05 < np.mean([kind is not Junction.REGULAR for kind in kinds]) < 0.16


def test_the_lumbar_curve_is_that_of_the_spider_points() -> None:
    angles = []
    for seed in range(200):
        subject = sample_subject(np.random.default_rng(seed))
        planes = list(subject.plane_of_level.values())
        edges = subject.frames[planes, 0] + subject.planes["half_depth"][planes, None] * subject.frames[planes, 2]
        step = np.diff(edges, axis=0)
        angles.append(np.degrees(np.arctan2(-step[:, 1], -step[:, 2])))
    np.testing.assert_allclose(np.mean(angles, axis=0), (10.9, 6.2, -2.5, -14.2), atol=3.5)
    assert 9 < np.std([row[0] - row[-1] for row in angles]) < 15


def test_a_scoliosis_is_rare_and_narrows_the_discs_on_its_inner_side() -> None:
    cobb, agree = [], []
    for seed in range(300):
        subject = sample_subject(np.random.default_rng(seed))
        side = np.degrees(np.arcsin(subject.frames[:, 3, 0]))[12:25]
        cobb.append(np.ptp(side))
        if cobb[-1] > 15:
            change = side[:-2] - side[2:]
            agree.append(np.all(change * subject.planes["lean"][13:24] >= 0))
    assert 0.01 < np.mean(np.array(cobb) > 20) < 0.08
    assert max(cobb) < 40
    assert agree
    assert all(agree)


def test_the_compiled_kernel_agrees_with_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    body, subject = sample_body(np.random.default_rng(8), Junction.LUMBARIZED)
    rng = np.random.default_rng(0)
    places = []
    for _ in range(2500):
        i, t = int(rng.integers(2, VERTEBRAE - 1)), rng.uniform(0, 1)
        h = float(subject.vertebrae["height"][i])
        places.append((i, t, rng.uniform(-25, 25), rng.uniform(-20, 40), (1 - t) * h, t * h))
    fast = [kernel.healthy_tissue(body, *place) for place in places]
    for module in (coordinates, kernel):
        for name, function in list(vars(module).items()):
            if hasattr(function, "py_func"):
                monkeypatch.setattr(module, name, function.py_func)
    rows = {name: getattr(body, name).view(np.recarray) for name in ("planes", "sides", "vertebrae", "whole")}
    with np.errstate(all="ignore"):
        slow = [kernel.healthy_tissue(body._replace(**rows), *place) for place in places]
    assert len(set(fast)) > 12
    # The compiler may reorder sums, which moves a border by a rounding error.
    assert np.mean(np.array(fast) == np.array(slow)) > 0.998
