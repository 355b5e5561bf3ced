"""Model packs: a folder with `pack.toml`, `model.onnx` and `card.md`, run by ONNX Runtime."""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import PackError
from spinalis.models.prepare import InputSpec
from spinalis.records import PackInfo

DEFAULT_FOLDER = Path(__file__).parent.parent / "packs"
SCHEMA = "spinalis-pack/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one output was proven on: `on` is `real` or `simulation`; `figures` gives n, result and no-skill row."""

    output: str
    on: str
    figures: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The parsed `pack.toml`. `labels` names the classes of each output; `settings` belongs to the task's stage."""

    name: str
    task: str
    version: str
    licence: str
    sha256: str
    inputs: Mapping[str, InputSpec]
    labels: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Any]
    training_data: tuple[str, ...]
    scores: tuple[Score, ...]

    def input(self, name: str) -> InputSpec:
        """What an input of the model looks like.

        Raises:
            PackError: the pack describes no such input.
        """
        if name not in self.inputs:
            raise PackError(
                f"Pack {self.name}: expected an input {name}, got {', '.join(self.inputs)}. Check pack.toml."
            )
        return self.inputs[name]

    def setting(self, name: str) -> Any:
        """A setting that the task's stage needs.

        Raises:
            PackError: the pack has none.
        """
        if name not in self.settings:
            raise PackError(f"Pack {self.name}: expected a setting {name}, got none. Export the pack again.")
        return self.settings[name]

    def score(self, output: str) -> Score:
        """The score of an output.

        Raises:
            PackError: the pack gives none.
        """
        for score in self.scores:
            if score.output == output:
                return score
        raise PackError(f"Pack {self.name}: expected a score for output {output}, got none. Add it to pack.toml.")


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A checked pack. The model is loaded when it is first run, on `threads` threads, or as many as there are cores."""

    folder: Path
    manifest: Manifest
    threads: int = 2

    @property
    def info(self) -> PackInfo:
        """Name, task, version and checksum."""
        found = self.manifest
        return PackInfo(name=found.name, task=found.task, version=found.version, sha256=found.sha256)

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return (self.folder / "card.md").read_text()

    @cached_property
    def _session(self) -> Any:
        import onnxruntime  # noqa: PLC0415  loaded when a model is run, not when a pack is listed

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = min(self.threads, _cores())
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(
                (self.folder / "model.onnx").read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise PackError(
                f"Pack {self.manifest.name}: expected a model that ONNX Runtime can load, got {type(error).__name__}. "
                "Export it again."
            ) from error

    def run(self, **inputs: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the model on one batch; names and shapes of inputs and outputs are the task's.

        Raises:
            PackError: the model cannot be loaded, or does not take these inputs.
        """
        session = self._session
        names = [output.name for output in session.get_outputs()]
        try:
            return dict(zip(names, session.run(names, inputs), strict=True))
        except Exception as error:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in inputs.items())
            raise PackError(
                f"Pack {self.manifest.name}: expected inputs that its model takes, got {shapes} "
                f"({type(error).__name__}). Use a pack made for this version."
            ) from error


def _cores() -> int:
    """Cores that this process may use. More threads than cores wait for each other, and take half as much CPU again."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_packs(folder: Path | None = None, *, threads: int = 2) -> tuple[Pack, ...]:
    """Load and check every pack in a folder of packs, in the order of their names.

    Args:
        folder: holds one sub-folder per pack; None takes the packs that ship with Spinalis.
        threads: threads per model.

    Raises:
        PackError: no pack is there, a manifest is incomplete, or a checksum is wrong.
    """
    root = folder or DEFAULT_FOLDER
    found = sorted(manifest.parent for manifest in root.glob("*/pack.toml"))
    if not found:
        raise PackError(f"Packs: expected sub-folders with pack.toml in {root.name}/, got none. Give --packs DIR.")
    return tuple(load_pack(item, threads=threads) for item in found)


def load_pack(folder: Path, *, threads: int = 2) -> Pack:
    """Load one pack and compare its model with the checksum in the manifest.

    Raises:
        PackError: the manifest cannot be parsed or is incomplete, a file is missing, or the checksum is wrong.
    """
    try:
        text = tomllib.loads((folder / "pack.toml").read_text(encoding="utf-8"))
        manifest = _manifest(text)
        found = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PackError(
            f"Pack {folder.name}: expected pack.toml ({SCHEMA}) and model.onnx, got {type(error).__name__}: {error}. "
            "Install the pack again."
        ) from error
    if found != manifest.sha256:
        raise PackError(
            f"Pack {folder.name}: expected model.onnx with SHA-256 {manifest.sha256[:12]}…, got {found[:12]}…. "
            "The file was altered; install the pack again."
        )
    return Pack(folder=folder, manifest=manifest, threads=threads)


def select(packs: tuple[Pack, ...], task: str) -> Pack:
    """The pack for a task.

    Raises:
        PackError: there is none, or more than one.
    """
    found = [pack for pack in packs if pack.manifest.task == task]
    if len(found) != 1:
        raise PackError(f"Packs: expected one pack for task {task}, got {len(found)}. Give --packs DIR.")
    return found[0]


def _manifest(text: dict[str, Any]) -> Manifest:
    if text["schema"] != SCHEMA:
        raise PackError(f"Pack: expected schema {SCHEMA}, got {text['schema']}. Export it with this version.")
    inputs = {name: _input(spec) for name, spec in text["inputs"].items()}
    return Manifest(
        name=text["name"],
        task=text["task"],
        version=text["version"],
        licence=text["licence"],
        sha256=text["sha256"],
        inputs=inputs,
        labels={name: tuple(words) for name, words in text.get("labels", {}).items()},
        settings=text.get("settings", {}),
        training_data=tuple(text["training_data"]),
        scores=tuple(Score(**score) for score in text["scores"]),
    )


def _input(spec: dict[str, Any]) -> InputSpec:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in spec.items()}
    return InputSpec(**values)
