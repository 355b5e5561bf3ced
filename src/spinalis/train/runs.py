"""A run on disk: trained in its folder, resumed there after a kill, and exported from there.

| file | holds |
| --- | --- |
| `recipe.yaml` | the recipe as used, with every change, and what it was trained on |
| `metrics.csv` | loss and learning rate over the steps |
| `last.ckpt` | the last checkpoint |
| `network.pt` | the trained network |
| `pack.json` | what its pack says of itself |
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml

from spinalis.errors import OutputError, RecipeError
from spinalis.formats.atomic import write_bytes
from spinalis.models import Pack, Score, load_pack
from spinalis.models.prepare import InputSpec
from spinalis.train import adapt, grade, grade_rsna, header, levels, node, packs, triage, volumes
from spinalis.train.data import open_images, rsna
from spinalis.train.export import PackText
from spinalis.train.job import Job, Trained
from spinalis.train.papers import methods
from spinalis.train.papers.methods import METHODS
from spinalis.train.recipes import NODES, load

RECIPE, NETWORK, PACK_TEXT = "recipe.yaml", "network.pt", "pack.json"

RUN_SETTINGS: Mapping[str, Any] = {"seed": 1, "precision": "32-true", "processes": 1}
"""Settings that every recipe has; precision as Lightning Fabric spells it, such as `bf16-mixed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """How a recipe is trained, built anew, and exported."""

    train: Callable[[Job, Mapping[str, Any]], Trained]
    build: Callable[[Mapping[str, Any]], Any]
    trained: Callable[[Any, PackText], Trained]


TASKS: Mapping[str, Task] = {
    "triage": Task(train=packs.train_triage, build=triage.build_export, trained=packs.trained_triage),
    "header": Task(train=header.train_header, build=header.build, trained=header.trained_header),
    "levels": Task(train=packs.train_levels, build=levels.build, trained=packs.trained_levels),
    "grade": Task(train=packs.train_grade, build=grade.build, trained=packs.trained_grade),
    "adapt": Task(train=packs.train_grade, build=grade.build, trained=packs.trained_grade),
    **{name: Task(train=node.train_node, build=node.build, trained=node.trained_node) for name in NODES},
    volumes.NAME: Task(train=volumes.train, build=volumes.build, trained=volumes.trained),
}
"""By the name of the recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to train. `data` holds open real images or a set in RSNA 2024 layout; None is simulation alone.

    `start` is the folder of the pack that the recipe `adapt` adapts.

    `sources` are public sets that triage learns from besides: name (see `public_sets`) and path.
    """

    recipe: str
    folder: Path
    data: Path | None = None
    changes: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 2
    scale: float = 1.0
    accelerator: str = "auto"
    sources: Sequence[tuple[str, Path]] = ()
    start: Path | None = None


def train(order: Order) -> Path:
    """Train, or resume where the same order was cut short; the folder of the run.

    Raises:
        RecipeError: there is no such recipe or setting, the data do not fit it, or the folder holds another run.
        TableError: a table of the data breaks a rule.
    """
    on_rsna = order.data is not None and rsna.is_set(order.data)
    job = Job(
        data=None if on_rsna else open_images.find_root(order.data),
        runs=order.folder.parent,
        out=order.folder,
        jobs=order.jobs,
        scale=order.scale,
        accelerator=order.accelerator,
        folder=order.folder,
        sources=order.sources,
    )
    own = job.recipe(order.recipe)
    shipped = {**own, **{name: value for name, value in RUN_SETTINGS.items() if name not in own}}
    if order.sources and not order.recipe.startswith("triage"):
        raise RecipeError(
            f"Recipe {order.recipe}: expected no public set, got {order.sources[0][0]}. Only triage learns from them."
        )
    if on_rsna and order.recipe not in ("grade", "adapt", *METHODS):
        raise RecipeError(
            f"Recipe {order.recipe}: expected open real images as data, got a set in RSNA 2024 layout, which carries "
            "no labels for it. Train the recipe grade or that of a paper on it, or leave out --data."
        )
    recipe = changed({**shipped, **(load("rsna") if on_rsna and order.recipe == "grade" else {})}, order.changes)
    data = "RSNA 2024 layout" if on_rsna else "open real images and simulation" if job.data else "simulation"
    used = {"recipe": order.recipe, "data": data, "scale": order.scale, "settings": recipe}
    if order.sources:
        used["sources"] = [f"{name}={path}" for name, path in order.sources]
    pack = None
    if order.recipe == "adapt":
        pack = _start(order, on_rsna=on_rsna)
        recipe |= adapt.settings_of(pack)
        used["from"] = pack.info.sha256
    _claim(order.folder, used)
    if order.recipe in METHODS:
        methods.train(order.recipe, recipe, job, order.data if on_rsna else None)
        return order.folder
    if pack is not None and order.data is not None:
        trained = adapt.train_adapted(job, recipe, order.data, pack)
    elif on_rsna and order.data is not None:
        trained = grade_rsna.train_grade(job, recipe, order.data)
    else:
        trained = TASKS[order.recipe].train(job, recipe)
    save(trained, order.folder)
    return order.folder


def _start(order: Order, *, on_rsna: bool) -> Pack:
    """The pack to adapt.

    Raises:
        RecipeError: no pack or no graded studies were given.
    """
    if order.start is None or not on_rsna:
        missing = "no pack" if order.start is None else "no such set"
        raise RecipeError(
            f"Recipe adapt: expected a pack and a site's studies in RSNA 2024 layout, got {missing}. "
            "Give --from PACK and --data ROOT."
        )
    pack = load_pack(order.start)
    if pack.info.task != "grade":
        raise RecipeError(f"Recipe adapt: expected a pack for task grade, got {pack.info.task}. Give another --from.")
    return pack


def changed(recipe: Mapping[str, Any], changes: Mapping[str, str]) -> dict[str, Any]:
    """A recipe with some settings changed.

    Args:
        recipe: the settings as shipped, each of which says of which kind it is.
        changes: setting -> value, spelled as in YAML.

    Raises:
        RecipeError: there is no such setting, or the value is of another kind.
    """
    made = dict(recipe)
    for name, word in changes.items():
        if name not in made:
            raise RecipeError(f"Recipe: expected a setting among {', '.join(made)}, got {name}. Correct --set.")
        value, kind = yaml.safe_load(word), type(made[name])
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not kind:
            raise RecipeError(
                f"Recipe: expected {name} as {kind.__name__}, such as {made[name]}, got {word}. Correct --set."
            )
        made[name] = value
    return made


def save(trained: Trained, folder: Path) -> None:
    """Keep a trained network and its words in the folder of its run."""
    partial = folder / f"{NETWORK}.part"
    torch.save(trained.network.state_dict(), partial)
    write_bytes(folder / PACK_TEXT, json.dumps(asdict(trained.text), indent=1).encode())
    partial.replace(folder / NETWORK)


def open_run(folder: Path) -> Trained:
    """Load what a finished run has trained.

    Raises:
        RecipeError: there is no finished run in the folder.
    """
    used = yaml.safe_load((folder / RECIPE).read_text()) if (folder / RECIPE).is_file() else {}
    if used.get("recipe") in METHODS:
        raise RecipeError(
            f"Run {folder.name}: expected one that makes a pack, got {used['recipe']}, a paper's method to measure "
            "against. Compare it with: python -m spinalis.train.compare."
        )
    missing = [name for name in (RECIPE, NETWORK, PACK_TEXT) if not (folder / name).is_file()]
    if missing:
        raise RecipeError(
            f"Run {folder.name}: expected a finished run, got none of its {', '.join(missing)}. "
            "Finish it with the same `spinalis train`."
        )
    task, text = TASKS[used["recipe"]], _text(json.loads((folder / PACK_TEXT).read_text()))
    trained = task.trained(task.build(used["settings"]), text)
    trained.network.load_state_dict(torch.load(folder / NETWORK, map_location="cpu", weights_only=True))
    trained.network.eval()
    return trained


def export(folder: Path, pack: Path) -> Path:
    """Write the pack of a finished run, whole or not at all; the folder of the pack.

    Raises:
        RecipeError: there is no finished run in `folder`.
        OutputError: `pack` holds something else, or cannot be written.
        PackError: torch and ONNX Runtime answer differently.
    """
    trained = open_run(folder)
    if pack.exists() and not (pack / "pack.toml").is_file() and (pack.is_file() or any(pack.iterdir())):
        raise OutputError("Pack: expected a new folder or that of a pack, got another. Choose another one with -o.")
    partial = pack.with_name(f".{pack.name}.part")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        trained.export(partial)
        shutil.rmtree(pack, ignore_errors=True)
        partial.replace(pack)
    except OSError as error:
        raise OutputError(
            f"Pack: expected a folder that can be written, got {error.strerror}. Choose another one with -o."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return pack


def _claim(folder: Path, used: Mapping[str, Any]) -> None:
    """Write down the recipe as used, or refuse a folder that holds another run."""
    text, file = yaml.safe_dump(dict(used), sort_keys=False), folder / RECIPE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Run: expected a folder that can be made, got {error.strerror}. Choose another one with --out."
        ) from error
    if file.exists() and file.read_text() != text:
        raise RecipeError(
            f"Run {folder.name}: expected a new folder or the same recipe and data, got another run. "
            "Choose another one with --out."
        )
    write_bytes(file, text.encode())


def _text(found: dict[str, Any]) -> PackText:
    inputs = {name: InputSpec(**_tuples(spec)) for name, spec in found["inputs"].items()}
    return PackText(**{**found, "inputs": inputs, "scores": [Score(**score) for score in found["scores"]]})


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
