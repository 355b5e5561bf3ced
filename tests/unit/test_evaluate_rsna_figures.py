import numpy as np
import pytest

from spinalis.evaluate import rsna
from spinalis.evaluate.rsna_figures import PARTS, difference, figures
from spinalis.evaluate.rsna_tables import tables
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition


@pytest.fixture(scope="module")
def truth():
    random = np.random.default_rng(0)
    grades = random.choice(3, p=[0.6, 0.25, 0.15], size=(60, 5, 5))
    grades[random.random(grades.shape) < 0.05] = rsna.MISSING
    return grades


def answers_for(truth, skill, seed=1):
    """Answers that lean towards the truth by `skill`, 0 none."""
    noise = np.random.default_rng(seed).dirichlet([2, 1, 1], size=truth.shape)
    return (1 - skill) * noise + skill * np.eye(3)[np.maximum(truth, 0)]


def test_perfect_answers_have_perfect_figures(truth):
    found = figures(truth, np.eye(3)[np.maximum(truth, 0)], repeats=20)
    assert found.score.mean == pytest.approx(0, abs=1e-12)
    assert found.studies == 60
    assert found.labelled == (truth >= 0).sum()
    assert [item.name for item in found.groups] == ["canal", "foraminal", "subarticular"]
    assert [item.name for item in found.conditions] == [condition.value for condition in CONDITIONS]
    for item in (*found.groups, *found.conditions):
        assert item.found.recall == (1, 1, 1)
        assert item.found.auc_severe == item.found.kappa == item.found.auc_within_level == 1
        assert item.found.severe_called_normal.count == 0
        assert item.found.calibration_error == pytest.approx(0, abs=1e-12)
    assert len(found.levels) == 15


def test_the_level_alone_has_no_skill_within_a_level(truth):
    found = figures(truth, answers_for(truth, 0.0), repeats=20)
    for item in found.groups:
        assert item.level_alone.auc_within_level == 0.5
    for item in found.levels:
        assert item.found.log_loss > item.prior_log_loss


def test_figures_of_a_group_are_those_of_its_cases(truth):
    answers = answers_for(truth, 0.3)
    (foraminal,) = [item for item in figures(truth, answers, repeats=20).groups if item.name == "foraminal"]
    rows = [CONDITIONS.index(Condition.LEFT_NEURAL_FORAMINAL_NARROWING), 2]
    grade, answer = truth[:, rows].ravel(), answers[:, rows].reshape(-1, 3)
    grade, answer = grade[grade >= 0], answer[grade >= 0]
    called = answer.argmax(axis=1)
    assert foraminal.found.counts == tuple((grade == k).sum() for k in range(3))
    assert foraminal.found.recall == pytest.approx([(called[grade == k] == k).mean() for k in range(3)])
    assert foraminal.found.severe_called_normal.count == ((grade == 2) & (called == 0)).sum()
    weights = 2.0**grade
    loss = -(weights * np.log(answer[np.arange(len(grade)), grade])).sum() / weights.sum()
    assert foraminal.found.log_loss == pytest.approx(loss)
    low, high = foraminal.auc_severe_interval
    assert low <= foraminal.found.auc_severe <= high


def test_calibration_is_judged_without_the_weights():
    random = np.random.default_rng(3)
    shares = random.dirichlet([3, 2, 2], size=(400, 5, 5))
    truth = (shares.cumsum(axis=-1)[..., :2] < random.random((400, 5, 5, 1))).sum(axis=-1)
    tuned = figures(truth, rsna.weighted(shares), repeats=5).groups[1].found.calibration_error
    plain = figures(truth, shares, repeats=5).groups[1].found.calibration_error
    assert tuned < 0.03
    assert plain > 0.1


def test_unweighted_takes_the_weights_out():
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], size=50)
    assert rsna.unweighted(rsna.weighted(shares)) == pytest.approx(shares)


def test_intervals_hold_the_score_and_repeat(truth):
    first, second = (figures(truth, answers_for(truth, 0.2), repeats=100) for _ in range(2))
    assert first.intervals == second.intervals
    for part, (low, high) in zip(PARTS, first.intervals, strict=True):
        assert low < getattr(first.score, part) < high


def test_a_paired_difference_is_surer_than_two_intervals(truth):
    better, worse = answers_for(truth, 0.25), answers_for(truth, 0.2)
    paired = difference(truth, better, worse, repeats=100)
    assert paired.values[0] == pytest.approx(rsna.score(truth, better).mean - rsna.score(truth, worse).mean)
    assert all(high < 0 for _, high in paired.intervals[:4])
    low, high = figures(truth, better, repeats=100).intervals[0]
    assert paired.intervals[0][1] - paired.intervals[0][0] < (high - low) / 2
    assert difference(truth, better, better, repeats=10).intervals[0] == (0, 0)


def test_what_the_labels_leave_undefined_is_none():
    truth = np.full((3, 5, 5), rsna.MISSING)
    truth[:, 0, 0] = 0
    found = figures(truth, np.full((3, 5, 5, 3), 1 / 3), repeats=10)
    assert found.score.mean is None
    assert found.intervals[0] is None
    assert found.groups[1].found.recall == (None, None, None)
    assert found.groups[0].found.auc_severe is None
    assert "–" in tables({"p.csv": found})[0].to_markdown()


def test_the_score_is_the_same_from_the_terms_of_single_studies(truth):
    answers = answers_for(truth, 0.2)
    twice = np.concatenate([np.arange(60), np.arange(30)])
    drawn = rsna.score_of(rsna.terms(truth, answers)[twice])
    assert drawn.mean == pytest.approx(rsna.score(truth[twice], answers[twice]).mean, rel=1e-12)


def test_tables_have_the_floors_and_a_level_only_row_for_every_row(truth):
    first, second = answers_for(truth, 0.3), answers_for(truth, 0.2)
    found = {name: figures(truth, item, repeats=20) for name, item in (("a.csv", first), ("b.csv", second))}
    made = tables(found, difference(truth, first, second, repeats=20))
    score, paired, grades, levels = made[:4]
    assert [row[0] for row in score.rows] == [
        "a.csv",
        "b.csv",
        "uniform (no skill)",
        "constant weighted prior (no skill)",
        "per-level weighted prior (no skill)",
    ]
    assert score.rows[2][2] == "1.099"
    assert paired.rows[0][0] == "a.csv minus b.csv"
    assert paired.rows[0][1].startswith("-")
    assert [row[0] for row in grades.rows[::2]] == [row[0].removesuffix(", level alone") for row in grades.rows[1::2]]
    assert len(grades.rows) == 2 * (3 + 4)
    assert [row[:2] for row in levels.rows[:5]] == [("canal", level.value) for level in LEVELS]
    assert len(made) == 6
    assert len(SEVERITIES) == grades.rows[0][1].count("/") + 1
