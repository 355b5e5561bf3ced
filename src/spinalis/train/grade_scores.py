"""What a grader's answers on labelled bags are worth, beside the level alone."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from spinalis.evaluate import metrics
from spinalis.evaluate.metrics import IntArray
from spinalis.evaluate.tables import number
from spinalis.grade.grade import VIEWS_OF
from spinalis.grade.operating import calibrated, call
from spinalis.models import Score
from spinalis.records import FloatArray
from spinalis.train import grade
from spinalis.train.networks.bag_grader import BagGrader
from spinalis.train.operating import Cases, Logits, labelled
from spinalis.vocabulary import LEVELS, SEVERITIES

_SEVERE = len(SEVERITIES) - 1


def judge(
    network: BagGrader, settings: Mapping[str, Any], bags: grade.Bags, on: str, repeats: int = 300
) -> list[Score]:
    """Figures of every output on bags of studies that were not trained on, beside the level alone.

    Args:
        network: trained.
        settings: of the pack, see `operating.settings`.
        bags: of the studies to judge on.
        on: `real` or `simulation`.
        repeats: draws of the bootstrap over studies.
    """
    return judge_logits(grade.logits_of(network, bags), settings, bags, on, "held-out studies", repeats)


def judge_logits(
    logits: Logits, settings: Mapping[str, Any], bags: grade.Bags, on: str, studies: str, repeats: int = 300
) -> list[Score]:
    """The same from logits that are there already; `studies` says in words what they are."""
    count = len(np.unique(bags.studies))
    scores = []
    for name in VIEWS_OF:
        cases = labelled(name, logits, bags)
        figures = _figures(name, cases, settings, bags.studies[bags.usable(name)], repeats)
        scores.append(Score(output=name, on=on, figures=f"{count} {studies} in RSNA 2024 layout, {figures}"))
    return scores


def _figures(name: str, cases: Cases, settings: Mapping[str, Any], studies: IntArray, repeats: int) -> str:
    truth, levels = cases.grades, cases.levels
    answers = calibrated(cases.logits, settings["calibration"][name], levels if settings["level_prior"] else None)
    prior = metrics.prior_per_level(truth, levels, len(SEVERITIES), len(LEVELS))[levels]
    interval = metrics.bootstrap_interval(partial(_auc_of, truth, answers), studies, repeats=repeats)
    within = [_auc(truth[levels == level], answers[levels == level]) for level in range(len(LEVELS))]
    known = [value for value in within if value is not None]
    calls = call(answers, levels, settings["operating_points"][name])
    kappa = metrics.quadratic_weighted_kappa(metrics.confusion_matrix(truth, calls, len(SEVERITIES)))
    counts = "/".join(str(int((truth == grade_index).sum())) for grade_index in range(len(SEVERITIES)))
    bounds = f" ({interval[0]:.3f}–{interval[1]:.3f})" if interval else ""
    return (
        f"n {len(truth)} ({counts}): AUC severe {number(_auc(truth, answers))}{bounds}, within level "
        f"{number(float(np.mean(known)) if known else None)}, level alone {number(_auc(truth, prior))}; "
        f"kappa at the operating points {number(kappa, 2)}"
    )


def _auc_of(truth: IntArray, answers: FloatArray, index: IntArray) -> float | None:
    return _auc(truth[index], answers[index])


def _auc(truth: IntArray, answers: FloatArray) -> float | None:
    return metrics.roc_auc(truth == _SEVERE, answers[:, _SEVERE])
