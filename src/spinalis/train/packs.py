"""Train, judge and export the packs that ship with Spinalis: `make packs`.

Resumes where a cut-short run stopped: simulated studies, checkpoints and finished networks stay under `runs/`.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinalis.errors import RecipeError
from spinalis.evaluate.tables import percent
from spinalis.grade.crops import SLOTS
from spinalis.grade.grade import VIEWS_OF
from spinalis.localize.decode import CHANNELS
from spinalis.models import Score, load_pack, load_packs
from spinalis.models.pack import DEFAULT_FOLDER
from spinalis.train import grade, judge, judge_real, levels, novelty, operating, triage
from spinalis.train.data import open_images, public_sets, spider
from spinalis.train.data.real_slice import TRAINING, Labels
from spinalis.train.data.simulated import TRIAGE_SIZE, class_of, fitted, to_bytes
from spinalis.train.export import PackText, write_pack
from spinalis.train.job import (
    CALIBRATION_SEED,
    CALIBRATION_STUDIES,
    LIMITS,
    SIMULATED,
    STUDIES,
    TRAINING_SEED,
    VERSION,
    Job,
    Trained,
    unjudged,
)
from spinalis.train.networks.bag_grader import BagGrader, GraderExport
from spinalis.train.networks.level_unet import LevelExport, LevelUNet
from spinalis.train.networks.triage_trunk import TriageExport
from spinalis.triage.header import ANATOMIES, PLANES, REGIONS, SEQUENCES
from spinalis.triage.unknown import DISTANCE
from spinalis.vocabulary import SEVERITIES

TRIAGE_SHARES = (0.45, 0.2, 0.35)
"""Shares of the batches: simulated spines, simulated other anatomy, real slices.

