import itertools

import numpy as np
import pytest

from spinalis.simulate.anatomy import sample_subject
from spinalis.simulate.coordinates import Body
from spinalis.simulate.grades import (
    Judgement,
    canal_score,
    foramen_score,
    grade,
    judge,
    lee_grade,
    measurement_table,
    recess_score,
)
from spinalis.simulate.truth import measures_of
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Severity


@pytest.fixture(scope="module")
def measures():
    return measures_of(Body(*sample_subject(np.random.default_rng(4)).arrays))


@pytest.mark.parametrize(
    ("score", "most"),
    [
        (lambda x: canal_score(x, 0.9), 180.0),
        (lambda x: canal_score(200.0, x), 0.9),
        (lambda x: recess_score(x, 3.0), 8.0),
        (lambda x: foramen_score(x, 0.9, 0.9, 0.9, 0.9), 1.0),
    ],
    ids=["sac", "CSF", "recess", "root"],
)
def test_a_smaller_measure_never_means_a_better_grade(score, most: float) -> None:
    grades = [grade(score(value)) for value in np.linspace(most, 0, 80)]
    assert grades == sorted(grades)
    assert {grades[0], grades[-1]} == {0, 2}


def test_less_fat_around_the_root_never_means_a_better_grade() -> None:
    shares = (0.0, 0.2, 0.5, 0.9)
    for kept in itertools.product(shares, repeat=4):
        for index in range(4):
            less = [*kept[:index], 0.5 * kept[index], *kept[index + 1 :]]
            assert foramen_score(1.0, *less) >= foramen_score(1.0, *kept)
            assert lee_grade(1.0, *less) >= lee_grade(1.0, *kept)


def test_the_foramen_is_graded_as_by_lee() -> None:
    assert lee_grade(1.0, 0.9, 0.9, 0.9, 0.9) == 0
    assert lee_grade(1.0, 0.1, 0.1, 0.9, 0.9) == 1
    assert lee_grade(1.0, 0.1, 0.9, 0.1, 0.9) == 0
    assert lee_grade(1.0, 0.1, 0.1, 0.1, 0.1) == 2
    assert lee_grade(0.4, 0.9, 0.9, 0.9, 0.9) == 3
    assert grade(foramen_score(1.0, 0.1, 0.1, 0.9, 0.9)) == 0
    assert grade(foramen_score(1.0, 0.1, 0.1, 0.1, 0.1)) == 1
    assert grade(foramen_score(0.4, 0.1, 0.1, 0.1, 0.1)) == 2


def test_a_score_near_a_border_is_borderline() -> None:
    seen = [Judgement(score=score, read=Severity.MODERATE).borderline for score in (0.5, 0.9, 1.1, 1.5, 1.9, 2.5)]
    assert seen == [False, True, True, False, True, False]


def test_an_exact_reader_reads_the_exact_grade_and_an_unsure_one_does_not(measures) -> None:
    exact = judge(measures)
    assert set(exact) == set(itertools.product(CONDITIONS, LEVELS))
    assert all(item.read is item.severity for item in exact.values())
    unsure = judge(measures, np.random.default_rng(1), reader_noise=2.0)
    assert {place: item.score for place, item in unsure.items()} == {place: item.score for place, item in exact.items()}
    apart = sum(item.read is not item.severity for item in unsure.values())
    assert 3 <= apart <= 20


def test_the_table_says_the_lee_grade_beside_the_fat(measures) -> None:
    table = measurement_table(measures)
    graded = [value for (name, _, _), value in table.items() if name == "foramen_lee_grade"]
    assert len(graded) == 10
    assert set(graded) <= {0, 1, 2, 3}
    assert all(0 <= value <= 1 for (name, _, _), value in table.items() if name.startswith("foramen_fat"))
    assert len(SEVERITIES) == 3
