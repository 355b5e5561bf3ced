import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.grade.grade import VIEWS_OF
from spinalis.grade.operating import calibrated, call
from spinalis.prevalence import PREVALENCE
from spinalis.train import operating
from spinalis.train.coverage import tables
from spinalis.train.grade import Bags
from spinalis.train.operating import Cases
from tests.fakes import manifest


def cases(count: int = 4000, seed: int = 1, shift: float = 0.0) -> Cases:
    """Grades with the known prevalence of the canal, and logits that tell of them; `shift` moves all logits."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 5, count)
    shares = np.asarray(PREVALENCE["canal"])
    grades = np.array([rng.choice(3, p=shares[level] / shares[level].sum()) for level in levels])
    logits = 2.0 * np.eye(3)[grades] + rng.normal(0.0, 1.0, (count, 3)) + np.array([0.0, shift, shift])
    return Cases(logits=logits, grades=grades, levels=levels)


def settings(found: Cases, *, level_prior: bool = True, by: str = operating.KNOWN) -> dict[str, object]:
    return operating.settings(dict.fromkeys(VIEWS_OF, found), level_prior=level_prior, by=by)


def test_known_prevalence_sets_how_often_each_grade_is_called_at_each_level() -> None:
    found = cases()
    made = settings(found)
    answers = calibrated(found.logits, made["calibration"]["foraminal"], found.levels)
    calls = call(answers, found.levels, made["operating_points"]["foraminal"])
    for level, shares in enumerate(PREVALENCE["foraminal"]):
        own = calls[found.levels == level]
        assert np.bincount(own, minlength=3) / len(own) == pytest.approx(shares, abs=0.01)
    assert made["operating_points"]["by"] == operating.KNOWN


def test_grades_of_the_site_set_its_own_shares() -> None:
    found = cases()
    made = settings(found, by="readers' grades of 800 studies")
    answers = calibrated(found.logits, made["calibration"]["foraminal"], found.levels)
    calls = call(answers, found.levels, made["operating_points"]["foraminal"])
    for level in range(5):
        own = found.levels == level
        shares = [np.bincount(rows[own], minlength=3) / own.sum() for rows in (calls, found.grades)]
        assert shares[0] == pytest.approx(shares[1], abs=0.01)


def test_the_level_prior_helps_where_levels_differ_and_can_be_left_out() -> None:
    found, fresh = cases(), cases(seed=2)
    losses = []
    for prior in (True, False):
        made = settings(found, level_prior=prior)
        assert made["level_prior"] is prior
        answers = calibrated(fresh.logits, made["calibration"]["canal"], fresh.levels if prior else None)
        losses.append(-np.log(answers[np.arange(len(fresh.grades)), fresh.grades]).mean())
    assert losses[0] < losses[1] - 0.01


def test_the_true_grade_is_kept_as_often_as_was_asked_for_on_studies_that_set_nothing() -> None:
    made = settings(cases())
    fresh = cases(seed=3)
    answers = calibrated(fresh.logits, made["calibration"]["canal"], fresh.levels)
    least = np.asarray(made["exclusion"]["canal"]["least"])
    for row, wanted in enumerate(operating.SENSITIVITIES):
        for grade in range(3):
            own = fresh.grades == grade
            kept = (answers[own, grade] >= least[row, grade]).mean()
            assert kept == pytest.approx(wanted, abs=3.5 * np.sqrt(wanted * (1 - wanted) / own.sum()) + 0.02)


def test_too_few_cases_exclude_nothing() -> None:
    answers = np.full((12, 3), 1 / 3)
    found = operating.exclusion(answers, np.array([0] * 9 + [2] * 3))
    assert found["cases"] == [9, 0, 3]
    assert [row[0] > 0 for row in found["least"]] == [True, True, False, False]
    assert not any(row[1] or row[2] for row in found["least"])


def test_studies_without_grades_are_matched_to_the_known_prevalence() -> None:
    before = settings(cases())
    moved = cases(seed=4, shift=2.5)  # another scanner: everything looks worse
    logits, shown = dict.fromkeys(VIEWS_OF, moved.logits), dict.fromkeys(VIEWS_OF, np.ones(len(moved.levels), bool))
    made = operating.matched(before, logits, moved.levels, shown)
    old = calibrated(moved.logits, before["calibration"]["canal"], moved.levels)
    new = calibrated(moved.logits, made["calibration"]["canal"], moved.levels)
    shares = np.asarray(PREVALENCE["canal"])[moved.levels].mean(axis=0)
    assert abs(old.mean(axis=0) - shares).max() > 0.1
    assert new.mean(axis=0) == pytest.approx(shares, abs=0.002)
    right = [
        (call(answers, moved.levels, made["operating_points"]["canal"]) == moved.grades).mean() for answers in (new,)
    ]
    assert right[0] > (old.argmax(axis=1) == moved.grades).mean() + 0.05
    assert "exclusion" not in made


def test_an_output_without_grades_is_told() -> None:
    bags = Bags(
        crops=np.zeros((2, 11, 1, 4, 4), np.uint8),
        mask=np.ones((2, 11), np.float32),
        grades=np.array([[0, -1, 1], [0, -1, 2]], np.int8),
        levels=np.zeros(2, np.int8),
        studies=np.zeros(2, np.int64),
    )
    with pytest.raises(RecipeError, match="Calibration of foraminal"):
        operating.evidence(dict.fromkeys(VIEWS_OF, np.zeros((2, 3))), bags)


def test_the_table_gives_coverage_and_its_price() -> None:
    offer = {"sensitivity": [0.9], "least": [[0.5, 0.5, 0.1]], "cases": [9, 9, 9]}
    pack = manifest("grade", {}, exclusion=dict.fromkeys(VIEWS_OF, offer))
    truth = np.zeros((2, 5, 5), np.int64)
    truth[1] = 2
    (table,) = tables(truth, np.full((2, 5, 5, 3), 0.2) + np.array([0.4, 0.0, 0.0]), pack)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["wanted"] == "90 %"
    assert row["kept, of Normal/Mild"].startswith("100.0 % (5/5")
    assert row["kept, of Severe"].startswith("100.0 % (5/5")
    assert row["grades kept, mean"] == "2.00"
    assert tables(truth, np.full((2, 5, 5, 3), 1 / 3), manifest("grade", {})) == []
