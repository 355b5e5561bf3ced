"""Train the grader on the RSNA 2024 set, calibrate it on one fold of its studies and judge it on another."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinalis.errors import RecipeError
from spinalis.train import grade, operating
from spinalis.train.data import rsna
from spinalis.train.grade_scores import judge
from spinalis.train.job import LIMITS, Job, Trained
from spinalis.train.packs import grade_text, trained_grade

JUDGED_FOLD, CALIBRATION_FOLD = 0, 1
"""Folds that are not trained on."""


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
    unseen = grade.load_bags(parts["calibrate"])
    cases = operating.evidence(grade.logits_of(network, unseen), unseen)
    on = "simulation" if any(rsna.is_simulated(file) for _, file in files) else "real"
    what = "simulated studies" if on == "simulation" else "patients"
    left_out = "".join(f"; {count} left out: {reason}" for reason, count in sorted(Counter(lost).items()))
    by = operating.KNOWN if on == "simulation" else f"readers' grades of {len(parts['calibrate'])} studies"
    settings = operating.settings(cases, level_prior=recipe["level_prior"], by=by)
    text = grade_text(
        recipe,
        settings,
        training_data=[
            f"{len(bags.crops)} bags of crops from {len(parts['train'])} {what} laid out as the RSNA 2024 set"
        ],
        scores=judge(network, settings, grade.load_bags(parts["judge"]), on),
        note=(
            f"Trained on readers' grades of {what}, calibrated on {len(parts['calibrate'])} others and judged on "
            f"{len(parts['judge'])} others, with crops cut at points from the {recipe['points']}{left_out}. "
            f"{operating.describe(cases, by)}"
        ),
        limits=("Judged on crops alone: errors of triage and of the levels are not in the figures.", LIMITS[1]),
    )
    return trained_grade(network, text)
