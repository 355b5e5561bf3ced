"""Time how fast samples are prepared beside how fast they are learnt from, for the recipes of the packs.

A worker of the loader cuts, turns and noises samples; a training step takes them. Both are timed in CPU seconds on one
core, in turns, so a busy machine changes them alike: the ratio says how many times faster than this core a device may
be before it waits for one worker, and so how many workers keep it busy.

    python benchmarks/loading.py --runs runs [--rounds 5] [-o docs/performance.md]
"""

import argparse
import math
import os
import resource
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from triage_archive import pin, tell

import spinalis
from spinalis.evaluate.tables import Table, number
from spinalis.train import grade, levels, triage
from spinalis.train.data.simulated import Harvest, harvest
from spinalis.train.fit import Draw, Draws, Loss
from spinalis.train.job import TRAINING_SEED
from spinalis.train.recipes import load

BATCHES, STEPS = 8, 2
"""Batches that a worker prepares, and steps that are trained, in one round."""

FASTER = (10, 100)
"""Devices that are so many times as fast as this core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What a recipe trains: how samples are drawn, the network as it is fitted, its loss, samples in a batch."""

    draw: Draw
    network: nn.Module
    loss: Loss
    batch: int


def main() -> None:
    """Time all recipes in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="holds the cache of simulated studies")
    parser.add_argument("--studies", type=int, default=4, help="simulated studies to draw from")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path, help="page of the docs to put the table into")
    options = parser.parse_args()
    pin()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    wanted = Harvest(profile="lumbar-balanced", seed=TRAINING_SEED, studies=options.studies)
    trained = trainings(harvest(wanted, options.runs / "cache", grade.input_spec(load("grade")), 1))
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in trained}
    for number_of_round in range(options.rounds):
        for name, training in trained.items():
            found[name].append((prepared_s(training, number_of_round), learnt_s(training)))
    tell([table(found)], "loading", options.output)


def trainings(files: Sequence[Path]) -> Mapping[str, Training]:
    """The recipes of the packs that learn from pictures, on simulated studies alone."""
    slices, marked, bags = triage.simulated_examples(files), levels.simulated_examples(files), grade.load_bags(files)
    recipes = {name: load(name) for name in ("triage", "levels", "grade")}
    sizes = {name: recipe["size"] for name, recipe in recipes.items()}
    made: Mapping[str, tuple[Draw, nn.Module, Loss]] = {
        "triage": (
            triage.draw_from([slices], [1.0], triage.input_spec(sizes["triage"])),
            triage.build(recipes["triage"]),
            triage.loss,
        ),
        "levels": (
            levels.draw_from([], marked, 0.0, levels.input_spec(sizes["levels"])),
            levels.LogPlaces(levels.build(recipes["levels"])),
            levels.loss,
        ),
        "grade": (grade.draw_from(bags), grade.build(recipes["grade"]), grade.loss),
    }
    return {
        name: Training(draw=draw, network=network.train(), loss=loss, batch=recipes[name]["batch"])
        for name, (draw, network, loss) in made.items()
    }


def prepared_s(training: Training, seed: int) -> float:
    """CPU seconds of a worker per sample: drawn, put into batches and handed over; its start is counted, too."""
    draws = Draws(training.draw, seed, BATCHES * training.batch)
    before = workers_s()
    for _ in _loader(draws, training.batch):
        pass
    return (workers_s() - before) / len(draws)


def workers_s() -> float:
    """CPU seconds of all ended workers of this process so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def learnt_s(training: Training) -> float:
    """CPU seconds of a training step per sample, the first step of a network left out."""
    optimizer = torch.optim.AdamW(training.network.parameters(), 1e-5)
    batches: list[Any] = list(_loader(Draws(training.draw, 0, (STEPS + 1) * training.batch), training.batch))
    start = 0.0
    for place, batch in enumerate(batches):
        if place == 1:
            start = time.process_time()
        _step(training, optimizer, batch)
    return (time.process_time() - start) / (STEPS * training.batch)


def _step(training: Training, optimizer: torch.optim.Optimizer, batch: Mapping[str, Tensor]) -> None:
    optimizer.zero_grad()
    training.loss(training.network, batch).backward()
    nn.utils.clip_grad_norm_(training.network.parameters(), 5.0)
    optimizer.step()


def _loader(draws: Draws, batch: int) -> Any:
    """As `fit` loads, with one worker."""
    return DataLoader(Subset(draws, range(len(draws))), batch_size=batch, num_workers=1, prefetch_factor=4)


def table(found: Mapping[str, Sequence[tuple[float, float]]]) -> Table:
    """A line for each recipe: medians over the rounds, and the least and largest ratio of a round."""
    rows = []
    for name, rounds in found.items():
        prepared, learnt = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratios = [after / before for before, after in rounds]
        ratio = statistics.median(ratios)
        rows.append(
            (
                name,
                number(1000 * prepared, 2),
                number(1 / prepared, 0),
                number(1000 * learnt, 2),
                number(1 / learnt, 0),
                f"{ratio:.1f} ({min(ratios):.1f} to {max(ratios):.1f})",
                *(str(math.ceil(faster / ratio)) for faster in FASTER),
            )
        )
    return Table(
        title="Samples prepared and learnt from",
        columns=(
            "recipe",
            "worker ms a sample",
            "samples/s a worker",
            "step ms a sample",
            "samples/s a core",
            "one worker feeds so many cores",
            *(f"workers for a device of {faster} cores" for faster in FASTER),
        ),
        rows=tuple(rows),
        notes=(
            f"One core, CPU time, {len(next(iter(found.values())))} rounds in turns: medians, and for the ratio the "
            "least and largest of a round. A sample is a slice (triage, levels) or a bag of 11 crops (grade) of kept "
            "simulated studies, changed at random as in training; batches as in the recipes, 32 bit.",
            f"spinalis {spinalis.__version__}, torch {torch.__version__}; load average {os.getloadavg()[0]:.1f}.",
        ),
    )


if __name__ == "__main__":
    main()
