import numpy as np
import pytest

from spinalis.errors import SimulationError
from spinalis.simulate.disease import PFIRRMANN, PREVALENCE, Disease, Lesion, LesionKind, forced, sample_disease
from spinalis.simulate.grades import kind_of
from spinalis.vocabulary import CONDITIONS, LEVELS, Condition, Level

STUDIES = 1500


@pytest.fixture(scope="module")
def drawn() -> list[Disease]:
    rng = np.random.default_rng(0)
    return [sample_disease(rng, float(np.clip(rng.normal(52, 17), 18, 90))) for _ in range(STUDIES)]


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.value)
def test_every_grade_is_as_frequent_as_in_the_table(drawn: list[Disease], condition: Condition) -> None:
    for index, level in enumerate(LEVELS):
        grades = [disease.wishes[condition, level] for disease in drawn]
        for wanted, share in zip((1, 2), PREVALENCE[kind_of(condition)][index], strict=True):
            error = np.sqrt(share * (1 - share) / STUDIES)
            assert np.mean([grade == wanted for grade in grades]) == pytest.approx(share, abs=4 * error + 0.004)


def test_pfirrmann_grades_are_as_frequent_as_in_the_table_and_go_together(drawn: list[Disease]) -> None:
    table = np.array([[disease.pfirrmann[level] for level in LEVELS] for disease in drawn])
    for index in range(len(LEVELS)):
        shares = [(table[:, index] == grade).mean() for grade in (1, 2, 3, 4, 5)]
        np.testing.assert_allclose(shares, PFIRRMANN[index], atol=0.05)
    correlation = np.corrcoef(table.T)
    assert 0.4 < correlation[0, 1] < 0.85
    assert correlation[0, 1] > correlation[0, 4] > 0.2


def test_sides_and_conditions_of_a_level_go_together(drawn: list[Disease]) -> None:
    rows = np.array([[disease.wishes[condition, Level.L4_L5] for condition in CONDITIONS] for disease in drawn])
    correlation = np.corrcoef(rows.T)
    assert correlation[1, 2] > 0.35
    assert correlation[0, 3] > 0.3


def test_the_old_are_more_worn_and_the_boost_makes_worse() -> None:
    rng = np.random.default_rng(1)
    mean = {
        (age, boost): np.mean([sum(sample_disease(rng, age, boost=boost).wishes.values()) for _ in range(150)])
        for age, boost in ((30.0, 0.0), (75.0, 0.0), (30.0, 1.0))
    }
    assert mean[75.0, 0.0] > 1.3 * mean[30.0, 0.0]
    assert mean[30.0, 1.0] > 1.3 * mean[30.0, 0.0]


def test_the_balanced_profile_has_a_third_of_each() -> None:
    rng = np.random.default_rng(2)
    grades = [grade for _ in range(300) for grade in sample_disease(rng, 52.0, balanced=True).wishes.values()]
    np.testing.assert_allclose(np.bincount(grades) / len(grades), (0.4, 0.3, 0.3), atol=0.05)


def test_every_kind_of_lesion_is_drawn_and_none_is_common_in_the_rare(drawn: list[Disease]) -> None:
    seen = {lesion.kind for disease in drawn for lesion in disease.lesions}
    assert seen == set(LesionKind)
    operated = sum(any(lesion.kind is LesionKind.LAMINECTOMY for lesion in disease.lesions) for disease in drawn)
    assert 0.02 < operated / STUDIES < 0.08


def test_parts_can_be_forced() -> None:
    drawn = sample_disease(np.random.default_rng(3), 60.0)
    place = Condition.SPINAL_CANAL_STENOSIS, Level.L1_L2
    lesions = (Lesion(kind=LesionKind.CYST, place="L4/L5"),)
    made = forced(drawn, {"wishes": {place: 2}, "pfirrmann": {Level.L4_L5: 5}, "lesions": lesions})
    assert made.wishes[place] == 2
    assert made.pfirrmann[Level.L4_L5] == 5
    assert made.lesions == lesions
    assert made.bulging == drawn.bulging
    assert len(made.wishes) == 25


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"discs": {}}, "expected parts"),
        ({"wishes": {(Condition.SPINAL_CANAL_STENOSIS, Level.L1_L2): 3}}, "expected grades 0, 1 or 2"),
        ({"pfirrmann": {Level.L1_L2: 0}}, "expected Pfirrmann 1 to 5"),
    ],
    ids=["part", "grade", "Pfirrmann"],
)
def test_a_wrong_wish_is_refused(wanted, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        forced(sample_disease(np.random.default_rng(3), 60.0), wanted)
