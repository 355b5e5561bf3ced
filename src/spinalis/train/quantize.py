"""From a triage pack to one in 8-bit integers, held to the answers of the pack it comes from.

Weights are quantized per output channel, activations per tensor, symmetric int8 times asymmetric uint8, with the range
seen on simulated slices (Jacob B et al., Quantization and training of neural networks for efficient
integer-arithmetic-only inference, CVPR 2018). The heads stay in 32 bit: they are a thousandth of the arithmetic.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from spinalis.errors import OutputError, PackError, RecipeError
from spinalis.evaluate.metrics import Share
from spinalis.evaluate.tables import Table, number, percent
from spinalis.models import Pack, load_pack
from spinalis.models.prepare import InputSpec, fit_matrix, prepare
from spinalis.records import Image
from spinalis.train import grade
from spinalis.train.data.real_slice import VALIDATION
from spinalis.train.data.simulated import Harvest, harvest
from spinalis.train.export import PackText, text_of, write_pack
from spinalis.train.job import CALIBRATION_SEED, LIMITS, TRAINING_SEED
from spinalis.train.packs import real_sources
from spinalis.train.recipes import load
from spinalis.train.triage import UNKNOWN, Example, simulated_examples
from spinalis.triage.label import CORD_THRESHOLD, HEADS

RANGES_FROM: Mapping[str, int] = {"lumbar-balanced": 6, "cervical": 6, "other": 8}
"""Simulated studies by profile, of the training seed, whose slices give the ranges of activations: about 480 slices."""

JUDGED_ON: Mapping[str, int] = {"lumbar": 20, "cervical": 8, "thoracic": 8, "other": 16}
"""Simulated studies of the calibration seed on which the two packs are compared: about 1,260 slices."""

TOLERANCE = 0.005
"""Largest accepted loss of accuracy of a head on labelled slices, as a share: half a point. Chosen, not fitted."""

FLOAT_OPERATORS = ("Gemm", "MatMul")
"""Left in 32 bit: the heads."""

ROWS = 16
"""Slices that are asked about at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One head of two packs on the same labelled slices: right answers before and after, and answers that changed."""

    head: str
    on: str
    slices: int
    before: int
    after: int
    changed: int

    @property
    def loss(self) -> float:
        """The accuracy that was lost, as a share; negative where it grew."""
        return (self.before - self.after) / self.slices


class _Slices(CalibrationDataReader):  # type: ignore[misc]  # untyped base of ONNX Runtime
    def __init__(self, name: str, images: Image) -> None:
        self._batches: Iterator[dict[str, Image]] = (
            {name: images[start : start + ROWS]} for start in range(0, len(images), ROWS)
        )

    def get_next(self) -> dict[str, Image] | None:
        """The next batch, None after the last."""
        return next(self._batches, None)


def quantize_model(model: Path, images: Image, output: Path) -> None:
    """Write the 8-bit twin of an ONNX model with one input.

    Args:
        model: in 32 bit.
        images: (N, C, H, W) float32, prepared slices that give the ranges of activations.
        output: the file to write.

    Raises:
        PackError: there are no slices.
    """
    if not len(images):
        raise PackError("Quantization: expected slices to take ranges from, got none. Give at least one.")
    with tempfile.TemporaryDirectory() as folder:
        inferred = Path(folder) / "model.onnx"
        quant_pre_process(str(model), str(inferred), skip_symbolic_shape=True)
        graph = onnx.load(inferred).graph
        quantize_static(
            str(inferred),
            str(output),
            _Slices(graph.input[0].name, images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[node.name for node in graph.node if node.op_type in FLOAT_OPERATORS],
        )


def quantize(folder: Path, output: Path, data: Path | None = None, jobs: int = 2) -> Path:
    """Write an 8-bit pack that answers as a triage pack does.

    Args:
        folder: the `triage` pack in 32 bit.
        output: folder of the new pack; made, or replaced where it is that of a pack. Simulated studies are kept in
            `cache` beside it.
        data: folder of the open real images, whose held-out slices are compared besides; None goes without.
        jobs: processes that simulate.

    Returns:
        The folder of the new pack.

    Raises:
        RecipeError: the pack is of another task.
        OutputError: `output` holds something else, or is the pack itself.
        PackError: a head lost more than `TOLERANCE` on simulated slices. Nothing is written then.
    """
    pack = load_pack(folder)
    if pack.info.task != "triage":
        raise RecipeError(f"Quantization: expected a pack for task triage, got {pack.info.task}. Give another one.")
    if output.resolve() == folder.resolve() or (
        output.exists() and not (output / "pack.toml").is_file() and (output.is_file() or any(output.iterdir()))
    ):
        raise OutputError("Pack: expected a new folder or that of another pack, got another. Choose another with -o.")
    cache = output.parent / "cache"
    ranges = _simulated(RANGES_FROM, TRAINING_SEED, cache, jobs)
    judged = {"simulation": _simulated(JUDGED_ON, CALIBRATION_SEED, cache, jobs)}
    if data:
        judged["real"] = [example for items in real_sources(data, VALIDATION).values() for _, example in items]
    with tempfile.TemporaryDirectory() as draft:
        made = Path(draft) / "pack"
        made.mkdir()
        quantize_model(folder / "model.onnx", prepared(ranges, pack.manifest.input("images")), made / "model.onnx")
        write_pack(made, _text(pack, ()))
        found = [line for on, examples in judged.items() for line in agreement(pack, load_pack(made), examples, on)]
        hold(found)
        write_pack(made, _text(pack, found))
        shutil.copytree(made, output, dirs_exist_ok=True)
    return output


def prepared(examples: Sequence[Example], spec: InputSpec) -> Image:
    """Slices as the network sees them, (N, C, H, W)."""
    images = [example.image.astype(np.float32) for example in examples]
    return np.stack([prepare(image, fit_matrix(image.shape, spec), spec) for image in images])


def agreement(before: Pack, after: Pack, examples: Sequence[Example], on: str) -> list[Agreement]:
    """Compare two packs head by head on labelled slices; heads without any label are left out.

    Args:
        before: the pack in 32 bit.
        after: its 8-bit twin.
        examples: labelled slices.
        on: what they are, `simulation` or `real`.
    """
    images, labels = prepared(examples, before.manifest.input("images")), np.stack([item.labels for item in examples])
    first, second = _answers(before, images), _answers(after, images)
    found = []
    for column, head in enumerate(HEADS):
        known = labels[:, column] != UNKNOWN
        if not known.any():
            continue
        truth, old, new = labels[known, column], first[head][known], second[head][known]
        found.append(
            Agreement(
                head=head,
                on=on,
                slices=len(truth),
                before=int((old == truth).sum()),
                after=int((new == truth).sum()),
                changed=int((old != new).sum()),
            )
        )
    return found


def hold(found: Sequence[Agreement]) -> None:
    """Raise `PackError` where a head lost more than `TOLERANCE` on simulated slices."""
    for line in found:
        if line.on == "simulation" and line.loss > TOLERANCE:
            raise PackError(
                f"Quantization: expected {line.head} to lose at most {100 * TOLERANCE:.1f} points, got "
                f"{100 * line.loss:.2f} on {line.slices} simulated slices. Keep the pack in 32 bit."
            )


def agreement_table(found: Sequence[Agreement]) -> Table:
    """A row for every head and kind of slices."""
    rows = [
        (
            f"{line.head}, {line.on}",
            percent(Share(count=line.before, total=line.slices)),
            percent(Share(count=line.after, total=line.slices)),
            number(100 * (line.after - line.before) / line.slices, 2),
            str(line.changed),
        )
        for line in found
    ]
    return Table(
        title="Against the same network in 32 bit",
        columns=("head, slices", "right, 32 bit", "right, 8 bit", "difference, points", "answers changed"),
        rows=tuple(rows),
        notes=("Single slices, from pixels alone; 95 % Wilson intervals, too narrow as slices of a series are alike.",),
    )


def _simulated(studies: Mapping[str, int], seed: int, cache: Path, jobs: int) -> list[Example]:
    crops = grade.input_spec(load("grade"))
    wanted = [Harvest(profile=profile, seed=seed, studies=count) for profile, count in studies.items()]
    return simulated_examples([file for item in wanted for file in harvest(item, cache, crops, jobs)])


def _answers(pack: Pack, images: Image) -> dict[str, NDArray[Any]]:
    """Class indices (N,) of every head."""
    batches = [pack.run(images=images[start : start + ROWS]) for start in range(0, len(images), ROWS)]
    logits = {head: np.concatenate([batch[head] for batch in batches]) for head in HEADS}
    odds = np.log(CORD_THRESHOLD / (1 - CORD_THRESHOLD))
    return {
        head: (values[:, 0] > odds).astype(np.int64) if head == "cord" else values.argmax(axis=1)
        for head, values in logits.items()
    }


def _text(pack: Pack, found: Sequence[Agreement]) -> PackText:
    manifest = pack.manifest
    scores = [replace(score, figures=f"the same network in 32 bit: {score.figures}") for score in manifest.scores]
    return replace(
        text_of(manifest),
        scores=scores,
        notes=[
            f"Pack {manifest.name} {manifest.version} ({manifest.sha256[:12]}) in 8-bit integers; its heads stay in 32 "
            "bit. Temperatures were fitted in 32 bit.",
            agreement_table(found).to_markdown().strip(),
        ],
        limits=(*LIMITS, "What the card of the pack in 32 bit says of its limits."),
    )
