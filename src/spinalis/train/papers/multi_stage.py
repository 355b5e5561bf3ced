"""Paper 5, whole: sagittal slices (1a), points in them (1b), axial places (1c), then severity from crops there (2).

Members are trained on folds of the training studies; each study is first located by the members that did not see it, so
that the errors which stage 2 imitates are those of new patients.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spinalis.errors import RecipeError
from spinalis.formats.atomic import write_bytes
from spinalis.records import FloatArray
from spinalis.train import levels
from spinalis.train.data import open_images, spider
from spinalis.train.data.whole import CONDITIONS_OF, Whole
from spinalis.train.job import Job
from spinalis.train.networks.convnext3d import InstanceNumber
from spinalis.train.networks.coordinates import Coordinates
from spinalis.train.papers import axial, coordinates, instance_number, severity, stage1_errors
from spinalis.train.papers.material import Material, parts, simulated_training
from spinalis.train.papers.members import NETWORK, load_member
from spinalis.train.papers.places import Places, no_places, share_recesses
from spinalis.vocabulary import CONDITIONS

SAGITTAL = ("sagittal_t1", "sagittal_t2")
OFFSETS = "recess_offsets_mm.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Locator:
    """The members of stage 1 that are asked together, and the mean way from the canal to the recesses."""

    recipe: Mapping[str, Any]
    numbers: Mapping[str, Sequence[InstanceNumber]]
    points: Mapping[str, Sequence[Coordinates]]
    axial: Sequence[Coordinates]
    offsets_mm: FloatArray

    def locate(self, study: Whole) -> Mapping[str, Places]:
        """Places by every method; those `stage1_errors.USED` go on to stage 2.

        Slices are the median over heads and folds, points the mean over encoders and folds. Axial slices and points are
        each taken from projection or network, as `axial_slices` and `axial_points` say.
        """
        found = {name: no_places(SAGITTAL) for name in ("classification", "regression")}
        found[stage1_errors.USED] = no_places()
        for view in SAGITTAL:
            if view in study.views:
                self._sagittal(study, view, found)
        if axial.VIEW in study.views:
            found |= {name: no_places([axial.VIEW]) for name in axial.METHODS}
            self._axial(study, found)
        share_recesses(found[stage1_errors.USED])
        return found

    def _sagittal(self, study: Whole, view: str, found: dict[str, dict[str, FloatArray]]) -> None:
        stack, rows = study.views[view], [CONDITIONS.index(condition) for condition in CONDITIONS_OF[view]]
        said = [instance_number.ask(network, stack, self.recipe["volume_size"]) for network in self.numbers[view]]
        classified = np.median([item.classified for item in said], axis=0)
        regressed = np.median([item.regressed for item in said], axis=0)
        found["classification"][view][rows, :, 0] = np.round(classified)
        found["regression"][view][rows] = np.stack(
            [
                np.round(regressed),
                *(np.median([getattr(item, part) for item in said], axis=0) for part in ("columns", "rows")),
            ],
            axis=-1,
        )
        every = [value for item in said for value in (item.classified, item.regressed)]
        slices = np.round(np.median(every, axis=0)).astype(int)
        needed = np.unique(slices).tolist()
        size = self.recipe["coordinate_size"]
        points = np.mean([coordinates.ask(net, stack, needed, size)[0] for net in self.points[view]], axis=0)
        for number, row in enumerate(rows):
            for column, index in enumerate(slices[number]):
                found[stage1_errors.USED][view][row, column] = (index, *points[needed.index(index), column])

    def _axial(self, study: Whole, found: dict[str, dict[str, FloatArray]]) -> None:
        stack, rows = study.views[axial.VIEW], list(axial.RECESSES)
        canal = np.full((5, 3), np.nan)
        if "sagittal_t2" in study.views:
            sagittal = study.views["sagittal_t2"]
            places = found[stage1_errors.USED]["sagittal_t2"][0]
            canal = np.stack([sagittal.lps_mm(int(place[0]), place[1], place[2]) for place in places])
        projected = axial.by_projection(stack, canal, self.offsets_mm)
        named, points = axial.by_network(self.axial, stack, self.recipe["coordinate_size"])
        found["projection"][axial.VIEW][rows], found["network"][axial.VIEW][rows] = projected, named
        used = named.copy()
        if self.recipe["axial_slices"] == "projection":
            # A level that meets no slice has no place; the network is asked only where there is nothing to project.
            seen = np.isfinite(canal).all(axis=1)
            used[:, seen] = projected[:, seen]
        if self.recipe["axial_points"] == "network":
            for side, column in np.argwhere(np.isfinite(used[:, :, 0])):
                used[side, column, 1:] = points[int(used[side, column, 0]), side]
        found[stage1_errors.USED][axial.VIEW][rows] = used


def locator(recipe: Mapping[str, Any], folder: Path, folds: Sequence[int]) -> Locator:
    """Load the members of some folds."""
    numbers = {
        view: [
            load_member(instance_number.build(recipe, view), folder / "stage1a" / f"{view}-{fold}") for fold in folds
        ]
        for view in SAGITTAL
    }
    points = {
        view: [
            load_member(coordinates.build(recipe, encoder), folder / "stage1b" / f"{view}-{encoder}-{fold}")
            for fold in folds
            for encoder in recipe["coordinate_encoders"]
        ]
        for view in SAGITTAL
    }
    nets = [
        load_member(axial.build(recipe, encoder), folder / "stage1c" / f"{encoder}-{fold}")
        for fold in folds
        for encoder in recipe["coordinate_encoders"]
    ]
    offsets = np.array(json.loads((folder / OFFSETS).read_text()), float)
    return Locator(recipe=recipe, numbers=numbers, points=points, axial=nets, offsets_mm=offsets)


def train(material: Material, recipe: Mapping[str, Any], job: Job, folder: Path) -> None:
    """Train all stages; what is already trained stays.

    Raises:
        RecipeError: a setting does not fit, or too few studies for the folds.
        TableError: `stage1_from` names a run without a finished stage 1.
    """
    for name in ("axial_slices", "axial_points"):
        if recipe[name] not in axial.METHODS:
            raise RecipeError(f"Recipe: expected {name} as projection or network, got {recipe[name]}. Correct --set.")
    if not recipe["stage1_from"]:
        train_localization(material.train, recipe, job, folder)
    misses = stage1_errors.read(_home(recipe, folder))
    severity.train(material.train, misses, recipe, job, folder)


def train_localization(studies: Sequence[Whole], recipe: Mapping[str, Any], job: Job, folder: Path) -> None:
    """Train stage 1 and measure it.

    Raises:
        RecipeError: too few studies for the folds, or none with canal and recesses at one level.
    """
    folds = parts(studies, recipe["folds"])
    offsets = axial.mean_offsets(studies)
    if np.isnan(offsets).any():
        raise RecipeError(
            "Studies: expected some with points of canal and recesses at one level, got none. Take more studies."
        )
    write_bytes(folder / OFFSETS, json.dumps(offsets.round(3).tolist()).encode())
    if recipe["pretraining"]:
        pretrain(recipe, job, folder)
    for number in range(len(folds)):
        kept = [item for place, part in enumerate(folds) if place != number for item in part]
        train_stage1(kept, number, recipe, job, folder)
    if not (folder / stage1_errors.FILE).exists():
        stage1_errors.write(measured(folds, recipe, folder), folder)


def pretrain(recipe: Mapping[str, Any], job: Job, folder: Path) -> None:
    """The first of two steps: the coordinate encoders learn from open key points and from simulation."""
    places = [folder / "stage1b" / f"pretraining-{encoder}" for encoder in recipe["coordinate_encoders"]]
    if all((place / NETWORK).exists() for place in places):
        return
    root = open_images.find_root(job.data)
    items = [item for item in spider.read(root) if item.subset == "training"] if root else []
    slices = coordinates.pretraining_slices(levels.real_examples(items), simulated_training(job))
    for encoder, place in zip(recipe["coordinate_encoders"], places, strict=True):
        coordinates.train(slices, coordinates.build(recipe, encoder), recipe["pretraining_epochs"], recipe, job, place)


def train_stage1(kept: Sequence[Whole], fold: int, recipe: Mapping[str, Any], job: Job, folder: Path) -> None:
    """Train the members of one fold: slices and points of both sagittal views, and the axial network."""
    for view in SAGITTAL:
        instance_number.train(kept, view, recipe, job, folder / "stage1a" / f"{view}-{fold}")
        slices = coordinates.pointed_slices(kept, view)
        for encoder in recipe["coordinate_encoders"]:
            coordinates.train(
                slices,
                coordinates.started(recipe, encoder, folder / "stage1b"),
                recipe["coordinate_epochs"],
                recipe,
                job,
                folder / "stage1b" / f"{view}-{encoder}-{fold}",
            )
    for encoder in recipe["coordinate_encoders"]:
        axial.train(kept, encoder, recipe, job, folder / "stage1c" / f"{encoder}-{fold}")


def measured(folds: Sequence[Sequence[Whole]], recipe: Mapping[str, Any], folder: Path) -> list[stage1_errors.Miss]:
    """The misses of every method on every training study, by the members that did not see it."""
    rows = []
    for number, part in enumerate(folds):
        unseen = locator(recipe, folder, [number])
        for study in part:
            for method, places in unseen.locate(study).items():
                rows += stage1_errors.misses(study, method, places)
    return rows


def predict(recipe: Mapping[str, Any], folder: Path, studies: Sequence[Whole]) -> FloatArray:
    """(S, 5, 5, 3) probabilities, not calibrated, by the members of all folds; NaN where nothing was found."""
    everyone = locator(recipe, _home(recipe, folder), range(recipe["folds"]))
    places = [everyone.locate(study)[stage1_errors.USED] for study in studies]
    return severity.predict(recipe, folder, studies, places)


def _home(recipe: Mapping[str, Any], folder: Path) -> Path:
    """The run whose stage 1 is used."""
    return Path(recipe["stage1_from"]) if recipe["stage1_from"] else folder
