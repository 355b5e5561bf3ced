"""Figures for labels and probabilities, and the answers that need no skill.

Labels are integers 0..classes-1. A figure that the data leave undefined (a class without cases) is None or NaN, as
its docstring says, never a number made up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from spinalis.records import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Interval = tuple[float, float]

SUM_TOLERANCE = 1e-3
"""Probabilities of a case are accepted where their sum is within this of 1; files round to four digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`count` out of `total` cases."""

    count: int
    total: int

    @property
    def value(self) -> float | None:
        """The share in 0..1, None without cases."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> Interval:
        """The 95 % interval of `wilson_interval`."""
        return wilson_interval(self.count, self.total)


def confusion_matrix(truth: IntArray, predicted: IntArray, classes: int) -> IntArray:
    """Count the pairs of true and predicted class.

    Args:
        truth: (N,), 0..classes-1.
        predicted: (N,), 0..classes-1.
        classes: number of classes.

    Returns:
        (classes, classes), rows are the truth, columns the prediction.

    Raises:
        ValueError: the lengths differ or a label is out of range.
    """
    _check_labels("Truth", truth, classes)
    _check_labels("Prediction", predicted, classes)
    if truth.shape != predicted.shape:
        raise ValueError(
            f"Labels: expected as many predictions as true labels, got {len(predicted)} and {len(truth)}. "
            "Pass one prediction for each case."
        )
    pairs = truth.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def accuracy(confusion: IntArray) -> float | None:
    """Share of cases on the diagonal of `confusion` (K, K); None without cases."""
    total = int(confusion.sum())
    return float(np.trace(confusion)) / total if total else None


def recall_per_class(confusion: IntArray) -> FloatArray:
    """(K,) share of each true class that was found, 0..1; NaN for a class without true cases."""
    return _ratio(np.diag(confusion), confusion.sum(axis=1))


def precision_per_class(confusion: IntArray) -> FloatArray:
    """(K,) share of each predicted class that is right, 0..1; NaN for a class that was never predicted."""
    return _ratio(np.diag(confusion), confusion.sum(axis=0))


def f1_per_class(confusion: IntArray) -> FloatArray:
    """(K,) harmonic mean of precision and recall, 0..1; NaN for a class neither present nor predicted."""
    return _ratio(2 * np.diag(confusion), confusion.sum(axis=1) + confusion.sum(axis=0))


def balanced_accuracy(confusion: IntArray) -> float | None:
    """Mean recall over the classes that have true cases, 0..1; None without cases."""
    recall = recall_per_class(confusion)
    present = recall[~np.isnan(recall)]
    return float(present.mean()) if present.size else None


def quadratic_weighted_kappa(confusion: IntArray) -> float | None:
    """Agreement of ordered classes beyond chance: 1 perfect, 0 chance, negative below chance.

    Args:
        confusion: (K, K), classes in their order.

    Returns:
        Kappa, or None where all truth and all predictions are one and the same class (or there are no cases).

    Source:
        Cohen J. Weighted kappa. Psychol Bull 1968;70:213-220.
    """
    total = confusion.sum()
    if total == 0:
        return None
    grades = np.arange(len(confusion))
    penalty = (grades[:, None] - grades[None, :]) ** 2
    expected = np.outer(confusion.sum(axis=1), confusion.sum(axis=0)) / total
    by_chance = float((penalty * expected).sum())
    return 1.0 - float((penalty * confusion).sum()) / by_chance if by_chance > 0 else None


def roc_auc(positive: BoolArray, scores: FloatArray) -> float | None:
    """Probability that a positive case scores above a negative one; a tie counts one half.

    Args:
        positive: (N,), is the case positive?
        scores: (N,), finite, larger means more positive.

    Returns:
        0..1, or None where all cases are positive or all are negative.

    Raises:
        ValueError: the lengths differ or a score is not finite.

    Source:
        Hanley JA, McNeil BJ. Radiology 1982;143:29-36 (Mann-Whitney form).
    """
    if positive.shape != scores.shape or not np.all(np.isfinite(scores)):
        raise ValueError(
            f"AUC: expected one finite score for each case, got {scores.size} scores for {positive.size} cases. "
            "Leave out the cases without a score."
        )
    of_value = np.unique(scores, return_inverse=True)[1].reshape(-1)
    positives = np.bincount(of_value, weights=positive.astype(float))
    negatives = np.bincount(of_value, weights=~positive.astype(bool))
    pairs = positives.sum() * negatives.sum()
    if pairs == 0:
        return None
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs)


