from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from spinalis.records import FloatArray
from spinalis.simulate.anatomy import Subject, foramen_magnum, sample_subject
from spinalis.simulate.coordinates import Body
from spinalis.simulate.render import tissue_at
from spinalis.simulate.surroundings import body_tissue
from spinalis.simulate.tissue import Tissue

SEEDS = range(3)
BRAIN = {Tissue.BRAIN_GREY, Tissue.BRAIN_WHITE}
CORD = {Tissue.CORD_GREY, Tissue.CORD_WHITE}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_liver_lies_on_the_right(seed: int) -> None:
    body, subject = body_of(seed)
    z = float(subject.whole["z_l1"][0]) + 55
    right, left = (
        count(body, box((side * 25, side * 150), (-170, 10), (z - 20, z + 20)), Tissue.LIVER) for side in (-1, 1)
    )
    assert right > 3 * max(left, 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_heart_takes_room_from_the_left_lung(seed: int) -> None:
    body, subject = body_of(seed)
    z, y = float(subject.whole["z_heart"][0]), spine_at(subject, float(subject.whole["z_heart"][0]))[1]
    right, left = (
        count(body, box((side * 5, side * 120), (y - 110, y - 30), (z - 15, z + 15)), Tissue.LUNG) for side in (-1, 1)
    )
    assert 0 < left < 0.85 * right


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cord_goes_on_into_the_brain(seed: int) -> None:
    body, subject = body_of(seed)
    top = foramen_magnum(subject.frames, subject.planes)
    up = subject.frames[0, 3]
    assert {label_at(body, top + mm * up) for mm in (-2.0, 1.0, 4.0)} <= CORD
    assert label_at(body, top + np.array((0, -10, 32.0))) == Tissue.BRAIN_WHITE
    cerebrum = labels(body, box((-40, 40), (top[1] - 80, top[1]), (top[2] + 80, top[2] + 105)))
    assert np.isin(cerebrum, list(BRAIN)).mean() > 0.7
    cerebellum = labels(body, box((-30, 30), (top[1] + 15, top[1] + 35), (top[2] + 18, top[2] + 30)))
    assert np.isin(cerebellum, list(BRAIN)).mean() > 0.7


@pytest.mark.parametrize("seed", SEEDS)
def test_air_lies_before_the_neck_and_both_lungs_are_filled(seed: int) -> None:
    body, subject = body_of(seed)
    wind = subject.frames[7, 0] - np.array((0, float(subject.planes["half_depth"][7]) + 21, 0))
    assert label_at(body, wind) == Tissue.AIR
    tongue = foramen_magnum(subject.frames, subject.planes) + np.array((0, -75, -20.0))
    assert count(body, tongue + box((-8, 8), (-8, 8), (-4, 4)), Tissue.MUSCLE) > 0.4 * 8**3


@pytest.mark.parametrize("seed", SEEDS)
def test_kidneys_flank_the_first_lumbar_vertebra_and_hips_are_bone(seed: int) -> None:
    body, subject = body_of(seed)
    z = float(subject.whole["z_l1"][0])
    y = spine_at(subject, z)[1]
    for side in (-1, 1):
        here = box((side * 40, side * 90), (y - 25, y + 20), (z - 45, z + 35))
        assert count(body, here, Tissue.KIDNEY) > 0.15 * 8**3
        hip = np.array((side * 87.0, float(subject.whole["y_hip"][0]), float(subject.whole["z_hip"][0])))
        hip[0] *= float(subject.whole["hip_size"][0])
        hip[0] += spine_at(subject, hip[2])[0]
        assert label_at(body, hip) == Tissue.MARROW


@pytest.mark.parametrize("seed", SEEDS)
def test_every_ray_from_outside_meets_skin_first(seed: int) -> None:
    body, subject = body_of(seed)
    head = foramen_magnum(subject.frames, subject.planes)
    for z in (*(subject.frames[k, 0, 2] for k in (5, 10, 15, 20, 24)), head[2] + 90):
        middle = spine_at(subject, z) if z < head[2] else head
        for start in ((-300.0, -60.0), (300.0, -60.0), (0.0, 200.0), (0.0, -350.0)):
            ray = np.linspace((*(middle[:2] + start), z), (middle[0], middle[1] - 25, z), 700)
            met = next(label for label in labels(body, ray) if label != Tissue.AIR)
            assert met == Tissue.SKIN
    shell = np.array([(x, y, z) for x in (-290, 290) for y in (-350, 200) for z in np.linspace(-500, 700, 60)], float)
    assert not labels(body, shell).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mirrored_subject_has_a_mirrored_body(seed: int) -> None:
    body, subject = body_of(seed)
    other = Body(*mirrored(subject).arrays)
    rng = np.random.default_rng(seed)
    points = rng.uniform((-180, -200, -450), (180, 90, 560), (6000, 3))
    same = [body_tissue(body, x, y, z) == body_tissue(other, -x, y, z) for x, y, z in points]
    assert np.mean(same) > 0.998


def test_the_same_seed_draws_the_same_body() -> None:
    points = np.random.default_rng(0).uniform((-180, -200, -450), (180, 90, 560), (2000, 3))
    first, second, third = (labels(body_of(seed)[0], points) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


def body_of(seed: int) -> tuple[Body, Subject]:
    subject = sample_subject(np.random.default_rng(seed))
    return Body(*subject.arrays), subject


def mirrored(subject: Subject) -> Subject:
    """The same subject with left and right exchanged; the noise is mirrored with it."""
    frames = subject.frames * (-1.0, 1.0, 1.0)
    frames[:, 1] *= -1
    contour, whole, rootlets = subject.contour.copy(), subject.whole.copy(), subject.rootlets.copy()
    contour[:, 0] *= -1
    rootlets[:, (0, 2)] *= -1
    for name in ("heart_side", "head_x"):
        whole[name] *= -1
    noise = np.roll(subject.noise[::-1], 1, axis=0)
    return replace(
        subject,
        frames=frames,
        contour=contour,
        whole=whole,
        rootlets=rootlets,
        noise=noise,
        sides=np.ascontiguousarray(subject.sides[:, ::-1]),
    )


def label_at(body: Body, point: FloatArray) -> int:
    return int(tissue_at(body, *point, 22)[0])


def labels(body: Body, points: FloatArray) -> NDArray[np.int64]:
    return np.array([label_at(body, point) for point in points])


def box(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> FloatArray:
    """8 x 8 x 8 points between the given corners, (512, 3)."""
    grid = np.meshgrid(*(np.linspace(low, high, 8) for low, high in (x, y, z)), indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, 3)


def count(body: Body, points: FloatArray, tissue: Tissue) -> int:
    return int((labels(body, points) == tissue).sum())


def spine_at(subject: Subject, z: float) -> FloatArray:
    centre = subject.frames[::-1, 0]
    return np.array([np.interp(z, centre[:, 2], centre[:, axis]) for axis in range(3)])
