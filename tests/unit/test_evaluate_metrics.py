import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinalis.evaluate import metrics

TRUTH = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 2, 2, 0])
CONFUSION = np.array([[3, 1, 0], [0, 1, 1], [1, 0, 1]])


def test_confusion_matrix_has_truth_in_rows():
    assert metrics.confusion_matrix(TRUTH, PREDICTED, 3).tolist() == CONFUSION.tolist()


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [([0, 3], [0, 0], "Truth: expected"), ([0, 0], [0, -1], "Prediction: expected"), ([0, 0], [0], "as many")],
    ids=["truth out of range", "prediction out of range", "lengths"],
)
def test_confusion_matrix_rejects(truth, predicted, message):
    with pytest.raises(ValueError, match=message):
        metrics.confusion_matrix(np.array(truth), np.array(predicted), 3)


def test_rates_of_the_worked_example():
    assert metrics.accuracy(CONFUSION) == pytest.approx(5 / 8)
    assert metrics.recall_per_class(CONFUSION) == pytest.approx([3 / 4, 1 / 2, 1 / 2])
    assert metrics.precision_per_class(CONFUSION) == pytest.approx([3 / 4, 1 / 2, 1 / 2])
    assert metrics.f1_per_class(CONFUSION) == pytest.approx([3 / 4, 1 / 2, 1 / 2])
    assert metrics.balanced_accuracy(CONFUSION) == pytest.approx((3 / 4 + 1 / 2 + 1 / 2) / 3)


def test_absent_classes_are_undefined_not_zero():
    confusion = metrics.confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
    assert np.isnan(metrics.recall_per_class(confusion)).tolist() == [False, False, True]
    assert np.isnan(metrics.precision_per_class(confusion)).tolist() == [False, False, True]
    assert np.isnan(metrics.f1_per_class(confusion)).tolist() == [False, False, True]
    assert metrics.balanced_accuracy(confusion) == pytest.approx(0.75)


def test_no_cases_give_no_figures():
    empty = np.zeros((3, 3), int)
    none = np.zeros(0, int)
    assert metrics.accuracy(empty) is None
    assert metrics.balanced_accuracy(empty) is None
    assert metrics.quadratic_weighted_kappa(empty) is None
    assert metrics.expected_calibration_error(none, np.zeros((0, 3))) is None
    assert metrics.majority_class(none, 3) is None
    assert metrics.prior(none, 3) == pytest.approx([1 / 3] * 3)


def test_kappa_is_one_for_perfect_zero_for_constant_and_punishes_far_misses_more():
    assert metrics.quadratic_weighted_kappa(np.diag([4, 2, 1])) == 1
    assert metrics.quadratic_weighted_kappa(np.array([[4, 0, 0], [2, 0, 0], [1, 0, 0]])) == pytest.approx(0)
    near = metrics.quadratic_weighted_kappa(np.array([[4, 1, 0], [0, 4, 0], [0, 0, 4]]))
    far = metrics.quadratic_weighted_kappa(np.array([[4, 0, 1], [0, 4, 0], [0, 0, 4]]))
    assert far < near < 1


def test_kappa_of_a_published_example():
    # Two raters, 2 x 2: with two classes the weighted kappa is Cohen's kappa; (0.7 - 0.5) / (1 - 0.5).
    assert metrics.quadratic_weighted_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)


def test_kappa_is_undefined_where_only_one_class_occurs():
    assert metrics.quadratic_weighted_kappa(np.array([[5, 0], [0, 0]])) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=30))
def test_auc_counts_the_pairs(cases):
    positive = np.array([case[0] for case in cases])
    scores = np.array([case[1] / 4 for case in cases])
    wins = [(p > n) + (p == n) / 2 for p in scores[positive] for n in scores[~positive]]
    expected = sum(wins) / len(wins) if wins else None
    assert metrics.roc_auc(positive, scores) == (None if expected is None else pytest.approx(expected))


