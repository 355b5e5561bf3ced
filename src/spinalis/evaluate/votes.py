"""How the slices of a series agree on one answer, and how few of them are enough.

Every vote is a sum of ballots (S, K) in 0..1, a row per slice. The class with the largest sum wins; of equals, the
first.
"""

from collections.abc import Callable, Mapping

import numpy as np

from spinalis.records import FloatArray

ROUNDING = 1e-9
"""Sums of ballots that are no whole numbers are only told apart beyond this."""


def majority(probabilities: FloatArray) -> FloatArray:
    """One whole vote of every slice for its surest class. (S, K) -> (S, K)."""
    ballots = np.zeros_like(probabilities)
    ballots[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = 1.0
    return ballots


def mean_probability(probabilities: FloatArray) -> FloatArray:
    """Every slice gives each class its probability. (S, K) -> (S, K)."""
    return probabilities


def confidence_weighted(probabilities: FloatArray) -> FloatArray:
    """Every slice votes for its surest class, with the weight of that probability. (S, K) -> (S, K)."""
    return np.asarray(majority(probabilities) * probabilities)


VOTES: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "majority": majority,
    "mean probability": mean_probability,
    "confidence-weighted": confidence_weighted,
}
"""By name; the first is the paper's."""


def winner(ballots: FloatArray) -> int:
    """The class with the largest sum, the first of equals.

    Raises:
        ValueError: there is no ballot.
    """
    return int(_sums(ballots)[-1].argmax())


def early_winner(ballots: FloatArray) -> tuple[int, int]:
    """The winner, and how many slices, in their order, had to be looked at before it could no longer change.

    Exact: the slices left out could at most give a whole vote each to the second class.

    Args:
        ballots: (S, K), 0..1.

    Returns:
        The class, and the number of slices, 1..S.

    Raises:
        ValueError: there is no ballot, or one lies outside 0..1.
    """
    if ((ballots < 0) | (ballots > 1)).any():
        raise ValueError("Vote: expected ballots in 0..1, got others. An early end would not be exact.")
    sums = _sums(ballots)
    whole = bool((ballots == np.round(ballots)).all())
    for used, row in enumerate(sums, start=1):
        best, left = int(row.argmax()), len(sums) - used
        margins = row[best] - np.delete(row, best)
        # Of equals the first wins: a later class has to get past, an earlier one only to draw level.
        needed = np.where(np.arange(len(margins)) < best, left, left - 1) if whole else np.full(len(margins), left)
        if left == 0 or (margins > needed + (0 if whole else ROUNDING)).all():
            return best, used
    raise AssertionError("unreachable: the last slice ends the vote")


def _sums(ballots: FloatArray) -> FloatArray:
    if not len(ballots):
        raise ValueError("Vote: expected at least one slice, got none. Leave out empty series.")
    return np.asarray(np.cumsum(ballots, axis=0))
