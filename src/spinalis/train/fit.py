"""One training loop for every task: samples drawn by number, so that a run repeats and resumes exactly."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from spinalis.errors import RecipeError
from spinalis.train.journal import Journal
from spinalis.train.progress import progress
from spinalis.train.sharing import share

Sample = Mapping[str, NDArray[Any]]
Draw = Callable[[np.random.Generator], Sample]
Loss = Callable[[nn.Module, Mapping[str, Tensor]], Tensor]

WARM_UP = 0.08
"""Share of the steps in which the learning rate rises; then it falls along a cosine."""

REPORT_EVERY = 25

WORKER_TIMEOUT_S = 300
"""A worker that gives no batch for so long hangs; better an error than a run that stands still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How long and how fast to train. `workers` prepare samples beside the training process.

    `processes` share each batch of the `batch` samples, one device each. The result is that of one process up to the
    last digits where the loss is a mean over the samples, or divides by `sharing.mean_over_processes`: batch norms and
    dropout work on the whole batch, see `sharing`. They are forked: nothing may have been trained, or fitted by torch,
    in this process before.

    `origin` names the data and settings; a checkpoint of another origin is refused, not continued.
    """

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.01
    seed: int = 1
    threads: int = 1
    workers: int = 1
    checkpoint_every: int = 200
    precision: str = "32-true"
    accelerator: str = "auto"
    origin: str = ""
    processes: int = 1


class Draws(Dataset[Sample]):
    """Sample number i is drawn with a generator seeded by (seed, i)."""

    def __init__(self, draw: Draw, seed: int, count: int) -> None:
        self.draw, self.seed, self.count = draw, seed, count

    def __len__(self) -> int:
        """How many samples a whole run takes."""
        return self.count

    def __getitem__(self, index: int) -> Sample:
        """Draw sample `index`."""
        return self.draw(np.random.default_rng((self.seed, index)))


def fit(network: nn.Module, draw: Draw, loss: Loss, options: FitOptions, folder: Path) -> nn.Module:
    """Train a network; resumes from `folder/last.ckpt` when a run was cut short.

    Args:
        network: the network, on the CPU.
        draw: makes one sample, a mapping of arrays, from a random generator.
        loss: (network, batch) -> scalar.
        options: how long and how fast.
        folder: takes `last.ckpt` and `metrics.csv`, see `journal`.

    Returns:
        The trained network in evaluation mode, on the CPU.

    Raises:
        RecipeError: the checkpoint in `folder` is of another run, or the processes cannot share a batch.
    """
    if options.batch % options.processes:
        raise RecipeError(
            f"Training: expected a batch that {options.processes} processes can share, got {options.batch}. "
            "Change --set batch."
        )
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)  # before workers are forked: one that inherits a pool of threads waits for them for ever
    folder.mkdir(parents=True, exist_ok=True)
    # Forked, so that the samples in memory are shared. A head may see no sample in a share: unused weights are sought.
    strategy = DDPStrategy(start_method="fork", find_unused_parameters=True) if options.processes > 1 else "auto"
    fabric = Fabric(
        accelerator=options.accelerator,
        devices=options.processes,
        strategy=strategy,
        precision=options.precision,  # type: ignore[arg-type]
    )
    fabric.launch(lambda started: _run(started, network, draw, loss, options, folder))
    # Not handed over by the processes: one that waits to send more than its pipe holds never ends.
    kept = torch.load(folder / "last.ckpt", map_location="cpu", weights_only=True)
    network.cpu().load_state_dict(kept["network"])
    return network.eval()


def _run(fabric: Fabric, network: nn.Module, draw: Draw, loss: Loss, options: FitOptions, folder: Path) -> None:
    """Train in this process; the weights are in the last checkpoint."""
    fabric.seed_everything(options.seed, verbose=False)
    if options.processes > 1:
        share(network)
    optimizer = torch.optim.AdamW(network.parameters(), options.learning_rate, weight_decay=options.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=options.steps, pct_start=WARM_UP
    )
    wrapped, optimizer = fabric.setup(network, optimizer)
    made_for = repr((options.steps, options.batch, options.learning_rate, options.seed, options.origin))
    state = {"network": wrapped, "optimizer": optimizer, "schedule": schedule, "step": 0, "made_for": made_for}
    _resume(fabric, state, folder)
    loader = _loader(draw, options, int(state["step"]), fabric)
    main = fabric.is_global_zero
    with progress() as shown, Journal(folder, int(state["step"])) if main else nullcontext() as journal:
        bar = shown.add_task(f"Training {folder.name}", total=options.steps, completed=int(state["step"]), note="")
        recent: list[float] = []
        for batch in loader:
            torch.manual_seed(options.seed * 1_000_003 + int(state["step"]))  # so that dropout resumes exactly, too
            value = _step(wrapped, batch, loss, (fabric, optimizer, schedule))
            recent.append(float(cast(Tensor, fabric.all_reduce(value))))
            state["step"] = int(state["step"]) + 1
            shown.advance(bar)
            if state["step"] % REPORT_EVERY == 0 and journal is not None:
                journal.write(state["step"], float(np.mean(recent)), float(schedule.get_last_lr()[0]))
                shown.update(bar, note=f"loss {np.mean(recent):.4f}")
                recent.clear()
            if state["step"] % options.checkpoint_every == 0 or state["step"] == options.steps:
                fabric.save(folder / "next.ckpt", state)
                if main:
                    (folder / "next.ckpt").replace(folder / "last.ckpt")


def _resume(fabric: Fabric, state: dict[str, Any], folder: Path) -> None:
    """Load the checkpoint, if there is one of this very run."""
    checkpoint = folder / "last.ckpt"
    if not checkpoint.exists():
        return
    made_for = torch.load(checkpoint, map_location="cpu", weights_only=True).get("made_for")
    if made_for != state["made_for"]:
        raise RecipeError(
            f"Run {folder.name}: expected a checkpoint of the same recipe and data, got another. "
            f"Remove {folder.name}/ to train anew."
        )
    rest = fabric.load(checkpoint, {name: state[name] for name in ("network", "optimizer", "schedule")})
    state["step"] = rest["step"]


def _loader(draw: Draw, options: FitOptions, done: int, fabric: Fabric) -> Any:
    draws = Draws(draw, options.seed, options.steps * options.batch)
    share = options.batch // options.processes
    first = fabric.global_rank * share
    mine = [step * options.batch + first + place for step in range(done, options.steps) for place in range(share)]
    loader = DataLoader(
        Subset(draws, mine),
        batch_size=share,
        num_workers=options.workers,
        drop_last=True,
        prefetch_factor=4 if options.workers else None,
        timeout=WORKER_TIMEOUT_S if options.workers else 0,
    )
    return fabric.setup_dataloaders(loader, use_distributed_sampler=False)


def _step(network: nn.Module, batch: Mapping[str, Tensor], loss: Loss, tools: tuple[Fabric, Any, Any]) -> Tensor:
    fabric, optimizer, schedule = tools
    value = loss(network, batch)
    optimizer.zero_grad()
    fabric.backward(value)
    # By Fabric, as in 16 bits the gradients are scaled; one that is not finite makes its scaler leave the step out.
    fabric.clip_gradients(network, optimizer, max_norm=5.0, error_if_nonfinite=False)
    optimizer.step()
    schedule.step()
    return value.detach()
