"""Answers of a method on kept studies: calibrated alike for every method, then weighted for the score.

Arrays are (S, 5, 5, 3): study, condition, level, grade, in the order of the vocabulary; NaN where there is no answer.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinalis.errors import RecipeError
from spinalis.evaluate import rsna
from spinalis.formats import rsna_csv
from spinalis.formats.atomic import write_bytes
from spinalis.formats.rsna_csv import Place, Probabilities
from spinalis.grade.operating import calibrated
from spinalis.prevalence import PREVALENCE
from spinalis.records import FloatArray
from spinalis.train.data.bags import UNLABELLED
from spinalis.train.data.whole import Whole
from spinalis.train.grade import calibrate
from spinalis.vocabulary import CONDITIONS, LEVELS

FILE = "calibration.json"
LEAST = 1e-6
"""Probabilities are taken to be at least this before their logarithm is."""

Calibration = Mapping[str, Mapping[str, Any]]
"""Group of conditions -> temperature and bias, as `grade.calibrate` fits them."""


def fit_calibration(raw: FloatArray, studies: Sequence[Whole]) -> Calibration:
    """Temperature and biases of every group, from studies that were not trained on.

    Raises:
        RecipeError: a group has no labelled answer.
    """
    grades = np.stack([item.grades for item in studies])
    found = {}
    for name, rows in _groups():
        logs = _logs(raw[:, rows])
        known = np.asarray(np.isfinite(logs).all(axis=-1) & (grades[:, rows] != UNLABELLED))
        if not known.any():
            raise RecipeError(f"Calibration of {name}: expected labelled answers, got none. Take more studies.")
        found[name] = calibrate(logs[known], grades[:, rows][known])
    return found


def apply_calibration(raw: FloatArray, calibration: Calibration) -> FloatArray:
    """(S, 5, 5, 3) calibrated probabilities; still NaN where there is no answer."""
    found = np.full(raw.shape, np.nan)
    for name, rows in _groups():
        logs = _logs(raw[:, rows])
        found[:, rows] = calibrated(logs.reshape(-1, logs.shape[-1]), calibration[name]).reshape(logs.shape)
    return found


def write(studies: Sequence[str], answers: FloatArray, path: Path) -> int:
    """Write a prediction file, weighted for the score; the prior of its level where there is no answer.

    Returns:
        How many rows are the prior.

    Raises:
        OutputError: `path` cannot be written.
    """
    filled = np.asarray(np.isnan(answers).any(axis=-1))
    complete = rsna.weighted(np.where(filled[..., None], _prior(), answers))
    rsna_csv.write_predictions({name: _places(values) for name, values in zip(studies, complete, strict=True)}, path)
    return int(filled.sum())


def save(calibration: Calibration, folder: Path) -> None:
    """Keep a calibration in the folder of its run."""
    write_bytes(folder / FILE, json.dumps(calibration, indent=1).encode())


def _places(values: FloatArray) -> dict[Place, Probabilities]:
    flat = values.reshape(-1, values.shape[-1]).tolist()
    return {place: (a, b, c) for place, (a, b, c) in zip(rsna_csv.PLACES, flat, strict=True)}


def _groups() -> list[tuple[str, list[int]]]:
    return [(name, [CONDITIONS.index(item) for item in members]) for name, members in rsna.GROUPS]


def _prior() -> FloatArray:
    """(5, 5, 3) share of each grade per condition and level in the RSNA 2024 set."""
    found = np.empty((len(CONDITIONS), len(LEVELS), 3))
    for name, rows in _groups():
        found[rows] = PREVALENCE[name]
    return found


def _logs(probabilities: FloatArray) -> FloatArray:
    return np.log(np.maximum(probabilities, LEAST))
