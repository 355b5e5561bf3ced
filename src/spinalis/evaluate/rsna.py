"""The score of the RSNA 2024 Lumbar Spine Degenerative Classification set, and its no-skill floors.

Grades of S studies stand in one array (S, 5, 5): study, condition in the order of `CONDITIONS`, level in the order
of `LEVELS`; values index `SEVERITIES`, and `MISSING` marks an unlabelled place. Probabilities add a last axis of 3.

Source:
    Richards TJ et al. RSNA 2024 Lumbar Spine Degenerative Classification, competition metric.
"""

from dataclasses import dataclass

import numpy as np

from spinalis.evaluate.metrics import IntArray, check_probabilities, prior
from spinalis.records import FloatArray
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition

MISSING = -1

SEVERITY_WEIGHTS: tuple[float, float, float] = (1.0, 2.0, 4.0)
"""Weight of a labelled row by its true grade. Source: competition metric, `sample_weight`."""

PROBABILITY_FLOOR = 1e-15
"""Probabilities are clipped to this and to 1 minus this.

Source: scikit-learn 1.2 `log_loss`, which the competition metric calls.
"""

GROUPS: tuple[tuple[str, tuple[Condition, ...]], ...] = (
    ("canal", (Condition.SPINAL_CANAL_STENOSIS,)),
    ("foraminal", (Condition.LEFT_NEURAL_FORAMINAL_NARROWING, Condition.RIGHT_NEURAL_FORAMINAL_NARROWING)),
    ("subarticular", (Condition.LEFT_SUBARTICULAR_STENOSIS, Condition.RIGHT_SUBARTICULAR_STENOSIS)),
)

_CANAL = CONDITIONS.index(Condition.SPINAL_CANAL_STENOSIS)
_SEVERE = len(SEVERITIES) - 1
_WEIGHTS = np.asarray(SEVERITY_WEIGHTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RsnaScore:
    """Weighted log losses, lower is better; None where nothing of the kind is labelled."""

    canal: float | None
    foraminal: float | None
    subarticular: float | None
    any_severe_spinal: float | None

    @property
    def mean(self) -> float | None:
        """The score: the plain mean of the four, None where one of them is undefined."""
        parts = (self.canal, self.foraminal, self.subarticular, self.any_severe_spinal)
        known = [part for part in parts if part is not None]
        return sum(known) / len(parts) if len(known) == len(parts) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """What three answers without any look at a picture score on the same studies."""

    uniform: RsnaScore
    constant: RsnaScore
    per_level: RsnaScore


def score(truth: IntArray, probabilities: FloatArray) -> RsnaScore:
    """Score predictions as the competition did.

    A row without a label is not scored, and does not count among a study's canal levels; a study without any
    canal label is left out of `any_severe_spinal`.

    Args:
        truth: (S, 5, 5), 0..2 or `MISSING`.
        probabilities: (S, 5, 5, 3), 0..1, summing to 1; places without a label may hold anything.

    Raises:
        ValueError: the shapes differ, or a scored place holds no probabilities.
    """
    labelled = _labelled(truth)
    if probabilities.shape != (*truth.shape, len(SEVERITIES)):
        raise ValueError(
            f"Probabilities: expected shape {(*truth.shape, len(SEVERITIES))}, got {probabilities.shape}. "
            "Give three probabilities for each study, condition and level."
        )
    check_probabilities(probabilities[labelled])
    losses = {}
    for name, conditions in GROUPS:
        rows = [CONDITIONS.index(condition) for condition in conditions]
        chosen = labelled[:, rows]
        losses[name] = _log_loss(truth[:, rows][chosen], probabilities[:, rows][chosen], None)
    return RsnaScore(any_severe_spinal=_any_severe_spinal(truth[:, _CANAL], probabilities[:, _CANAL]), **losses)


def floors(truth: IntArray) -> Floors:
    """Score the answers that need no skill on the studies at hand.

    Args:
        truth: (S, 5, 5), 0..2 or `MISSING`.

    Returns:
        Uniform thirds; the weighted prior of each condition group; the weighted prior of each group at each level.
        The priors are taken from `truth` itself, so they are as good as a constant answer can be on it.
    """
    classes = len(SEVERITIES)
    constant = np.empty((*truth.shape, classes))
    labelled = _labelled(truth)
    for _, conditions in GROUPS:
        rows = [CONDITIONS.index(condition) for condition in conditions]
        constant[:, rows] = weighted(prior(truth[:, rows][labelled[:, rows]], classes))
    return Floors(
        uniform=score(truth, np.full((*truth.shape, classes), 1 / classes)),
        constant=score(truth, constant),
        per_level=score(truth, np.broadcast_to(level_prior(truth), constant.shape)),
    )


def level_prior(truth: IntArray) -> FloatArray:
    """(5, 5, 3) weighted prior of each condition's group at each level, from `truth` (S, 5, 5)."""
    labelled = _labelled(truth)
    answer = np.empty((len(CONDITIONS), len(LEVELS), len(SEVERITIES)))
    for _, conditions in GROUPS:
        rows = [CONDITIONS.index(condition) for condition in conditions]
        for level in range(len(LEVELS)):
            grades = truth[:, rows, level][labelled[:, rows, level]]
            answer[rows, level] = weighted(prior(grades, len(SEVERITIES)))
    return answer


def weighted(probabilities: FloatArray) -> FloatArray:
    """Turn calibrated probabilities (..., 3) into those that the score rewards most: times the weights, over the sum.

    Spinalis answers with calibrated probabilities; the expected weighted log loss is least at these.
    """
    product = probabilities * _WEIGHTS
    return np.asarray(product / product.sum(axis=-1, keepdims=True), float)


def _labelled(truth: IntArray) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    expected = (len(CONDITIONS), len(LEVELS))
    if truth.ndim != 3 or truth.shape[1:] != expected or not np.isin(truth, (MISSING, 0, 1, 2)).all():
        raise ValueError(
            f"Grades: expected (S, {expected[0]}, {expected[1]}) of 0, 1, 2 or {MISSING}, got shape {truth.shape} "
            f"with values {np.unique(truth)[:6].tolist()}. Order them as CONDITIONS and LEVELS."
        )
    return np.asarray(truth != MISSING)


def _any_severe_spinal(truth: IntArray, probabilities: FloatArray) -> float | None:
    labelled = truth != MISSING
    studies = labelled.any(axis=1)
    grade = truth[studies].max(axis=1, initial=MISSING)
    severe = np.where(labelled, probabilities[..., _SEVERE], 0.0)[studies].max(axis=1, initial=0.0)
    both = np.stack([1 - severe, severe], axis=1)
    return _log_loss((grade == _SEVERE).astype(np.int64), both, _WEIGHTS[grade])


def _log_loss(labels: IntArray, probabilities: FloatArray, weights: FloatArray | None) -> float | None:
    if not len(labels):
        return None
    if weights is None:
        weights = _WEIGHTS[labels]
    clipped = np.clip(probabilities, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    clipped = clipped / clipped.sum(axis=1, keepdims=True)
    of_truth = clipped[np.arange(len(labels)), labels]
    return float(np.average(-np.log(of_truth), weights=weights))
