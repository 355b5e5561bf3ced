import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinalis.evaluate import levels

SPINE = np.array([[0.0, 0.0], [3.0, 30.0], [4.0, 62.0], [1.0, 95.0], [-8.0, 125.0]])


def patients(count, dimensions=2):
    random = np.random.default_rng(count)
    spine = SPINE if dimensions == 2 else np.insert(SPINE, 0, 2.0, axis=1)
    return spine * random.uniform(0.8, 1.2, (count, 1, 1)) + random.uniform(-50, 50, (count, 1, dimensions))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_truth_is_all_right(dimensions):
    truth = patients(4, dimensions)
    agreement = levels.judge(truth, truth, np.ones(4))
    assert agreement.all_right.value == 1
    assert (agreement.median_percent, agreement.median_mm) == (0, 0)
    assert agreement.shifted_one.count == agreement.shifted_more.count == agreement.missing.count == 0


def test_an_error_across_the_spine_does_not_count():
    truth = np.stack([np.zeros(5), np.arange(5) * 30.0], axis=1)[None]
    errors = levels.errors_along_spine(truth + np.array([25.0, 6.0]), truth)
    assert errors == pytest.approx(np.full((1, 5), 6.0))


@given(st.floats(-np.pi, np.pi), st.floats(0.1, 10), st.integers(0, 1000))
def test_errors_turn_and_scale_with_the_picture(angle, scale, seed):
    truth = patients(3)
    predicted = truth + np.random.default_rng(seed).normal(0, 8, truth.shape)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    plain = levels.judge(predicted, truth)
    turned = levels.judge(predicted @ turn, truth @ turn)
    assert turned.all_right == plain.all_right
    assert turned.median_percent == pytest.approx(plain.median_percent)
    assert levels.pitch(truth @ turn) == pytest.approx(levels.pitch(truth) * scale)


def test_half_the_pitch_divides_right_from_wrong():
    truth = np.stack([np.zeros(5), np.arange(5) * 30.0], axis=1)[None].repeat(2, axis=0)
    predicted = truth.copy()
    predicted[0, 2, 1] += 14.9
    predicted[1, 2, 1] += 15.1
    agreement = levels.judge(predicted, truth)
    assert agreement.all_right.count == 1
    assert agreement.shifted_one.count == 0


def test_points_one_level_off_are_counted_as_shifted():
    truth = np.stack([np.zeros(5), np.arange(5) * 30.0], axis=1)[None].repeat(3, axis=0)
    predicted = truth.copy()
    predicted[0, :, 1] -= 30
    predicted[1, :, 1] += 60
    predicted[1, 4] = np.nan
    agreement = levels.judge(predicted, truth, np.full(3, 0.5))
    assert agreement.all_right.count == 1
    assert (agreement.shifted_one.count, agreement.shifted_more.count) == (1, 1)
    assert (agreement.missing.count, agreement.missing.total) == (1, 15)
    assert agreement.median_percent == pytest.approx(100)
    assert agreement.median_mm == pytest.approx(15)


def test_a_missing_level_makes_its_patient_wrong():
    truth = patients(2)
    predicted = truth.copy()
    predicted[0, 1] = np.nan
    agreement = levels.judge(predicted, truth)
    assert agreement.all_right.count == 1
    assert agreement.median_percent == 0
    nothing = levels.judge(np.full_like(truth, np.nan), truth)
    assert nothing.all_right.count == 0
    assert nothing.shifted_one.count == 0
    assert nothing.median_percent is None


def test_the_mean_position_is_the_answer_without_skill():
    training = patients(200)
    answer = levels.mean_position(training)
    assert answer == pytest.approx(training.mean(axis=0))
    truth = patients(50)
    agreement = levels.judge(answer, truth)
    assert agreement.all_right.value < 0.5
    assert agreement.median_percent > 10
    assert agreement == levels.judge(np.repeat(answer[None], 50, axis=0), truth)


@pytest.mark.parametrize(
    ("predicted", "truth", "message"),
    [
        (np.zeros((2, 4, 2)), np.zeros((2, 4, 2)), "True levels: expected shape"),
        (np.zeros((3, 5, 2)), patients(2), "Predicted levels: expected shape"),
        (np.zeros((2, 5, 3)), patients(2), "Predicted levels: expected shape"),
        (np.zeros((2, 5, 2)), np.zeros((2, 5, 2)), "apart from each other"),
        (np.zeros((2, 5, 2)), np.full((2, 5, 2), np.nan), "finite points"),
    ],
    ids=["four levels", "patients", "dimensions", "coincident", "not finite"],
)
def test_judge_rejects(predicted, truth, message):
    with pytest.raises(ValueError, match=message):
        levels.judge(predicted, truth)


def test_mean_position_needs_a_patient():
    with pytest.raises(ValueError, match="at least one training patient"):
        levels.mean_position(np.zeros((0, 5, 2)))
