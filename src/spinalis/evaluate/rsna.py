"""The score of the RSNA 2024 Lumbar Spine Degenerative Classification set, and its no-skill floors.

Grades of S studies stand in one array (S, 5, 5): study, condition in the order of `CONDITIONS`, level in the order
of `LEVELS`; values index `SEVERITIES`, and `MISSING` marks an unlabelled place. Probabilities add a last axis of 3.

Source:
    Richards TJ et al. RSNA 2024 Lumbar Spine Degenerative Classification, competition metric.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from spinalis.evaluate.metrics import BoolArray, IntArray, check_probabilities, prior
from spinalis.prevalence import PREVALENCE
from spinalis.records import Finding, FloatArray, Graded
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level, Severity

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

_GROUP_OF = {condition: name for name, conditions in GROUPS for condition in conditions}
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
    return score_of(terms(truth, probabilities))


def terms(truth: IntArray, probabilities: FloatArray) -> FloatArray:
    """What each study adds to the score; arguments and errors as for `score`.

    Returns:
        (S, 4, 2): for canal, foraminal, subarticular and any severe canal the sum of weighted losses, and of weights.
    """
    labelled = _labelled(truth)
    if probabilities.shape != (*truth.shape, len(SEVERITIES)):
        raise ValueError(
            f"Probabilities: expected shape {(*truth.shape, len(SEVERITIES))}, got {probabilities.shape}. "
            "Give three probabilities for each study, condition and level."
        )
    check_probabilities(probabilities[labelled])
    weights = np.where(labelled, _WEIGHTS[truth], 0.0)
    losses = np.where(labelled, _log_loss(np.where(labelled, truth, 0), _filled(probabilities, labelled)), 0.0)
    parts = []
    for _, conditions in GROUPS:
        rows = [CONDITIONS.index(condition) for condition in conditions]
        own = weights[:, rows]
        parts.append(np.stack([(own * losses[:, rows]).sum(axis=(1, 2)), own.sum(axis=(1, 2))], axis=-1))
    return np.stack([*parts, _any_severe_terms(truth[:, _CANAL], probabilities[:, _CANAL])], axis=1)


def score_of(study_terms: FloatArray) -> RsnaScore:
    """The score of some studies from their `terms` (S, 4, 2); a study may stand there more than once."""
    sums = study_terms.sum(axis=0)
    parts = [float(loss / weight) if weight > 0 else None for loss, weight in sums]
    return RsnaScore(canal=parts[0], foraminal=parts[1], subarticular=parts[2], any_severe_spinal=parts[3])


def weighted_log_loss(labels: IntArray, probabilities: FloatArray) -> float | None:
    """The score's loss of labelled cases: labels (N,), probabilities (N, 3); None without cases."""
    if not len(labels):
        return None
    return float(np.average(_log_loss(labels, probabilities), weights=_WEIGHTS[labels]))


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


def unweighted(probabilities: FloatArray) -> FloatArray:
    """The way back from `weighted`, (..., 3): what answers tuned for the score say of the true shares."""
    quotient = probabilities / _WEIGHTS
    return np.asarray(quotient / quotient.sum(axis=-1, keepdims=True), float)


def truth_array(grades: Iterable[Mapping[tuple[Condition, Level], Severity | None]]) -> IntArray:
    """(S, 5, 5) grades of studies, `MISSING` where there is none."""
    rows = [
        [[_index(study.get((condition, level))) for level in LEVELS] for condition in CONDITIONS] for study in grades
    ]
    return np.array(rows, np.int64).reshape(-1, len(CONDITIONS), len(LEVELS))


def answer_array(answers: Iterable[Mapping[tuple[Condition, Level], tuple[float, float, float]]]) -> FloatArray:
    """(S, 5, 5, 3) probabilities of studies, NaN where there is no answer."""
    none = (np.nan,) * len(SEVERITIES)
    rows = [
        [[study.get((condition, level), none) for level in LEVELS] for condition in CONDITIONS] for study in answers
    ]
    return np.array(rows, float).reshape(-1, len(CONDITIONS), len(LEVELS), len(SEVERITIES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a reading answers to the score: all 25 places; `filled` of them are the prior, for want of a grade."""

    probabilities: dict[tuple[Condition, Level], tuple[float, float, float]]
    filled: int


def graded(findings: Iterable[Finding]) -> dict[tuple[Condition, Level], tuple[float, float, float]]:
    """The calibrated probabilities of the places that were graded."""
    return {
        (item.condition, item.level): item.result.probabilities for item in findings if isinstance(item.result, Graded)
    }


def answers(findings: Iterable[Finding]) -> Answers:
    """The weighted answers of a reading's findings; `PREVALENCE` where nothing was assessed.

    Args:
        findings: with calibrated probabilities, at most one per condition and level.
    """
    given, found = graded(findings), {}
    for condition in CONDITIONS:
        for row, level in enumerate(LEVELS):
            share = given.get((condition, level), PREVALENCE[_GROUP_OF[condition]][row])
            first, second, third = weighted(np.asarray(share, float)).tolist()
            found[condition, level] = (first, second, third)
    return Answers(probabilities=found, filled=sum(place not in given for place in found))


def _index(severity: Severity | None) -> int:
    return MISSING if severity is None else SEVERITIES.index(severity)


def _labelled(truth: IntArray) -> BoolArray:
    expected = (len(CONDITIONS), len(LEVELS))
    if truth.ndim != 3 or truth.shape[1:] != expected or not np.isin(truth, (MISSING, 0, 1, 2)).all():
        raise ValueError(
            f"Grades: expected (S, {expected[0]}, {expected[1]}) of 0, 1, 2 or {MISSING}, got shape {truth.shape} "
            f"with values {np.unique(truth)[:6].tolist()}. Order them as CONDITIONS and LEVELS."
        )
    return np.asarray(truth != MISSING)


def _filled(probabilities: FloatArray, labelled: BoolArray) -> FloatArray:
    return np.where(labelled[..., None], probabilities, 1 / len(SEVERITIES))


def _any_severe_terms(truth: IntArray, probabilities: FloatArray) -> FloatArray:
    labelled = truth != MISSING
    known = labelled.any(axis=1)
    grade = truth.max(axis=1, initial=0)
    severe = np.where(labelled, probabilities[..., _SEVERE], 0.0).max(axis=1, initial=0.0)
    both = np.stack([1 - severe, severe], axis=1)
    weight = np.where(known, _WEIGHTS[grade], 0.0)
    return np.stack([weight * _log_loss((grade == _SEVERE).astype(np.int64), both), weight], axis=-1)


def _log_loss(labels: IntArray, probabilities: FloatArray) -> FloatArray:
    """Minus the log of the true class's probability: labels (...), probabilities (..., K) -> (...)."""
    clipped = np.clip(probabilities, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    clipped = clipped / clipped.sum(axis=-1, keepdims=True)
    return np.asarray(-np.log(np.take_along_axis(clipped, labels[..., None], axis=-1)[..., 0]), float)
