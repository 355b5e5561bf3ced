"""The papers' methods as they are compared: which recipes, with which changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

STAGE_1 = "multi-stage-mil"
"""The entry whose stage 1 serves the ablations of stage 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A paper's method as it is compared: its recipe with changes; `stage1_from`: the entry whose stage 1 it takes."""

    recipe: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    stage1_from: str | None = None


ENTRIES: Mapping[str, Entry] = {
    "per-view-efficientnetv2s": Entry(recipe="per-view-efficientnetv2s"),
    "per-view-resnet18": Entry(recipe="per-view-resnet18"),
    STAGE_1: Entry(recipe=STAGE_1),
}
ABLATIONS: Mapping[str, Entry] = {
    "per-view-binary": Entry(recipe="per-view-efficientnetv2s", changes={"binary": True}),
    "mil-no-bilstm": Entry(recipe=STAGE_1, changes={"bilstm": False}, stage1_from=STAGE_1),
    "mil-shared-attention": Entry(recipe=STAGE_1, changes={"shared_attention": True}, stage1_from=STAGE_1),
    "mil-no-stage1-error": Entry(recipe=STAGE_1, changes={"stage1_error": False}, stage1_from=STAGE_1),
    "mil-no-pretraining": Entry(recipe=STAGE_1, changes={"pretraining": False}),
}
"""Paper 3's binary loss, and paper 5 with one switch changed each."""


def entry(name: str) -> Entry:
    """One of `ENTRIES` or `ABLATIONS`."""
    return ENTRIES[name] if name in ENTRIES else ABLATIONS[name]


def changes_of(name: str, runs: Path, *, small: bool) -> dict[str, Any]:
    """What is changed in the recipe of an entry.

    Args:
        name: of the entry.
        runs: holds the runs of the other entries.
        small: take the smaller networks and pictures of `small.yaml`.
    """
    chosen = entry(name)
    taken = {} if chosen.stage1_from is None else {"stage1_from": str(runs / chosen.stage1_from)}
    return {**(smaller()[chosen.recipe] if small else {}), **chosen.changes, **taken}


def smaller() -> dict[str, dict[str, Any]]:
    """Recipe -> its changes for two CPU cores."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((files(__package__) / "small.yaml").read_text())
    return found
