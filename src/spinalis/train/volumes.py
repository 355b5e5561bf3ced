"""Train paper 2: what type is this series, from all its slices at once?

Source: Kim B, Mathai TS, Helm K, Pinto PA, Summers RM. Classification of Multi-Parametric Body MRI Series Using Deep
Learning. arXiv 2506.15182: 3-D DenseNet-121 against ResNet and EfficientNet over eight types. Optimizer, epochs,
augmentations and the shape of the volumes are ours: the text at hand does not give them.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinalis.errors import RecipeError
from spinalis.models.prepare import InputSpec, fit_matrix
from spinalis.records import FloatArray, Image
from spinalis.train import grade
from spinalis.train.augment import Spread, draw_matrix
from spinalis.train.data.simulated import Harvest, harvest
from spinalis.train.export import PackText
from spinalis.train.fit import Draw, Sample, fit
from spinalis.train.job import LIMITS, SIMULATED, TRAINING_SEED, VERSION, Job, Trained, unjudged
from spinalis.train.networks.volume_network import volume_network
from spinalis.train.node import precision_of
from spinalis.train.recipes import load

NAME, OUTPUT = "body-series", "type"
SPREAD = Spread(rotation_deg=10.0, shift=0.05, scale=0.1, aspect=0.05)
GAMMA, NOISE = 0.2, 0.03
"""Log-factor of the exponent of intensities, and the largest standard deviation of noise, of volumes in about 0..1."""

FULL = 200.0
"""The byte that stands for the 99.5th percentile of a volume, see `simulated.to_bytes`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume:
    """One series: (slices, rows, columns) of bytes, its type as an index, the scanner's family and the study."""

    voxels: NDArray[np.uint8]
    label: int
    manufacturer: str
    study: str


def build(recipe: Mapping[str, Any]) -> nn.Module:
    """The untrained network of a recipe."""
    return volume_network(recipe["network"], len(recipe["types"]), recipe["depth"], recipe["size"])


def read(files: Sequence[Path], types: Mapping[str, Sequence[str]]) -> list[Volume]:
    """The volumes of harvested studies whose contrast belongs to a type.

    Raises:
        RecipeError: a contrast stands in two types.
    """
    names = [contrast for held in types.values() for contrast in held]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise RecipeError(f"Types: expected each contrast once, got {', '.join(twice)} twice. Correct --set types.")
    label_of = {contrast: place for place, held in enumerate(types.values()) for contrast in held}
    found = []
    for file in files:
        with np.load(file) as arrays:
            rows = zip(arrays["volume_images"], arrays["volume_words"], strict=True)
            found += [
                Volume(
                    voxels=voxels.copy(),
                    label=label_of[str(words[0])],
                    manufacturer=str(words[2]),
                    study=f"{file.parent.name}/{file.stem}",
                )
                for voxels, words in rows
                if str(words[0]) in label_of
            ]
    return found


def studies(counts: Mapping[str, int], seed: int, job: Job) -> list[Path]:
    """Harvested studies of every profile; the job's scale shrinks their number."""
    crops = grade.input_spec(load("grade"))
    return [
        file
        for profile, count in counts.items()
        for file in harvest(
            Harvest(profile=profile, seed=seed, studies=max(1, round(count * job.scale))),
            job.runs / "cache",
            crops,
            job.jobs,
        )
    ]


def chosen(volumes: Sequence[Volume], share: float, scanners: Sequence[str]) -> list[Volume]:
    """The volumes of some scanners, and of these the first share of the studies of every profile.

    Raises:
        RecipeError: the share is not above 0 and at most 1, or there is no volume of a scanner.
    """
    if not 0 < share <= 1:
        raise RecipeError(f"Share: expected a number above 0 and at most 1, got {share}. Correct --set share.")
    families = {item.manufacturer for item in volumes}
    if missing := set(scanners) - families:
        raise RecipeError(
            f"Scanners: expected some of {', '.join(sorted(families))}, got {', '.join(sorted(missing))}. "
            "Correct --set scanners."
        )
    mine = [item for item in volumes if not scanners or item.manufacturer in scanners]
    profiles: dict[str, list[str]] = {}
    for study in dict.fromkeys(item.study for item in mine):
        profiles.setdefault(study.split("/")[0], []).append(study)
    kept = {study for listed in profiles.values() for study in listed[: math.ceil(share * len(listed))]}
    return [item for item in mine if item.study in kept]


