"""Chains of trained nodes: found in a folder of runs or packs, asked, and judged beside the fused default."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import nn

from spinalis.errors import RecipeError
from spinalis.evaluate.metrics import BoolArray
from spinalis.evaluate.triage import UNKNOWN, Slices
from spinalis.evaluate.triage_tables import Chain, Judged
from spinalis.evaluate.votes import majority, mean_probability, winner
from spinalis.models import load_pack
from spinalis.models.prepare import InputSpec, fit_matrix, prepare
from spinalis.records import FloatArray, Image
from spinalis.train import runs
from spinalis.train.node import OUTPUT
from spinalis.train.recipes import NODES
from spinalis.train.triage_sets import FUSED, TestSet
from spinalis.triage.hierarchy import Hierarchy, Node, load

BATCH = 32
TIMED = 15
"""Slices that the time of one is taken from, as their median."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One trained node: `answer` maps (N, 1, H, W) float32 to (N, K) logits. `network` is None for a pack."""

    answer: Callable[[Image], Image]
    spec: InputSpec
    classes: tuple[str, ...]
    training_seconds: float | None = None
    network: nn.Module | None = None


def find(folder: Path) -> tuple[Hierarchy, dict[str, dict[str, Network]]]:
    """The complete chains below a folder.

    Args:
        folder: holds a folder per node, each a finished run of `spinalis train triage-…` or a pack of one.

    Returns:
        Their hierarchy, and backbone -> node -> network.

    Raises:
        RecipeError: there is none, one lacks a node or has one twice, or they were trained for different hierarchies.
        PackError: a pack is broken.
    """
    chains: dict[str, dict[str, Network]] = {}
    hierarchies = set()
    for part in sorted(item for item in folder.iterdir() if item.is_dir()):
        opened = _run(part) or _pack(part)
        if opened is None:
            continue
        backbone, node, hierarchy, network = opened
        if node in chains.setdefault(backbone, {}):
            raise _wrong(folder, "each node of a backbone once", f"{node} of {backbone} twice")
        chains[backbone][node] = network
        hierarchies.add(hierarchy)
    if len(hierarchies) != 1:
        raise _wrong(folder, "nodes of one hierarchy", f"{len(hierarchies)}")
    path = hierarchies.pop()
    tree = load(Path(path) if path else None)
    for backbone, found in chains.items():
        for asking in tree.chain():
            if asking.name not in found:
                raise _wrong(folder, f"a node {asking.name} of {backbone}", "none")
            if found[asking.name].classes != asking.names:
                raise _wrong(folder, f"the classes of the hierarchy in node {asking.name} of {backbone}", "others")
    return tree, chains


def judged(tree: Hierarchy, chains: Mapping[str, Mapping[str, Network]], given: TestSet, repeats: int) -> Judged:
    """Ask every chain about a test set."""
    nodes = tree.chain()
    return Judged(
        title=given.title,
        slices=given.slices,
        chain=nodes,
        chains=[_asked(name, networks, given, nodes) for name, networks in chains.items()],
        others={FUSED: given.fused},
        repeats=repeats,
    )


def ask(networks: Mapping[str, Network], given: TestSet, nodes: Sequence[Node]) -> dict[str, FloatArray]:
    """Probabilities of every node, (N, K).

    A node is asked about every slice that truly comes to it, and about every slice of a series that some vote or single
    slice of the nodes before may send to it; all other rows are NaN.
    """
    found = {}
    sent: BoolArray = np.ones(len(given.slices.series), np.bool_)
    for node in nodes:
        asked = sent | (given.slices.truth[node.name] != UNKNOWN)
        probabilities = np.full((len(asked), len(node.names)), np.nan)
        probabilities[asked] = _probabilities(networks[node.name], given.pictures[asked])
        found[node.name] = probabilities
        sent = _sent(probabilities, given.slices, node)
    return found


def milliseconds(network: nn.Module, spec: InputSpec) -> float:
    """CPU time of one slice: eager, batch 1, one thread, the median of `TIMED`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    picture, times = torch.rand(1, 1, spec.height, spec.width), []
    with torch.inference_mode():
        for _ in range(TIMED + 3):
            start = time.process_time()
            network(picture)
            times.append(1000 * (time.process_time() - start))
    torch.set_num_threads(threads)
    return float(np.median(times[3:]))  # the first ones warm up


def _asked(backbone: str, networks: Mapping[str, Network], given: TestSet, nodes: Sequence[Node]) -> Chain:
    times = [networks[node.name].training_seconds for node in nodes]
    known = [seconds for seconds in times if seconds is not None]
    first = networks[nodes[0].name]
    return Chain(
        backbone=backbone,
        probabilities=ask(networks, given, nodes),
        training_seconds=sum(known) if len(known) == len(times) else None,
        milliseconds=milliseconds(first.network, first.spec) if first.network is not None else None,
    )


def _probabilities(one: Network, pictures: NDArray[np.uint8]) -> FloatArray:
    parts = [np.zeros((0, len(one.classes)))]
    for start in range(0, len(pictures), BATCH):
        batch = [
            prepare(item.astype(np.float32), fit_matrix(item.shape, one.spec), one.spec)
            for item in pictures[start : start + BATCH]
        ]
        logits = one.answer(np.stack(batch)).astype(np.float64)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        parts.append(odds / odds.sum(axis=1, keepdims=True))
    return np.concatenate(parts)


def _sent(probabilities: FloatArray, slices: Slices, node: Node) -> BoolArray:
    """Slices of series that a slice, or a vote, gives the target of a node."""
    target = node.names.index(node.target)
    asked = ~np.isnan(probabilities).any(axis=1)
    sent: BoolArray = np.zeros(len(probabilities), np.bool_)
    for series in np.unique(slices.series[asked]):
        rows = np.flatnonzero(asked & (slices.series == series))
        given = probabilities[rows]
        single = bool(majority(given)[:, target].any())
        sent[rows] = single or winner(mean_probability(given)) == target
    return sent


def _run(folder: Path) -> tuple[str, str, str, Network] | None:
    """Backbone, node, hierarchy and network of a run; None where it is no run of a node."""
    file = folder / runs.RECIPE
    used = yaml.safe_load(file.read_text()) if file.is_file() else {}
    if used.get("recipe") not in NODES:
        return None
    trained, settings = runs.open_run(folder), used["settings"]

    def answer(images: Image) -> Image:
        with torch.inference_mode():
            return np.asarray(trained.network(torch.from_numpy(images)).numpy())

    network = Network(
        answer=answer,
        spec=trained.text.inputs["images"],
        classes=tuple(trained.text.labels[OUTPUT]),
        training_seconds=trained.text.settings.get("training_seconds"),
        network=trained.network,
    )
    return settings["backbone"], settings["node"], settings["hierarchy"], network


def _pack(folder: Path) -> tuple[str, str, str, Network] | None:
    """The same of a pack; its hierarchy is the one that ships."""
    if not (folder / "pack.toml").is_file():
        return None
    pack = load_pack(folder)
    if pack.info.task not in NODES:
        return None
    network = Network(
        answer=lambda images: np.asarray(pack.run(images=images)[OUTPUT]),
        spec=pack.manifest.input("images"),
        classes=pack.manifest.labels[OUTPUT],
        training_seconds=pack.manifest.settings.get("training_seconds"),
    )
    return pack.manifest.setting("backbone"), pack.info.task.removeprefix("triage-"), "", network


def _wrong(folder: Path, rule: str, got: str) -> RecipeError:
    return RecipeError(
        f"Chains in {folder.name}: expected {rule}, got {got}. Train the nodes with `spinalis train triage-…`."
    )
