"""Judge the localizer out of fold on real patients, and on simulated studies: `docs/levels.md`.

    python -m spinalis.train.folds --data ROOT --start runs/levels -o docs/levels.md

The patients of SPIDER whose slices carry points are parted into folds. For each, a localizer that has learnt from
simulation alone goes on with the real slices of the other folds, mixed with simulated ones as its recipe mixes them; it
is exported and names the levels of the held-out patients just as `spinalis read` does. Resumes where it was cut short:
a finished fold is not trained again.
"""

import argparse
import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spinalis.errors import RecipeError
from spinalis.evaluate.levels import mean_position
from spinalis.formats.atomic import write_bytes
from spinalis.localize.levels import locate_with_junction
from spinalis.models import Pack, load_pack, load_packs
from spinalis.records import FloatArray
from spinalis.train import levels
from spinalis.train.adapt import fold_of
from spinalis.train.data import open_images, spider
from spinalis.train.data.real_slice import picture
from spinalis.train.fold_tables import Answer, tables
from spinalis.train.job import SIMULATED, Job
from spinalis.train.levels import Example
from spinalis.train.packs import SPIDER, levels_text, trained_levels
from spinalis.train.runs import RUN_SETTINGS, changed
from spinalis.train.simulated_places import STUDIES, simulated_tables
from spinalis.vocabulary import LEVELS

STEPS = 800
"""Chosen for the time it takes: five folds in half an hour on one core, from a start that knows the spine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to judge.

    `data` holds the open real images; `start` is a run of the recipe `levels` on simulation alone; folds are kept in
    `runs/folds`. `scale` shrinks the simulated studies, `changes` the settings of the recipe.
    """

    data: Path
    start: Path
    runs: Path
    folds: int = 5
    changes: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 2
    scale: float = 1.0
    accelerator: str = "auto"

    def recipe(self) -> dict[str, Any]:
        """The recipe `levels`, with fewer steps and the changes asked for."""
        job = Job(data=None, runs=self.runs, out=self.runs)
        return changed({**RUN_SETTINGS, **job.recipe("levels"), "steps": STEPS}, self.changes)

    def job(self, folder: Path) -> Job:
        """The job of one fold."""
        return Job(
            data=self.data,
            runs=self.runs,
            out=folder,
            jobs=self.jobs,
            scale=self.scale,
            accelerator=self.accelerator,
            folder=folder,
        )


def out_of_fold(plan: Plan) -> list[Answer]:
    """Train what is not trained yet and judge every labelled slice by the network that did not see its patient.

    Raises:
        RecipeError: too few patients for the folds, a start that saw other data, or a fold of other settings.
    """
    items = [item for item in spider.read(plan.data) if item.points is not None]
    patients = sorted({item.patient for item in items})
    if not 2 <= plan.folds <= len(patients):
        raise RecipeError(
            f"Folds: expected 2 to {len(patients)}, as there are so many labelled patients, got {plan.folds}. "
            "Change --folds."
        )
    part = dict(zip(patients, fold_of(patients, plan.folds), strict=True))
    files = plan.job(plan.runs).studies("lumbar-balanced")
    weights = start_weights(plan.start, files)
    simulated = levels.simulated_examples(files)
    answers = []
    for fold in range(plan.folds):
        seen = [item for item in items if part[item.patient] != fold]
        pack = train_fold(plan, fold, seen, simulated, weights)
        guess = mean_position(np.stack([item.points for item in seen if item.points is not None]))
        answers += [_answer(item, fold, pack, guess) for item in items if part[item.patient] == fold]
    return answers


def start_weights(run: Path, files: Sequence[Path]) -> dict[str, Tensor]:
    """The weights of a finished run of `levels`, made sure that it saw simulated slices only.

    Its checkpoint says from how many examples it has learnt: these must be those of the first of the simulated studies.

    Raises:
        RecipeError: there is no finished run, or it learnt from other examples.
    """
    file = run / "last.ckpt"
    if not file.is_file():
        raise RecipeError(
            f"Start {run.name}: expected the folder of a run of levels, got no last.ckpt. Change --start."
        )
    kept = torch.load(file, map_location="cpu", weights_only=True)
    steps, *_, origin = ast.literal_eval(kept["made_for"])
    if kept["step"] != steps:
        raise RecipeError(
            f"Start {run.name}: expected a finished run of {steps} steps, got {kept['step']}. Finish it first."
        )
    examples = ast.literal_eval(origin)[1]
    possible = np.cumsum([len(levels.simulated_examples([item])) for item in files])
    if examples not in possible:
        raise RecipeError(
            f"Start {run.name}: expected a localizer that has seen simulated slices alone, got one of {examples} "
            f"examples, which no number of the {len(files)} simulated studies makes. Train one with "
            "python -m spinalis.train.packs levels --simulation-only."
        )
    prefix = "network."
    return {name.removeprefix(prefix): value for name, value in kept["network"].items() if name.startswith(prefix)}


