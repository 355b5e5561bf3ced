"""All figures of one prediction file on the RSNA 2024 set, each beside its no-skill answer.

Shapes as in `rsna`. The answers are those of a prediction file, tuned for the score: a case is called what its
largest number says, and for the calibration error the weights are taken out again.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from spinalis.evaluate import metrics, rsna
from spinalis.evaluate.metrics import BoolArray, IntArray, Interval, Share
from spinalis.records import FloatArray
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level

PARTS = ("mean", "canal", "foraminal", "subarticular", "any_severe_spinal")
"""The score and its four parts, as `RsnaScore` names them."""

_SEVERE = len(SEVERITIES) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeFigures:
    """How some cases are graded; a figure is None where the cases leave it undefined.

    `counts` and `recall` stand in the order of `SEVERITIES`. `severe_called_normal` counts the severe cases.
    `auc_within_level` is the mean over the levels at which it is defined, each level for itself, so that knowing the
    level alone gains nothing.
    """

    counts: tuple[int, ...]
    recall: tuple[float | None, ...]
    balanced_accuracy: float | None
    auc_severe: float | None
    auc_within_level: float | None
    kappa: float | None
    calibration_error: float | None
    severe_called_normal: Share
    log_loss: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """One group of conditions, or one condition (without an interval): found, and with the level alone."""

    name: str
    found: GradeFigures
    level_alone: GradeFigures
    auc_severe_interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFigures:
    """One group at one level; `prior_log_loss` is the no-skill loss there."""

    name: str
    level: Level
    found: GradeFigures
    prior_log_loss: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything about one prediction file. `intervals` are those of `PARTS`, 95 %, drawing studies."""

    studies: int
    labelled: int
    score: rsna.RsnaScore
    intervals: tuple[Interval | None, ...]
    floors: rsna.Floors
    groups: tuple[GroupFigures, ...]
    conditions: tuple[GroupFigures, ...]
    levels: tuple[LevelFigures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two prediction files on the same studies: first minus second, below 0 where the first is better.

    `intervals` are 95 %, drawing the same studies for both; in the order of `PARTS`.
    """

    values: tuple[float | None, ...]
    intervals: tuple[Interval | None, ...]


def figures(truth: IntArray, answers: FloatArray, repeats: int = 1000) -> Figures:
    """Compute all figures.

    Args:
        truth: (S, 5, 5), 0..2 or `MISSING`.
        answers: (S, 5, 5, 3), tuned for the score; unlabelled places may hold anything.
        repeats: draws of the bootstrap.

    Raises:
        ValueError: the shapes differ, or a scored place holds no probabilities.
    """
    terms = rsna.terms(truth, answers)
    prior = np.broadcast_to(rsna.level_prior(truth), answers.shape)
    groups = tuple(
        _group(name, _Cases.of(truth, answers, members), _Cases.of(truth, prior, members), repeats)
        for name, members in rsna.GROUPS
    )
    conditions = tuple(
        GroupFigures(
            name=item.value,
            found=_graded(_Cases.of(truth, answers, (item,))),
            level_alone=_graded(_Cases.of(truth, prior, (item,))),
        )
        for item in CONDITIONS
    )
    levels = []
    for name, members in rsna.GROUPS:
        cases, guesses = _Cases.of(truth, answers, members), _Cases.of(truth, prior, members)
        for row, level in enumerate(LEVELS):
            own = cases.level == row
            levels.append(
                LevelFigures(
                    name=name,
                    level=level,
                    found=_graded(cases.where(own)),
                    prior_log_loss=_graded(guesses.where(own)).log_loss,
                )
            )
    return Figures(
        studies=len(truth),
        labelled=int((truth != rsna.MISSING).sum()),
        score=rsna.score_of(terms),
        intervals=_intervals(terms, None, repeats),
        floors=rsna.floors(truth),
        groups=groups,
        conditions=conditions,
        levels=tuple(levels),
    )


def difference(truth: IntArray, first: FloatArray, second: FloatArray, repeats: int = 1000) -> Difference:
    """Compare two prediction files on the same studies; arguments and errors as for `figures`."""
    ours, theirs = rsna.terms(truth, first), rsna.terms(truth, second)
    everything = np.arange(len(truth))
    return Difference(
        values=tuple(_part(ours, theirs, part, everything) for part in PARTS),
        intervals=_intervals(ours, theirs, repeats),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cases:
    """Labelled cases in rows: grade (N,), answers (N, 3), level (N,), study (N,)."""

    grade: IntArray
    answers: FloatArray
    level: IntArray
    study: IntArray

    @classmethod
    def of(cls, truth: IntArray, answers: FloatArray, conditions: tuple[Condition, ...]) -> "_Cases":
        rows = [CONDITIONS.index(condition) for condition in conditions]
        own, study_and_level = truth[:, rows], np.indices(truth[:, rows].shape)
        known = own != rsna.MISSING
        return cls(
            grade=own[known],
            answers=answers[:, rows][known],
            level=study_and_level[2][known],
            study=study_and_level[0][known],
        )

    def where(self, chosen: BoolArray | IntArray) -> "_Cases":
        return _Cases(
            grade=self.grade[chosen], answers=self.answers[chosen], level=self.level[chosen], study=self.study[chosen]
        )

    def auc_severe(self) -> float | None:
        return metrics.roc_auc(self.grade == _SEVERE, self.answers[:, _SEVERE])


def _group(name: str, cases: _Cases, guesses: _Cases, repeats: int) -> GroupFigures:
    interval = metrics.bootstrap_interval(partial(_drawn_auc, cases), cases.study, repeats=repeats)
    return GroupFigures(name=name, found=_graded(cases), level_alone=_graded(guesses), auc_severe_interval=interval)


def _drawn_auc(cases: _Cases, index: IntArray) -> float | None:
    return cases.where(index).auc_severe()


def _graded(cases: _Cases) -> GradeFigures:
    called = cases.answers.argmax(axis=1)
    confusion = metrics.confusion_matrix(cases.grade, called, len(SEVERITIES))
    recall = metrics.recall_per_class(confusion)
    within = [cases.where(cases.level == level).auc_severe() for level in range(len(LEVELS))]
    known = [value for value in within if value is not None]
    return GradeFigures(
        counts=tuple(int(count) for count in confusion.sum(axis=1)),
        recall=tuple(None if np.isnan(value) else float(value) for value in recall),
        balanced_accuracy=metrics.balanced_accuracy(confusion),
        auc_severe=cases.auc_severe(),
        auc_within_level=float(np.mean(known)) if known else None,
        kappa=metrics.quadratic_weighted_kappa(confusion),
        calibration_error=metrics.expected_calibration_error(cases.grade, rsna.unweighted(cases.answers)),
        severe_called_normal=Share(count=int(confusion[_SEVERE, 0]), total=int(confusion[_SEVERE].sum())),
        log_loss=rsna.weighted_log_loss(cases.grade, cases.answers),
    )


def _intervals(ours: FloatArray, theirs: FloatArray | None, repeats: int) -> tuple[Interval | None, ...]:
    studies = np.arange(len(ours))
    return tuple(
        metrics.bootstrap_interval(partial(_part, ours, theirs, part), studies, repeats=repeats) for part in PARTS
    )


def _part(ours: FloatArray, theirs: FloatArray | None, part: str, index: IntArray) -> float | None:
    first: float | None = getattr(rsna.score_of(ours[index]), part)
    if theirs is None or first is None:
        return first
    second: float | None = getattr(rsna.score_of(theirs[index]), part)
    return None if second is None else first - second
