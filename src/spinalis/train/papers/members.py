"""The members of an ensemble: each trained once in a folder of its own, and loaded from there ever after."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from spinalis.records import Image
from spinalis.train.fit import Draw, FitOptions, Loss, fit
from spinalis.train.job import Job

NETWORK = "network.pt"

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a member learns from: `draw` makes a sample of `examples`, all of which are seen `epochs` times on average.

    `origin` names the examples, so that a checkpoint of others is refused.
    """

    draw: Draw
    loss: Loss
    examples: int
    epochs: int
    origin: str


def train_member(network: nn.Module, lesson: Lesson, recipe: Mapping[str, Any], job: Job, folder: Path) -> None:
    """Train a member, unless it has been trained."""
    if (folder / NETWORK).exists():
        return
    options = FitOptions(
        steps=max(2, lesson.epochs * lesson.examples // recipe["batch"]),
        batch=recipe["batch"],
        learning_rate=recipe["learning_rate"],
        seed=recipe["seed"],
        threads=job.threads,
        workers=job.jobs - 1,
        precision=recipe["precision"],
        accelerator=job.accelerator,
        origin=repr((sorted(recipe.items()), lesson.epochs, lesson.origin)),
    )
    fit(network, lesson.draw, lesson.loss, options, folder)
    keep_member(network, folder)
    (folder / "last.ckpt").unlink()  # two moments per weight, of no more use


def keep_member(network: nn.Module, folder: Path) -> None:
    """Keep the weights of a trained member, whole or not at all."""
    torch.save(network.state_dict(), folder / "next.pt")
    (folder / "next.pt").replace(folder / NETWORK)


def load_member(network: Network, folder: Path) -> Network:
    """Fill a network with the weights of a trained member; in evaluation mode."""
    network.load_state_dict(torch.load(folder / NETWORK, map_location="cpu", weights_only=True))
    network.eval()
    return network


def asked(network: nn.Module, *inputs: Image) -> tuple[Image, ...]:
    """The outputs of a network for a batch, on a GPU where there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.inference_mode():
        outputs = network.to(device)(*(torch.from_numpy(item).to(device) for item in inputs))
    return tuple(item.cpu().numpy() for item in (outputs if isinstance(outputs, tuple) else (outputs,)))