def expected_calibration_error(truth: IntArray, probabilities: FloatArray, bins: int = 15) -> float | None:
    """Mean gap between how sure the answers are and how often they are right.

    Args:
        truth: (N,), 0..K-1.
        probabilities: (N, K), rows sum to 1.
        bins: number of equally wide bins of the largest probability.

    Returns:
        0..1, or None without cases.

    Raises:
        ValueError: a label is out of range, or a row is no probability distribution.

    Source:
        Guo C et al. On calibration of modern neural networks. ICML 2017, equation 3.
    """
    check_probabilities(probabilities)
    _check_labels("Truth", truth, probabilities.shape[-1])
    if not len(truth):
        return None
    sureness = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    of_case = np.minimum((sureness * bins).astype(np.int64), bins - 1)
    gap = np.bincount(of_case, weights=right - sureness, minlength=bins)
    return float(np.abs(gap).sum() / len(truth))


def wilson_interval(count: int, total: int, coverage: float = 0.95) -> Interval:
    """Interval of a share, sound for small numbers and for shares near 0 and 1; (0, 1) without cases.

    Source:
        Wilson EB. J Am Stat Assoc 1927;22:209-212.
    """
    if not 0 <= count <= total:
        raise ValueError(f"Share: expected a count in 0..{total}, got {count}. Count again.")
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + coverage) / 2)
    share = count / total
    centre = share + z * z / (2 * total)
    spread = z * float(np.sqrt(share * (1 - share) / total + z * z / (4 * total * total)))
    scale = 1 + z * z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def bootstrap_interval(
    statistic: Callable[[IntArray], float | None],
    groups: NDArray[np.generic],
    *,
    repeats: int = 1000,
    seed: int = 0,
    coverage: float = 0.95,
) -> Interval | None:
    """Percentile interval of a statistic, drawing whole groups (patients, studies) with replacement.

    Cases of one patient are alike; drawing them one by one would make the interval too narrow. For the difference
    of two models pass a statistic that computes it, so both see the same draws.

    Args:
        statistic: takes row indices (M,), with repetitions, and returns the figure or None where undefined.
        groups: (N,), the patient or study of each row.
        repeats: number of draws.
        seed: the same seed gives the same interval.
        coverage: 0..1.

    Returns:
        Lower and upper bound, or None where the statistic is undefined in more than half of the draws.

    Source:
        Efron B, Tibshirani RJ. An Introduction to the Bootstrap. 1993, chapter 13.
    """
    names, of_row = np.unique(groups, return_inverse=True)
    rows_of = [np.flatnonzero(of_row == group) for group in range(len(names))]
    random = np.random.default_rng(seed)
    figures = []
    for _ in range(repeats if rows_of else 0):
        drawn = random.integers(0, len(rows_of), len(rows_of))
        figure = statistic(np.concatenate([rows_of[group] for group in drawn]))
        if figure is not None and np.isfinite(figure):
            figures.append(figure)
    if not figures or len(figures) * 2 < repeats:
        return None
    low, high = np.quantile(figures, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)


def majority_class(truth: IntArray, classes: int) -> int | None:
    """The most frequent class of `truth` (N,), the lowest of equals: the constant answer with the best accuracy.

    None without cases.
    """
    _check_labels("Truth", truth, classes)
    return int(np.bincount(truth, minlength=classes).argmax()) if len(truth) else None


def prior(truth: IntArray, classes: int) -> FloatArray:
    """(classes,) share of each class in `truth` (N,), summing to 1; uniform without cases."""
    _check_labels("Truth", truth, classes)
    if not len(truth):
        return np.full(classes, 1 / classes)
    return np.bincount(truth, minlength=classes) / len(truth)


def prior_per_level(truth: IntArray, levels: IntArray, classes: int, level_count: int = 5) -> FloatArray:
    """(level_count, classes) share of each class at each level; uniform at a level without cases.

    Args:
        truth: (N,), 0..classes-1.
        levels: (N,), 0..level_count-1, the level of each case.
        classes: number of classes.
        level_count: number of levels.
    """
    _check_labels("Level", levels, level_count)
    return np.stack([prior(truth[levels == level], classes) for level in range(level_count)])


def check_probabilities(probabilities: FloatArray) -> None:
    """Raise ValueError unless the last axis of `probabilities` (..., K) holds distributions: 0..1, summing to 1."""
    sums = probabilities.sum(axis=-1)
    sound = np.isfinite(sums) & (np.abs(sums - 1) <= SUM_TOLERANCE) & (probabilities >= 0).all(axis=-1)
    if not np.all(sound):
        raise ValueError(
            f"Probabilities: expected numbers in 0..1 that sum to 1, got {int((~sound).sum())} of {sound.size} rows "
            "that do not. Pass probabilities, not logits."
        )


def _check_labels(what: str, labels: IntArray, classes: int) -> None:
    if labels.ndim != 1 or not np.isin(labels, np.arange(classes)).all():
        raise ValueError(
            f"{what}: expected (N,) labels in 0..{classes - 1}, got shape {labels.shape} "
            f"with {np.unique(labels)[:6].tolist()}. "
            "Leave out the cases without a label."
        )


def _ratio(numerator: IntArray, denominator: IntArray) -> FloatArray:
    undefined = np.full(len(numerator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=undefined, where=denominator > 0), float)
