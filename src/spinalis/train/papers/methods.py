"""The papers' methods by the name of their recipe: trained alike, calibrated alike, asked alike."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from spinalis.errors import RecipeError
from spinalis.records import FloatArray
from spinalis.train.data.whole import Whole
from spinalis.train.job import Job
from spinalis.train.papers import answers, multi_stage, per_view
from spinalis.train.papers.material import Material, material

RECIPE = "recipe.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """`train` fills the folder of a run; `predict` gives (S, 5, 5, 3), not calibrated, NaN without an answer."""

    train: Callable[[Material, Mapping[str, Any], Job, Path], None]
    predict: Callable[[Mapping[str, Any], Path, Sequence[Whole]], FloatArray]


_PER_VIEW = Method(train=per_view.train, predict=per_view.predict)

METHODS: Mapping[str, Method] = {
    "per-view-efficientnetv2s": _PER_VIEW,
    "per-view-resnet18": _PER_VIEW,
    "multi-stage-mil": Method(train=multi_stage.train, predict=multi_stage.predict),
}


def train(name: str, recipe: Mapping[str, Any], job: Job, data: Path | None) -> None:
    """Train a method and calibrate it; goes on where it was cut short.

    Args:
        name: one of `METHODS`.
        recipe: its settings.
        job: where things are; its `folder` takes the run.
        data: a set in RSNA 2024 layout; None simulates.

    Raises:
        RecipeError: too few studies, or a setting that does not fit.
    """
    folder, studies = job.run(name), material(job, data)
    if (folder / answers.FILE).exists():
        return
    METHODS[name].train(studies, recipe, job, folder)
    raw = METHODS[name].predict(recipe, folder, studies.calibrate)
    answers.save(answers.fit_calibration(raw, studies.calibrate), folder)


def predict(folder: Path, studies: Sequence[Whole]) -> FloatArray:
    """(S, 5, 5, 3) calibrated probabilities of a finished run; NaN where it has no answer.

    Raises:
        RecipeError: there is no finished run of a paper's method in the folder.
    """
    used = yaml.safe_load((folder / RECIPE).read_text()) if (folder / RECIPE).is_file() else {}
    if used.get("recipe") not in METHODS or not (folder / answers.FILE).is_file():
        raise RecipeError(
            f"Run {folder.name}: expected a finished run of {', '.join(METHODS)}, got none. "
            "Finish it with the same `spinalis train`."
        )
    raw = METHODS[used["recipe"]].predict(used["settings"], folder, studies)
    return answers.apply_calibration(raw, json.loads((folder / answers.FILE).read_text()))
