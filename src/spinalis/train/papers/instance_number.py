"""Paper 5, stage 1a: which sagittal slice shows a condition at a level? A 3-D network names it and regresses it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from spinalis.records import FloatArray, Image
from spinalis.train.data.whole import BRIGHT, CONDITIONS_OF, Stack, Whole
from spinalis.train.fit import Sample
from spinalis.train.job import Job
from spinalis.train.networks.convnext3d import SLICES, InstanceNumber
from spinalis.train.papers.members import Lesson, asked, train_member
from spinalis.train.papers.places import true_places
from spinalis.vocabulary import CONDITIONS, LEVELS

TURN_DEG, MOVE, SCALE, GAMMA = 6.0, 0.04, 0.08, 0.2
"""How far a volume is changed in training; the paper does not say."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What one network says of a view, (conditions, 5) each: slice by either head, column and row by regression."""

    classified: FloatArray
    regressed: FloatArray
    columns: FloatArray
    rows: FloatArray


def volume(stack: Stack, size: int) -> tuple[Image, int]:
    """(32, size, size) slices of a stack, padded alike on both sides, or cut; and where in it slice 0 comes to lie."""
    first = (SLICES - len(stack.pixels)) // 2
    filled = np.zeros((SLICES, size, size), np.float32)
    for index in range(max(0, -first), min(len(stack.pixels), SLICES - first)):
        small = cv2.resize(stack.pixels[index], (size, size), interpolation=cv2.INTER_AREA)
        filled[index + first] = small / BRIGHT
    return filled, first


def loss(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy of the slice plus L1 of x, y, z, over the labelled targets."""
    logits, points = network(batch["volume"])
    known = batch["slice"] >= 0
    if not bool(known.any()):
        nothing: Tensor = 0.0 * (logits.sum() + points.sum())
        return nothing
    named = nn.functional.cross_entropy(logits[known], batch["slice"][known])
    total: Tensor = named + nn.functional.l1_loss(points[known], batch["point"][known])
    return total


def build(recipe: Mapping[str, Any], view: str) -> InstanceNumber:
    """An untrained network: one head of each kind for every condition and level of the view."""
    return InstanceNumber(targets=len(CONDITIONS_OF[view]) * len(LEVELS), widths=recipe["volume_widths"])


def train(studies: Sequence[Whole], view: str, recipe: Mapping[str, Any], job: Job, folder: Path) -> None:
    """Train the network of a view on studies that have it."""
    shown = [item for item in studies if view in item.views]
    lesson = Lesson(
        draw=_Draw(studies=shown, view=view, size=recipe["volume_size"]),
        loss=loss,
        examples=len(shown),
        epochs=recipe["volume_epochs"],
        origin=repr([item.name for item in shown]),
    )
    torch.manual_seed(recipe["seed"])
    train_member(build(recipe, view), lesson, recipe, job, folder)


def ask(network: InstanceNumber, stack: Stack, size: int) -> Found:
    """What a network says of a stack; slices are kept within it."""
    filled, first = volume(stack, size)
    logits, points = asked(network, filled[None, None])
    shape = (-1, len(LEVELS))
    last, kept = len(stack.pixels) - 1, stack.pixels.shape[1]
    place = points[0].astype(float)
    return Found(
        classified=np.clip(logits[0].argmax(axis=1).astype(float) - first, 0, last).reshape(shape),
        regressed=np.clip(place[:, 2] * SLICES - first, 0, last).reshape(shape),
        columns=(place[:, 0] * kept).reshape(shape),
        rows=(place[:, 1] * kept).reshape(shape),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    studies: Sequence[Whole]
    view: str
    size: int

    def __call__(self, rng: np.random.Generator) -> Sample:
        study = self.studies[int(rng.integers(len(self.studies)))]
        stack = study.views[self.view]
        filled, first = volume(stack, self.size)
        rows = [CONDITIONS.index(condition) for condition in CONDITIONS_OF[self.view]]
        places = true_places(study)[self.view][rows].reshape(-1, 3)
        depth = places[:, 0] + first
        known = np.isfinite(depth) & (depth >= 0) & (depth < SLICES)
        turn = cv2.getRotationMatrix2D(
            ((self.size - 1) / 2, (self.size - 1) / 2),
            rng.uniform(-TURN_DEG, TURN_DEG),
            rng.uniform(1 - SCALE, 1 + SCALE),
        )
        turn = turn + np.hstack([np.zeros((2, 2)), rng.uniform(-MOVE, MOVE, (2, 1)) * self.size])
        power = np.exp(rng.uniform(-GAMMA, GAMMA))
        changed = np.stack([cv2.warpAffine(image, turn, (self.size, self.size)) for image in filled]) ** power
        shown = places[:, 1:] / stack.pixels.shape[1] * self.size
        moved = (shown @ turn[:, :2].T + turn[:, 2]) / self.size
        point = np.concatenate([moved, depth[:, None] / SLICES], axis=1)
        return {
            "volume": changed[None].astype(np.float32),
            "slice": np.where(known, depth, -1).astype(np.int64),
            "point": np.where(known[:, None], point, 0.0).astype(np.float32),
        }
