"""Train the grader on simulated bags of crops, and calibrate it for the prevalences of real patients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinalis.grade.crops import VIEWS
from spinalis.grade.grade import VIEWS_OF, slots_of
from spinalis.models.prepare import InputSpec
from spinalis.records import FloatArray
from spinalis.train.data.bags import CROP_QUANTUM, UNLABELLED
from spinalis.train.fit import Draw, FitOptions, Sample, fit
from spinalis.train.networks.bag_grader import BagGrader
from spinalis.train.sharing import mean_over_processes

CLASS_WEIGHTS = (1.0, 1.5, 2.0)
"""Weights in the loss; the calibration takes them out again."""

VIEW_DROP = 0.12
"""How often a whole view is hidden in training: studies lack series."""

SHIFT_PX, TURN_DEG, SCALE = 3.0, 8.0, 0.1
GAMMA, NOISE = 0.25, 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Bags:
    """Bags of several studies, one row each.

    crops (n, slots, C, H, W) bytes; mask (n, slots); grades (n, 3) in the order of `VIEWS_OF`, or `UNLABELLED`;
    levels (n,), index into `LEVELS`; studies (n,), a number for each study.
    """

    crops: NDArray[np.uint8]
    mask: NDArray[np.float32]
    grades: NDArray[np.int8]
    levels: NDArray[np.int8]
    studies: NDArray[np.int64]

    def usable(self, output: str) -> NDArray[np.bool_]:
        """(n,): is it labelled for an output, and does it show what the output looks at?"""
        labelled = self.grades[:, list(VIEWS_OF).index(output)] != UNLABELLED
        return np.asarray(labelled & self.mask[:, slots_of(output)].any(axis=1))

    def rows(self, chosen: NDArray[np.bool_]) -> "Bags":
        """The bags chosen, (n,), as they are numbered here."""
        return Bags(
            crops=self.crops[chosen],
            mask=self.mask[chosen],
            grades=self.grades[chosen],
            levels=self.levels[chosen],
            studies=self.studies[chosen],
        )


def input_spec(recipe: Mapping[str, Any]) -> InputSpec:
    """A crop as the grader sees it."""
    return InputSpec(height=recipe["size"], width=recipe["size"], spacing_mm=recipe["spacing_mm"])


def load_bags(files: Sequence[Path]) -> Bags:
    """All bags of harvested studies."""
    parts: dict[str, list[NDArray[Any]]] = {"crops": [], "mask": [], "grades": [], "levels": []}
    for file in files:
        with np.load(file) as arrays:
            for name, part in parts.items():
                part.append(arrays[f"bag_{name}"])
    studies = np.repeat(np.arange(len(files)), [len(part) for part in parts["levels"]])
    return Bags(studies=studies, **{name: np.concatenate(part) for name, part in parts.items()})


def draw_from(bags: Bags) -> Draw:
    """Make samples `crops`, `mask`, `grades`: one bag, changed at random alike for all crops of a view."""

    def draw(rng: np.random.Generator) -> Sample:
        index = int(rng.integers(len(bags.crops)))
        crops = bags.crops[index].astype(np.float32) / CROP_QUANTUM
        mask = bags.mask[index].copy()
        start = 0
        for view in VIEWS:
            stop = start + len(view.offsets_mm)
            _change(rng, crops[start:stop])
            if rng.random() < VIEW_DROP:
                mask[start:stop] = 0.0
            start = stop
        return {
            "crops": crops * mask[:, None, None, None],
            "mask": mask,
            "grades": bags.grades[index].astype(np.int64),
        }

    return draw


def _change(rng: np.random.Generator, crops: NDArray[np.float32]) -> None:
    size = crops.shape[-1]
    turn = cv2.getRotationMatrix2D(
        ((size - 1) / 2, (size - 1) / 2), rng.uniform(-TURN_DEG, TURN_DEG), float(np.exp(rng.uniform(-SCALE, SCALE)))
    )
    turn = turn + np.hstack([np.zeros((2, 2)), rng.uniform(-SHIFT_PX, SHIFT_PX, (2, 1))])
    gamma, gain = np.exp(rng.uniform(-GAMMA, GAMMA)), np.exp(rng.uniform(-0.2, 0.2))
    noise = rng.uniform(0.0, NOISE)
    for crop in crops:
        for channel in crop:
            moved = cv2.warpAffine(channel, turn, (size, size), borderMode=cv2.BORDER_REPLICATE)
            grain = rng.normal(0.0, noise, moved.shape)
            channel[:] = (gain * np.maximum(moved, 0.0) ** gamma + grain).astype(np.float32)


def loss(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Weighted cross-entropy per output, over the labelled bags that show what it looks at."""
    answers, grades = network(batch["crops"], batch["mask"])[: len(VIEWS_OF)], batch["grades"]
    shown = torch.stack([batch["mask"][:, slots_of(name)].sum(dim=1) > 0 for name in VIEWS_OF], dim=1)
    weights = torch.tensor(CLASS_WEIGHTS, device=grades.device)[grades.clamp(min=0)]
    weights = weights * (shown & (grades != UNLABELLED))
    whole = mean_over_processes(weights.sum(dim=0))
    cross = [
        nn.functional.cross_entropy(logits, grades[:, column].clamp(min=0), reduction="none")
        for column, logits in enumerate(answers)
    ]
    total: Tensor = ((torch.stack(cross, dim=1) * weights).sum(dim=0) / whole.clamp(min=1e-6)).sum()
    return total


