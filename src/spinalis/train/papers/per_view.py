"""Papers 3 and 4: three classifiers, one per view, that grade from whole slices without knowing where the levels are.

Training shows a slice that readers labelled, with the grades of all levels labelled on it. A new study has no labelled
slices: as the papers do, every slice of the view is asked and the probabilities are averaged.

Source:
    Paper 3: `papers/3-per-sequence-efficientnetv2.txt`; paper 4: `papers/4-resnet-vs-efficientnet-with-report.txt`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinalis.records import FloatArray, Image
from spinalis.train.data.bags import UNLABELLED
from spinalis.train.data.whole import BRIGHT, CONDITIONS_OF, Stack, Whole
from spinalis.train.epochs import EpochOptions, Examples, fit_epochs
from spinalis.train.fit import Sample
from spinalis.train.job import Job
from spinalis.train.networks.per_view import PerView
from spinalis.train.papers import per_view_tables
from spinalis.train.papers.material import Material
from spinalis.train.papers.members import asked, keep_member, load_member
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES

TURN_DEG, CONTRAST = 10.0, 0.2
"""Largest rotation and change of contrast. Paper 3 names flips, rotations and contrast, not how far; an assumption."""

ASKED_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledSlice:
    """A slice of a view, and `grades` (conditions, 5) of what readers labelled on it, else `UNLABELLED`."""

    stack: Stack
    index: int
    grades: NDArray[np.int64]


def labelled_slices(studies: Sequence[Whole], view: str) -> list[LabelledSlice]:
    """Every slice of a view on which something is labelled."""
    found = []
    for item in studies:
        on: dict[int, NDArray[np.int64]] = {}
        for row, condition in enumerate(CONDITIONS_OF[view]):
            for column, level in enumerate(LEVELS):
                grade = int(item.grades[CONDITIONS.index(condition), column])
                spot = None if grade == UNLABELLED else item.spot(view, condition, level)
                if spot is not None:
                    empty = np.full((len(CONDITIONS_OF[view]), len(LEVELS)), UNLABELLED, np.int64)
                    on.setdefault(spot.index, empty)[row, column] = grade
        found += [LabelledSlice(stack=item.views[view], index=index, grades=on[index]) for index in sorted(on)]
    return found


def shown(pixels: NDArray[np.uint8], size: int) -> Image:
    """(1, size, size): a kept picture as the networks see it."""
    small = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small[None] / BRIGHT, np.float32)


def changed(rng: np.random.Generator, image: Image, grades: NDArray[np.int64]) -> tuple[Image, NDArray[np.int64]]:
    """Flip, turn and stretch the contrast of a picture at random; a flip exchanges left and right where both are there.

    Args:
        rng: draws the change.
        image: (1, S, S).
        grades: (conditions, 5), the patient's left first.
    """
    size = image.shape[-1]
    turn = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), rng.uniform(-TURN_DEG, TURN_DEG), 1.0)
    picture = cv2.warpAffine(image[0], turn, (size, size), borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.5:
        picture, grades = picture[:, ::-1], grades[::-1]
    stretched = (picture - picture.mean()) * rng.uniform(1 - CONTRAST, 1 + CONTRAST) + picture.mean()
    return np.ascontiguousarray(stretched[None], np.float32), np.ascontiguousarray(grades)


def judge(network: nn.Module, batch: Mapping[str, Tensor]) -> tuple[Tensor, int, int]:
    """Cross-entropy of three grades, or binary cross-entropy of "moderate or severe", over the labels of a batch."""
    logits, grades = network(batch["images"]), batch["grades"]
    known = grades != UNLABELLED
    logits, grades = logits[known], grades[known]
    if logits.shape[-1] == 1:
        present = (grades > 0).float()
        loss = nn.functional.binary_cross_entropy_with_logits(logits[:, 0], present)
        right = (logits[:, 0] > 0) == (grades > 0)
    else:
        loss = nn.functional.cross_entropy(logits, grades)
        right = logits.argmax(dim=1) == grades
    return loss, int(right.sum()), len(grades)


def build(recipe: Mapping[str, Any], view: str, *, fetch: bool = False) -> PerView:
    """The network of a view; `fetch` its ImageNet weights. Early layers are frozen only where they learnt before."""
    return PerView(
        recipe["backbone"],
        conditions=len(CONDITIONS_OF[view]),
        outputs=1 if recipe["binary"] else len(SEVERITIES),
        pretrained=fetch,
        frozen=recipe["frozen"] if recipe["pretrained"] else (),
    )


def train(material: Material, recipe: Mapping[str, Any], job: Job, folder: Path) -> None:
    """Train the three networks, and write curves, confusion matrices and the papers' tables into their folders."""
    results = []
    for view in CONDITIONS_OF:
        first, last = labelled_slices(material.train, view), labelled_slices(material.validate, view)
        slices = [*first, *last]
        examples = Examples(
            pick=_Pick(slices=slices, size=recipe["size"], swap=view == "axial_t2"),
            train=tuple(range(len(first))),
            validate=tuple(range(len(first), len(slices))),
        )
        torch.manual_seed(recipe["seed"])
        network = build(recipe, view, fetch=recipe["pretrained"])
        origin = repr((sorted(recipe.items()), [item.name for item in (*material.train, *material.validate)]))
        epochs = fit_epochs(network, examples, judge, _options(recipe, job, origin), folder / view)
        keep_member(network, folder / view)
        tested = labelled_slices(material.test, view)
        results.append(
            per_view_tables.Result(
                view=view,
                epochs=epochs,
                monitor=recipe["monitor"],
                grades=np.concatenate([item.grades.ravel() for item in tested] or [np.empty(0, np.int64)]),
                answers=np.concatenate(
                    [_ask(network, item.stack, [item.index], recipe["size"]).reshape(-1, 3) for item in tested]
                    or [np.empty((0, 3))]
                ),
            )
        )
    per_view_tables.write(results, folder)


