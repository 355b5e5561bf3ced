"""Figures set out as tables, each model row above its no-skill rows."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spinalis.evaluate import metrics, rsna
from spinalis.evaluate.levels import LevelAgreement
from spinalis.evaluate.metrics import IntArray, Interval
from spinalis.evaluate.rsna import RsnaScore
from spinalis.evaluate.tables import Table, number, percent
from spinalis.records import FloatArray
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES

SEVERE = len(SEVERITIES) - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """Answers of one kind: `truth` and `predicted` are (N,) and index `classes`."""

    name: str
    classes: tuple[str, ...]
    truth: IntArray
    predicted: IntArray


def label_table(title: str, heads: Iterable[Head]) -> Table:
    """Accuracy, F1 and recall of labels beside the accuracy of always answering the most frequent class."""
    rows = []
    for head in heads:
        confusion = metrics.confusion_matrix(head.truth, head.predicted, len(head.classes))
        present = confusion.sum(axis=1) > 0
        recall = metrics.recall_per_class(confusion)
        total = int(confusion.sum())
        f1 = metrics.f1_per_class(confusion)[present]
        rows.append(
            (
                head.name,
                percent(metrics.Share(count=int(np.trace(confusion)), total=total)),
                number(float(f1.mean()) if f1.size else None),
                ", ".join(f"{head.classes[k]} {recall[k]:.3f}" for k in np.flatnonzero(present)),
                number(confusion.sum(axis=1).max() / total if total else None),
            )
        )
    return Table(
        title=title,
        columns=("what", "accuracy (n; 95 % interval)", "mean F1", "recall per class", "no-skill accuracy"),
        rows=tuple(rows),
        notes=("No skill: always the most frequent class.",),
    )


def level_table(title: str, agreements: Iterable[tuple[str, LevelAgreement]]) -> Table:
    """Located levels, a row per answer; let the mean position of the training patients be one of them."""
    rows = tuple(
        (
            name,
            percent(item.all_right),
            percent(item.shifted_one),
            percent(item.shifted_more),
            f"{item.missing.count}/{item.missing.total}",
            number(item.median_percent, 1),
            number(item.median_mm, 2),
        )
        for name, item in agreements
    )
    columns = ("answer", "all five right", "off by one", "off by more", "points missing", "median % of pitch", "mm")
    return Table(
        title=title,
        columns=columns,
        rows=rows,
        notes=("Right: less than half a pitch off along the spine. Intervals: Wilson, 95 %.",),
    )


def grade_table(title: str, truth: IntArray, probabilities: FloatArray) -> Table:
    """Class-wise recall, kappa and AUC for severe of each condition group beside what the level alone tells.

    Args:
        title: of the table.
        truth: (S, 5, 5), 0..2 or `rsna.MISSING`, conditions and levels in their order.
        probabilities: (S, 5, 5, 3), calibrated; a place that was not assessed is NaN and counts as not graded.
    """
    rows = []
    for name, conditions in rsna.GROUPS:
        chosen = [CONDITIONS.index(condition) for condition in conditions]
        grades, answers = truth[:, chosen], probabilities[:, chosen]
        judged = (grades != rsna.MISSING) & ~np.isnan(answers).any(axis=-1)
        studies, _, levels = np.nonzero(judged)
        priors = metrics.prior_per_level(grades[judged], levels, len(SEVERITIES), len(LEVELS))
        labelled = int((grades != rsna.MISSING).sum())
        rows += [
            _grade_row(name, grades[judged], answers[judged], studies, f"{len(studies)}/{labelled}"),
            _grade_row("· level alone", grades[judged], priors[levels], studies, ""),
        ]
    return Table(
        title=title,
        columns=("condition", "graded", *(f"recall {word.value}" for word in SEVERITIES), "kappa", "AUC severe"),
        rows=tuple(rows),
        notes=(
            "Level alone: the share of each grade at the level, the answer without a look at the picture. "
            "Kappa: quadratic. Intervals: 95 %, bootstrap over studies.",
        ),
    )


def rsna_table(title: str, truth: IntArray, probabilities: FloatArray) -> Table:
    """The RSNA 2024 score beside its floors, lower is better.

    Args:
        title: of the table.
        truth: (S, 5, 5), 0..2 or `rsna.MISSING`.
        probabilities: (S, 5, 5, 3), calibrated (the score's weights are put on here); a place that was not assessed
            is NaN and scored as the weighted prior of its group at its level, since the score takes no gaps.
    """
    level_answer = rsna.level_prior(truth)
    gaps = np.asarray(np.isnan(probabilities).any(axis=-1), bool)
    answers = np.where(gaps[..., None], level_answer, rsna.weighted(np.nan_to_num(probabilities, nan=1.0)))
    floors = rsna.floors(truth)

    def mean(studies: IntArray) -> float | None:
        return rsna.score(truth[studies], answers[studies]).mean

    interval = metrics.bootstrap_interval(mean, np.arange(len(truth)))
    filled = int((gaps & (truth != rsna.MISSING)).sum())
    return Table(
        title=title,
        columns=("answer", *(name for name, _ in rsna.GROUPS), "any severe spinal", "score"),
        rows=(
            _score_row("model", rsna.score(truth, answers), interval),
            _score_row("· per-level weighted prior", floors.per_level),
            _score_row("· constant weighted prior", floors.constant),
            _score_row("· uniform", floors.uniform),
        ),
        notes=(
            f"{len(truth)} studies; {filled} places not assessed were scored as the per-level prior. "
            "Interval: 95 %, bootstrap over studies.",
        ),
    )


def _grade_row(name: str, truth: IntArray, answers: FloatArray, studies: IntArray, graded: str) -> tuple[str, ...]:
    predicted = answers.argmax(axis=-1)

    def kappa(rows: IntArray) -> float | None:
        confusion = metrics.confusion_matrix(truth[rows], predicted[rows], len(SEVERITIES))
        return metrics.quadratic_weighted_kappa(confusion)

    def auc(rows: IntArray) -> float | None:
        return metrics.roc_auc(truth[rows] == SEVERE, answers[rows, SEVERE])

    every = np.arange(len(truth))
    confusion = metrics.confusion_matrix(truth, predicted, len(SEVERITIES))
    figures = [
        _with_interval(figure(every), metrics.bootstrap_interval(figure, studies, repeats=300))
        for figure in (kappa, auc)
    ]
    return name, graded, *(number(float(recall), 2) for recall in metrics.recall_per_class(confusion)), *figures


def _score_row(name: str, score: RsnaScore, interval: Interval | None = None) -> tuple[str, ...]:
    parts = (score.canal, score.foraminal, score.subarticular, score.any_severe_spinal)
    return name, *(number(part) for part in parts), _with_interval(score.mean, interval)


def _with_interval(value: float | None, interval: Interval | None) -> str:
    return number(value) if interval is None else f"{number(value)} ({number(interval[0])}–{number(interval[1])})"
