"""Train the triage trunk: simulated slices of every kind, real ones wherever they carry a label."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinalis.models.prepare import InputSpec, fit_matrix, prepare
from spinalis.train.augment import Spread, apply, draw_matrix
from spinalis.train.data import resynthesized
from spinalis.train.data.simulated import TRIAGE_SIZE, class_of, fitted
from spinalis.train.fit import Draw, FitOptions, Sample, fit
from spinalis.train.networks.triage_trunk import TriageExport, TriageTrunk
from spinalis.triage.header import ANATOMIES, PLANES, REGIONS, SEQUENCES
from spinalis.triage.label import HEADS
from spinalis.vocabulary import Anatomy, Plane, Region

CLASSES = {
    "anatomy": len(ANATOMIES),
    "region": len(REGIONS),
    "plane": len(PLANES),
    "sequence": len(SEQUENCES),
    "cord": 1,
}
SPREAD = Spread(
    rotation_deg=15.0, shift=0.08, scale=0.35, aspect=0.2, gamma=0.4, noise=0.06, blur=1.5, bias=0.9, mirrored=0.3
)
"""Wide, as what is read differs from what is trained on: surface coils brighten one side by a factor of several."""

SETTLED_SPREAD = Spread(
    rotation_deg=8.0,
    shift=0.05,
    scale=0.2,
    aspect=0.1,
    gamma=0.2,
    noise=0.04,
    blur=0.8,
    bias=0.5,
    mirrored=0.1,
    cropped=0.3,
)
"""Nearer to what is read, for the steps with settled statistics; parts too, as sites differ in what they show."""

SETTLING_BATCHES = 40
"""Batches whose statistics the batch norms are settled to."""

UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A slice and its labels (5,), class indices in the order of `HEADS`, -1 where unknown."""

    image: NDArray[np.uint8]
    labels: NDArray[np.int8]


def input_spec(size: int) -> InputSpec:
    """What the trunk sees."""
    return InputSpec(height=size, width=size)


def simulated_examples(files: Sequence[Path]) -> list[Example]:
    """Slices of harvested studies."""
    examples = []
    for file in files:
        with np.load(file) as arrays:
            pairs = zip(arrays["triage_images"], arrays["triage_labels"], strict=True)
            examples += [Example(image=image, labels=labels) for image, labels in pairs]
    return examples


def resynthesized_examples(items: Iterable[resynthesized.Resynthesized]) -> list[Example]:
    """Real lumbar anatomy, sagittal, in other contrasts; whether cord is in view is not known."""
    known = [class_of(ANATOMIES, Anatomy.MR_SPINE), class_of(REGIONS, Region.LUMBAR), class_of(PLANES, Plane.SAGITTAL)]
    return [
        Example(
            image=fitted(item.image, np.eye(2, 3), TRIAGE_SIZE),
            labels=np.array([*known, class_of(SEQUENCES, item.protocol.sequence), UNKNOWN], np.int8),
        )
        for item in items
    ]


def draw_from(
    groups: Sequence[Sequence[Example]], shares: Sequence[float], spec: InputSpec, spread: Spread = SPREAD
) -> Draw:
    """Make samples `images` (1, H, W) and `labels` (5,): first the group by its share, then one of its slices."""
    weights = np.array([share if group else 0.0 for group, share in zip(groups, shares, strict=True)])
    weights = weights / weights.sum()

    def draw(rng: np.random.Generator) -> Sample:
        group = groups[int(rng.choice(len(groups), p=weights))]
        example = group[int(rng.integers(len(group)))]
        image = example.image.astype(np.float32)
        matrix = draw_matrix(rng, fit_matrix(image.shape, spec), spec, spread)
        return {"images": apply(rng, image, matrix, spec, spread), "labels": example.labels.astype(np.int64)}

    return draw


