"""The steps of a learning curve: one method after so many graded studies, its answers kept."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spinalis.grade.grade import VIEWS_OF
from spinalis.train import adapt, grade
from spinalis.train.adapt import Site
from spinalis.train.curve_sets import ADAPTED, NO_REPLAY, RECALIBRATED, SCRATCH, Plan, Sets
from spinalis.train.grade import Bags
from spinalis.train.networks.bag_grader import BagGrader
from spinalis.train.operating import Logits
from spinalis.train.recalibrate import answers_of
from spinalis.train.runs import RUN_SETTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a step has come to: settings, logits on the unseen and the ordinary bags, CPU seconds.

    The seconds are None where the step was cut short and resumed, and so not timed as a whole.
    """

    settings: Mapping[str, Any]
    unseen: Logits
    ordinary: Logits
    cpu_s: float | None


def outcome(plan: Plan, sets: Sets, method: str, count: int) -> Outcome:
    """Do one step, or take what it has come to before."""
    folder = plan.folder / f"{method.replace(', ', '-').replace(' ', '-')}-{count}"
    file = folder / "answers.npz"
    if not file.is_file():
        fresh = not any(folder.rglob("last.ckpt"))
        start = _cpu_s()
        settings, answer = _STEPS[method](plan, sets.first(count), folder)
        seconds = _cpu_s() - start if fresh else None
        found = Outcome(settings=settings, unseen=answer(sets.unseen), ordinary=answer(sets.ordinary), cpu_s=seconds)
        _save(found, file)
    return _load(file)


Answer = Callable[[Bags], Logits]
Step = tuple[Mapping[str, Any], Answer]


def as_is(plan: Plan) -> Step:
    """The settings of the pack, and how it answers."""
    return plan.pack.manifest.settings, lambda bags: answers_of(plan.pack, bags)


def _recalibrated(plan: Plan, own: Site, _: Path) -> Step:
    prior = bool(plan.pack.manifest.settings.get("level_prior", False))
    settings = adapt.calibrate(answers_of(plan.pack, own.bags), own, plan.pack, level_prior=prior)
    return settings, as_is(plan)[1]


def _adapted(plan: Plan, own: Site, folder: Path) -> Step:
    trained = adapt.adapt_to(plan.job(folder), plan.recipe(), own, plan.pack)
    network: Any = trained.network
    return trained.text.settings, lambda bags: grade.logits_of(network.network, bags)


def _without_replay(plan: Plan, own: Site, folder: Path) -> Step:
    return _adapted(replace(plan, changes={**plan.changes, "replay_share": "0.0"}), own, folder)


def _from_scratch(plan: Plan, own: Site, folder: Path) -> Step:
    job, adapting = plan.job(folder), plan.recipe()
    steps = max(4, round(plan.scratch_steps * plan.scale))
    recipe = {**RUN_SETTINGS, **job.recipe("grade"), **adapt.settings_of(plan.pack), "steps": steps}

    def fitted(bags: Bags, run: Path) -> BagGrader:
        return grade.train(bags, recipe, job.options(recipe, len(bags.crops)), run)

    network, logits = adapt.cross_fitted(own.bags, adapt.parts_of(own, adapting["folds"]), fitted, folder)
    settings = adapt.calibrate(logits, own, plan.pack, level_prior=adapting["level_prior"])
    return settings, lambda bags: grade.logits_of(network, bags)


_STEPS: Mapping[str, Callable[[Plan, Site, Path], Step]] = {
    RECALIBRATED: _recalibrated,
    ADAPTED: _adapted,
    NO_REPLAY: _without_replay,
    SCRATCH: _from_scratch,
}


def _cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _save(found: Outcome, file: Path) -> None:
    arrays = {
        f"{part}_{name}": logits[name]
        for part, logits in (("unseen", found.unseen), ("ordinary", found.ordinary))
        for name in VIEWS_OF
    }
    words = json.dumps({"settings": found.settings, "cpu_s": found.cpu_s})
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".part.npz")
    np.savez(partial, words=np.array(words), **arrays)  # type: ignore[arg-type]
    partial.replace(file)


def _load(file: Path) -> Outcome:
    with np.load(file) as arrays:
        words = json.loads(str(arrays["words"]))
        unseen, ordinary = ({name: arrays[f"{part}_{name}"] for name in VIEWS_OF} for part in ("unseen", "ordinary"))
    return Outcome(settings=words["settings"], unseen=unseen, ordinary=ordinary, cpu_s=words["cpu_s"])