def build(recipe: Mapping[str, Any]) -> BagGrader:
    """The untrained network of a recipe."""
    return BagGrader(widths=tuple(recipe["widths"]))


def train(bags: Bags, recipe: Mapping[str, Any], options: FitOptions, folder: Path) -> BagGrader:
    """Train a grader."""
    torch.manual_seed(options.seed)
    network = build(recipe)
    chosen = replace(options, steps=recipe["steps"], batch=recipe["batch"], learning_rate=recipe["learning_rate"])
    fit(network, draw_from(bags), loss, chosen, folder)
    return network


def logits_of(network: BagGrader, bags: Bags) -> dict[str, FloatArray]:
    """Logits (n, 3) of every output, for all bags."""
    found: dict[str, list[FloatArray]] = {name: [] for name in VIEWS_OF}
    with torch.inference_mode():
        for start in range(0, len(bags.crops), 100):
            crops = torch.from_numpy(bags.crops[start : start + 100].astype(np.float32) / CROP_QUANTUM)
            answers = network(crops, torch.from_numpy(bags.mask[start : start + 100]))
            for name, logits in zip(VIEWS_OF, answers, strict=False):
                found[name].append(logits.numpy().astype(float))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def calibrate(logits: FloatArray, grades: NDArray[np.integer], offset: FloatArray | None = None) -> dict[str, Any]:
    """Fit a temperature and one bias per grade by maximum likelihood on studies with natural prevalences.

    Args:
        logits: (n, 3).
        grades: (n,) in 0..2.
        offset: (n, 3), added to the logits after the temperature, such as a prior; None adds nothing.

    Returns:
        `temperature` and `bias` as the pack keeps them.
    """
    inputs, labels = torch.from_numpy(logits), torch.from_numpy(grades.astype(np.int64))
    added = torch.zeros_like(inputs) if offset is None else torch.from_numpy(offset)
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature, bias], max_iter=200, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        optimizer.zero_grad()
        value = (
            nn.functional.cross_entropy(inputs / log_temperature.exp() + bias + added, labels) + 1e-3 * (bias**2).sum()
        )
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(step)  # type: ignore[no-untyped-call]
    return {
        "temperature": round(float(log_temperature.detach().exp()), 4),
        "bias": [round(float(value), 4) for value in bias.detach()],
    }