def loss(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Sum of the heads' cross-entropies, each over the slices that carry its label."""
    total = torch.zeros((), device=batch["labels"].device)
    for column, (name, logits) in enumerate(zip(HEADS, network(batch["images"]), strict=True)):
        labels = batch["labels"][:, column]
        known = labels != UNKNOWN
        if not bool(known.any()):
            continue
        if name == "cord":
            total = total + nn.functional.binary_cross_entropy_with_logits(logits[known, 0], labels[known].float())
        else:
            total = total + nn.functional.cross_entropy(logits[known], labels[known])
    return total


def build(recipe: Mapping[str, Any]) -> TriageTrunk:
    """The untrained network of a recipe."""
    return TriageTrunk(CLASSES, recipe["backbone"]).to(memory_format=torch.channels_last)  # faster on a CPU


def build_export(recipe: Mapping[str, Any]) -> TriageExport:
    """The untrained network of a recipe as a pack holds it."""
    return TriageExport(build(recipe)).eval()


def train(
    groups: Sequence[Sequence[Example]],
    shares: Sequence[float],
    recipe: Mapping[str, Any],
    options: FitOptions,
    folder: Path,
) -> TriageTrunk:
    """Train a trunk with all heads; then on, with the statistics of its batch norms held still.

    While it trains, each batch is scaled by its own statistics. Where batches differ as much as these, with several
    anatomies in each, a network can come to rest on that: read one by one, every fourth simulated axial lumbar slice
    then gave logits in the hundreds. So the statistics are averaged, held, and the weights fitted to them.

    Source:
        Wu, Johnson, Rethinking "Batch" in BatchNorm, 2021, sections 3 and 4.
    """
    torch.manual_seed(options.seed)
    network, spec = build(recipe), input_spec(recipe["size"])
    chosen = replace(options, steps=recipe["steps"], batch=recipe["batch"], learning_rate=recipe["learning_rate"])
    fit(network, draw_from(groups, shares, spec), loss, chosen, folder)
    draw = draw_from(groups, shares, spec, SETTLED_SPREAD)
    settle(network, draw, chosen.batch)
    # One process: after this one has computed, no other can be forked.
    settled = replace(chosen, steps=recipe["settled_steps"], learning_rate=chosen.learning_rate / 2, processes=1)
    fit(network, draw, loss, settled, folder / "settled")
    return network


def settle(network: nn.Module, draw: Draw, batch: int) -> None:
    """Average the statistics of the batch norms over `SETTLING_BATCHES` and hold them; all else stays in training."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    network.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
    with torch.no_grad():
        for number in range(SETTLING_BATCHES):
            drawn = [draw(np.random.default_rng((9, number, place)))["images"] for place in range(batch)]
            network(torch.from_numpy(np.stack(drawn)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def calibrate(network: TriageTrunk, examples: Sequence[Example], spec: InputSpec) -> dict[str, float]:
    """Fit one temperature per head by maximum likelihood on slices that were not trained on.

    Returns:
        Head -> temperature; 1 where no slice carries the label.
    """
    labels = torch.from_numpy(np.stack([example.labels for example in examples]).astype(np.int64))
    logits = _logits(network, examples, spec)
    found = {}
    for column, name in enumerate(HEADS):
        known = labels[:, column] != UNKNOWN
        found[name] = best_temperature(logits[column][known], labels[known, column]) if bool(known.any()) else 1.0
    return found


def _logits(network: TriageTrunk, examples: Sequence[Example], spec: InputSpec) -> list[Tensor]:
    with torch.inference_mode():
        parts = [network(batch) for batch in batches(examples, spec)]
    return [torch.cat(head).double().clone() for head in zip(*parts, strict=True)]


def batches(examples: Sequence[Example], spec: InputSpec) -> Iterator[Tensor]:
    """Slices as the trunk sees them when reading, (up to 64, 1, H, W), in order."""
    for start in range(0, len(examples), 64):
        images = [example.image.astype(np.float32) for example in examples[start : start + 64]]
        yield torch.from_numpy(np.stack([prepare(image, fit_matrix(image.shape, spec), spec) for image in images]))


def best_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature that makes logits (N, classes), or (N, 1), most likely for the labels (N,)."""
    grid = torch.logspace(-0.7, 0.9, 81, dtype=torch.float64)
    if logits.shape[1] == 1:
        losses = [nn.functional.binary_cross_entropy_with_logits(logits[:, 0] / t, labels.double()) for t in grid]
    else:
        losses = [nn.functional.cross_entropy(logits / t, labels) for t in grid]
    return round(float(grid[int(torch.stack(losses).argmin())]), 4)
