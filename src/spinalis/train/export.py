"""From a trained network to a pack: ONNX, manifest, card, and a check that both answer alike."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tomli_w
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinalis.errors import PackError
from spinalis.models import Score
from spinalis.models.pack import SCHEMA, Manifest
from spinalis.models.prepare import InputSpec

GOLDEN_TOLERANCE = 1e-4
"""Largest accepted difference between torch and ONNX Runtime, relative to the largest output value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackText:
    """Everything a pack says of itself beside its weights. `notes` are paragraphs of the card."""

    name: str
    task: str
    version: str
    inputs: Mapping[str, InputSpec]
    labels: Mapping[str, Sequence[str]]
    settings: Mapping[str, Any]
    training_data: Sequence[str]
    scores: Sequence[Score]
    notes: Sequence[str]
    licence: str = "Apache-2.0"
    limits: Sequence[str] = field(default=())


def text_of(manifest: Manifest) -> PackText:
    """What a pack says of itself, without the notes and limits that stand in its card alone."""
    return PackText(
        name=manifest.name,
        task=manifest.task,
        version=manifest.version,
        licence=manifest.licence,
        inputs=manifest.inputs,
        labels=manifest.labels,
        settings=manifest.settings,
        training_data=manifest.training_data,
        scores=manifest.scores,
        notes=(),
    )


def export_onnx(network: nn.Module, example: Mapping[str, Tensor], outputs: Sequence[str], file: Path) -> None:
    """Export a network with a free batch size and hold ONNX Runtime to torch.

    Args:
        network: in evaluation mode.
        example: named inputs, batch of at least two.
        outputs: names of the outputs, in order.
        file: where the model goes.

    Raises:
        PackError: the two differ by more than `GOLDEN_TOLERANCE`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.onnx.export(
        network,
        tuple(example.values()),
        str(file),
        input_names=list(example),
        output_names=list(outputs),
        dynamic_shapes=tuple({0: batch} for _ in example),
        external_data=False,
        dynamo=True,
        verbose=False,
    )
    difference = golden_difference(network, example, file)
    if difference > GOLDEN_TOLERANCE:
        raise PackError(
            f"Export of {file.parent.name}: expected torch and ONNX Runtime within {GOLDEN_TOLERANCE}, "
            f"got {difference:.2g}. Look for an operator that the exporter changes."
        )


def golden_difference(network: nn.Module, example: Mapping[str, Tensor], file: Path) -> float:
    """Largest difference between torch and ONNX Runtime on one example, relative to the largest output value."""
    with torch.inference_mode():
        answers = network(*example.values())
    expected = answers if isinstance(answers, tuple) else (answers,)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found: list[NDArray[np.float32]] = session.run(None, {name: value.numpy() for name, value in example.items()})
    return max(
        float(np.abs(a.numpy() - b).max() / max(1e-6, float(np.abs(a.numpy()).max())))
        for a, b in zip(expected, found, strict=True)
    )


def write_pack(folder: Path, text: PackText) -> None:
    """Write `pack.toml` and `card.md` beside an exported `model.onnx`."""
    model = folder / "model.onnx"
    manifest = {
        "schema": SCHEMA,
        "name": text.name,
        "task": text.task,
        "version": text.version,
        "licence": text.licence,
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "research_use_only": True,
        "training_data": list(text.training_data),
        "inputs": {name: _plain(asdict(spec)) for name, spec in text.inputs.items()},
        "labels": {name: list(words) for name, words in text.labels.items()},
        "settings": _plain(dict(text.settings)),
        "scores": [asdict(score) for score in text.scores],
    }
    (folder / "pack.toml").write_text(tomli_w.dumps(manifest))
    (folder / "card.md").write_text(_card(text, model.stat().st_size))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Drop what TOML has no word for: None."""
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if value is not None
    }


def _card(text: PackText, size: int) -> str:
    scores = [f"| {score.output} | {score.on} | {score.figures} |" for score in text.scores]
    lines = [
        f"# {text.name} {text.version}",
        "",
        f"Task `{text.task}`, {size / 1e6:.1f} MB, {text.licence}. **Research use only; not a medical device.**",
        "",
        *[line for note in text.notes for line in (note, "")],
        "## Trained on",
        "",
        *[f"- {item}" for item in text.training_data],
        "",
        "## Proven on",
        "",
        "| output | on | figures |",
        "| --- | --- | --- |",
        *scores,
        "",
        "## Limits",
        "",
        *[f"- {item}" for item in text.limits],
    ]
    return "\n".join(lines) + "\n"
