"""Paper 5, stage 2: severity from bags of crops around the places of stage 1, whose errors are imitated in training.

A bag holds, for every view of its group, some neighbouring slices centred on the place. Before cropping the place is
shifted by a miss of stage 1 drawn from its measured table; after cropping, brightness and contrast change with
probability 0.25, and shift, scale and turn with 0.5, alike for all crops of a view.

Source:
    Paper 5, 2.2. How far the last ones go is not given: the constants below are assumptions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from spinalis.evaluate.rsna import GROUPS
from spinalis.records import FloatArray, Image
from spinalis.train.data.bags import UNLABELLED
from spinalis.train.data.whole import Whole
from spinalis.train.fit import Sample
from spinalis.train.job import Job
from spinalis.train.networks.lstm_mil import LstmMil
from spinalis.train.papers.material import parts
from spinalis.train.papers.members import Lesson, asked, load_member, train_member
from spinalis.train.papers.places import (
    LEFT_RECESS,
    RIGHT_RECESS,
    VIEWS_OF_GROUP,
    Places,
    cut,
    range_of,
    true_places,
)
from spinalis.train.papers.stage1_errors import Miss, shifts
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES

BRIGHTNESS, CONTRAST, SHARE_LIGHT = 0.2, 0.2, 0.25
MOVE, SCALE, TURN_DEG, SHARE_MOVED = 0.0625, 0.1, 15.0, 0.5

MOST_SLICES, MOST_PX = 2, 10.0
"""Largest imitated errors. Source: paper 5, 2.2.1."""

STILL = np.eye(2, 3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A labelled condition (row of `CONDITIONS`) at a level (column of `LEVELS`), and the places of its study."""

    study: Whole
    places: Places
    row: int
    column: int

    @property
    def grade(self) -> int:
        """0..2."""
        return int(self.study.grades[self.row, self.column])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bags:
    """How bags of a group are cut: `size` pixels, `instances` slices per view, and `misses` (n, 3) by view."""

    group: str
    size: int
    instances: int
    misses: Mapping[str, FloatArray]


def cases(studies: Sequence[Whole], group: str) -> list[Case]:
    """The labelled cases of a group that have a place in its first view."""
    members, found = dict(GROUPS)[group], []
    for study in studies:
        places = true_places(study)
        for row in map(CONDITIONS.index, members):
            for column in range(len(LEVELS)):
                known = not np.isnan(places[VIEWS_OF_GROUP[group][0]][row, column]).any()
                if known and study.grades[row, column] != UNLABELLED:
                    found.append(Case(study=study, places=places, row=row, column=column))
    return found


def bag(case: Case, how: Bags, rng: np.random.Generator | None) -> tuple[Image, Image, int]:
    """Cut the bag of a case.

    Args:
        case: which; its places may be the readers' or those of stage 1.
        how: group, size and errors.
        rng: draws error and augmentation; None leaves both out.

    Returns:
        Crops (I, 1, S, S), mask (I,), and where in the bag the slice of the place is, `UNLABELLED` if it is not there.
    """
    views = VIEWS_OF_GROUP[how.group]
    crops = np.zeros((len(views) * how.instances, 1, how.size, how.size), np.float32)
    mask, target = np.zeros(len(crops), np.float32), UNLABELLED
    for number, view in enumerate(views):
        place = _place(case, view, rng)
        if view not in case.study.views or np.isnan(place).any():
            continue
        stack, reach = case.study.views[view], range_of(CONDITIONS[case.row], view)
        true_slice, place = (
            round(float(place[0])),
            _shifted(place, stack.pixel_mm(round(float(place[0]))), how, view, rng),
        )
        change, gain, lift = _change(rng, how.size)
        for step in range(how.instances):
            index = round(float(place[0])) + step - how.instances // 2
            if 0 <= index < len(stack.pixels):
                slot = number * how.instances + step
                crop = cut(stack, np.array([index, *place[1:]]), reach, how.size, change)
                crops[slot, 0], mask[slot] = gain * crop + lift, 1.0
                target = slot if number == 0 and index == true_slice else target
    return crops, mask, target


