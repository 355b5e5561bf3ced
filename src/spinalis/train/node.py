"""Train one node of the hierarchy the way paper 1 does: one question, one network, pictures as a PNG export has them.

Source: Cahyadi D et al., A hierarchical multi-label classification approach for the automated interpretation of spinal
MRI series, sections IV.B and IV.D: min-max PNG, rotation, flip, blur, brightness and contrast, AdamW at 1e-3 with a
cosine, cross-entropy, 16 bit, 50 epochs for the anatomy and 25 for the nodes that start from its weights. How far each
augmentation goes, the batch and the warm-up are ours.
"""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinalis.errors import RecipeError
from spinalis.models.prepare import InputSpec, fit_matrix, prepare
from spinalis.train import grade
from spinalis.train.augment import Spread, draw_matrix
from spinalis.train.data import node_slices, open_images, public_sets
from spinalis.train.data.node_slices import NodeSlice
from spinalis.train.data.real_slice import TRAINING, RealSlice
from spinalis.train.data.simulated import Harvest, harvest
from spinalis.train.export import PackText
from spinalis.train.fit import Draw, Sample, fit
from spinalis.train.job import LIMITS, SIMULATED, TRAINING_SEED, VERSION, Job, Trained, unjudged
from spinalis.train.networks.node_network import node_network, transfer
from spinalis.train.packs import MOST_SLICES
from spinalis.train.recipes import load
from spinalis.triage.hierarchy import Hierarchy, Node
from spinalis.triage.hierarchy import load as load_hierarchy

OUTPUT = "answer"
SPREAD = Spread(rotation_deg=15.0, shift=0.0, scale=0.0, aspect=0.0)
FLIPPED, BLURRED = 0.5, 0.2
"""Shares of the pictures that are flipped left to right and blurred."""

BLUR_PIXELS = (0.3, 1.5)
BRIGHTNESS, CONTRAST = 0.2, 0.2
"""Brightness is added, contrast multiplied about the middle, of pictures in 0..1."""

GPU_PRECISION, CPU_PRECISION = "16-mixed", "32-true"


def input_spec(size: int) -> InputSpec:
    """What a node sees: the picture's darkest pixel becomes 0, its brightest 1."""
    return InputSpec(height=size, width=size, percentiles=(0.0, 100.0), ceiling=1.0)


def hierarchy_of(recipe: Mapping[str, Any]) -> Hierarchy:
    """The hierarchy that a recipe names."""
    return load_hierarchy(Path(recipe["hierarchy"]) if recipe["hierarchy"] else None)


def build(recipe: Mapping[str, Any]) -> nn.Module:
    """The untrained network of a recipe."""
    node = hierarchy_of(recipe).node(recipe["node"])
    return node_network(recipe["backbone"], len(node.names), recipe["size"])


def train_node(job: Job, recipe: Mapping[str, Any]) -> Trained:
    """Train a node.

    Raises:
        RecipeError: a setting breaks a rule, or the data hold fewer than two classes of the node.
    """
    tree = hierarchy_of(recipe)
    node = tree.node(recipe["node"])
    torch.manual_seed(recipe["seed"])
    network = build(recipe)
    start = _start(recipe, network)
    simulated, real = _slices(job, recipe, tree)
    examples = [*simulated, *real]
    labels = _labels(examples, node)
    counts = Counter(node.names[label] for label in labels)
    if len(counts) < 2:
        raise RecipeError(
            f"Recipe triage-{node.name}: expected slices of two classes or more, got {dict(counts) or 'none'}. "
            "Simulate more studies or give other data."
        )
    steps = recipe["epochs"] * math.ceil(len(examples) / recipe["batch"])
    options = replace(
        job.options({**recipe, "steps": steps, "start": start}, len(examples)),
        precision=precision_of(recipe["precision"], job.accelerator),
    )
    spec, folder = input_spec(recipe["size"]), job.run(f"triage-{node.name}")
    resumed, before = (folder / "last.ckpt").exists(), time.monotonic()
    fit(network, draw_from(examples, labels, spec), loss, options, folder)
    seconds = None if resumed else round(time.monotonic() - before, 1)
    missing = [name for name in node.names if name not in counts]
    text = PackText(
        name=f"triage-{node.name}",
        task=f"triage-{node.name}",
        version=VERSION,
        inputs={"images": spec},
        labels={OUTPUT: node.names},
        settings={"backbone": recipe["backbone"], "target": node.target, "training_seconds": seconds},
        training_data=[
            f"{len(simulated)} slices of {SIMULATED}; other anatomy is crude",
            *(
                [f"{len(real)} real slices: {', '.join(sorted({item.series.split('/')[0] for item in real}))}"]
                * bool(real)
            ),
            "of them " + ", ".join(f"{counts[name]} {name}" for name in node.names if counts[name]),
            f"started from the weights of {Path(recipe['start']).name}"
            if recipe["start"]
            else "started from random weights",
        ],
        scores=[unjudged(OUTPUT)],
        notes=[
            f"{node.question} One node of the four-network chain of paper 1 ({recipe['backbone']}), kept to be "
            "measured against; the pack triage is the default."
        ],
        limits=(*LIMITS, *([f"No slice of these classes was trained on: {', '.join(missing)}."] * bool(missing))),
    )
    return trained_node(network, text)


