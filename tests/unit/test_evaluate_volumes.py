from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinalis.evaluate.volumes import NO_SKILL, classify, macro_f1, mcnemar, per_type, table


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 6, 2 / 64), (1, 9, 2 * (1 + 10) / 1024), (10, 2, 2 * (1 + 12 + 66) / 4096)],
)
def test_mcnemar_is_the_binomial_test_of_the_discordant_cases(only_first: int, only_second: int, p: float) -> None:
    first = np.array([True] * only_first + [False] * only_second + [True, False])
    second = np.array([False] * only_first + [True] * only_second + [True, False])
    found = mcnemar(first, second)
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p == pytest.approx(p)
    assert mcnemar(second, first).p == found.p


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_mcnemar_agrees_with_a_count_of_all_splits(cases: list[tuple[bool, bool]]) -> None:
    pairs = np.array(cases, bool).reshape(-1, 2)
    found = mcnemar(pairs[:, 0], pairs[:, 1])
    n, seen = found.only_first + found.only_second, abs(found.only_first - found.only_second)
    as_far = sum(comb(n, k) for k in range(n + 1) if abs(n - 2 * k) >= seen)
    assert found.p == pytest.approx(as_far / 2**n)


def test_mcnemar_wants_the_same_cases() -> None:
    with pytest.raises(ValueError, match="expected answers to the same cases, got 2 and 3"):
        mcnemar(np.ones(2, bool), np.ones(3, bool))


def test_macro_f1_is_over_the_types_that_are_there() -> None:
    assert macro_f1(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])) == pytest.approx((6 / 7 + 8 / 9) / 2)
    assert macro_f1(np.zeros((2, 2), np.int64)) is None


def test_the_table_sets_tests_floors_and_the_papers_figures_beside_one_another() -> None:
    random = np.random.default_rng(1)
    truth = random.choice(3, 200, p=[0.5, 0.3, 0.2])
    studies = np.repeat(np.arange(40), 5).astype(str)
    good = np.where(random.random(200) < 0.9, truth, (truth + 1) % 3)
    worse = np.where(random.random(200) < 0.6, truth, (truth + 1) % 3)
    made = table(
        "test",
        truth,
        studies,
        {"dense": good, "res": worse},
        classes=3,
        paper={"dense": ("0.972", "0.966")},
        repeats=50,
    )
    assert [row[0] for row in made.rows] == ["dense", "res", NO_SKILL]
    assert made.rows[0][3:] == ("–", "0.972", "0.966")
    assert made.rows[1][3].startswith("p < 0.001 (")
    assert made.rows[2][1].startswith(f"{np.bincount(truth).max() / 200:.3f} (")
    assert "200 series of 40 studies" in made.notes[0]
    found = classify(truth, good, studies, 3, repeats=50)
    assert found.accuracy == pytest.approx((truth == good).mean())
    assert found.accuracy_interval is not None
    assert found.accuracy_interval[0] < (truth == good).mean() < found.accuracy_interval[1]


def test_types_are_listed_with_their_own_figures() -> None:
    truth, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 3, 1, 0])
    made = per_type("t", truth, predicted, ["T1w", "T2w", "PD", "ADC"])
    assert [row[:2] for row in made.rows] == [("T1w", "3"), ("T2w", "2"), ("ADC", "0")]
    assert made.rows[0][2].startswith("66.7 % (2/3;")
    assert [row[-1] for row in made.rows] == ["1", "0", "–"]
    assert made.rows[2][2:5] == ("–", "0.000", "0.000")
