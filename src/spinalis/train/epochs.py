"""Training by epochs with validation, a falling learning rate and early stopping, as papers 3 and 4 train.

Sample number i of epoch e is drawn by a generator seeded by (seed, e, i), and a checkpoint is kept after every epoch;
so a run repeats, and goes on after a kill from its last whole epoch.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from spinalis.errors import RecipeError
from spinalis.formats.atomic import write_bytes
from spinalis.train.fit import WORKER_TIMEOUT_S, Sample
from spinalis.train.progress import progress

Pick = Callable[[int, np.random.Generator | None], Sample]
"""(number of an example, generator) -> sample; unchanged without a generator."""

Judge = Callable[[nn.Module, Mapping[str, Tensor]], tuple[Tensor, int, int]]
"""(network, batch) -> mean loss over the labels of the batch, how many are answered right, how many there are."""

FILE, CHECKPOINT = "epochs.csv", "last.ckpt"
MONITORS = ("loss", "accuracy")
PLATEAU_FACTOR, PLATEAU_PATIENCE = 0.5, 1
"""The learning rate is halved after two epochs without a better validation loss. Paper 4 does not say which it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochOptions:
    """How long and how fast to train; `monitor` is the figure of the validation cases that must get better."""

    epochs: int
    batch: int
    learning_rate: float
    patience: int
    monitor: str = "loss"
    seed: int = 1
    threads: int = 1
    workers: int = 1
    precision: str = "32-true"
    accelerator: str = "auto"
    origin: str = ""

    def __post_init__(self) -> None:
        """Refuse a figure that is not measured."""
        if self.monitor not in MONITORS:
            raise RecipeError(
                f"Recipe: expected monitor as {' or '.join(MONITORS)}, got {self.monitor}. Correct --set."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One line of the journal: means over the labels seen."""

    epoch: int
    train_loss: float
    train_accuracy: float
    loss: float
    accuracy: float
    learning_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """What is trained and validated on: numbers of examples, and how one becomes a sample."""

    pick: Pick
    train: tuple[int, ...]
    validate: tuple[int, ...]


def fit_epochs(
    network: nn.Module, examples: Examples, judge: Judge, options: EpochOptions, folder: Path
) -> list[Epoch]:
    """Train with Adam until validation no longer gets better; the network keeps the weights of its best epoch.

    Args:
        network: on the CPU; left there, in evaluation mode.
        examples: to train and to validate on.
        judge: loss and right answers of a batch.
        options: how long and how fast.
        folder: takes `last.ckpt` and `epochs.csv`.

    Returns:
        The epochs, the last `patience` of which brought nothing unless `epochs` came first.

    Raises:
        RecipeError: nothing to train or to validate on, or the folder holds another run.
    """
    if not examples.train or not examples.validate:
        raise RecipeError(
            f"Run {folder.name}: expected examples to train and to validate on, got {len(examples.train)} and "
            f"{len(examples.validate)}. Take more studies."
        )
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)  # before workers are forked, see `fit`
    folder.mkdir(parents=True, exist_ok=True)
    fabric = Fabric(accelerator=options.accelerator, devices=1, precision=options.precision)  # type: ignore[arg-type]
    fabric.seed_everything(options.seed, verbose=False)
    trainable = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(trainable, options.learning_rate)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE)
    wrapped, optimizer = fabric.setup(network, optimizer)
    state = _State(best={name: value.cpu().clone() for name, value in network.state_dict().items()})
    _resume(network, (optimizer, schedule), state, repr(options), folder)
    with progress() as shown:
        bar = shown.add_task(f"Training {folder.name}", total=options.epochs, completed=len(state.done), note="")
        while len(state.done) < options.epochs and state.idle < options.patience:
            number = len(state.done)
            torch.manual_seed(options.seed * 1_000_003 + number)
            train = _run(wrapped, _loader(examples, options, number, fabric), judge, (fabric, optimizer))
            valid = _run(wrapped, _loader(examples, options, None, fabric), judge, None)
            rate = float(optimizer.param_groups[0]["lr"])
            schedule.step(valid[0])
            state.add(
                Epoch(
                    epoch=number + 1,
                    train_loss=train[0],
                    train_accuracy=train[1],
                    loss=valid[0],
                    accuracy=valid[1],
                    learning_rate=rate,
                ),
                network,
                options.monitor,
            )
            _keep(network, (optimizer, schedule), state, repr(options), folder)
            shown.update(bar, advance=1, note=f"loss {valid[0]:.4f}")
    network.cpu().load_state_dict(state.best)
    network.eval()
    return state.done


def best_epoch(epochs: list[Epoch], monitor: str) -> Epoch:
    """The first of the best epochs."""
    return min(epochs, key=lambda item: item.loss if monitor == "loss" else -item.accuracy)


@dataclass(slots=True, kw_only=True)
class _State:
    best: dict[str, Any]
    done: list[Epoch]
    idle: int

    def __init__(self, best: dict[str, Any]) -> None:
        self.best, self.done, self.idle = best, [], 0

    def add(self, epoch: Epoch, network: nn.Module, monitor: str) -> None:
        self.done.append(epoch)
        if best_epoch(self.done, monitor) is epoch:
            self.best = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
            self.idle = 0
        else:
            self.idle += 1


def _run(network: nn.Module, batches: Any, judge: Judge, tools: tuple[Fabric, Any] | None) -> tuple[float, float]:
    """Mean loss and accuracy over the labels of all batches; trains where there are tools for it."""
    network.train(tools is not None)
    total, right, count = 0.0, 0, 0
    for batch in batches:
        with torch.set_grad_enabled(tools is not None):
            value, correct, labels = judge(network, batch)
        if tools is not None and labels:
            fabric, optimizer = tools
            optimizer.zero_grad()
            fabric.backward(value)
            optimizer.step()
        total, right, count = total + float(value.detach()) * labels, right + correct, count + labels
    return total / max(count, 1), right / max(count, 1)


class _Epoch(Dataset[Sample]):
    def __init__(self, pick: Pick, numbers: tuple[int, ...], seed: tuple[int, int] | None) -> None:
        self.pick, self.seed = pick, seed
        order = range(len(numbers)) if seed is None else np.random.default_rng(seed).permutation(len(numbers))
        self.numbers = [numbers[int(place)] for place in order]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Sample:
        rng = None if self.seed is None else np.random.default_rng((*self.seed, index))
        return self.pick(self.numbers[index], rng)


def _loader(examples: Examples, options: EpochOptions, epoch: int | None, fabric: Fabric) -> Any:
    """Batches of an epoch; of the validation examples without one."""
    numbers = examples.validate if epoch is None else examples.train
    data = _Epoch(examples.pick, numbers, None if epoch is None else (options.seed, epoch))
    loader = DataLoader(
        data,
        batch_size=options.batch,
        num_workers=options.workers,
        # BatchNorm cannot learn from a batch of one.
        drop_last=epoch is not None and len(numbers) > options.batch,
        timeout=WORKER_TIMEOUT_S if options.workers else 0,
    )
    return fabric.setup_dataloaders(loader, use_distributed_sampler=False)


def _keep(network: nn.Module, tools: tuple[Any, Any], state: _State, made_for: str, folder: Path) -> None:
    optimizer, schedule = tools
    kept = {
        "network": network.state_dict(),
        "best": state.best,
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "done": [asdict(epoch) for epoch in state.done],
        "idle": state.idle,
        "made_for": made_for,
    }
    torch.save(kept, folder / "next.ckpt")
    (folder / "next.ckpt").replace(folder / CHECKPOINT)
    text = StringIO(newline="")
    table = csv.DictWriter(text, [item.name for item in fields(Epoch)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(epoch) for epoch in state.done)
    write_bytes(folder / FILE, text.getvalue().encode())


def _resume(network: nn.Module, tools: tuple[Any, Any], state: _State, made_for: str, folder: Path) -> None:
    if not (folder / CHECKPOINT).exists():
        return
    kept = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    if kept["made_for"] != made_for:
        raise RecipeError(
            f"Run {folder.name}: expected a checkpoint of the same recipe and data, got another. "
            f"Remove {folder.name}/ to train anew."
        )
    network.load_state_dict(kept["network"])
    tools[0].load_state_dict(kept["optimizer"])
    tools[1].load_state_dict(kept["schedule"])
    state.best, state.idle = kept["best"], kept["idle"]
    state.done = [Epoch(**epoch) for epoch in kept["done"]]
