"""Time triage: the four networks of paper 1 against the shipped trunk, in 32 and in 8 bit, on one core in one run.

All engines label the same slices in interleaved rounds, on one thread each. Times are CPU times, so that a busy
machine changes them less; what counts are ratios within the run. Weights do not change times, so the four networks are
untrained unless `--runs` names trained ones. `spinalis triage` over whole archives is timed by `triage_archive.py`.

    python benchmarks/triage.py [--rounds 7] [--runs DIR] [--pack DIR] [--int8 DIR] [-o docs/performance.md]
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import roofline
import torch
import triage_archive
import triage_engines
from read_study import SPINALIS, Cost, median, study_folder
from triage_engines import CHAIN_ONNX, EAGER, EAGER_TWO, PACKS, TRUNK, TRUNK_INT8, TRUNK_ONE, Chain, Engine

import spinalis
from spinalis.evaluate.tables import UNDEFINED, Table, number
from spinalis.formats import read_studies
from spinalis.models import load_pack
from spinalis.models.pack import DEFAULT_FOLDER
from spinalis.records import Image, Series
from spinalis.train import triage_chains
from spinalis.train.export import export_onnx
from spinalis.train.networks.node_network import node_network
from spinalis.train.quantize import quantize_model
from spinalis.train.recipes import load
from spinalis.triage.hierarchy import load as load_hierarchy
from spinalis.triage.label import slice_input

TITLES: Mapping[str, str] = {
    EAGER: "(a) four networks, eager torch",
    EAGER_TWO: "(a) the first two of them",
    CHAIN_ONNX: "(b) four networks, ONNX Runtime",
    TRUNK_ONE: "(c) trunk, 32 bit, one at a time",
    TRUNK: "(c) trunk, 32 bit",
    TRUNK_INT8: "(d) trunk, 8 bit",
}
COLD = (EAGER, CHAIN_ONNX, TRUNK, TRUNK_INT8)
SLICES = 140
LAUNCH = """
import dataclasses, json, sys
from read_study import run
print(json.dumps(dataclasses.asdict(run(sys.argv[1:]))))
"""

Chosen = Sequence[tuple[Series, int, Image]]
"""Decoded slices, each with its series and index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Milliseconds of CPU time per slice, one value per round: making the picture, and asking the network."""

    picture: list[float] = field(default_factory=list)
    network: list[float] = field(default_factory=list)

    @property
    def whole(self) -> list[float]:
        """Both together."""
        return [first + second for first, second in zip(self.picture, self.network, strict=True)]


def main() -> None:
    """Make the engines, time them and print the tables."""
    options = parse()
    torch.set_num_threads(1)
    study = study_folder(SLICES)
    with tempfile.TemporaryDirectory(prefix="spinalis-triage-") as made:
        folder, chosen = Path(made), picked(study, options.slices)
        words = make_engines(folder, options, chosen)
        triage_archive.pin()
        times = rounds(folder, chosen, options.rounds)
        tables = [network_table(folder, times, (*words, *notes(options, len(chosen))))]
        label = [sys.executable, "-W", "ignore", triage_engines.__file__]
        costs = {name: cold([*label, name, made, str(study)], options.cold) for name in COLD}
        costs["whole"] = cold([SPINALIS, "triage", str(study), "-o", f"{made}/table.csv"], options.cold)
        tables.append(cold_table(costs, options.cold, len(list(study.rglob("*.dcm")))))
    triage_archive.tell(tables, "slices", options.output)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slices", type=int, default=32, help="slices of the study that are timed in every round")
    parser.add_argument("--cold", type=int, default=3, help="fresh processes of each kind; the median is printed")
    parser.add_argument("--runs", type=Path, help="folder of four trained nodes; untrained ones if not given")
    parser.add_argument("--backbone", default=load("triage-anatomy")["backbone"], help="of the four networks")
    parser.add_argument("--pack", type=Path, default=DEFAULT_FOLDER / "triage", help="the trunk")
    parser.add_argument("--int8", type=Path, help="its twin by `spinalis quantize`; one for times alone if not given")
    parser.add_argument("-o", "--output", type=Path, help="page of the docs to put the tables into")
    return parser.parse_args()


def picked(study: Path, count: int) -> Chosen:
    """Slices spread evenly over a study."""
    series = [item for found in read_studies(study) for item in found.series]
    every = [(item, index) for item in series for index in range(len(item.slices))]
    places = np.linspace(0, len(every) - 1, count).round().astype(int)
    return [(item, index, item.load(index)) for item, index in (every[place] for place in places)]


def make_engines(folder: Path, options: argparse.Namespace, chosen: Chosen) -> tuple[str, str]:
    """Write the files of all engines into `folder`; what chain and 8-bit pack are, in words."""
    chain = make_chain(folder, options.runs, options.backbone)
    shutil.copytree(options.pack, folder / PACKS[TRUNK])
    shutil.copytree(options.int8 or options.pack, folder / PACKS[TRUNK_INT8])
    words = "(d) was made by `spinalis quantize`, which holds its answers to those of (c)."
    if not options.int8:
        before, after = (folder / PACKS[name] / "model.onnx" for name in (TRUNK, TRUNK_INT8))
        spec = load_pack(before.parent).manifest.input("images")
        quantize_model(before, np.stack([slice_input(image, item, i, spec) for item, i, image in chosen]), after)
        old, new = (hashlib.sha256(file.read_bytes()).hexdigest() for file in (before, after))
        manifest = after.with_name("pack.toml")
        manifest.write_text(manifest.read_text().replace(old, new))
        words = "(d) took its ranges from the timed slices: good for times only."
    trained = "trained" if options.runs else "untrained"
    return f"The four networks are {trained} {chain.backbone} at {chain.size} pixels, one slice at a time.", words


def make_chain(folder: Path, runs: Path | None, backbone: str) -> Chain:
    """Write four networks, trained or new ones, as weights of torch and as ONNX."""
    size = load("triage-anatomy")["size"]
    nodes = load_hierarchy().chain()
    if runs:
        tree, chains = triage_chains.find(runs)
        found = [chains[backbone][node.name] for node in tree.chain()]
        networks, size = [one.network for one in found], found[0].spec.height
        if None in networks:
            raise SystemExit("Chain: expected runs of `spinalis train triage-…`, got packs. Correct --runs.")
        classes = tuple(len(one.classes) for one in found)
    else:
        classes = (len(nodes[0].names),) * len(nodes)
        networks = [node_network(backbone, classes[0], size)] * len(nodes)
    chain = Chain(backbone=backbone, size=size, classes=classes)
    chain.save(folder)
    for place, network in enumerate(networks):
        files = [folder / f"node{place}{kind}" for kind in (".pt", ".onnx")]
        if place and network is networks[0]:  # untrained: the same file again, loaded as a network of its own
            for first, file in zip(("node0.pt", "node0.onnx"), files, strict=True):
                shutil.copyfile(folder / first, file)
            continue
        torch.save(network.state_dict(), files[0])
        export_onnx(network.eval(), {"images": torch.rand(2, 1, size, size)}, ["answer"], files[1])
    return chain


def rounds(folder: Path, chosen: Chosen, count: int) -> dict[str, Times]:
    """Time every engine on every slice, `count` times in turns, after one round that warms up."""
    engines = {name: triage_engines.build(name, folder) for name in TITLES}
    times = {name: Times() for name in engines}
    for place in range(count + 1):
        for name, engine in engines.items():
            picture, network = once(engine, chosen)
            if place:
                times[name].picture.append(picture)
                times[name].network.append(network)
    return times


def once(engine: Engine, chosen: Chosen) -> tuple[float, float]:
    """Milliseconds per slice of making the pictures, and of asking the network."""
    start = time.process_time()
    pictures = [engine.picture(image, series, index) for series, index, image in chosen]
    made = time.process_time()
    for place in range(0, len(pictures), engine.batch):
        engine.answer(np.stack(pictures[place : place + engine.batch]))
    end = time.process_time()
    return 1000 * (made - start) / len(chosen), 1000 * (end - made) / len(chosen)


def floors(folder: Path, peak: roofline.Peak) -> dict[str, float]:
    """The least milliseconds per slice that the networks of every engine can take, see `roofline.seconds`."""
    nodes = [folder / f"node{place}.onnx" for place in range(len(Chain.load(folder).classes))]
    trunk, small = (folder / PACKS[name] / "model.onnx" for name in (TRUNK, TRUNK_INT8))
    work = {EAGER: nodes, EAGER_TWO: nodes[:2], CHAIN_ONNX: nodes, TRUNK_ONE: [trunk], TRUNK: [trunk]}
    batch = triage_engines.BATCH
    found = {
        name: sum(roofline.seconds(file, peak.fp32, peak, batch if name == TRUNK else 1) for file in files)
        for name, files in work.items()
    }
    weights = small.stat().st_size / batch / peak.bandwidth
    found[TRUNK_INT8] = max(roofline.operations(trunk) / peak.int8, weights)
    return {name: 1000 * value for name, value in found.items()}


def network_table(folder: Path, times: Mapping[str, Times], words: tuple[str, ...]) -> Table:
    """A row for every engine."""
    peak = roofline.measure()
    floor, chain = floors(folder, peak), times[EAGER].whole
    rows = []
    for name, title in TITLES.items():
        own, ratios = times[name], [a / b for a, b in zip(chain, times[name].whole, strict=True)]
        network = statistics.median(own.network)
        middle = [statistics.median(values) for values in (own.picture, own.network, own.whole)]
        span = f"{statistics.median(ratios):.1f} ({min(ratios):.1f}–{max(ratios):.1f})"
        rows.append((title, *(number(v, 2) for v in middle), span, number(floor[name], 2), ratio(network, floor[name])))
    told = (
        f"Peak of the core in this run: {peak.fp32 / 1e9:.0f} billion operations per second in 32 bit, "
        f"{peak.int8 / 1e9:.0f} in 8 bit ({roofline.SIDE}² products), {peak.bandwidth / 1e9:.0f} GB/s copied. The "
        "floor is the larger of the convolutions and products at that peak and the weights read once per batch.",
    )
    columns = ("engine", "picture ms", "networks ms", "ms per slice", "(a) takes times as long", "floor ms", "of floor")
    return Table(title="One slice, decoded", columns=columns, rows=tuple(rows), notes=(*words, *told))


def notes(options: argparse.Namespace, slices: int) -> tuple[str, ...]:
    """What the table of slices was taken on, and how."""
    return (
        f"{slices} slices of a simulated study of {SLICES}, {options.rounds} rounds in turns, CPU time on one thread: "
        "medians, and for the ratio the least and the largest of a round. The trunk answers "
        f"{triage_engines.BATCH} slices at once, as in `spinalis triage`, where nothing else is said.",
        "As in the paper's table of time every network is asked about every slice; the picture is made once for all "
        "four. By right answers only the first two would be asked here, since no slice of a lumbar study is cervical.",
        "The paper names neither the size of its EfficientViT nor that of its pictures, so (a) is the recipe's choice; "
        "`--backbone` takes another.",
        f"spinalis {spinalis.__version__}, torch {torch.__version__}; load average {os.getloadavg()[0]:.1f}.",
    )


def cold(command: Sequence[str], count: int) -> list[Cost]:
    """What a command costs in fresh processes, started by a small one: a child inherits the peak of its parent."""
    start, place = [sys.executable, "-c", LAUNCH, *command], Path(__file__).parent
    told = [subprocess.run(start, cwd=place, capture_output=True, check=True).stdout for _ in range(count)]
    return [Cost(**json.loads(text)) for text in told]


def cold_table(costs: Mapping[str, Sequence[Cost]], count: int, slices: int) -> Table:
    """A row for every kind of process."""
    titles, chain = {**TITLES, "whole": "`spinalis triage`, (c) and header"}, median(list(costs[EAGER]))
    rows = []
    for name, found in costs.items():
        own = median(list(found))
        figures = (number(own.wall_s, 1), number(own.cpu_s, 2), ratio(chain.cpu_s, own.cpu_s), number(own.peak_mb, 0))
        rows.append((titles[name], *figures))
    return Table(
        title=f"{slices} slices from a cold process",
        columns=("process", "wall s", "CPU s", "(a) takes times as long, CPU", "peak MB"),
        rows=tuple(rows),
        notes=(
            "From DICOM files to the label of every slice and series, start of Python, imports and loading of the "
            f"networks included; one core, median of {count} processes. MB are millions of bytes.",
        ),
    )


def ratio(first: float, second: float) -> str:
    """How many times as large the first is."""
    return number(first / second, 1) if second else UNDEFINED


if __name__ == "__main__":
    if not shutil.which(SPINALIS):
        raise SystemExit("Benchmark: expected the spinalis command beside Python, got none. Install it.")
    main()
