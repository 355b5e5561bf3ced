"""Paper 5, stage 1b: where in a sagittal slice does each level lie? Learnt from other data, then from the target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinalis.localize.decode import FIRST
from spinalis.models.prepare import InputSpec, apply_matrix, fit_matrix, invert_matrix, resample
from spinalis.records import FloatArray, Image
from spinalis.train.augment import Spread, draw_matrix
from spinalis.train.data.whole import BRIGHT, CONDITIONS_OF, Stack, Whole
from spinalis.train.fit import Sample
from spinalis.train.job import Job
from spinalis.train.levels import Example
from spinalis.train.networks.coordinates import Coordinates
from spinalis.train.papers.members import Lesson, asked, load_member, train_member
from spinalis.train.papers.places import true_places
from spinalis.vocabulary import CONDITIONS, LEVELS

SPREAD = Spread(rotation_deg=8.0, shift=0.05, scale=0.12, aspect=0.05)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pointed:
    """A picture with points: `images` (3, H, W), a slice between its neighbours; `points` (T, 2) column, row, or NaN.

    `classes` is what the slice shows as a whole, -1 where that is unknown or nobody asks.
    """

    images: NDArray[np.uint8]
    points: FloatArray
    classes: int = -1


def neighbours(stack: Stack, index: int) -> NDArray[np.uint8]:
    """(3, S, S): a slice between its neighbours, the first and the last repeated."""
    last = len(stack.pixels) - 1
    return np.asarray(stack.pixels[[max(0, index - 1), index, min(last, index + 1)]])


def pointed_slices(studies: Sequence[Whole], view: str) -> list[Pointed]:
    """Every sagittal slice on which readers put points, with the points of its levels."""
    found = []
    for study in studies:
        places = true_places(study)[view]
        for row in map(CONDITIONS.index, CONDITIONS_OF[view]):
            for index in np.unique(places[row, :, 0][np.isfinite(places[row, :, 0])]):
                on = places[row, :, 0] == index
                points = np.where(on[:, None], places[row, :, 1:], np.nan)
                found.append(Pointed(images=neighbours(study.views[view], int(index)), points=points))
    return found


def pretraining_slices(open_examples: Sequence[Example], simulated: Sequence[Whole]) -> list[Pointed]:
    """Open key points and simulated slices, side by side: the points are those of the canal."""
    found = pointed_slices(simulated, "sagittal_t2")
    for item in open_examples:
        top = max(float(np.percentile(item.image, 99.5)), 1.0)
        picture = np.asarray(np.clip(item.image / top * BRIGHT, 0, 255), np.uint8)
        levels = slice(FIRST, FIRST + len(LEVELS))
        points = np.where((item.seen & item.known)[levels, None], item.points[levels], np.nan)
        found.append(Pointed(images=np.repeat(picture[None], 3, axis=0), points=points))
    return found


def loss(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """L1 of the labelled points, plus cross-entropy of the class where there is one."""
    points, logits = network(batch["images"])
    known = batch["known"]
    total: Tensor = ((points - batch["points"]).abs() * known[:, :, None]).sum() / (2 * known.sum()).clamp(min=1.0)
    classed = batch["classes"] >= 0
    if logits.shape[1] and bool(classed.any()):
        total = total + nn.functional.cross_entropy(logits[classed], batch["classes"][classed])
    return total


def train(
    slices: Sequence[Pointed],
    network: Coordinates,
    epochs: int,
    recipe: Mapping[str, Any],
    job: Job,
    folder: Path,
) -> None:
    """Train a network on pictures with points."""
    lesson = Lesson(
        draw=_Draw(slices=slices, size=recipe["coordinate_size"]),
        loss=loss,
        examples=len(slices),
        epochs=epochs,
        origin=repr((len(slices), [item.points.round(2).tolist() for item in slices[:3]])),
    )
    train_member(network, lesson, recipe, job, folder)


def build(recipe: Mapping[str, Any], encoder: str, *, targets: int = len(LEVELS), classes: int = 0) -> Coordinates:
    """An untrained network."""
    torch.manual_seed(recipe["seed"])
    return Coordinates(encoder, targets=targets, classes=classes)


def started(recipe: Mapping[str, Any], encoder: str, folder: Path) -> Coordinates:
    """A network as pre-training left it; untrained with `pretraining=false`."""
    network = build(recipe, encoder)
    if recipe["pretraining"]:
        load_member(network, folder / f"pretraining-{encoder}")
    return network


def ask(network: Coordinates, stack: Stack, indices: Sequence[int], size: int) -> tuple[FloatArray, FloatArray]:
    """Points (n, T, 2), column and row of the kept pictures, and logits (n, K) of some slices."""
    spec = InputSpec(height=size, width=size)
    shape = (stack.pixels.shape[1], stack.pixels.shape[2])
    matrix = fit_matrix(shape, spec)
    images = [_resampled(neighbours(stack, index), matrix, size) for index in indices]
    points, logits = asked(network, np.stack(images))
    flat = points.astype(float).reshape(-1, 2) * size
    return apply_matrix(invert_matrix(matrix), flat).reshape(points.shape), logits.astype(float)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    slices: Sequence[Pointed]
    size: int

    def __call__(self, rng: np.random.Generator) -> Sample:
        item = self.slices[int(rng.integers(len(self.slices)))]
        spec = InputSpec(height=self.size, width=self.size)
        shape = (item.images.shape[1], item.images.shape[2])
        matrix = draw_matrix(rng, fit_matrix(shape, spec), spec, SPREAD)
        images = _resampled(item.images, matrix, self.size) ** np.exp(rng.uniform(-SPREAD.gamma, SPREAD.gamma))
        known = np.isfinite(item.points).all(axis=1)
        points = apply_matrix(matrix, np.nan_to_num(item.points)) / self.size
        return {
            "images": images.astype(np.float32),
            "points": points.astype(np.float32),
            "known": known.astype(np.float32),
            "classes": np.array(item.classes, np.int64),
        }


def _resampled(images: NDArray[np.uint8], matrix: FloatArray, size: int) -> Image:
    return np.stack([resample(np.asarray(image, np.float32) / BRIGHT, matrix, (size, size)) for image in images])