def loss(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy of the grade, plus that of the auxiliary scores naming the slice that the readers chose."""
    logits, auxiliary, _ = network(batch["crops"], batch["mask"])
    total = nn.functional.cross_entropy(logits, batch["grade"])
    named = batch["target"] != UNLABELLED
    if bool(named.any()):
        # Only the first view has a chosen slice; what is not in it takes no part.
        own = auxiliary[named][:, : int(batch["own"][0])]
        total = total + nn.functional.cross_entropy(own, batch["target"][named])
    return total


def build(recipe: Mapping[str, Any], encoder: str, *, fetch: bool = False) -> LstmMil:
    """An untrained network; `fetch` its encoder's ImageNet weights."""
    return LstmMil(encoder, bilstm=recipe["bilstm"], shared_attention=recipe["shared_attention"], pretrained=fetch)


def train(studies: Sequence[Whole], misses: Sequence[Miss], recipe: Mapping[str, Any], job: Job, folder: Path) -> None:
    """Train one network per group, encoder and fold; `stage1_error=false` imitates no error.

    Args:
        studies: to train on, parted into folds; each network leaves one of them out.
        misses: of stage 1.
        recipe: of `multi-stage-mil`.
        job: where and how.
        folder: of the run.
    """
    folds = parts(studies, recipe["folds"])
    for group, encoder, fold in _members(recipe):
        kept = [item for number, part in enumerate(folds) if number != fold for item in part]
        found, how = cases(kept, group), _bags(recipe, group, misses)
        lesson = Lesson(
            draw=_Draw(cases=found, how=how),
            loss=loss,
            examples=len(found),
            epochs=recipe["encoders"][encoder],
            origin=repr([item.name for item in kept]),
        )
        torch.manual_seed(recipe["seed"] + fold)
        network = build(recipe, encoder, fetch=recipe["pretrained"])
        train_member(network, lesson, recipe, job, _folder(folder, group, encoder, fold))


def predict(recipe: Mapping[str, Any], folder: Path, studies: Sequence[Whole], places: Sequence[Places]) -> FloatArray:
    """(S, 5, 5, 3) the mean over encoders and folds; NaN where no view of the group has a place."""
    answers = np.full((len(studies), len(CONDITIONS), len(LEVELS), len(SEVERITIES)), np.nan)
    for group, members in GROUPS:
        networks = [
            load_member(build(recipe, encoder), _folder(folder, group, encoder, fold))
            for name, encoder, fold in _members(recipe)
            if name == group
        ]
        how = _bags(recipe, group, ())
        asked = [(row, column) for row in map(CONDITIONS.index, members) for column in range(len(LEVELS))]
        for number, (study, found) in enumerate(zip(studies, places, strict=True)):
            bags = [bag(Case(study=study, places=found, row=row, column=column), how, None) for row, column in asked]
            for (row, column), item, answer in zip(asked, bags, _ask(networks, bags), strict=True):
                if item[1].any():
                    answers[number, row, column] = answer
    return answers


def _ask(networks: Sequence[LstmMil], bags: Sequence[tuple[Image, Image, int]]) -> FloatArray:
    """(n, 3) mean probabilities of some bags."""
    crops, mask = np.stack([item[0] for item in bags]), np.stack([item[1] for item in bags])
    logits = [torch.from_numpy(asked(network, crops, mask)[0]) for network in networks]
    shares = [torch.softmax(item, dim=1).numpy() for item in logits]
    return np.asarray(np.mean(shares, axis=0, dtype=float), float)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    cases: Sequence[Case]
    how: Bags

    def __call__(self, rng: np.random.Generator) -> Sample:
        case = self.cases[int(rng.integers(len(self.cases)))]
        crops, mask, target = bag(case, self.how, rng)
        return {
            "crops": crops,
            "mask": mask,
            "grade": np.array(case.grade, np.int64),
            "target": np.array(target, np.int64),
            "own": np.array(self.how.instances, np.int64),
        }


def _bags(recipe: Mapping[str, Any], group: str, misses: Sequence[Miss]) -> Bags:
    used = misses if recipe["stage1_error"] else ()
    found = {view: shifts(used, view, MOST_SLICES, MOST_PX) for view in VIEWS_OF_GROUP[group]}
    return Bags(group=group, size=recipe["crop_size"], instances=recipe["instances"], misses=found)


def _members(recipe: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    return [
        (group, encoder, fold)
        for group in VIEWS_OF_GROUP
        for encoder in recipe["encoders"]
        for fold in range(recipe["folds"])
    ]


def _folder(folder: Path, group: str, encoder: str, fold: int) -> Path:
    return folder / "stage2" / f"{group}-{encoder}-{fold}"


def _place(case: Case, view: str, rng: np.random.Generator | None) -> FloatArray:
    """(3,) the canal's axial place is one of both recesses in training, as in the paper, else between them."""
    row = case.row
    if row == 0 and view == "axial_t2" and rng is not None:
        row = LEFT_RECESS if rng.random() < 0.5 else RIGHT_RECESS
    return np.asarray(case.places[view][row, case.column], float)


def _shifted(
    place: FloatArray, spacing: tuple[float, float], how: Bags, view: str, rng: np.random.Generator | None
) -> FloatArray:
    found = how.misses[view]
    if rng is None or not len(found):
        return place
    slices, right, down = found[int(rng.integers(len(found)))]
    return np.asarray(place + np.array([slices, right / spacing[0], down / spacing[1]]), float)


def _change(rng: np.random.Generator | None, size: int) -> tuple[FloatArray, float, float]:
    """What is done to all crops of a view: a matrix, a gain and a lift."""
    if rng is None:
        return STILL, 1.0, 0.0
    gain, lift = 1.0, 0.0
    change: FloatArray = STILL
    if rng.random() < SHARE_LIGHT:
        gain, lift = rng.uniform(1 - CONTRAST, 1 + CONTRAST), rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    if rng.random() < SHARE_MOVED:
        middle = (size - 1) / 2
        turn = cv2.getRotationMatrix2D(
            (middle, middle), rng.uniform(-TURN_DEG, TURN_DEG), rng.uniform(1 - SCALE, 1 + SCALE)
        )
        change = np.asarray(turn + np.hstack([np.zeros((2, 2)), rng.uniform(-MOVE, MOVE, (2, 1)) * size]), float)
    return change, gain, lift