def trained_node(network: nn.Module, text: PackText) -> Trained:
    """What is exported of a node."""
    spec = text.inputs["images"]
    return Trained(
        network=network.eval(),
        example={"images": torch.rand(2, len(spec.channels), spec.height, spec.width)},
        outputs=[OUTPUT],
        text=text,
    )


def loss(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy."""
    return nn.functional.cross_entropy(network(batch["images"]), batch["label"])


def draw_from(examples: Sequence[NodeSlice], labels: Sequence[int], spec: InputSpec) -> Draw:
    """Make samples `images` (1, H, W) and `label` (): any slice with the same chance."""

    def draw(rng: np.random.Generator) -> Sample:
        place = int(rng.integers(len(examples)))
        return {"images": augmented(rng, examples[place].picture, spec), "label": np.array(labels[place], np.int64)}

    return draw


def augmented(rng: np.random.Generator, picture: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """A picture (rows, columns), turned, flipped, blurred, brightened at random; (1, H, W) in 0..1."""
    image = picture.astype(np.float32)
    image = image[:, ::-1] if rng.random() < FLIPPED else image
    matrix = draw_matrix(rng, fit_matrix((image.shape[0], image.shape[1]), spec), spec, SPREAD)
    unit = prepare(np.ascontiguousarray(image), matrix, spec)[0]
    if rng.random() < BLURRED:
        unit = np.asarray(cv2.GaussianBlur(unit, (0, 0), rng.uniform(*BLUR_PIXELS)), np.float32)
    contrast, brightness = 1 + rng.uniform(-CONTRAST, CONTRAST), rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    return np.asarray(np.clip((unit - 0.5) * contrast + 0.5 + brightness, 0.0, 1.0)[None], np.float32)


def _slices(job: Job, recipe: Mapping[str, Any], tree: Hierarchy) -> tuple[list[NodeSlice], list[NodeSlice]]:
    """Simulated and real slices that come to the node; `scale` shrinks the number of studies."""
    crops = grade.input_spec(load("grade"))
    files = [
        file
        for profile, count in recipe["studies"].items()
        for file in harvest(
            Harvest(profile=profile, seed=TRAINING_SEED, studies=max(1, round(count * job.scale))),
            job.runs / "cache",
            crops,
            job.jobs,
        )
    ]
    simulated = list(node_slices.simulated(files, tree, recipe["node"]))
    real: list[RealSlice] = list(open_images.read(job.data, TRAINING)) if job.data else []
    for name, path in job.sources:
        real += public_sets.drawn(public_sets.read(name, path, TRAINING), MOST_SLICES, TRAINING_SEED)
    return simulated, list(node_slices.real(real, tree, recipe["node"]))


def _labels(examples: Sequence[NodeSlice], node: Node) -> list[int]:
    found = [node.class_of(item.facts) for item in examples]
    return [label for label in found if label is not None]  # a slice that comes to a node has a class there


def _start(recipe: Mapping[str, Any], network: nn.Module) -> str:
    """Take over the weights of the run that the recipe starts from; a key of them, so that a checkpoint knows them."""
    if not recipe["start"]:
        return ""
    file = Path(recipe["start"]) / "network.pt"
    if not file.is_file():
        raise RecipeError(
            f"Recipe triage-{recipe['node']}: expected a finished run as start, got none in {recipe['start']}. "
            "Train triage-anatomy first, or correct --set start."
        )
    weights = torch.load(file, map_location="cpu", weights_only=True)
    transfer(weights, network)
    return f"{recipe['start']} {sum(float(value.double().abs().sum()) for value in weights.values()):.6f}"


def precision_of(wanted: str, accelerator: str) -> str:
    """The precision of a recipe; `auto` is 16 bit where a GPU is used."""
    if wanted != "auto":
        return wanted
    return GPU_PRECISION if accelerator != "cpu" and torch.cuda.is_available() else CPU_PRECISION
