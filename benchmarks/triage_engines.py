"""What `triage.py` times: ways to label slices, each built from files, each able to label a study in a fresh process.

    python benchmarks/triage_engines.py ENGINE FOLDER STUDY

labels a study on one thread and prints the number of slices. FOLDER holds what `Chain.save` and `triage.py` put there.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from spinalis.evaluate.votes import majority, winner
from spinalis.formats import read_studies
from spinalis.models import load_pack
from spinalis.models.prepare import InputSpec, stretched
from spinalis.records import Image, Series
from spinalis.triage import label_series
from spinalis.triage.label import BATCH, slice_input

EAGER, EAGER_TWO, CHAIN_ONNX, TRUNK_ONE, TRUNK, TRUNK_INT8 = "a", "a2", "b", "c1", "c", "d"
PACKS = {TRUNK_ONE: "fp32", TRUNK: "fp32", TRUNK_INT8: "int8"}
"""The folder of the pack of an engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Four networks of one backbone: how many classes each has, and pixels along a side of what they see."""

    backbone: str
    size: int
    classes: tuple[int, ...]

    @property
    def spec(self) -> InputSpec:
        """The paper's pictures: the darkest pixel becomes 0, the brightest 1 (`spinalis.train.node`, without torch)."""
        return InputSpec(height=self.size, width=self.size, percentiles=(0.0, 100.0), ceiling=1.0)

    def save(self, folder: Path) -> None:
        """Keep it as `chain.json`."""
        (folder / "chain.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> "Chain":
        """Read `chain.json`."""
        found = json.loads((folder / "chain.json").read_text())
        return cls(backbone=found["backbone"], size=found["size"], classes=tuple(found["classes"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Pictures of slices, `picture(image, series, index)` -> (C, H, W), and their answers, (N, C, H, W) -> arrays.

    `batch` slices are answered at once.
    """

    picture: Callable[[Image, Series, int], Image]
    answer: Callable[[Image], Sequence[Image]]
    batch: int


def build(name: str, folder: Path) -> Engine:
    """Make an engine ready to answer, on one thread."""
    cv2.setNumThreads(1)
    if name in PACKS:
        pack = load_pack(folder / PACKS[name], threads=1)
        spec = pack.manifest.input("images")
        return Engine(
            picture=lambda image, series, index: slice_input(image, series, index, spec),
            answer=lambda images: list(pack.run(images=images).values()),
            batch=1 if name == TRUNK_ONE else BATCH,
        )
    chain = Chain.load(folder)
    made = eager(chain, folder) if name.startswith(EAGER) else in_onnxruntime(chain, folder)
    asked = made[:2] if name == EAGER_TWO else made
    return Engine(
        picture=lambda image, series, index: slice_input(stretched(image), series, index, chain.spec),
        answer=lambda images: [network(images) for network in asked],
        batch=1,
    )


def eager(chain: Chain, folder: Path) -> list[Callable[[Image], Image]]:
    """The networks in torch."""
    import torch  # noqa: PLC0415  a process that times ONNX Runtime must not load it

    from spinalis.train.networks.node_network import node_network  # noqa: PLC0415

    torch.set_num_threads(1)

    def opened(place: int, classes: int) -> Callable[[Image], Image]:
        network = node_network(chain.backbone, classes, chain.size).eval()
        network.load_state_dict(torch.load(folder / f"node{place}.pt", weights_only=True))

        def answer(images: Image) -> Image:
            with torch.inference_mode():
                return np.asarray(network(torch.from_numpy(images)))

        return answer

    return [opened(place, classes) for place, classes in enumerate(chain.classes)]


def in_onnxruntime(chain: Chain, folder: Path) -> list[Callable[[Image], Image]]:
    """The networks in ONNX Runtime, each with the options that packs are run with."""
    import onnxruntime  # noqa: PLC0415  a process that times torch must not load it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3

    def opened(place: int) -> Callable[[Image], Image]:
        file = folder / f"node{place}.onnx"
        session: Any = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        return lambda images: np.asarray(session.run(None, {"images": images})[0])

    return [opened(place) for place in range(len(chain.classes))]


def label_study(name: str, folder: Path, study: Path) -> int:
    """Label every slice and series of a DICOM study; how many slices."""
    series = [item for found in read_studies(study) for item in found.series]
    if name in PACKS:
        pack = load_pack(folder / PACKS[name], threads=1)
        return sum(len(label_series(item, pack).slices) for item in series)
    engine = build(name, folder)
    return sum(_voted(engine, item) for item in series)


def _voted(engine: Engine, series: Series) -> int:
    """Ask the networks about every slice of a series and let the slices vote; how many there were."""
    answers = [
        engine.answer(engine.picture(series.load(index), series, index)[None]) for index in range(len(series.slices))
    ]
    for found in zip(*answers, strict=True):
        winner(majority(np.concatenate(found).astype(float)))
    return len(answers)


if __name__ == "__main__":
    print(label_study(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