def train(job: Job, recipe: Mapping[str, Any]) -> Trained:
    """Train a classifier of volumes.

    Raises:
        RecipeError: a setting breaks a rule, or the data hold fewer than two types.
    """
    torch.manual_seed(recipe["seed"])
    network = build(recipe)
    everything = read(studies(recipe["studies"], TRAINING_SEED, job), recipe["types"])
    volumes = chosen(everything, recipe["share"], recipe["scanners"])
    names = list(recipe["types"])
    counts = Counter(names[item.label] for item in volumes)
    if len(counts) < 2:
        raise RecipeError(
            f"Recipe {NAME}: expected volumes of two types or more, got {dict(counts) or 'none'}. "
            "Simulate more studies."
        )
    steps = recipe["epochs"] * math.ceil(len(volumes) / recipe["batch"])
    options = replace(
        job.options({**recipe, "steps": steps}, len(volumes)),
        precision=precision_of(recipe["precision"], job.accelerator),
    )
    fit(network, draw_from(volumes, recipe["depth"], recipe["size"]), loss, options, job.run(NAME))
    missing = [name for name in names if name not in counts]
    trained_on = len({item.study for item in volumes})
    text = PackText(
        name=NAME,
        task=NAME,
        version=VERSION,
        inputs={"volumes": InputSpec(height=recipe["size"], width=recipe["size"])},
        labels={OUTPUT: names},
        settings={"network": recipe["network"], "depth": recipe["depth"], "training_studies": trained_on},
        training_data=[
            f"{len(volumes)} series of {trained_on} {SIMULATED}",
            "of them " + ", ".join(f"{counts[name]} {name}" for name in names if counts[name]),
            f"scanners: {', '.join(recipe['scanners']) or 'all'}",
        ],
        scores=[unjudged(OUTPUT)],
        notes=[
            f"The type of a series from its volume, by a 3-D {recipe['network']}, as in paper 2. Kept to be measured."
        ],
        limits=(*LIMITS, *([f"No series of these types was trained on: {', '.join(missing)}."] * bool(missing))),
    )
    return trained(network, text)


def trained(network: nn.Module, text: PackText) -> Trained:
    """What is exported of a classifier of volumes."""
    spec, depth = text.inputs["volumes"], text.settings["depth"]
    return Trained(
        network=network.eval(),
        example={"volumes": torch.rand(2, 1, depth, spec.height, spec.width)},
        outputs=[OUTPUT],
        text=text,
    )


def loss(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy."""
    return nn.functional.cross_entropy(network(batch["volumes"]), batch["label"])


def draw_from(volumes: Sequence[Volume], depth: int, size: int) -> Draw:
    """Make samples `volumes` (1, depth, size, size) and `label` (): any series with the same chance."""
    spec = InputSpec(height=size, width=size)

    def draw(rng: np.random.Generator) -> Sample:
        item = volumes[int(rng.integers(len(volumes)))]
        matrix = draw_matrix(rng, fit_matrix((item.voxels.shape[1], item.voxels.shape[2]), spec), spec, SPREAD)
        unit = network_input(item.voxels, depth, size, matrix)[0]
        unit = unit ** np.exp(rng.uniform(-GAMMA, GAMMA)) + rng.normal(0.0, rng.uniform(0.0, NOISE), unit.shape)
        return {"volumes": np.maximum(unit, 0.0)[None].astype(np.float32), "label": np.array(item.label, np.int64)}

    return draw


def network_input(voxels: NDArray[np.uint8], depth: int, size: int, matrix: FloatArray | None = None) -> Image:
    """A volume as the networks see it: resampled to one shape, linearly between slices.

    Args:
        voxels: (slices, rows, columns) bytes.
        depth: slices of the input.
        size: rows and columns of the input.
        matrix: (2, 3), picture (column, row) -> input; None fits the longer side.

    Returns:
        (1, depth, size, size) float32, about 0..1.
    """
    spec = InputSpec(height=size, width=size)
    turn = fit_matrix((voxels.shape[1], voxels.shape[2]), spec) if matrix is None else matrix
    slices = np.stack([cv2.warpAffine(one, turn, (size, size), flags=cv2.INTER_LINEAR) for one in voxels]) / FULL
    places = np.linspace(0, len(slices) - 1, depth)
    below = np.minimum(places.astype(int), max(len(slices) - 2, 0))
    above = np.minimum(below + 1, len(slices) - 1)
    weight = (places - below)[:, None, None]
    return np.asarray((slices[below] * (1 - weight) + slices[above] * weight)[None], np.float32)


def answers(network: nn.Module, volumes: Sequence[Volume], depth: int, size: int) -> NDArray[np.int64]:
    """(N,) the type that a network gives every volume."""
    found: list[int] = []
    with torch.inference_mode():
        for start in range(0, len(volumes), 8):
            batch = np.stack([network_input(item.voxels, depth, size) for item in volumes[start : start + 8]])
            found += network(torch.from_numpy(batch)).argmax(dim=1).tolist()
    return np.array(found, np.int64)
