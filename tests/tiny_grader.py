"""A grader small enough to be trained and exported within a test."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from spinalis.grade.crops import SLOTS
from spinalis.grade.grade import VIEWS_OF
from spinalis.train import packs
from spinalis.train.job import unjudged
from spinalis.train.networks.bag_grader import BagGrader


def export_grader(folder: Path, size: int, settings: Mapping[str, Any]) -> Path:
    """Export a tiny grader of crops of 51.2 mm, trained a little so that its batch norms hold statistics."""
    torch.manual_seed(5)
    network = BagGrader(widths=(4, 6))
    for _ in range(3):
        network(torch.rand(3, len(SLOTS), 1, size, size), torch.ones(3, len(SLOTS)))
    with torch.no_grad():
        network.slot.normal_()
    text = packs.grade_text(
        {"size": size, "spacing_mm": 51.2 / size},
        settings,
        training_data=["nothing"],
        scores=[unjudged(name) for name in VIEWS_OF],
        note="Tiny.",
        limits=(),
    )
    with warnings.catch_warnings(action="ignore"):  # of the exporter
        packs.trained_grade(network.eval(), text).export(folder)
    return folder
