"""Train the localizer: real mid-sagittal slices and simulated ones, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinalis.localize.decode import CHANNELS, FIRST
from spinalis.models.prepare import InputSpec, apply_matrix, fit_matrix, resample
from spinalis.records import FloatArray, Image
from spinalis.train.augment import Spread, apply, draw_matrix
from spinalis.train.data import resynthesized, spider
from spinalis.train.data.simulated import LEVEL_SIZE, MIDLINE_MM, to_bytes
from spinalis.train.fit import Draw, FitOptions, Sample, fit
from spinalis.train.networks.level_unet import LevelUNet
from spinalis.train.sharing import mean_over_processes
from spinalis.vocabulary import LEVELS

TARGET_SIGMA = 1.3
"""Standard deviation of the target around a level, in map pixels."""

SHOWN_SHARE = 0.6
"""Of the simulated draws, so many are of slices that show a level; the others are of all slices."""

SPREAD = Spread()


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A slice with its points: `points` (8, 2) in pixels, `seen` (8,), `known` (8,): is anything known of it?"""

    image: Image | NDArray[np.uint8]
    points: FloatArray
    seen: NDArray[np.bool_]
    known: NDArray[np.bool_]


def input_spec(size: int) -> InputSpec:
    """What the localizer sees."""
    return InputSpec(height=size, width=size, channels=("intensity", "local_contrast"))


def real_examples(items: Sequence[spider.MidSagittal]) -> list[Example]:
    """Real slices that carry points; of the neighbours above and below nothing is known."""
    known = np.zeros(len(CHANNELS), bool)
    known[FIRST : FIRST + len(LEVELS)] = True
    examples = []
    for item in items:
        if item.points is None:
            continue
        image = item.load().astype(np.uint8)
        points = np.zeros((len(CHANNELS), 2))
        points[known] = item.points * (image.shape[1], image.shape[0]) - 0.5
        examples.append(Example(image=image, points=points, seen=known, known=known))
    return examples


def resynthesized_examples(items: Iterable[resynthesized.Resynthesized]) -> list[Example]:
    """Real anatomy in other contrasts: the slices near the midline whose masks show all five levels."""
    known = np.zeros(len(CHANNELS), bool)
    known[FIRST : FIRST + len(LEVELS)] = True
    spec = InputSpec(height=LEVEL_SIZE, width=LEVEL_SIZE)
    examples = []
    for item in items:
        if item.points is None or abs(item.midline_mm) > MIDLINE_MM:
            continue
        rows, columns = item.image.shape
        matrix = fit_matrix((rows, columns), spec)
        points = np.zeros((len(CHANNELS), 2))
        points[known] = apply_matrix(matrix, item.points)
        image = to_bytes(resample(item.image, matrix, (LEVEL_SIZE, LEVEL_SIZE)))
        examples.append(Example(image=image, points=points, seen=known, known=known))
    return examples


def simulated_examples(files: Sequence[Path]) -> list[Example]:
    """Simulated slices from harvested studies; everything is known of them."""
    examples = []
    for file in files:
        with np.load(file) as arrays:
            if "level_images" not in arrays:
                continue
            for image, points, seen in zip(
                arrays["level_images"], arrays["level_points"], arrays["level_seen"], strict=True
            ):
                everything = np.ones(len(CHANNELS), bool)
                examples.append(Example(image=image, points=points.astype(float), seen=seen, known=everything))
    return examples


def draw_from(real: Sequence[Example], simulated: Sequence[Example], real_share: float, spec: InputSpec) -> Draw:
    """Make samples `images` (C, H, W), `target` (8, places + 1) and `known` (8,)."""
    share = real_share if real and simulated else float(bool(real))
    shown = [example for example in simulated if example.seen.any()]

    def draw(rng: np.random.Generator) -> Sample:
        source = real if rng.random() < share else shown if shown and rng.random() < SHOWN_SHARE else simulated
        example = source[int(rng.integers(len(source)))]
        image = example.image.astype(np.float32)
        matrix = draw_matrix(rng, fit_matrix(image.shape, spec), spec, SPREAD)
        return {
            "images": apply(rng, image, matrix, spec, SPREAD),
            "target": target(apply_matrix(matrix, example.points), example.seen, spec),
            "known": example.known.astype(np.float32),
        }

    return draw


def target(points: FloatArray, seen: NDArray[np.bool_], spec: InputSpec) -> NDArray[np.float32]:
    """Where each level is: (8, places + 1), each row sums to 1; the last place is "not in view".

    Args:
        points: (8, 2), input pixels.
        seen: (8,), is the level in this slice?
        spec: the input; maps have half its size.
    """
    height, width = spec.height // 2, spec.width // 2
    on_map = (points - 0.5) / 2
    rows = np.exp(-((np.arange(height)[None] - on_map[:, 1:]) ** 2) / (2 * TARGET_SIGMA**2))
    columns = np.exp(-((np.arange(width)[None] - on_map[:, :1]) ** 2) / (2 * TARGET_SIGMA**2))
    blobs = (rows[:, :, None] * columns[:, None, :]).reshape(len(points), -1)
    total = blobs.sum(axis=1, keepdims=True)
    inside = seen[:, None] & (total > TARGET_SIGMA**2)
    blobs = np.where(inside, blobs / np.maximum(total, 1e-6), 0.0)
    return np.concatenate([blobs, ~inside], axis=1).astype(np.float32)


def loss(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy over places, for the levels of which something is known."""
    cross = -(batch["target"] * network(batch["images"])).sum(dim=2)
    total: Tensor = (cross * batch["known"]).sum() / mean_over_processes(batch["known"].sum()).clamp(min=1.0)
    return total


class LogPlaces(nn.Module):
    """Wraps the network so that its forward gives log-probabilities of places."""

    def __init__(self, network: LevelUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 8, places + 1)."""
        return self.network.log_probabilities(images)


def build(recipe: Mapping[str, Any]) -> LevelUNet:
    """The untrained network of a recipe."""
    return LevelUNet(inputs=len(input_spec(recipe["size"]).channels))


def train(
    examples: tuple[Sequence[Example], Sequence[Example]],
    recipe: Mapping[str, Any],
    options: FitOptions,
    folder: Path,
    start: Mapping[str, Tensor] | None = None,
) -> LevelUNet:
    """Train a localizer.

    Args:
        examples: real slices of training patients, and simulated ones.
        recipe: `levels`.
        options: the rest; steps, batch and learning rate are the recipe's.
        folder: of the run.
        start: weights to start from; fresh ones without.
    """
    spec = input_spec(recipe["size"])
    torch.manual_seed(options.seed)
    network = build(recipe)
    if start is not None:
        network.load_state_dict(start)
    chosen = replace(options, steps=recipe["steps"], batch=recipe["batch"], learning_rate=recipe["learning_rate"])
    fit(LogPlaces(network), draw_from(*examples, recipe["real_share"], spec), loss, chosen, folder)
    return network
