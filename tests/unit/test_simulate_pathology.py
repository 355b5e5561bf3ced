from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from spinalis.simulate import truth
from spinalis.simulate.anatomy import PLANE_OF_LEVEL, Subject, sample_subject
from spinalis.simulate.coordinates import Body
from spinalis.simulate.pathology import (
    PREVALENCE,
    Measures,
    carve,
    grade_canal,
    grade_foramen,
    grade_recess,
    measured_grades,
    measurement_table,
    wished_grades,
)
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level, Side


def measures_of(subject: Subject) -> Measures:
    return truth.measures_of(Body(*subject.arrays))


@pytest.fixture
def subject() -> Subject:
    return sample_subject(np.random.default_rng(4))


@pytest.mark.parametrize("grade", [grade_canal, grade_recess, grade_foramen])
def test_a_smaller_measure_never_means_a_better_grade(grade) -> None:
    scale = 150.0 if grade is grade_canal else 6.0 if grade is grade_recess else 1.0
    other = 3.0 if grade is grade_recess else 0.9
    grades = [grade(value, other) for value in np.linspace(scale, 0, 60)]
    assert grades == sorted(grades)
    assert grades[0] == 0
    assert grades[-1] == 2


@pytest.mark.parametrize("name", ["bulge", "flavum"])
def test_a_thicker_disc_or_ligament_never_widens_the_sac(subject: Subject, name: str) -> None:
    measures = measures_of(subject)
    areas = []
    for amount in np.linspace(0, 9, 10):
        subject.planes[name][23] = amount
        areas.append(measures.canal(23)[0])
    assert np.all(np.diff(areas) <= 0)
    assert areas[-1] < 0.7 * areas[0]


def test_a_larger_facet_never_widens_the_recess_and_spares_the_other_side(subject: Subject) -> None:
    measures = measures_of(subject)
    other = measures.recess(22, 1)
    heights = []
    for amount in np.linspace(0, 6, 7):
        subject.sides["facet"][22, 0] = amount
        heights.append(measures.recess(22, 0)[0])
    assert np.all(np.diff(heights) <= 0)
    assert measures.recess(22, 1) == other


def test_a_foraminal_bulge_takes_fat_and_then_the_root(subject: Subject) -> None:
    measures = measures_of(subject)
    before = measures.foramen(23, 1)
    subject.sides["foramen_bulge"][23, 1] = 9
    subject.sides["bulge_up"][23, 1] = 14
    less_fat = measures.foramen(23, 1)
    subject.sides["process_forward"][23, 1] = 5
    subject.sides["process_up"][23, 1] = 14
    after = measures.foramen(23, 1)
    assert before[2] > less_fat[2]
    assert before[0] > less_fat[0] > after[0]
    assert after[0] < 0.5


def test_the_carved_grades_are_those_measured_and_mostly_those_wished() -> None:
    agree = Counter()
    for seed in range(4):
        rng = np.random.default_rng(seed)
        subject = sample_subject(rng)
        measures = measures_of(subject)
        wishes = wished_grades(rng, balanced=True, boost=0.0)
        grades = carve(rng, subject, measures, wishes)
        assert grades == measured_grades(measures)
        agree.update(SEVERITIES.index(grades[key]) == wish for key, wish in wishes.items())
    assert agree[True] > 0.75 * agree.total()


def test_prevalences_are_those_of_the_table_and_the_boost_raises_them() -> None:
    rng = np.random.default_rng(0)
    plain = [wished_grades(rng, balanced=False, boost=0.0) for _ in range(800)]
    boosted = [wished_grades(rng, balanced=False, boost=1.0) for _ in range(200)]
    key = Condition.SPINAL_CANAL_STENOSIS, Level.L4_L5
    share = np.mean([wish[key] == 2 for wish in plain])
    assert share == pytest.approx(PREVALENCE["canal"][3][1], abs=0.04)
    assert np.mean([wish[key] == 2 for wish in boosted]) > share + 0.15


def test_findings_of_a_level_go_together() -> None:
    rng = np.random.default_rng(0)
    rows = np.array(
        [[w[c, Level.L4_L5] for c in CONDITIONS] for w in (wished_grades(rng, False, 0.0) for _ in range(600))]
    )
    assert np.corrcoef(rows[:, 1], rows[:, 2])[0, 1] > 0.3


def mirrored(subject: Subject) -> Subject:
    """The same body seen in a mirror: left and right changed over."""
    frames = subject.frames.copy()
    frames[:, :, 0] *= -1
    frames[:, 1] *= -1
    contour = subject.contour.copy()
    contour[:, 0] *= -1
    rootlets = subject.rootlets.copy()
    rootlets[:, (0, 2)] *= -1
    whole = subject.whole.copy()
    whole["heart_side"] *= -1
    return replace(
        subject,
        frames=frames,
        contour=contour,
        rootlets=rootlets,
        whole=whole,
        sides=np.ascontiguousarray(subject.sides[:, ::-1]),
    )


def test_a_mirrored_subject_has_mirrored_truth() -> None:
    rng = np.random.default_rng(9)
    subject = sample_subject(rng)
    subject.noise[:] = 0
    measures = measures_of(subject)
    carve(rng, subject, measures, wished_grades(rng, True, 0.0))
    table = measurement_table(measures)
    other = measurement_table(measures_of(mirrored(subject)))
    swap = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT, None: None}
    for (name, level, side), value in table.items():
        assert other[name, level, swap[side]] == pytest.approx(value, abs=0.02 * abs(value) + 1e-6), name


def test_every_level_has_a_plane() -> None:
    assert [PLANE_OF_LEVEL[level] for level in LEVELS] == [20, 21, 22, 23, 24]
