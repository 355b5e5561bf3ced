"""Train the grader on the RSNA 2024 set, calibrate it on one fold of its studies and judge it on another."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spinalis.errors import RecipeError
from spinalis.evaluate import metrics
from spinalis.evaluate.metrics import IntArray
from spinalis.evaluate.tables import number
from spinalis.grade.grade import VIEWS_OF, calibrated
from spinalis.models import Score
from spinalis.records import FloatArray
from spinalis.train import grade
from spinalis.train.data import rsna
from spinalis.train.networks.bag_grader import BagGrader
from spinalis.train.packs import LIMITS, Job, Trained, grade_text, trained_grade
from spinalis.vocabulary import LEVELS, SEVERITIES

JUDGED_FOLD, CALIBRATION_FOLD = 0, 1
"""Folds that are not trained on."""

_SEVERE = len(SEVERITIES) - 1


def train_grade(job: Job, recipe: Mapping[str, Any], root: Path) -> Trained:
    """Train on real labels; the scores are those of the fold that was kept out.

    Args:
        job: where the run and the kept crops go.
        recipe: of the grader, with `points`: see `rsna.POINT_SOURCES`.
        root: the set.

    Raises:
        RecipeError: the folder holds no set, or too few studies.
        TableError: a table of the set breaks a rule.
    """
    files, lost = rsna.harvest(
        rsna.read(root), job.runs / "cache" / "rsna", grade.input_spec(recipe), recipe["points"], job.jobs
    )
    parts: dict[str, list[Path]] = {"train": [], "calibrate": [], "judge": []}
    for item, file in files:
        parts[{JUDGED_FOLD: "judge", CALIBRATION_FOLD: "calibrate"}.get(item.fold, "train")].append(file)
    if not all(parts.values()):
        raise RecipeError(
            f"RSNA 2024 set: expected studies to train, calibrate and judge on, got {len(files)} that fall into "
            f"{sum(map(bool, parts.values()))} of these parts. Take more studies."
        )
    bags = grade.load_bags(parts["train"])
    network = grade.train(bags, recipe, job.options(recipe, len(bags.crops)), job.run("grade"))
    calibration = grade.calibrate_outputs(network, grade.load_bags(parts["calibrate"]))
    on = "simulation" if any(rsna.is_simulated(file) for _, file in files) else "real"
    what = "simulated studies" if on == "simulation" else "patients"
    left_out = "".join(f"; {count} left out: {reason}" for reason, count in sorted(Counter(lost).items()))
    text = grade_text(
        recipe,
        calibration,
        training_data=[
            f"{len(bags.crops)} bags of crops from {len(parts['train'])} {what} laid out as the RSNA 2024 set"
        ],
        scores=judge(network, calibration, grade.load_bags(parts["judge"]), on),
        note=(
            f"Trained on readers' grades of {what}, calibrated on {len(parts['calibrate'])} others and judged on "
            f"{len(parts['judge'])} others, with crops cut at points from the {recipe['points']}{left_out}."
        ),
        limits=("Judged on crops alone: errors of triage and of the levels are not in the figures.", LIMITS[1]),
    )
    return trained_grade(network, text)


def judge(
    network: BagGrader, calibration: Mapping[str, Mapping[str, Any]], bags: grade.Bags, on: str, repeats: int = 300
) -> list[Score]:
    """Figures of every output on bags of studies that were not trained on, beside the level alone.

    Args:
        network: trained.
        calibration: temperature and biases of every output.
        bags: of the studies to judge on.
        on: `real` or `simulation`.
        repeats: draws of the bootstrap over studies.
    """
    logits, scores = grade.logits_of(network, bags), []
    for column, name in enumerate(VIEWS_OF):
        usable = bags.usable(name)
        truth, level = bags.grades[usable, column].astype(np.int64), bags.levels[usable].astype(np.int64)
        answers = calibrated(logits[name][usable], calibration[name])
        prior = metrics.prior_per_level(truth, level, len(SEVERITIES), len(LEVELS))[level]
        interval = metrics.bootstrap_interval(partial(_auc_of, truth, answers), bags.studies[usable], repeats=repeats)
        kappa = metrics.quadratic_weighted_kappa(
            metrics.confusion_matrix(truth, answers.argmax(axis=1), len(SEVERITIES))
        )
        counts = "/".join(str(int((truth == grade_index).sum())) for grade_index in range(len(SEVERITIES)))
        bounds = f" ({interval[0]:.3f}–{interval[1]:.3f})" if interval else ""
        studies = len(np.unique(bags.studies))
        figures = (
            f"{studies} held-out studies in RSNA 2024 layout, n {len(truth)} ({counts}): "
            f"AUC severe {number(_auc(truth, answers))}{bounds}, level alone {number(_auc(truth, prior))}; "
            f"kappa {number(kappa, 2)}"
        )
        scores.append(Score(output=name, on=on, figures=figures))
    return scores


def _auc_of(truth: IntArray, answers: FloatArray, index: IntArray) -> float | None:
    return _auc(truth[index], answers[index])


def _auc(truth: IntArray, answers: FloatArray) -> float | None:
    return metrics.roc_auc(truth == _SEVERE, answers[:, _SEVERE])