def predict(recipe: Mapping[str, Any], folder: Path, studies: Sequence[Whole]) -> FloatArray:
    """(S, 5, 5, 3) probabilities, not calibrated: the mean over all slices of the view; NaN without the view."""
    found = np.full((len(studies), len(CONDITIONS), len(LEVELS), len(SEVERITIES)), np.nan)
    for view, conditions in CONDITIONS_OF.items():
        network = load_member(build(recipe, view), folder / view)
        rows = [CONDITIONS.index(condition) for condition in conditions]
        for number, item in enumerate(studies):
            if view in item.views:
                stack = item.views[view]
                found[number, rows] = _ask(network, stack, range(len(stack.pixels)), recipe["size"]).mean(axis=0)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pick:
    """`swap`: the picture shows both sides, so that a flip exchanges them; a sagittal slice has one side only."""

    slices: Sequence[LabelledSlice]
    size: int
    swap: bool

    def __call__(self, number: int, rng: np.random.Generator | None) -> Sample:
        item = self.slices[number]
        image, grades = shown(item.stack.pixels[item.index], self.size), item.grades
        if rng is not None:
            image, swapped = changed(rng, image, grades)
            grades = swapped if self.swap else grades
        return {"images": image, "grades": grades}


def _options(recipe: Mapping[str, Any], job: Job, origin: str) -> EpochOptions:
    return EpochOptions(
        epochs=recipe["epochs"],
        batch=recipe["batch"],
        learning_rate=recipe["learning_rate"],
        patience=recipe["patience"],
        monitor=recipe["monitor"],
        seed=recipe["seed"],
        threads=job.threads,
        workers=job.jobs - 1,
        precision=recipe["precision"],
        accelerator=job.accelerator,
        origin=origin,
    )


def _ask(network: PerView, stack: Stack, indices: Sequence[int], size: int) -> FloatArray:
    """(n, conditions, 5, 3) probabilities of some slices; a binary answer is shared by moderate and severe alike."""
    found = []
    for start in range(0, len(indices), ASKED_AT_ONCE):
        pictures = [shown(stack.pixels[index], size) for index in indices[start : start + ASKED_AT_ONCE]]
        logits = torch.from_numpy(asked(network, np.stack(pictures))[0])
        if logits.shape[-1] == 1:
            present = torch.sigmoid(logits)
            found.append(torch.cat([1 - present, present / 2, present / 2], dim=-1))
        else:
            found.append(torch.softmax(logits, dim=-1))
    return torch.cat(found).numpy().astype(float)
