"""What a grader's logits on the bags of a site are worth: kappa, AUC and the RSNA score, with intervals over studies.

Shapes as in `evaluate.rsna`: (S, 5, 5) is study, condition, level. Groups are those of `rsna.GROUPS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spinalis.evaluate import metrics, rsna
from spinalis.evaluate.metrics import IntArray, Interval
from spinalis.grade.grade import VIEWS_OF, slots_of
from spinalis.grade.operating import calibrated, call
from spinalis.prevalence import PREVALENCE
from spinalis.records import FloatArray
from spinalis.train.grade import Bags
from spinalis.train.operating import Logits
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES

_SEVERE = len(SEVERITIES) - 1
_SIDES = 2
REPEATS = 300
"""Draws of the bootstrap."""

Statistic = Callable[[IntArray], float | None]
"""(studies drawn) -> figure."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Answers to studies: truth (S, 5, 5), grades called (S, 5, 5), calibrated probabilities (S, 5, 5, 3)."""

    truth: IntArray
    called: IntArray
    probabilities: FloatArray

    def kappa(self, group: str, studies: IntArray) -> float | None:
        """Quadratic kappa of the grades called in one group of conditions, over the studies (M,)."""
        known, truth, rows = self._of(group, studies)
        called = self.called[studies][:, rows][known]
        return metrics.quadratic_weighted_kappa(metrics.confusion_matrix(truth, called, len(SEVERITIES)))

    def auc(self, group: str, studies: IntArray) -> float | None:
        """AUC of severe against the rest in one group of conditions, over the studies (M,)."""
        known, truth, rows = self._of(group, studies)
        return metrics.roc_auc(truth == _SEVERE, self.probabilities[studies][:, rows][known][:, _SEVERE])

    def score(self, studies: IntArray) -> float | None:
        """The RSNA score of the probabilities, weighted for it, over the studies (M,); lower is better."""
        return rsna.score(self.truth[studies], rsna.weighted(self.probabilities[studies])).mean

    def mean_kappa(self, studies: IntArray) -> float | None:
        """The mean of the groups' kappas."""
        return _mean(self.kappa, studies)

    def mean_auc(self, studies: IntArray) -> float | None:
        """The mean of the groups' AUCs."""
        return _mean(self.auc, studies)

    def _of(self, group: str, studies: IntArray) -> tuple[Any, IntArray, list[int]]:
        rows = [CONDITIONS.index(condition) for condition in dict(rsna.GROUPS)[group]]
        truth = self.truth[studies][:, rows]
        known = truth != rsna.MISSING
        return known, truth[known], rows


def answers(bags: Bags, logits: Logits, settings: Mapping[str, Any]) -> Answers:
    """What a pack of these settings would answer.

    As in reading, both sides share the canal. A place that no slice shows takes the known prevalence of its level and
    is called normal.

    Args:
        bags: left and right of every level in turn, as `bags.cut_bags` gives them.
        logits: (n, 3) of every output.
        settings: of the pack.
    """
    studies, of_bag = np.unique(bags.studies, return_inverse=True)
    shape = (len(studies), len(CONDITIONS), len(LEVELS))
    truth, called = np.full(shape, rsna.MISSING), np.zeros(shape, np.int64)
    probabilities = _prevalence(len(studies))
    study, level = of_bag[::_SIDES], bags.levels[::_SIDES].astype(np.int64)
    for column, (name, conditions) in enumerate(rsna.GROUPS):
        prior = bags.levels.astype(np.int64) if settings.get("level_prior", False) else None
        found = calibrated(logits[name], settings["calibration"][name], prior).reshape(-1, _SIDES, len(SEVERITIES))
        shown = bags.mask[:, slots_of(name)].any(axis=1).reshape(-1, _SIDES)
        grades = bags.grades[:, column].reshape(-1, _SIDES)
        for side, condition in enumerate(conditions):
            whole = len(conditions) == 1
            own = found.mean(axis=1) if whole else found[:, side]
            seen = shown.any(axis=1) if whole else shown[:, side]
            place = CONDITIONS.index(condition)
            truth[study, place, level] = grades[:, side]
            probabilities[study[seen], place, level[seen]] = own[seen]
            called[study[seen], place, level[seen]] = call(own[seen], level[seen], settings["operating_points"][name])
    return Answers(truth=truth, called=called, probabilities=probabilities)


def level_alone(truth: IntArray) -> Answers:
    """The no-skill answer: the shares of each grade at each level among the very studies, the likeliest called."""
    probabilities = np.broadcast_to(rsna.unweighted(rsna.level_prior(truth)), (*truth.shape, len(SEVERITIES)))
    return Answers(truth=truth, called=probabilities.argmax(axis=-1), probabilities=probabilities)


def exactly(asked: Answers, grades: IntArray) -> Answers:
    """Answers of the shares of `asked`, but calling these grades (S, 5, 5), normal where there is none."""
    return replace(asked, called=np.maximum(grades, 0))


def figure(statistic: Statistic, count: int) -> tuple[float | None, Interval | None]:
    """A figure over all of `count` studies, and its 95 % interval drawing studies."""
    every = np.arange(count)
    return statistic(every), metrics.bootstrap_interval(statistic, every, repeats=REPEATS)


def gain(found: Answers, before: Answers) -> Statistic:
    """How much the mean kappa is above that of other answers to the same studies."""

    def difference(studies: IntArray) -> float | None:
        first, second = found.mean_kappa(studies), before.mean_kappa(studies)
        return None if first is None or second is None else first - second

    return difference


def _mean(statistic: Callable[[str, IntArray], float | None], studies: IntArray) -> float | None:
    found = [statistic(name, studies) for name in VIEWS_OF]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if len(known) == len(found) else None


def _prevalence(studies: int) -> FloatArray:
    """(S, 5, 5, 3) the known prevalence of every place."""
    group = {condition: name for name, conditions in rsna.GROUPS for condition in conditions}
    shares = np.array([PREVALENCE[group[condition]] for condition in CONDITIONS], float)
    return np.repeat((shares / shares.sum(axis=-1, keepdims=True))[None], studies, axis=0)