A real source weighs as much as the square root of its patients: one subject is not drawn as often as two hundred.
"""

MOST_SLICES = 10_000
"""Of each set that `--source` adds, at most so many slices are kept in memory (37 kB each), drawn by seed."""

RESYNTHESIZED = "real SPACE slabs of SPIDER's training patients in other contrasts (CC BY 4.0)"
SPIDER = "SPIDER mid-sagittal slices, training patients (van der Graaf et al. 2024, CC BY 4.0)"


def train_levels(job: Job, recipe: Mapping[str, Any]) -> Trained:
    """Train the localizer."""
    items = spider.read(job.data) if job.data else ()
    real = levels.real_examples([item for item in items if item.subset == "training"])
    redrawn = levels.resynthesized_examples(job.other_contrasts())
    simulated = levels.simulated_examples(job.studies("lumbar-balanced"))
    examples = len(real) + len(redrawn) + len(simulated)
    shown = mixed(real, redrawn, job.redrawn_share)
    network = levels.train((shown, simulated), recipe, job.options(recipe, examples), job.run("levels"))
    sources = [f"{len(real)} {SPIDER}"] if real else []
    sources += [f"{len(redrawn)} slices of {RESYNTHESIZED}"] if redrawn else []
    return trained_levels(network, levels_text(recipe, [*sources, f"{len(simulated)} slices of {SIMULATED}"]))


def levels_text(recipe: Mapping[str, Any], training_data: Sequence[str]) -> PackText:
    """What the pack of a localizer says of itself."""
    return PackText(
        name="levels",
        task="localize",
        version=VERSION,
        inputs={"images": levels.input_spec(recipe["size"])},
        labels={"maps": CHANNELS},
        settings={},
        training_data=training_data,
        scores=[unjudged("levels")],
        notes=[
            "A U-Net that gives, for every disc from T11/T12 to S1/S2, the probability of each place in a sagittal "
            "slice of being its posterior edge in the midline. The chain of five levels is decoded jointly."
        ],
        limits=LIMITS,
    )


def trained_levels(network: LevelUNet, text: PackText) -> Trained:
    """What is exported of a localizer."""
    return Trained(network=LevelExport(network).eval(), example=_pictures(text), outputs=["maps"], text=text)


def make_levels(job: Job) -> None:
    """Train, export and judge the localizer."""
    trained = train_levels(job, job.recipe("levels"))
    trained.export(job.out / "levels")
    if job.data:
        found = judge_real.real_levels(job.data, load_pack(job.out / "levels"))
        figures = "; ".join(
            f"{item.sequence.value}: all five levels right {percent(item.found.all_right)}, no skill "
            f"{percent(item.no_skill.all_right)}"
            for item in found
        )
        _score(
            job.out / "levels",
            trained.text,
            [Score(output="levels", on="real", figures=f"SPIDER validation, {figures}")],
        )


def train_triage(job: Job, recipe: Mapping[str, Any]) -> Trained:
    """Train the triage trunk and calibrate its heads."""
    spines = [file for name in STUDIES if name != "other" for file in job.studies(name)]
    groups = [triage.simulated_examples(spines), triage.simulated_examples(job.studies("other"))]
    real = {**real_sources(job.data, TRAINING), **_public_sources(job.sources, TRAINING)}
    sources = {name: [example for _, example in found] for name, found in real.items()}
    weights = np.sqrt([len({patient for patient, _ in found}) for found in real.values()])
    shares = [*TRIAGE_SHARES[:2], *(TRIAGE_SHARES[2] * weights / max(1.0, weights.sum()))]
    shares = [*(np.array(shares) * (1 - job.redrawn_share)), job.redrawn_share]
    redrawn = triage.resynthesized_examples(job.other_contrasts())
    groups += [*sources.values(), redrawn]
    network = triage.train(groups, shares, recipe, job.options(recipe, sum(map(len, groups))), job.run("triage"))
    spec = triage.input_spec(recipe["size"])
    unseen = [file for name in CALIBRATION_STUDIES for file in job.studies(name, CALIBRATION_SEED)]
    calibration = triage.simulated_examples(unseen)
    temperatures = triage.calibrate(network, calibration, spec)
    export = TriageExport(network).eval()
    novelty.set_reference(export, groups, shares, spec)
    text = PackText(
        name="triage",
        task="triage",
        version=VERSION,
        inputs={"images": spec},
        labels={"anatomy": ANATOMIES, "region": REGIONS, "plane": PLANES, "sequence": SEQUENCES, "cord": ("cord",)},
        settings={"temperature": temperatures, "novelty_limit": novelty.limit(export, calibration, spec)},
        training_data=[
            f"{sum(map(len, groups[:2]))} slices of {SIMULATED}; other anatomy is crude",
            *[f"{len(items)} real slices: {name}" for name, items in sources.items()],
            *[f"of these, --source {name} is {public_sets.SETS[name].citation}" for name, _ in job.sources],
            *([f"{len(redrawn)} slices of {RESYNTHESIZED}"] if redrawn else []),
        ],
        scores=[unjudged("triage")],
        notes=[
            "One trunk with five heads: MR spine or not, region, plane, sequence, cord. Slices are fused with header "
            "evidence and geometry, and vote for their series. Temperatures were fitted on simulated studies that "
            "were not trained on.",
            "`distance` says how unlike the slices of the training a slice is. Beyond `novelty_limit`, which half a "
            "percent of simulated calibration slices exceed, the anatomy is unknown.",
        ],
        limits=(
            *LIMITS,
            "Anatomy outside the spine is covered by crude simulation, one brain, one abdomen and one CT only.",
            "Cord is proven on simulation only; read one by one, it is missed in a quarter of 41 real cervical axial "
            "slices.",
            "Of these 41 slices, 24 are taken for spine one by one, and all by the vote of their two series.",
        ),
    )
    return trained_triage(export, text)


def trained_triage(export: TriageExport, text: PackText) -> Trained:
    """What is exported of a triage trunk."""
    return Trained(network=export, example=_pictures(text), outputs=[*triage.CLASSES, DISTANCE], text=text)


def make_triage(job: Job) -> None:
    """Train, export and judge the triage trunk."""
    trained = train_triage(job, job.recipe("triage"))
    trained.export(job.out / "triage")
    if job.data:
        table = judge_real.triage_table(job.data, load_pack(job.out / "triage"))
        right, floor = table.rows[-2], table.rows[-1]
        figures = "; ".join(
            f"{head} {right[column]}, no skill {floor[column]}"
            for column, head in enumerate(table.columns)
            if column > 0
        )
        _score(
            job.out / "triage", trained.text, [Score(output="triage", on="real", figures=f"held-out slices, {figures}")]
        )


def train_grade(job: Job, recipe: Mapping[str, Any]) -> Trained:
    """Train the grader on simulated studies, and calibrate it for the prevalences of real patients."""
    bags = grade.load_bags(job.studies("lumbar-balanced"))
    network = grade.train(bags, recipe, job.options(recipe, len(bags.crops)), job.run("grade"))
    unseen = grade.load_bags(job.studies("lumbar", CALIBRATION_SEED))
    cases = operating.evidence(grade.logits_of(network, unseen), unseen)
    text = grade_text(
        recipe,
        operating.settings(cases, level_prior=recipe["level_prior"], by=operating.KNOWN),
        training_data=[f"{len(bags.crops)} bags of crops from {SIMULATED}, severe grades made frequent"],
        scores=[unjudged(name) for name in VIEWS_OF],
        note="Probabilities are calibrated on simulated studies with the prevalences of the RSNA 2024 set, not on "
        f"patients. {operating.describe(cases, operating.KNOWN)} `spinalis calibrate` sets them on your own studies. "
        "An earlier trial showed that simulated grades rank real foramina weakly and carry no usable "
        "threshold: take the output as an experimental index for the order of review.",
        limits=LIMITS,
    )
    return trained_grade(network, text)


def grade_text(
    recipe: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    training_data: Sequence[str],
    scores: Sequence[Score],
    note: str,
    limits: Sequence[str],
) -> PackText:
    """What the pack of a grader says of itself."""
    return PackText(
        name="grade",
        task="grade",
        version=VERSION,
        inputs={"crops": grade.input_spec(recipe)},
        labels=dict.fromkeys(VIEWS_OF, SEVERITIES),
        settings=settings,
        training_data=training_data,
        scores=scores,
        notes=[
            "Attention over crops of about 50 mm: five sagittal T1w slices through the foramina, three sagittal T2w "
            "or STIR slices, three axial T2w slices.",
            note,
        ],
        limits=limits,
    )


def trained_grade(network: BagGrader, text: PackText) -> Trained:
    """What is exported of a grader."""
    spec = text.inputs["crops"]
    example = {
        "crops": torch.rand(4, len(SLOTS), len(spec.channels), spec.height, spec.width),
        "mask": torch.ones(4, len(SLOTS)),
    }
    outputs = [f"{name}{kind}" for kind in ("", "_attention", "_map") for name in VIEWS_OF]
    return Trained(network=GraderExport(network).eval(), example=example, outputs=outputs, text=text)


def make_grade(job: Job) -> None:
    """Train, export and judge the grader."""
    trained = train_grade(job, job.recipe("grade"))
    trained.export(job.out / "grade")
    if all((job.out / name / "pack.toml").exists() for name in ("levels", "triage")):
        judged = judge.read_simulated(load_packs(job.out), max(2, round(judge.JUDGED_STUDIES * min(1.0, job.scale))))
        truth, probabilities = judge.grades(judged)
        rows = judge.grade_rows(truth, probabilities, judge.calls(judged))
        scores = [
            Score(
                output=name,
                on="simulation",
                figures=f"{len(judged)} simulated studies, n {cells[0]}: AUC severe {cells[3]}, kappa {cells[5]}; "
                "nothing is proven on patients",
            )
            for name, cells in rows.items()
        ]
        _score(job.out / "grade", trained.text, scores)


def _pictures(text: PackText) -> dict[str, Tensor]:
    spec = text.inputs["images"]
    return {"images": torch.rand(2, len(spec.channels), spec.height, spec.width)}


def _score(folder: Path, text: PackText, scores: Sequence[Score]) -> None:
    write_pack(folder, replace(text, scores=scores))


def mixed(first: Sequence[levels.Example], second: Sequence[levels.Example], share: float) -> list[levels.Example]:
    """All of `first` with as many of `second`, evenly taken, repeated where few, as make up `share` of the whole."""
    if not second or not first:
        return [*first, *second]
    wanted = round(share / (1 - share) * len(first))
    return [*first, *[second[i * len(second) // wanted] for i in range(wanted)]]


_Sources = dict[str, list[tuple[str, triage.Example]]]
"""Source -> its slices, each with its patient."""


def real_sources(root: Path | None, subset: str) -> _Sources:
    """Examples of the open real images, by source; none where there is no folder."""
    sources: _Sources = {}
    for item in open_images.read(root, subset) if root else ():
        example = triage.Example(image=to_bytes(item.image), labels=_classes(item.labels))
        sources.setdefault(item.source, []).append((item.patient, example))
    return sources


def _public_sources(given: Sequence[tuple[str, Path]], subset: str) -> _Sources:
    """Examples of public sets, fitted to the size of the simulated ones; slices without any contrast are left out."""
    sources: _Sources = {}
    for name, path in given:
        items = public_sets.drawn(public_sets.read(name, path, subset), MOST_SLICES, TRAINING_SEED)
        if not items:
            raise RecipeError(f"Source {name}: expected slices of the {subset} subset, got none. Leave it out.")
        for item in items:
            image = item.image
            if image.std() > 0:
                example = triage.Example(image=fitted(image, np.eye(2, 3), TRIAGE_SIZE), labels=_classes(item.labels))
                sources.setdefault(item.source, []).append((item.patient, example))
    return sources


def _classes(labels: Labels) -> NDArray[np.int8]:
    """Class indices in the order of the heads, -1 where unknown."""
    found = [
        class_of(ANATOMIES, labels.anatomy),
        class_of(REGIONS, labels.region),
        class_of(PLANES, labels.plane),
        class_of(SEQUENCES, labels.sequence),
        -1 if labels.cord is None else int(labels.cord),
    ]
    return np.array(found, np.int8)


MAKERS: Mapping[str, Callable[[Job], None]] = {"levels": make_levels, "triage": make_triage, "grade": make_grade}
"""The packs in the order in which they are made: the grader is judged end to end, so it comes last."""


def main() -> None:
    """Parse the command line and make the packs asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("packs", nargs="*", help=f"some of {', '.join(MAKERS)}; all if none is named")
    images = parser.add_mutually_exclusive_group()
    images.add_argument("--data", type=Path, help="folder of the open real images; simulation only where absent")
    images.add_argument("--simulation-only", action="store_true", help="train without real images, even if at hand")
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help=f"a public set for the triage trunk to learn from besides, repeatable: {', '.join(public_sets.SETS)}",
    )
    parser.add_argument(
        "--resynthesized", type=float, default=0.0, help="share of real anatomy in other contrasts, 0 to 0.9"
    )
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER, help="folder of packs to write")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="caches and checkpoints")
    parser.add_argument("--jobs", type=int, default=2, help="simulating processes")
    parser.add_argument("--scale", type=float, default=1.0, help="share of data and steps, for a quick trial")
    parser.add_argument("--accelerator", default="auto", help="cpu, cuda, or auto")
    given = parser.parse_args()
    unknown = set(given.packs) - set(MAKERS)
    if unknown:
        parser.error(f"packs: expected some of {', '.join(MAKERS)}, got {', '.join(sorted(unknown))}")
    if not 0 <= given.resynthesized <= 0.9:
        parser.error(f"--resynthesized: expected a share from 0 to 0.9, got {given.resynthesized}")
    try:
        sources = [public_sets.parse_source(text) for text in given.source]
    except RecipeError as error:
        parser.error(str(error))
    job = Job(
        data=None if given.simulation_only else open_images.find_root(given.data),
        runs=given.runs,
        out=given.out,
        jobs=given.jobs,
        scale=given.scale,
        accelerator=given.accelerator,
        redrawn_share=given.resynthesized,
        sources=sources,
    )
    for name, make in MAKERS.items():
        if name in given.packs or not given.packs:
            make(job)


if __name__ == "__main__":
    main()