def train_fold(
    plan: Plan, fold: int, seen: Sequence[spider.MidSagittal], simulated: Sequence[Example], start: Mapping[str, Tensor]
) -> Pack:
    """Train a fold's localizer, or take its finished one, and export it.

    Raises:
        RecipeError: the folder of the fold holds one of other settings.
    """
    folder, recipe = plan.runs / "folds" / f"{fold}-of-{plan.folds}", plan.recipe()
    real = levels.real_examples(seen)
    options = plan.job(folder).options(recipe, len(real) + len(simulated))
    digest = sha256(repr(sorted({item.patient for item in seen})).encode())
    for value in start.values():
        digest.update(value.numpy().tobytes())
    options = replace(options, origin=f"{options.origin} {digest.hexdigest()[:12]}")
    network = levels.train((real, simulated), recipe, options, folder, start)
    text = levels_text(recipe, [f"{len(real)} {SPIDER}, one fold left out", f"{len(simulated)} slices of {SIMULATED}"])
    trained_levels(network, text).export(folder / "pack")
    return load_pack(folder / "pack")


def _answer(item: spider.MidSagittal, fold: int, pack: Pack, guess: FloatArray) -> Answer:
    image = item.load()
    marks, junction = locate_with_junction(picture(image), pack)
    points = np.full((len(LEVELS), 2), np.nan)
    for column, mark in enumerate(marks):
        points[column] = (mark.location.column, mark.location.row)
    size = image.shape[::-1]
    return Answer(
        patient=item.patient,
        sequence=item.sequence,
        fold=fold,
        truth=np.asarray(item.points) * size - 0.5,
        guess=guess * size - 0.5,
        found=points,
        junction=junction,
        confidence=float(np.mean([mark.confidence for mark in marks])) if marks else 0.0,
    )


def page(plan: Plan, packs: tuple[Pack, ...], studies: int) -> str:
    """All tables as Markdown."""
    recipe = plan.recipe()
    share = f"{100 * recipe['real_share']:.0f} % of the draws"
    made = [*tables(out_of_fold(plan)), *(simulated_tables(packs, studies) if studies else [])]
    about = (
        f"Real patients: {plan.folds} folds by patient over all labelled slices of SPIDER (a hash of the patient says "
        "in which; both contrasts of a patient are in one). Every fold starts from a localizer that has learnt from "
        f"simulation alone, and trains {recipe['steps']} steps on the others' slices ({share}) and simulated "
        "ones. These networks judge the recipe; the pack that ships has seen the training "
        "patients, and is judged on the simulated studies below and on the validation patients in "
        "[the results](results.md). No network has seen the patients that it is judged on, but some constants of the "
        "decoder (`localize/decode.py`) were chosen on SPIDER's training patients, who are among them."
    )
    head = ["# Levels", "", "Made by `python -m spinalis.train.folds`. Research use only.", "", about, ""]
    return "\n".join([*head, *[table.to_markdown() for table in made]])


def main() -> None:
    """Parse the command line, train, judge, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, help="folder of the open real images (see docs/data.md)")
    parser.add_argument("--start", type=Path, required=True, help="a run of levels, trained on simulation alone")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="caches and folds")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of levels")
    parser.add_argument("--jobs", type=int, default=2, help="simulating processes")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the simulated studies, for a quick trial")
    parser.add_argument("--accelerator", default="auto", help="cpu, cuda, or auto")
    parser.add_argument(
        "--packs", type=Path, help="folder of packs for the simulated studies; the shipped ones if none"
    )
    parser.add_argument("--studies", type=int, default=STUDIES, help="simulated studies to read; 0 leaves them out")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    given = parser.parse_args()
    root = open_images.find_root(given.data)
    if root is None or any("=" not in item for item in given.set):
        parser.error("expected the open real images in --data, and every --set as key=value")
    plan = Plan(
        data=root,
        start=given.start,
        runs=given.runs,
        folds=given.folds,
        changes=dict(item.split("=", 1) for item in given.set),
        jobs=given.jobs,
        scale=given.scale,
        accelerator=given.accelerator,
    )
    text = page(plan, load_packs(given.packs), given.studies)
    if given.output:
        write_bytes(given.output, text.encode())
    print(text)  # noqa: T201  the command's answer


if __name__ == "__main__":
    main()