def test_auc_rejects_nan_scores():
    with pytest.raises(ValueError, match="one finite score"):
        metrics.roc_auc(np.array([True, False]), np.array([0.5, np.nan]))


def test_calibration_error_of_an_overconfident_answer_is_the_gap():
    probabilities = np.tile([0.9, 0.1], (10, 1))
    truth = np.array([0] * 6 + [1] * 4)
    assert metrics.expected_calibration_error(truth, probabilities) == pytest.approx(0.3)


def test_calibration_error_vanishes_when_the_answer_is_as_sure_as_it_is_right():
    probabilities = np.concatenate([np.tile([0.8, 0.2], (10, 1)), np.tile([0.0, 1.0], (5, 1))])
    truth = np.array([0] * 8 + [1] * 2 + [1] * 5)
    assert metrics.expected_calibration_error(truth, probabilities) == pytest.approx(0)


def test_calibration_error_rejects_logits():
    with pytest.raises(ValueError, match="not logits"):
        metrics.expected_calibration_error(np.array([0]), np.array([[2.0, -1.0]]))


def test_wilson_interval_of_a_published_example():
    # Newcombe, Stat Med 1998;17:857-872, table I: 81/263, 15/148, 0/20 and 1/29.
    assert metrics.wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert metrics.wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert metrics.wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert metrics.wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)


@given(st.integers(0, 200), st.integers(0, 200))
def test_wilson_interval_holds_the_share(right, wrong):
    low, high = metrics.wilson_interval(right, right + wrong)
    share = metrics.Share(count=right, total=right + wrong).value
    assert 0 <= low <= high <= 1
    assert share is None or low - 1e-12 <= share <= high + 1e-12


def test_wilson_interval_rejects_more_than_all():
    with pytest.raises(ValueError, match=r"count in 0\.\.3"):
        metrics.wilson_interval(4, 3)


def test_bootstrap_draws_whole_patients():
    values = np.repeat([0.0, 1.0, 0.0, 1.0], 50)
    patients = np.repeat(["a", "b", "c", "d"], 50)

    def mean(rows):
        return float(values[rows].mean())

    by_patient = metrics.bootstrap_interval(mean, patients, repeats=300)
    by_row = metrics.bootstrap_interval(mean, np.arange(len(values)), repeats=300)
    assert by_patient == (0.0, 1.0)
    assert by_row[1] - by_row[0] < 0.2


def test_bootstrap_repeats_with_its_seed_and_says_when_undefined():
    values = np.random.default_rng(3).normal(size=40)

    def mean(rows):
        return float(values[rows].mean())

    def interval(seed):
        return metrics.bootstrap_interval(mean, np.arange(40), repeats=200, seed=seed)

    low, high = interval(1)
    assert interval(1) == (low, high) != interval(2)
    assert low < values.mean() < high
    assert metrics.bootstrap_interval(lambda rows: None, np.arange(40), repeats=10) is None
    assert metrics.bootstrap_interval(mean, np.arange(0), repeats=10) is None


def test_bootstrap_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = 0
    for draw in range(100):
        values = random.normal(size=40)
        low, high = metrics.bootstrap_interval(
            lambda rows, values=values: float(values[rows].mean()), np.arange(40), repeats=200, seed=draw
        )
        covered += low < 0 < high
    assert 86 <= covered <= 99


def test_no_skill_answers_follow_the_counts():
    truth = np.array([0, 0, 2, 1, 2, 2])
    levels = np.array([0, 0, 0, 1, 1, 1])
    assert metrics.majority_class(truth, 3) == 2
    assert metrics.prior(truth, 3) == pytest.approx([2 / 6, 1 / 6, 3 / 6])
    per_level = metrics.prior_per_level(truth, levels, 3, level_count=3)
    assert per_level == pytest.approx(np.array([[2 / 3, 0, 1 / 3], [0, 1 / 3, 2 / 3], [1 / 3, 1 / 3, 1 / 3]]))
