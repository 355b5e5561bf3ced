"""The shipped recipes: one YAML file each, named after the task it trains for."""

from importlib.resources import files
from typing import Any

import yaml

from spinalis.errors import RecipeError

NODES = ("triage-anatomy", "triage-view", "triage-sequence", "triage-cord")
NAMES = ("triage", "header", "levels", "grade", *NODES, "body-series")
PAPERS = ("per-view-efficientnetv2s", "per-view-resnet18", "multi-stage-mil")
"""Methods of papers 3 to 5, to be measured against."""
STARTED = ("adapt",)
"""What starts from a pack, which gives the rest of the settings."""
ADDITIONS = ("rsna",)
"""Settings that are added to a recipe for some data."""


def load(name: str) -> dict[str, Any]:
    """The settings of a recipe.

    Raises:
        RecipeError: there is no such recipe.
    """
    if name not in (*NAMES, *PAPERS, *STARTED, *ADDITIONS):
        known = ", ".join((*NAMES, *PAPERS))
        raise RecipeError(f"Recipe: expected one of {known}, got {name}. See spinalis.train.recipes.")
    settings: dict[str, Any] = yaml.safe_load((files(__package__) / f"{name}.yaml").read_text())
    return settings
