import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spinalis.evaluate.votes import VOTES, early_winner, majority, winner
from spinalis.records import FloatArray


@st.composite
def answers(draw: st.DrawFn) -> FloatArray:
    """Probabilities of 1 to 30 slices for 2 to 5 classes, coarse so that draws are frequent."""
    shape = draw(st.integers(1, 30)), draw(st.integers(2, 5))
    raw = draw(arrays(np.float64, shape, elements=st.sampled_from([0.1, 0.3, 0.3000001, 1.0, 2.0])))
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("vote", VOTES)
@given(found=answers())
def test_an_early_end_never_changes_the_answer(vote: str, found: FloatArray) -> None:
    ballots = VOTES[vote](found)
    early, used = early_winner(ballots)
    assert early == winner(ballots)
    assert 1 <= used <= len(ballots)


@given(found=answers(), random=st.randoms(use_true_random=False))
def test_no_ending_of_the_slices_left_out_could_have_changed_it(found: FloatArray, random: object) -> None:
    ballots = majority(found)
    early, used = early_winner(ballots)
    for rival in range(ballots.shape[1]):
        other = ballots.copy()
        other[used:] = np.eye(ballots.shape[1])[rival]
        assert winner(other) == early


@pytest.mark.parametrize(
    ("votes", "answer", "used"),
    [
        ([0, 0, 0, 1, 1], 0, 3),
        ([1, 1, 1, 0, 0], 1, 3),
        ([0, 0, 1, 1], 0, 2),
        ([1, 1, 0, 0], 0, 4),
        ([2], 2, 1),
    ],
    ids=["majority", "later class", "the first of equals", "a draw takes all", "one slice"],
)
def test_a_majority_ends_as_soon_as_it_can(votes: list[int], answer: int, used: int) -> None:
    assert early_winner(np.eye(3)[votes]) == (answer, used)


def test_votes_weigh_as_they_are_called() -> None:
    found = np.array([[0.9, 0.1, 0.0], [0.3, 0.4, 0.3], [0.3, 0.4, 0.3]])
    assert {name: winner(vote(found)) for name, vote in VOTES.items()} == {
        "majority": 1,
        "mean probability": 0,
        "confidence-weighted": 0,
    }


def test_votes_without_slices_and_beyond_one_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one slice"):
        winner(np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"expected ballots in 0\.\.1"):
        early_winner(np.array([[2.0, 0.0]]))
